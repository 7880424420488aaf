//! Identification, with the cache and without it.

use super::*;
use crate::authorize::Identity;
use crate::token::forge::{Forge, key_set};
use crate::token::{Algorithm, Issuer, IssuerRules};
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use std::path::Path;

struct Scene {
    directory: tempfile::TempDir,
    tokens: Tokens,
    counts: Arc<Counts>,
}

impl Scene {
    /// Two issuers, `one` and `two`, whose keys stand in files.
    async fn new(one: &[&Forge], two: &[&Forge]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (surroundings, counts) = surroundings();
        let mut issuers = Vec::new();
        for (name, forges) in [("one", one), ("two", two)] {
            write_keys(&directory.path().join(name), forges);
            let origin = KeyOrigin::File(directory.path().join(name));
            let long = Duration::from_secs(3600);
            let keys = KeyHolder::new(name, origin, long, Duration::ZERO, surroundings.clone());
            issuers.push(IssuerKeys { issuer: issuer(name), keys: Arc::new(keys) });
        }
        let tokens = Tokens::new(Arc::new(KeySets::new(issuers)), Arc::clone(&counts) as Arc<dyn SourceObserver>);
        Self { directory, tokens, counts }
    }

    async fn user(&self, token: &str, at: i64) -> String {
        let identity = self.tokens.identify(&Presented::by(&headers(token), Timestamp::from_second(at).unwrap())).await;
        match identity {
            Identity::Token(token) => token.user.to_string(),
            Identity::Refused(reason) => reason.to_string(),
            other => format!("{other:?}"),
        }
    }
}

fn write_keys(path: &Path, forges: &[&Forge]) {
    std::fs::write(path, key_set(&forges.iter().map(|forge| forge.jwk()).collect::<Vec<_>>())).unwrap();
}

fn issuer(name: &str) -> Issuer {
    Issuer {
        rules: Arc::new(IssuerRules { issuer: name.into(), ..IssuerRules::default() }),
        audience: vec!["api".into()],
        algorithms: Algorithm::DEFAULT.to_vec(),
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
    }
}

fn headers(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "aud": "api", "sub": "00u1", "exp": NOW + 600})
}

#[tokio::test]
async fn the_first_token_brings_the_keys_and_the_second_time_it_is_cached() {
    let forge = Forge::ed25519("a");
    let scene = Scene::new(&[&forge], &[]).await;
    let token = forge.token(&claims("one"));
    for _ in 0..3 {
        assert_eq!(scene.user(&token, NOW).await, "00u1");
    }
    assert_eq!((scene.counts.of("hit"), scene.counts.of("one ok")), (2, 1));
}

#[tokio::test]
async fn a_key_of_one_issuer_is_not_good_for_a_token_of_another() {
    let (one, two) = (Forge::ed25519("same"), Forge::ed25519("same"));
    let scene = Scene::new(&[&one], &[&two]).await;
    assert_eq!(scene.user(&one.token(&claims("one")), NOW).await, "00u1");
    assert_eq!(scene.user(&one.token(&claims("two")), NOW).await, "the token's signature is wrong");
    assert_eq!(scene.user(&one.token(&claims("three")), NOW).await, "the token's issuer is not known");
}

#[tokio::test]
async fn an_issuer_without_keys_refuses_every_token() {
    let forge = Forge::ed25519("a");
    let scene = Scene::new(&[], &[]).await;
    let refused = "the issuer's key set has no key for the token";
    assert_eq!(scene.user(&forge.token(&claims("one")), NOW).await, refused);
}

#[tokio::test]
async fn a_cached_token_ends_with_its_time() {
    let forge = Forge::ed25519("a");
    let scene = Scene::new(&[&forge], &[]).await;
    let token = forge.token(&claims("one"));
    assert_eq!(scene.user(&token, NOW).await, "00u1");
    let hits = scene.counts.of("hit");
    assert_eq!(scene.user(&token, NOW + 610).await, "00u1", "within the skew it is verified again");
    assert_eq!(scene.counts.of("hit"), hits);
    assert_eq!(scene.user(&token, NOW + 630).await, "the token's claim `exp` has passed");
}

#[tokio::test]
async fn a_cached_token_ends_with_its_key() {
    let (old, new) = (Forge::ed25519("old"), Forge::ed25519("new"));
    let scene = Scene::new(&[&old], &[]).await;
    let (with_old, with_new) = (old.token(&claims("one")), new.token(&claims("one")));
    assert_eq!(scene.user(&with_old, NOW).await, "00u1");
    write_keys(&scene.directory.path().join("one"), &[&new]);
    assert_eq!(scene.user(&with_new, NOW).await, "00u1", "an unknown key is asked for");
    assert_eq!(scene.user(&with_old, NOW).await, "the issuer's key set has no key for the token");
}

#[tokio::test]
async fn a_cache_full_of_tokens_answers_as_an_empty_one_does() {
    let forge = Forge::ed25519("a");
    let scene = Scene::new(&[&forge], &[]).await;
    let mut tokens: Vec<String> = (0..20).map(|n| forge.token(&json!({"iss": "one", "aud": "api", "sub": format!("u{n}"), "exp": NOW + n}))).collect();
    tokens.extend(tokens.clone().iter().map(|token| tampered(token)));
    for _ in 0..2 {
        for at in [NOW, NOW + 10, NOW + 35] {
            for token in &tokens {
                let empty = Tokens::new(Arc::clone(scene.tokens.key_sets()), Arc::new(()));
                let fresh = Scene { directory: tempfile::tempdir().unwrap(), tokens: empty, counts: Arc::default() };
                assert_eq!(scene.user(token, at).await, fresh.user(token, at).await);
            }
        }
    }
    // Twice, the nine tokens that end later than ten seconds from the start.
    assert_eq!(scene.counts.of("hit"), 18);
}

/// The token with another last character, never with its own.
fn tampered(token: &str) -> String {
    let (rest, last) = token.split_at(token.len() - 1);
    format!("{rest}{}", if last == "A" { "Q" } else { "A" })
}

#[tokio::test]
async fn what_is_no_signed_token_is_told_apart() {
    let scene = Scene::new(&[], &[]).await;
    let identity = |headers: HeaderMap| scene.tokens.identify_at_once(&Presented::by(&headers, now())).unwrap();
    assert!(matches!(identity(HeaderMap::new()), Identity::Missing));
    assert!(matches!(identity(headers("a b")), Identity::Refused(_)));
    assert!(matches!(identity(headers("a.b.c")), Identity::Refused(_)));
    assert!(matches!(identity(headers(&"a".repeat(17_000))), Identity::Refused(_)));
    let Identity::Opaque(digest) = identity(headers("abc")) else { panic!("not opaque") };
    assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
}

/// Who the token is good for at that time: by the scene's cache, and by an empty one.
async fn judged(scene: &Scene, token: &str, at: i64, document: &Value) -> (Result<String, String>, Result<String, String>) {
    let at = Timestamp::from_second(at).unwrap();
    let snapshot = crate::snapshot::Snapshot::load(document.to_string().as_bytes(), at).unwrap();
    let empty = Tokens::new(Arc::clone(scene.tokens.key_sets()), Arc::new(()));
    let headers = headers(token);
    let presented = Presented { policies: Some(&snapshot.policies), ..Presented::by(&headers, at) };
    let found = |identity: &Identity| {
        let caller = crate::authorize::Caller::find(identity, &snapshot.policies, at);
        caller.map(|caller| caller.user_id().to_owned()).map_err(|refusal| refusal.reason)
    };
    (found(&scene.tokens.identify(&presented).await), found(&empty.identify(&presented).await))
}

#[tokio::test]
async fn a_cached_token_is_judged_as_a_new_one_when_it_ends_or_is_revoked_or_its_user_is_suspended_or_its_key_goes() {
    let (forge, next) = (Forge::ed25519("a"), Forge::ed25519("b"));
    let scene = Scene::new(&[&forge], &[]).await;
    let token = forge.token(&json!({"iss": "one", "aud": "api", "sub": "00u1", "iat": NOW, "exp": NOW + 600, "jti": "j"}));
    let good = json!({
        "schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-01-01T00:00:00Z",
        "users": [{"id": "00u1", "login": "a", "type": "Personal", "status": "ACTIVE"}],
    });
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        document
    };
    let user = |status: &str, expiry: Value| json!([{"id": "00u1", "login": "a", "type": "Personal", "status": status, "userExpiry": expiry}]);
    let is_good = Ok("00u1".to_owned());
    for (what, document, at) in [
        ("suspended", with("users", user("SUSPENDED", json!(null))), NOW),
        ("expired account", with("users", user("ACTIVE", json!("2020-01-01T00:00:00Z"))), NOW),
        ("no such user", with("users", json!([])), NOW),
        ("revoked by id", with("revokedTokens", json!([{"jti": "j", "until": "2100-01-01T00:00:00Z"}])), NOW),
        ("revoked by time", with("revokedTokens", json!([{"userId": "00u1", "issuedBefore": "2100-01-01T00:00:00Z"}])), NOW),
        ("ended", good.clone(), NOW + 630),
    ] {
        assert_eq!(judged(&scene, &token, NOW, &good).await.0, is_good, "before: {what}");
        let hits = scene.counts.of("hit");
        assert_eq!(judged(&scene, &token, NOW, &good).await.0, is_good, "before: {what}");
        assert_eq!(scene.counts.of("hit"), hits + 1, "the cache is warm");
        let (cached, new) = judged(&scene, &token, at, &document).await;
        assert_eq!(cached, new, "{what}");
        assert!(cached.is_err(), "{what}");
    }
    assert_eq!(judged(&scene, &token, NOW, &good).await, (is_good.clone(), is_good));
    write_keys(&scene.directory.path().join("one"), &[&next]);
    scene.user(&next.token(&claims("one")), NOW).await;
    let (cached, new) = judged(&scene, &token, NOW, &good).await;
    assert_eq!((cached.is_err(), &cached), (true, &new), "its key is gone");
}
