//! An issuer of tokens with a key of its own, and the key sets that trust it.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::http_client::{Authorities, HttpClient};
use doorward::observe::clock;
use doorward::sources::{IssuerKeys, KeyHolder, KeyOrigin, KeySets, Surroundings};
use doorward::token::{Algorithm, Issuer, IssuerRules};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whom the tokens are for.
pub const AUDIENCE: &str = "lusid-api";

/// A private key.
pub struct Key {
    pair: Ed25519KeyPair,
    id: String,
}

impl Key {
    /// A new one with this `kid`.
    pub fn new(id: &str) -> Self {
        Self { pair: Ed25519KeyPair::generate().unwrap(), id: id.to_owned() }
    }

    /// The key set that holds its public half.
    pub fn set(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": self.id, "alg": "EdDSA", "use": "sig", "x": x }] }).to_string()
    }

    /// A token with these claims, a JSON text.
    pub fn token(&self, claims: &str) -> String {
        self.sign(&json!({ "alg": "EdDSA", "kid": self.id, "typ": "JWT" }), claims)
    }

    /// A token with this header and payload.
    pub fn sign(&self, header: &Value, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// What the tokens of an issuer with these rules are measured by.
pub fn measured(rules: IssuerRules, audience: Vec<Box<str>>, max_lifetime: Duration) -> Issuer {
    Issuer { rules: Arc::new(rules), audience, algorithms: vec![Algorithm::EdDsa], clock_skew: Duration::from_secs(30), max_lifetime }
}

/// These issuers, their keys read from a file until the key sets are dropped.
pub async fn trusting(issuers: Vec<Issuer>, file: &Path) -> Arc<KeySets> {
    let surroundings = Surroundings { client: HttpClient::new(Authorities::Native).unwrap(), observer: Arc::new(()), clock: clock::now };
    let hour = Duration::from_secs(3600);
    let holder = |issuer: &Issuer| Arc::new(KeyHolder::new(&issuer.rules.issuer, KeyOrigin::File(file.to_owned()), hour, hour, surroundings.clone()));
    let keys = issuers.into_iter().map(|issuer| IssuerKeys { keys: holder(&issuer), issuer });
    let sets = Arc::new(KeySets::new(keys.collect()));
    let reading = Arc::clone(&sets);
    let reading = tokio::spawn(async move { reading.run().await });
    super::within(async {
        while !sets.tried_once() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    reading.abort();
    sets
}
