//! Keys and tokens made on the spot, for the tests of this room and of `sources`.

use super::compact::decode;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use sha2::Digest;

/// A private key with the JWK of its public part.
pub(crate) struct Forge {
    private: EncodingKey,
    algorithm: jsonwebtoken::Algorithm,
    jwk: Value,
}

impl Forge {
    pub(crate) fn ed25519(id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let document = pair.to_pkcs8().unwrap();
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()), "kid": id});
        let private = EncodingKey::from_ed_der(document.as_ref());
        Self { private, algorithm: jsonwebtoken::Algorithm::EdDSA, jwk }
    }

    pub(crate) fn p256(id: &str) -> Self {
        Self::elliptic(id, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, jsonwebtoken::Algorithm::ES256)
    }

    pub(crate) fn p384(id: &str) -> Self {
        Self::elliptic(id, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, jsonwebtoken::Algorithm::ES384)
    }

    fn elliptic(id: &str, curve: &str, signing: &'static EcdsaSigningAlgorithm, algorithm: jsonwebtoken::Algorithm) -> Self {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let document = pair.to_pkcs8v1().unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
        let jwk = json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y), "kid": id});
        Self { private: EncodingKey::from_ec_der(document.as_ref()), algorithm, jwk }
    }

    pub(crate) fn rsa(id: &str, algorithm: jsonwebtoken::Algorithm) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let jwk = json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e), "kid": id});
        let document: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // The library signs with PKCS #1, which a PKCS #8 document of a 2048-bit key holds behind 26 bytes.
        Self { private: EncodingKey::from_rsa_der(&document.as_ref()[26..]), algorithm, jwk }
    }

    /// The same key under another algorithm.
    pub(crate) fn with(mut self, algorithm: jsonwebtoken::Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    pub(crate) fn algorithm(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    pub(crate) fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    /// A token whose header names this key's algorithm and `kid`.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm(), "kid": self.jwk["kid"]});
        self.sign(&header.to_string(), claims.to_string().as_bytes())
    }

    /// A token with exactly this header and payload.
    pub(crate) fn sign(&self, header: &str, payload: &[u8]) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.private, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }

    /// A detached signature over `content`.
    pub(crate) fn detached(&self, content: &[u8]) -> String {
        let header = json!({"alg": self.algorithm(), "kid": self.jwk["kid"]});
        let token = self.sign(&header.to_string(), content);
        let (header, rest) = token.split_once('.').unwrap();
        format!("{header}..{}", rest.split_once('.').unwrap().1)
    }
}

/// A key set document of these keys.
pub(crate) fn key_set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The decoded header of a token, for tests that change it.
pub(crate) fn header_of(token: &str) -> Value {
    serde_json::from_slice(&decode(token.split_once('.').unwrap().0).unwrap()).unwrap()
}

/// What names a proof, by a number.
pub(crate) fn proof_id(number: u8) -> super::ProofId {
    super::ProofId::numbered(number)
}

/// The encoded SHA-256 of a text.
pub(crate) fn hash(text: &[u8]) -> String {
    encode(&sha2::Sha256::digest(text))
}

impl Forge {
    /// The `jkt` of tokens that are bound to this key.
    pub(crate) fn thumbprint(&self) -> String {
        let jwk = self.jwk.to_string();
        encode(&super::public_key::thumbprint(&super::strict_json::members_of(&jwk).unwrap()).unwrap())
    }

    /// The header of a proof by this key.
    pub(crate) fn proof_header(&self) -> Value {
        let mut jwk = self.jwk.clone();
        jwk.as_object_mut().unwrap().remove("kid");
        json!({"typ": "dpop+jwt", "alg": self.algorithm(), "jwk": jwk})
    }
}
