//! Tokens that are bound to their sender (RFC 9449), and tokens whose issuer is asked (RFC 7662),
//! through a door.

use crate::support::client::{Answer, Client};
use crate::support::door::Doorward;
use crate::support::issuer::{AUDIENCE, Key, measured, trusting};
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::world::{TOKEN, loaded, snapshot};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::http_client::{Authorities, HttpClient};
use doorward::observe::clock;
use doorward::sources::{IntrospectionSettings, Introspector, KeySets, Surroundings};
use doorward::token::IssuerRules;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

const ISSUER: &str = "https://id.example";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// The public half of a key.
fn jwk(key: &Key) -> Value {
    let set: Value = serde_json::from_str(&key.set()).unwrap();
    json!({ "kty": "OKP", "crv": "Ed25519", "x": set["keys"][0]["x"] })
}

/// A token for the sender that has this key.
fn bound(issuer: &Key, sender: &Key) -> String {
    let x = jwk(sender)["x"].as_str().unwrap().to_owned();
    let thumbprint = hash(&format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{x}\"}}"));
    issuer.token(&claims(json!({ "jkt": thumbprint })).to_string())
}

fn claims(cnf: Value) -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "00u1", "exp": clock::now().as_second() + 600, "cnf": cnf })
}

/// A proof for `GET http://a/free`.
fn proof(sender: &Key, token: &str, id: &str) -> String {
    let header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk(sender) });
    let claims = json!({ "jti": id, "htm": "GET", "htu": "http://a/free", "iat": clock::now().as_second(), "ath": hash(token) });
    sender.sign(&header, &claims.to_string())
}

async fn ask(door: &Doorward, headers: &str) -> Answer {
    let mut client = Client::connect(door.address).await;
    client.send(format!("GET /free HTTP/1.1\r\nhost: a\r\n{headers}\r\n")).await;
    client.answer().await
}

fn refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.problem().as_str()), (401, "InvalidIdentityToken"));
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with(&format!("DPoP error=\"{error}\", algs=\"")), "{challenge}");
}

async fn door_of(issuer: &Key, upstream: &Upstream, drops_authorization: bool) -> Doorward {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, issuer.set()).unwrap();
    let keys = trusting(vec![measured(IssuerRules::named(ISSUER), vec![AUDIENCE.into()], DAY)], &path).await;
    Doorward::planned(&[upstream.address], |plan| {
        plan.keys = keys;
        let mut settings = (*plan.world.settings).clone();
        settings.drop_authorization = drops_authorization;
        plan.world.settings = Arc::new(settings);
    })
}

#[tokio::test]
async fn a_token_bound_to_a_key_passes_with_its_proof_once_and_never_as_a_bearer_token() {
    let (issuer, sender, upstream) = (Key::new("one"), Key::new("sender"), Upstream::start(|_| ok("{}")).await);
    let door = door_of(&issuer, &upstream, false).await;
    let token = bound(&issuer, &sender);
    refused(&ask(&door, &format!("authorization: Bearer {token}\r\n")).await, "invalid_token");
    refused(&ask(&door, &format!("authorization: DPoP {token}\r\n")).await, "invalid_dpop_proof");
    let plain = issuer.token(&json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "00u1", "exp": clock::now().as_second() + 600 }).to_string());
    refused(&ask(&door, &format!("authorization: DPoP {plain}\r\ndpop: {}\r\n", proof(&sender, &plain, "1"))).await, "invalid_token");
    refused(&ask(&door, &format!("authorization: DPoP {TOKEN}\r\ndpop: {}\r\n", proof(&sender, TOKEN, "1"))).await, "invalid_token");
    let stranger = Key::new("sender");
    refused(&ask(&door, &format!("authorization: DPoP {token}\r\ndpop: {}\r\n", proof(&stranger, &token, "1"))).await, "invalid_dpop_proof");
    assert!(upstream.seen().is_empty());
    let whole = format!("authorization: DPoP {token}\r\ndpop: {}\r\n", proof(&sender, &token, "1"));
    assert_eq!(ask(&door, &whole).await.status, 200);
    refused(&ask(&door, &whole).await, "invalid_dpop_proof");
    assert_eq!(upstream.only().header("dpop").len(), 1, "the proof goes up with the token");
}

#[tokio::test]
async fn a_proof_stays_here_where_the_token_does() {
    let (issuer, sender, upstream) = (Key::new("one"), Key::new("sender"), Upstream::start(|_| ok("{}")).await);
    let door = door_of(&issuer, &upstream, true).await;
    let token = bound(&issuer, &sender);
    assert_eq!(ask(&door, &format!("authorization: DPoP {token}\r\ndpop: {}\r\n", proof(&sender, &token, "1"))).await.status, 200);
    assert!(upstream.only().header("dpop").is_empty() && upstream.only().header("authorization").is_empty());
}

#[tokio::test]
async fn a_token_bound_in_a_way_that_cannot_be_checked_is_refused() {
    let (issuer, upstream) = (Key::new("one"), Upstream::start(|_| ok("{}")).await);
    let door = door_of(&issuer, &upstream, false).await;
    for cnf in [json!({ "x5t#S256": hash("certificate") }), json!({ "jwk": jwk(&issuer) }), json!({ "kid": "one" }), json!({}), json!(null)] {
        let answer = ask(&door, &format!("authorization: Bearer {}\r\n", issuer.token(&claims(cnf.clone()).to_string()))).await;
        assert_eq!((answer.status, answer.problem().as_str()), (401, "InvalidIdentityToken"), "{cnf}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{cnf}");
    }
    assert!(upstream.seen().is_empty());
}

/// A door whose only issuer is asked at this server.
async fn asking(endpoint: &Upstream, upstream: &Upstream) -> Doorward {
    let surroundings = Surroundings { client: HttpClient::new(Authorities::Native).unwrap(), observer: Arc::new(()), clock: clock::now };
    let settings = IntrospectionSettings {
        endpoint: format!("http://{}/introspect", endpoint.address).parse().unwrap(),
        authorization: IntrospectionSettings::basic("door", "secret").unwrap(),
        cache: Duration::from_secs(60),
        cooldown: Duration::from_secs(60),
    };
    let issuer = measured(IssuerRules::named(ISSUER), vec![AUDIENCE.into()], DAY);
    let keys = Arc::new(KeySets::default().asking(vec![Introspector::new(issuer, settings, surroundings)]));
    Doorward::planned(&[upstream.address], |plan| plan.keys = keys)
}

#[tokio::test]
async fn an_opaque_token_passes_while_its_issuer_vouches_for_it_and_the_snapshot_knows_its_user() {
    let answer = |_: &_| ok(&json!({ "active": true, "aud": AUDIENCE, "sub": "00u1", "jti": "one", "exp": clock::now().as_second() + 600 }).to_string());
    let (endpoint, upstream) = (Upstream::start(answer).await, Upstream::start(|_| ok("{}")).await);
    let door = asking(&endpoint, &upstream).await;
    for _ in 0..3 {
        assert_eq!(ask(&door, "authorization: Bearer some~opaque/token=\r\n").await.status, 200);
    }
    let asked = endpoint.only();
    assert_eq!(asked.line(), "POST /introspect HTTP/1.1");
    assert_eq!(String::from_utf8(asked.body).unwrap(), "token=some%7Eopaque%2Ftoken%3D&token_type_hint=access_token");
    // What is remembered of it is judged by the snapshot of the moment.
    let mut document = snapshot();
    document["revision"] = json!(8);
    document["revokedTokens"] = json!([{ "jti": "one", "until": "2100-01-01T00:00:00Z" }]);
    door.world.publish(loaded(&document));
    assert_eq!(ask(&door, "authorization: Bearer some~opaque/token=\r\n").await.status, 401);
    assert_eq!(ask(&door, &format!("authorization: Bearer {TOKEN}\r\n")).await.status, 200, "a personal access token");
    assert_eq!(endpoint.seen().len(), 1);
}

#[tokio::test]
async fn an_opaque_token_never_passes_when_its_issuer_is_down_or_says_no() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let replies: [fn() -> Reply; 4] = [
        || ok("{\"active\":false}"),
        || ok("{\"active\":true}"),
        || Reply::Bytes(b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n".to_vec()),
        || Reply::Close(Vec::new()),
    ];
    for reply in replies {
        let endpoint = Upstream::start(move |_| reply()).await;
        let door = asking(&endpoint, &upstream).await;
        for _ in 0..2 {
            let answer = ask(&door, "authorization: Bearer opaque\r\n").await;
            assert_eq!((answer.status, answer.problem().as_str()), (401, "InvalidIdentityToken"));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        }
    }
    assert!(upstream.seen().is_empty());
}
