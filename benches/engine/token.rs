//! Who a bearer is: from the cache among few and many tokens, and verified anew under each
//! algorithm. The baseline verifies with `jsonwebtoken` alone.

use crate::processor::Criterion;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BatchSize, Throughput};
use doorward::authorize::Identity;
use doorward::http_client::{Authorities, HttpClient};
use doorward::observe::clock;
use doorward::sources::{IssuerKeys, KeyHolder, KeyOrigin, KeySets, Presented, Surroundings, Tokens};
use doorward::token::{Algorithm, Checks, Issuer, IssuerRules, KeySet, Unverified, verify};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use std::cell::LazyCell;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "lusid-api";

pub(crate) fn bench(criterion: &mut Criterion) {
    verified(criterion);
    new(criterion);
    cached(criterion);
}

/// A token that was never seen, from the header to the caller: looked for, verified, remembered.
fn new(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token/new");
    let now = clock::now();
    let signers = [
        ("rs256", Signer::rsa(), Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
        ("es256", Signer::p256(), Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
        ("eddsa", Signer::ed25519(), Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
    ];
    for (name, signer, algorithm, library) in signers {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        std::fs::write(&path, signer.key_set()).unwrap();
        let sets = Arc::new(key_sets(KeyOrigin::File(path), algorithm));
        let headers = bearer(&signer.token(library, 0, now));
        let is_known = |tokens: &mut Tokens| matches!(tokens.identify_at_once(&Presented::by(&headers, now)), Ok(Identity::Token(_)));
        assert!(is_known(&mut Tokens::new(Arc::clone(&sets), Arc::new(()))));
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(|| Tokens::new(Arc::clone(&sets), Arc::new(())), is_known, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn verified(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token/verify");
    let now = clock::now();
    let signers = [
        ("rs256", Signer::rsa(), Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
        ("es256", Signer::p256(), Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
        ("eddsa", Signer::ed25519(), Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
    ];
    for (name, signer, algorithm, library) in signers {
        let token = signer.token(library, 0, now);
        let keys = KeySet::parse(&signer.key_set()).unwrap();
        let issuer = issuer(algorithm);
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            bencher.iter(|| verify(Unverified::parse(black_box(&token)).unwrap(), &issuer, &keys, now, Checks::default()).unwrap());
        });
        let public = DecodingKey::from_jwk(&serde_json::from_value(signer.jwk.clone()).unwrap()).unwrap();
        let mut validation = Validation::new(library);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        group.bench_function(format!("jsonwebtoken/{name}"), |bencher| {
            bencher.iter(|| jsonwebtoken::decode::<Value>(black_box(token.as_bytes()), &public, &validation).unwrap());
        });
    }
    group.finish();
}

fn cached(criterion: &mut Criterion) {
    let signer = Signer::ed25519();
    let now = clock::now();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    std::fs::write(&path, signer.key_set()).unwrap();
    let tokens = Tokens::new(Arc::new(key_sets(KeyOrigin::File(path), Algorithm::EdDsa)), Arc::new(()));
    let mut group = criterion.benchmark_group("token/cached");
    for count in [100, 20_000] {
        let is_known = |headers: &HeaderMap| matches!(tokens.identify_at_once(&Presented::by(headers, now)), Ok(Identity::Token(_)));
        let requests = LazyCell::new(|| {
            let token = |number| signer.token(jsonwebtoken::Algorithm::EdDSA, number, now);
            let requests: Vec<HeaderMap> = (0..count).map(|number| bearer(&token(number))).collect();
            assert!(requests.iter().all(is_known));
            requests
        });
        group.bench_function(count.to_string(), |bencher| {
            let mut turn = requests.iter().cycle();
            bencher.iter(|| turn.next().map(is_known));
        });
        let places = LazyCell::new(|| requests.iter().zip(0..).map(|(headers, place)| (credential(headers), place)).collect::<HashMap<&[u8], usize>>());
        group.bench_function(format!("hash_map/{count}"), |bencher| {
            let mut turn = requests.iter().cycle();
            bencher.iter(|| turn.next().and_then(|headers| places.get(credential(headers))));
        });
    }
    group.finish();
}

/// One issuer whose keys have been read.
fn key_sets(origin: KeyOrigin, algorithm: Algorithm) -> KeySets {
    let surroundings = Surroundings { client: HttpClient::new(Authorities::Native).unwrap(), observer: Arc::new(()), clock: clock::now };
    let hour = Duration::from_secs(3600);
    let keys = Arc::new(KeyHolder::new(ISSUER, origin, hour, hour, surroundings));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(keys.refresh_for_unknown_key()));
    KeySets::new(vec![IssuerKeys { issuer: issuer(algorithm), keys }])
}

fn issuer(algorithm: Algorithm) -> Issuer {
    let rules = IssuerRules { issuer: ISSUER.into(), ..IssuerRules::default() };
    Issuer {
        rules: Arc::new(rules),
        audience: vec![AUDIENCE.into()],
        algorithms: vec![algorithm],
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
    }
}

fn credential(headers: &HeaderMap) -> &[u8] {
    headers[header::AUTHORIZATION].as_bytes()
}

fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    [(header::AUTHORIZATION, value)].into_iter().collect()
}

/// A private key with the JWK of its public part.
struct Signer {
    private: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let document: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // The library signs with PKCS #1, which a PKCS #8 document of a 2048-bit key holds behind 26 bytes.
        Self {
            private: EncodingKey::from_rsa_der(&document.as_ref()[26..]),
            jwk: json!({ "kty": "RSA", "n": encode(&public.n), "e": encode(&public.e) }),
        }
    }

    fn p256() -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        Self {
            private: EncodingKey::from_ec_der(document.as_ref()),
            jwk: json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) }),
        }
    }

    fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self {
            private: EncodingKey::from_ed_der(document.as_ref()),
            jwk: json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
        }
    }

    fn key_set(&self) -> Vec<u8> {
        json!({ "keys": [self.jwk] }).to_string().into_bytes()
    }

    /// A token such as identity providers issue, good for an hour.
    fn token(&self, algorithm: jsonwebtoken::Algorithm, number: usize, now: Timestamp) -> String {
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": format!("00u{number}"), "jti": format!("AT.{number:032}"), "ver": 1, "cid": "0oa9x8bench",
            "iat": now.as_second(), "exp": now.as_second() + 3600, "scp": ["openid", "profile"], "groups": ["reader", "desk/risk"],
        });
        jsonwebtoken::encode(&Header::new(algorithm), &claims, &self.private).unwrap()
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
