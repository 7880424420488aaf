//! Credentials that must not be believed (threats §4).

use crate::support::client::{Answer, Client};
use crate::support::door::Doorward;
use crate::support::issuer::{AUDIENCE, Key, measured, trusting};
use crate::support::upstream::{Upstream, ok};
use crate::support::world::{TOKEN, loaded, snapshot};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use doorward::observe::clock::WallClock;
use doorward::token::IssuerRules;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const ISSUER: &str = "https://id.example";
const NOW: i64 = 1_795_000_000;

/// A door that trusts one issuer, at a time that can be set.
struct Site {
    key: Key,
    upstream: Upstream,
    door: Doorward,
    time: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn open() -> Self {
        let (key, folder) = (Key::new("one"), tempfile::tempdir().unwrap());
        let path = folder.path().join("keys.json");
        std::fs::write(&path, key.set()).unwrap();
        let issuer =
            |name: &str| measured(IssuerRules { issuer: name.into(), ..IssuerRules::default() }, vec![AUDIENCE.into()], Duration::from_secs(24 * 3600));
        let keys = trusting(vec![issuer(ISSUER)], &path).await;
        let upstream = Upstream::start(|_| ok("{}")).await;
        let time = Arc::new(AtomicI64::new(NOW));
        let door = Doorward::planned(&[upstream.address], |plan| {
            plan.keys = keys;
            let time = Arc::clone(&time);
            plan.clock = WallClock::showing(move || Timestamp::from_second(time.load(Ordering::SeqCst)).unwrap());
        });
        Self { key, upstream, door, time, _folder: folder }
    }

    async fn ask(&self, token: &str) -> Answer {
        let mut client = Client::connect(self.door.address).await;
        client.send(format!("GET /free HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n")).await;
        client.answer().await
    }

    async fn assert_refused(&self, token: &str, what: &str) {
        let answer = self.ask(token).await;
        assert_eq!((answer.status, answer.problem().as_str()), (401, "InvalidIdentityToken"), "{what}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{what}");
        assert_eq!(answer.header("retry-after"), None);
        assert!(self.upstream.seen().is_empty(), "{what} went up");
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "00u1", "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "jti": "one" })
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    claims.to_string()
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims.to_string()
}

#[tokio::test]
async fn a_good_token_is_believed() {
    let site = Site::open().await;
    assert_eq!(site.ask(&site.key.token(&claims().to_string())).await.status, 200);
    assert_eq!(site.ask(TOKEN).await.status, 200);
    let unknown = site.ask(&site.key.token(&with("sub", json!("00u9")))).await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (403, "AccessDenied"));
}

#[tokio::test]
async fn claims_that_do_not_say_what_they_must_are_refused() {
    let site = Site::open().await;
    for name in ["iss", "aud", "exp", "sub"] {
        site.assert_refused(&site.key.token(&without(name)), name).await;
    }
    for (name, value) in [
        ("iss", json!("https://id.example/")),
        ("iss", json!("HTTPS://id.example")),
        ("aud", json!("other")),
        ("aud", json!(["lusid-api", 7])),
        ("exp", json!((NOW + 3600).to_string())),
        ("exp", json!(NOW - 31)),
        ("exp", json!(NOW + 25 * 3600)),
        ("exp", json!(1e300)),
        ("nbf", json!(NOW + 60)),
        ("nbf", json!("soon")),
        ("iat", json!(NOW + 60)),
        ("iat", json!([NOW])),
        ("sub", json!(7)),
        ("sub", json!("")),
        ("jti", json!(7)),
    ] {
        site.assert_refused(&site.key.token(&with(name, value.clone())), &format!("{name}: {value}")).await;
    }
    let twice = claims().to_string().replacen('{', "{\"s\\u0075b\":\"root\",", 1);
    site.assert_refused(&site.key.token(&twice), "a member twice").await;
}

#[tokio::test]
async fn a_header_is_never_followed() {
    let site = Site::open().await;
    let own = Key::new("one");
    let jwk: Value = serde_json::from_str(&own.set()).unwrap();
    let payload = claims().to_string();
    for header in [
        json!({ "alg": "EdDSA", "jwk": jwk["keys"][0] }),
        json!({ "alg": "EdDSA", "kid": "one", "jku": "http://127.0.0.1/keys", "x5u": "http://127.0.0.1/x", "x5c": ["MII="] }),
        json!({ "alg": "EdDSA", "kid": "one" }),
    ] {
        site.assert_refused(&own.sign(&header, &payload), &header.to_string()).await;
    }
    for header in [
        json!({ "alg": "EdDSA", "kid": "one", "crit": ["exp"] }),
        json!({ "alg": "EdDSA", "kid": "one", "b64": false }),
        json!({ "alg": "EdDSA", "kid": "one", "enc": "A256GCM" }),
        json!({ "alg": "EdDSA", "kid": "One" }),
        json!({ "alg": "EdDSA", "kid": "one", "typ": "dpop+jwt" }),
        json!({ "alg": "eddsa", "kid": "one" }),
        json!({ "alg": "ES256", "kid": "one" }),
        json!({ "alg": "RS256", "kid": "one" }),
        json!({ "alg": ["EdDSA"], "kid": "one" }),
        json!({ "kid": "one" }),
        json!({ "alg": "EdDSA", "kid": "one", "x": "x".repeat(2048) }),
    ] {
        site.assert_refused(&site.key.sign(&header, &payload), &header.to_string()).await;
    }
}

#[tokio::test]
async fn no_signature_and_a_shared_secret_are_refused() {
    let site = Site::open().await;
    let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
    for algorithm in ["none", "None", "NONE", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm, "kid": "one" }).to_string());
        site.assert_refused(&format!("{header}.{payload}."), algorithm).await;
        site.assert_refused(&format!("{header}.{payload}.AA"), algorithm).await;
    }
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "kid": "one" }).to_string());
    let set: Value = serde_json::from_str(&site.key.set()).unwrap();
    let public = set["keys"][0]["x"].as_str().unwrap();
    for secret in [public.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(public).unwrap(), site.key.set().into_bytes()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), format!("{header}.{payload}").as_bytes());
        site.assert_refused(&format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(tag)), "HS256 by the public key").await;
    }
}

#[tokio::test]
async fn a_token_has_one_spelling() {
    let site = Site::open().await;
    let good = site.key.token(&claims().to_string());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let padded = URL_SAFE.encode(URL_SAFE_NO_PAD.decode(signature).unwrap());
    // The last character of 64 bytes carries four bits of nothing.
    let last = signature.chars().last().unwrap();
    let sloppy = char::from_u32(u32::from(last) + 1).unwrap();
    for token in [
        format!("{good}."),
        format!("{good}.x"),
        format!("{signed}.{padded}"),
        format!("{signed}.{}{sloppy}", &signature[..signature.len() - 1]),
        format!("{signed}."),
        good.replacen('.', "=.", 1),
        format!("{good} {good}"),
        format!("{good},"),
        format!("{good}{}", "A".repeat(16 * 1024)),
        "x".repeat(17 * 1024),
        String::new(),
    ] {
        site.assert_refused(&token, &token.chars().rev().take(40).collect::<String>()).await;
    }
}

#[tokio::test]
async fn a_token_that_was_good_is_refused_the_moment_it_is_not() {
    let site = Site::open().await;
    let token = site.key.token(&claims().to_string());
    let refused = |answer: Answer| (answer.status, answer.problem()) == (401, "InvalidIdentityToken".to_owned());
    assert_eq!(site.ask(&token).await.status, 200);
    // The clocks of two machines may differ by the skew, and no more.
    site.time.store(NOW + 3600 + 29, Ordering::SeqCst);
    assert_eq!(site.ask(&token).await.status, 200);
    site.time.store(NOW + 3600 + 30, Ordering::SeqCst);
    assert!(refused(site.ask(&token).await), "after its end");
    site.time.store(NOW, Ordering::SeqCst);
    assert_eq!(site.ask(&token).await.status, 200);
    for (revision, what) in [(8, "suspended"), (9, "revoked by id"), (10, "revoked by time"), (11, "expired account")] {
        let mut document = snapshot();
        document["revision"] = json!(revision);
        match revision {
            8 => document["users"][0]["status"] = json!("SUSPENDED"),
            9 => document["revokedTokens"] = json!([{ "jti": "one", "until": "2100-01-01T00:00:00Z" }]),
            10 => document["revokedTokens"] = json!([{ "userId": "00u1", "issuedBefore": "2100-01-01T00:00:00Z" }]),
            _ => document["users"][0]["userExpiry"] = json!("2020-01-01T00:00:00Z"),
        }
        site.door.world.publish(loaded(&document));
        assert!(refused(site.ask(&token).await), "{what}");
        assert_eq!(site.ask(TOKEN).await.status == 200, (9..=10).contains(&revision), "the other token, {what}");
    }
    site.door.world.publish(loaded(&snapshot()));
    assert_eq!(site.ask(&token).await.status, 200);
}

#[tokio::test]
async fn a_personal_access_token_is_refused_from_its_end_on() {
    let site = Site::open().await;
    let mut document = snapshot();
    document["personalAccessTokens"][0]["deactivationDate"] = json!(Timestamp::from_second(NOW + 60).unwrap().to_string());
    site.door.world.publish(loaded(&document));
    site.time.store(NOW + 59, Ordering::SeqCst);
    assert_eq!(site.ask(TOKEN).await.status, 200);
    site.time.store(NOW + 60, Ordering::SeqCst);
    let answer = site.ask(TOKEN).await;
    assert_eq!((answer.status, answer.problem().as_str()), (401, "InvalidIdentityToken"));
    assert_eq!(site.upstream.seen().len(), 1);
}
