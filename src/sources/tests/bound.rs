//! Tokens that are bound to their sender, by a key or a certificate.

use super::*;
use crate::authorize::{Challenge, Door, Identity};
use crate::token::forge::{Forge, hash, key_set};
use crate::token::{Algorithm, Issuer, IssuerRules};
use http::header::{AUTHORIZATION, HOST};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

struct Scene {
    issuer: Forge,
    sender: Forge,
    tokens: Tokens,
    _directory: tempfile::TempDir,
}

/// What a client sends, and by what connection.
struct Sent<'a> {
    authorization: String,
    proofs: Vec<String>,
    door: Door,
    certificate: Option<&'a [u8]>,
}

impl Scene {
    fn new() -> Self {
        Self::under(IssuerRules::named("one"))
    }

    fn under(rules: IssuerRules) -> Self {
        let (directory, issuer) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
        let path = directory.path().join("keys");
        std::fs::write(&path, key_set(&[issuer.jwk()])).unwrap();
        let (surroundings, _) = surroundings();
        let keys = KeyHolder::new("one", KeyOrigin::File(path), Duration::from_secs(3600), Duration::ZERO, surroundings);
        let measured = Issuer {
            rules: Arc::new(rules),
            audience: vec!["api".into()],
            algorithms: Algorithm::DEFAULT.to_vec(),
            clock_skew: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(86_400),
        };
        let sets = KeySets::new(vec![IssuerKeys { issuer: measured, keys: Arc::new(keys) }]);
        Self { issuer, sender: Forge::p256("s"), tokens: Tokens::new(Arc::new(sets), Arc::new(())), _directory: directory }
    }

    fn token(&self, cnf: Option<Value>) -> String {
        let mut claims = json!({"iss": "one", "aud": "api", "sub": "00u1", "exp": NOW + 600});
        if let Some(cnf) = cnf {
            claims["cnf"] = cnf;
        }
        self.issuer.token(&claims)
    }

    fn bound(&self) -> String {
        self.token(Some(json!({"jkt": self.sender.thumbprint()})))
    }

    fn proof(&self, token: &str, id: &str) -> String {
        let claims = json!({"jti": id, "htm": "GET", "htu": "https://api.example/a", "iat": NOW, "ath": hash(token.as_bytes())});
        self.sender.sign(&self.sender.proof_header().to_string(), claims.to_string().as_bytes())
    }

    async fn judged(&self, sent: &Sent<'_>) -> Identity {
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, sent.authorization.parse().unwrap()), (HOST, "api.example".parse().unwrap())]);
        for proof in &sent.proofs {
            headers.append("dpop", proof.parse().unwrap());
        }
        let channel = Channel { is_https: true, certificate: sent.certificate.map(|shown| Sha256::digest(shown).into()) };
        let call = Circumstances { door: sent.door, method: "GET", target: "/a?b", authority: None, channel };
        self.tokens.identify(&Presented { call: Some(call), ..Presented::by(&headers, now()) }).await
    }

    async fn with_proofs(&self, token: &str, proofs: &[&str]) -> Identity {
        let proofs = proofs.iter().map(|id| self.proof(token, id)).collect();
        self.judged(&Sent { authorization: format!("DPoP {token}"), proofs, door: Door::Proxy, certificate: None }).await
    }

    async fn as_bearer(&self, token: &str, certificate: Option<&[u8]>) -> Identity {
        self.judged(&Sent { authorization: format!("Bearer {token}"), proofs: vec![], door: Door::Proxy, certificate }).await
    }
}

fn is_good(identity: &Identity) -> bool {
    matches!(identity, Identity::Token(_))
}

fn asks_for(identity: &Identity, expected: Challenge) -> bool {
    matches!(identity, Identity::Unproven { challenge, .. } if *challenge == expected)
}

#[tokio::test]
async fn a_token_bound_to_a_key_is_good_with_a_proof_and_only_with_one() {
    let scene = Scene::new();
    let token = scene.bound();
    // Twice: the second time the token comes out of the cache.
    for round in ["1", "2"] {
        assert!(asks_for(&scene.with_proofs(&token, &[]).await, Challenge::Proof));
        assert!(asks_for(&scene.as_bearer(&token, None).await, Challenge::Possession));
        assert!(is_good(&scene.with_proofs(&token, &[round]).await));
        assert!(asks_for(&scene.with_proofs(&token, &["x", "y"]).await, Challenge::Proof), "two proofs");
    }
    let lower = Sent { authorization: format!("dpop {token}"), proofs: vec![scene.proof(&token, "3")], door: Door::Proxy, certificate: None };
    assert!(is_good(&scene.judged(&lower).await));
}

#[tokio::test]
async fn a_proof_is_taken_at_our_hosts_alone_where_they_are_named() {
    for (ours, is_taken) in [("api.example", true), ("other.example", false)] {
        let scene = Scene::under(IssuerRules { proof_hosts: [ours.into()].into(), ..IssuerRules::named("one") });
        let token = scene.bound();
        for round in ["1", "2"] {
            assert_eq!(is_good(&scene.with_proofs(&token, &[round]).await), is_taken, "{ours}");
        }
    }
}

#[tokio::test]
async fn a_proof_is_taken_once_and_by_ext_proc_once_more() {
    let scene = Scene::new();
    let token = scene.bound();
    let at = |door| Sent { authorization: format!("DPoP {token}"), proofs: vec![scene.proof(&token, "same")], door, certificate: None };
    assert!(is_good(&scene.judged(&at(Door::ExtAuthz)).await));
    for door in [Door::ExtAuthz, Door::Proxy, Door::ForwardAuth] {
        assert!(asks_for(&scene.judged(&at(door)).await, Challenge::Proof), "{door:?}");
    }
    assert!(is_good(&scene.judged(&at(Door::ExtProc)).await));
    assert!(asks_for(&scene.judged(&at(Door::ExtProc)).await, Challenge::Proof));
}

#[tokio::test]
async fn a_token_bound_to_a_certificate_is_good_on_its_connection_alone() {
    let scene = Scene::new();
    let token = scene.token(Some(json!({"x5t#S256": hash(b"certificate")})));
    for _ in 0..2 {
        assert!(is_good(&scene.as_bearer(&token, Some(b"certificate")).await));
        assert!(!is_good(&scene.as_bearer(&token, Some(b"other")).await));
        assert!(!is_good(&scene.as_bearer(&token, None).await));
        assert!(asks_for(&scene.with_proofs(&token, &["1"]).await, Challenge::Possession));
    }
}

#[tokio::test]
async fn a_token_without_a_binding_is_not_taken_with_a_proof() {
    let scene = Scene::new();
    for token in [scene.token(None), "opaque".to_owned()] {
        for _ in 0..2 {
            assert!(asks_for(&scene.with_proofs(&token, &["1"]).await, Challenge::Possession), "{token}");
        }
    }
    let plain = scene.token(None);
    let beside = Sent { authorization: format!("Bearer {plain}"), proofs: vec![scene.proof(&plain, "1")], door: Door::Proxy, certificate: None };
    assert!(is_good(&scene.judged(&beside).await), "a proof beside a bearer token is nothing");
}

#[tokio::test]
async fn where_nothing_is_known_of_the_call_no_bound_token_is_good() {
    let scene = Scene::new();
    let certificate = scene.token(Some(json!({"x5t#S256": hash(b"certificate")})));
    let bound = scene.bound();
    for (authorization, proof) in [(format!("Bearer {certificate}"), None), (format!("DPoP {bound}"), Some(scene.proof(&bound, "1")))] {
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap()), (HOST, "api.example".parse().unwrap())]);
        headers.extend(proof.map(|proof| ("dpop".parse::<http::HeaderName>().unwrap(), proof.parse().unwrap())));
        assert!(!is_good(&scene.tokens.identify(&Presented::by(&headers, now())).await));
    }
}
