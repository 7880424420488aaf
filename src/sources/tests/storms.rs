//! Ten thousand tokens, each with a key id of its own that no issuer has.

use super::*;
use crate::authorize::Identity;
use crate::token::forge::{Forge, encode, key_set};
use crate::token::{Algorithm, Issuer, IssuerRules};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Response, Uri};
use http_body_util::Full;
use serde_json::json;

const TOKENS: usize = 10_000;
const COOLDOWN: Duration = Duration::from_secs(2);

/// The storm against a server that answers like this after a time; every token is refused, and the
/// server is asked at most once per cooldown.
async fn storm(answer: Response<Full<Bytes>>, after: Duration) {
    let server = Server::start(move |_, _, _| {
        let answer = answer.clone();
        async move {
            tokio::time::sleep(after).await;
            answer
        }
    })
    .await;
    let (tokens, keys) = trusting(&server);
    let tokens = Arc::new(tokens);
    let mut regular = JoinSet::new();
    regular.spawn(async move { keys.run().await });
    let began = tokio::time::Instant::now();
    let mut crowd = JoinSet::new();
    for part in 0..100 {
        let tokens = Arc::clone(&tokens);
        crowd.spawn(async move {
            for number in 0..TOKENS / 100 {
                let headers = HeaderMap::from_iter([(AUTHORIZATION, stray(part * TOKENS + number).parse().unwrap())]);
                let identity = tokens.identify(&Presented::by(&headers, now())).await;
                assert!(matches!(&identity, Identity::Refused(reason) if reason.contains("no key for the token")), "{identity:?}");
            }
        });
    }
    crowd.join_all().await;
    // The regular attempts, which a failure would make more, keep to the cooldown as well.
    tokio::time::sleep(COOLDOWN).await;
    // One is the regular attempt of the start. A cooldown begins when the attempt before has ended.
    let most = began.elapsed().as_millis() / (COOLDOWN + after).as_millis() + 2;
    let asked = server.asked().len();
    assert!(asked >= 1 && asked as u128 <= most, "asked {asked} times, {most} are allowed");
}

fn trusting(server: &Server) -> (Tokens, Arc<KeyHolder>) {
    let origin = KeyOrigin::Url(format!("{}/keys", server.url).parse::<Uri>().unwrap());
    let keys = Arc::new(KeyHolder::new("one", origin, Duration::from_secs(3600), COOLDOWN, surroundings().0));
    let issuer = Issuer {
        rules: Arc::new(IssuerRules::named("one")),
        audience: vec!["api".into()],
        algorithms: Algorithm::DEFAULT.to_vec(),
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
    };
    let sets = KeySets::new(vec![IssuerKeys { issuer, keys: Arc::clone(&keys) }]);
    (Tokens::new(Arc::new(sets), Arc::new(())), keys)
}

/// A token with a key id of its own; nobody comes to look at its signature.
fn stray(number: usize) -> String {
    let header = json!({"alg": "EdDSA", "kid": format!("{number:x}-{}", number.wrapping_mul(0x9e37_79b9))});
    let claims = json!({"iss": "one", "aud": "api", "sub": "00u1", "exp": NOW + 600});
    format!("Bearer {}.{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()), encode(&[7; 64]))
}

#[tokio::test]
async fn a_storm_of_unknown_keys_asks_a_normal_server_once_per_cooldown() {
    storm(answer(200, &[], key_set(&[Forge::ed25519("good").jwk()])), Duration::ZERO).await;
}

#[tokio::test]
async fn a_storm_of_unknown_keys_asks_a_server_without_keys_once_per_cooldown() {
    storm(answer(200, &[], key_set(&[])), Duration::ZERO).await;
}

#[tokio::test]
async fn a_storm_of_unknown_keys_asks_a_failing_server_once_per_cooldown() {
    storm(answer(500, &[], ""), Duration::ZERO).await;
}

#[tokio::test]
async fn a_storm_of_unknown_keys_asks_a_slow_server_once_per_cooldown() {
    storm(answer(200, &[], key_set(&[Forge::ed25519("good").jwk()])), Duration::from_millis(600)).await;
}
