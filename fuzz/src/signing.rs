//! One issuer with one key, and tokens with any header and payload that it signed.

use crate::token::{Algorithm, Issuer, IssuerRules, KeySet};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The issuer's name.
pub const ISSUER: &str = "https://id.example";
/// What its tokens are for.
pub const AUDIENCE: &str = "lusid-api";
/// How far its clock may be off, in seconds.
pub const SKEW: f64 = 30.0;
/// The longest life of a token, in seconds.
pub const LIFETIME: f64 = 86_400.0;

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let document = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"{}"}}]}}"#, encode(public_key()));
    KeySet::parse(document.as_bytes()).unwrap()
});
static RULES: LazyLock<Issuer> = LazyLock::new(|| Issuer {
    rules: Arc::new(IssuerRules { roles_claim: Some("groups".into()), ..IssuerRules::named(ISSUER) }),
    audience: vec![AUDIENCE.into()],
    algorithms: all_algorithms(),
    clock_skew: Duration::from_secs(30),
    max_lifetime: Duration::from_secs(86_400),
});

/// The issuer.
pub fn issuer() -> &'static Issuer {
    &RULES
}

/// Its keys.
pub fn keys() -> &'static KeySet {
    &KEYS
}

/// The public key.
pub fn public_key() -> &'static [u8] {
    PAIR.public_key().as_ref()
}

/// Every algorithm that may be listed.
pub fn all_algorithms() -> Vec<Algorithm> {
    let names = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// A token with this header and payload, signed.
pub fn sign(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = PAIR.sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature.as_ref()))
}

/// Base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes, if this is how they are encoded.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
