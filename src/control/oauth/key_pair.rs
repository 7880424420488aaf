//! Private keys: made, opened, signing.

use super::error::OAuthError;
use crate::control::wire::random;
use crate::token::Algorithm;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::fmt;

/// A key that was just made.
pub(in crate::control) struct Made {
    pub(super) kid: String,
    /// In PKCS #8.
    pub(super) private: Vec<u8>,
    /// As a JWK.
    pub(super) public: Value,
}

/// A private key that signs.
pub(super) enum KeyPair {
    Edwards(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Made {
    pub(super) fn new(algorithm: Algorithm) -> Result<Self, OAuthError> {
        let kid = URL_SAFE_NO_PAD.encode(random::<12>()?);
        let (private, mut public) = match algorithm {
            Algorithm::Rs256 => rsa()?,
            _ => edwards()?,
        };
        for (name, value) in [("use", "sig"), ("alg", algorithm.name()), ("kid", &kid)] {
            if let Some(members) = public.as_object_mut() {
                members.insert(name.to_owned(), value.into());
            }
        }
        Ok(Self { kid, private, public })
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Made").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn edwards() -> Result<(Vec<u8>, Value), OAuthError> {
    let pair = Ed25519KeyPair::generate().map_err(|_| OAuthError::Signing)?;
    let private = pair.to_pkcs8().map_err(|_| OAuthError::Signing)?;
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    Ok((private.as_ref().to_vec(), json!({"kty": "OKP", "crv": "Ed25519", "x": x})))
}

fn rsa() -> Result<(Vec<u8>, Value), OAuthError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| OAuthError::Signing)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| OAuthError::Signing)?;
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let (n, e) = (URL_SAFE_NO_PAD.encode(&public.n), URL_SAFE_NO_PAD.encode(&public.e));
    Ok((private.as_ref().to_vec(), json!({"kty": "RSA", "n": n, "e": e})))
}

impl KeyPair {
    pub(super) fn open(algorithm: &str, private: &[u8]) -> Result<Self, OAuthError> {
        let pair = match algorithm.parse() {
            Ok(Algorithm::EdDsa) => Ed25519KeyPair::from_pkcs8(private).map(Self::Edwards),
            Ok(Algorithm::Rs256) => RsaKeyPair::from_pkcs8(private).map(Self::Rsa),
            _ => return Err(OAuthError::Signing),
        };
        pair.map_err(|_| OAuthError::Signing)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, OAuthError> {
        match self {
            Self::Edwards(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
                signed.map(|()| signature).map_err(|_| OAuthError::Signing)
            }
        }
    }
}
