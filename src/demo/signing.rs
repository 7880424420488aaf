//! A key that is made at the start, known by its JWK, and signs JWTs and detached JWSs. Nothing of it
//! outlives the process.

use super::DemoError;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An Ed25519 key with its `kid`.
pub(super) struct SigningKey {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// A new key under this `kid`.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub(super) fn generate(id: &'static str) -> Result<Self, DemoError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| DemoError::Randomness)?;
        Ok(Self { id, pair })
    }

    /// The public key as a JWK.
    pub(super) fn jwk(&self) -> Value {
        let public = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "x": public, "kid": self.id, "alg": "EdDSA", "use": "sig"})
    }

    /// A JWT with these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        let signed = format!("{}.{}", self.header(), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.signature(&signed);
        format!("{signed}.{signature}")
    }

    /// A JWS of these bytes that does not contain them (RFC 7515 appendix F).
    pub(super) fn detached(&self, bytes: &[u8]) -> String {
        let header = self.header();
        let signature = self.signature(&format!("{header}.{}", URL_SAFE_NO_PAD.encode(bytes)));
        format!("{header}..{signature}")
    }

    fn header(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!({"alg": "EdDSA", "kid": self.id}).to_string())
    }

    fn signature(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes()).as_ref())
    }
}

/// A text that nobody can guess.
///
/// # Errors
/// When the machine gives no randomness.
pub(super) fn secret() -> Result<String, DemoError> {
    let mut bytes = [0; 18];
    rand::fill(&mut bytes).map_err(|_| DemoError::Randomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
