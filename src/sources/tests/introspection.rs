//! Tokens whose issuer is asked about them.

use super::*;
use crate::authorize::Identity;
use crate::token::forge::Forge;
use crate::token::{Algorithm, Issuer, IssuerRules};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Response, Uri};
use http_body_util::Full;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MINUTE: Duration = Duration::from_secs(60);

fn introspector(name: &str, server: &Server, cooldown: Duration) -> (Introspector, Arc<Counts>) {
    let (surroundings, counts) = surroundings();
    let issuer = Issuer {
        rules: Arc::new(IssuerRules::named(name)),
        audience: vec!["api".into()],
        algorithms: Algorithm::DEFAULT.to_vec(),
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
    };
    let settings = IntrospectionSettings {
        endpoint: format!("{}/introspect", server.url).parse::<Uri>().unwrap(),
        authorization: IntrospectionSettings::basic("me", "s:cret").unwrap(),
        cache: MINUTE,
        cooldown,
    };
    (Introspector::new(issuer, settings, surroundings), counts)
}

fn tokens(asked: Vec<Introspector>) -> Arc<Tokens> {
    Arc::new(Tokens::new(Arc::new(KeySets::default().asking(asked)), Arc::new(())))
}

async fn user(tokens: &Tokens, token: &str, at: i64) -> String {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    match tokens.identify(&Presented::by(&headers, Timestamp::from_second(at).unwrap())).await {
        Identity::Token(token) => token.user.to_string(),
        Identity::Refused(reason) | Identity::Unproven { reason, .. } => reason.to_string(),
        other => format!("{other:?}"),
    }
}

fn active(user: &str, ends: i64) -> Response<Full<Bytes>> {
    said(&json!({"active": true, "aud": "api", "sub": user, "exp": ends}))
}

fn said(answer: &Value) -> Response<Full<Bytes>> {
    super::answer(200, &[("content-type", "application/json")], answer.to_string())
}

async fn answering(reply: impl Fn(usize) -> Response<Full<Bytes>> + Send + Sync + 'static) -> Server {
    Server::start(move |_, _, count| std::future::ready(reply(count))).await
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_once_as_long_as_the_answer_is_believed() {
    let server = answering(|_| active("00u1", NOW + 600)).await;
    let (introspector, counts) = introspector("one", &server, MINUTE);
    let tokens = tokens(vec![introspector]);
    for at in [NOW, NOW + 1, NOW + 59] {
        assert_eq!(user(&tokens, "opaque", at).await, "00u1");
    }
    assert_eq!(server.asked().len(), 1);
    let (target, headers) = &server.asked()[0];
    assert_eq!((&**target, headers["content-type"].to_str().unwrap()), ("/introspect", "application/x-www-form-urlencoded"));
    // Each part is form-encoded before they are joined (RFC 6749 §2.3.1): me:s%3Acret.
    assert_eq!(headers["authorization"], "Basic bWU6cyUzQWNyZXQ=");
    assert_eq!(user(&tokens, "opaque", NOW + 60).await, "00u1");
    assert_eq!((server.asked().len(), counts.of("one active")), (2, 2));
}

#[tokio::test]
async fn an_answer_is_not_believed_beyond_the_tokens_end() {
    let server = answering(|count| if count == 0 { active("00u1", NOW + 10) } else { said(&json!({"active": false})) }).await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    assert_eq!(user(&tokens, "opaque", NOW).await, "00u1");
    assert_eq!(user(&tokens, "opaque", NOW + 9).await, "00u1");
    assert_eq!(user(&tokens, "opaque", NOW + 10).await, "the token is not active, says its issuer");
}

#[tokio::test]
async fn a_refused_token_is_not_asked_about_again_at_once() {
    let server = answering(|_| said(&json!({"active": false}))).await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    for at in [NOW, NOW + 30, NOW + 59, NOW + 60] {
        assert_eq!(user(&tokens, "opaque", at).await, "the token is not active, says its issuer");
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn whatever_is_no_good_answer_is_a_refusal() {
    let huge = vec![b' '; 70_000];
    let replies: Vec<(Response<Full<Bytes>>, &str)> = vec![
        (answer(500, &[], ""), "could not be asked"),
        (answer(302, &[("location", "/elsewhere")], ""), "could not be asked"),
        (answer(401, &[], r#"{"active":true}"#), "could not be asked"),
        (answer(201, &[], json!({"active": true, "aud": "api", "sub": "00u1", "exp": NOW + 60}).to_string()), "could not be asked"),
        (answer(200, &[], huge), "could not be asked"),
        (answer(200, &[("content-encoding", "br")], "x"), "could not be asked"),
        (answer(200, &[], "<html>"), "no JSON object"),
        (answer(200, &[], r#"{"active":false,"active":true}"#), "no JSON object"),
        (said(&json!({"active": "true"})), "not said"),
        (said(&json!({"active": true, "aud": "api", "sub": "00u1"})), "`exp` is missing"),
        (said(&json!({"active": true, "sub": "00u1", "exp": NOW + 60})), "`aud` is missing"),
        (said(&json!({"active": true, "aud": "api", "exp": NOW + 60})), "`sub` is missing"),
        (said(&json!({"active": true, "iss": "two", "aud": "api", "sub": "00u1", "exp": NOW + 60})), "issuer is not known"),
        (said(&json!({"active": true, "aud": "api", "sub": "00u1", "exp": NOW + 60, "token_type": "refresh_token"})), "no access token"),
    ];
    for (reply, expected) in replies {
        let server = answering(move |_| reply.clone()).await;
        let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
        let found = user(&tokens, "opaque", NOW).await;
        assert!(found.contains(expected), "{found}, not {expected}");
        assert!(server.asked().iter().all(|(target, _)| target == "/introspect"), "a redirect was followed");
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_for_a_while_and_its_tokens_are_refused() {
    let server = answering(|count| if count == 0 { answer(500, &[], "") } else { active("00u1", NOW + 600) }).await;
    let (introspector, counts) = introspector("one", &server, MINUTE);
    let tokens = tokens(vec![introspector]);
    let began = crate::observe::clock::monotonic();
    for n in 0..50 {
        let said = user(&tokens, &format!("opaque{n}"), NOW).await;
        // The first pause is three quarters of a quarter of a second at least.
        if began.elapsed() > Duration::from_millis(150) {
            break;
        }
        assert_eq!(said, "the issuer could not be asked about the token");
    }
    assert_eq!((server.asked().len(), counts.of("one failed") >= 1), (1, true));
    // The first pause is a quarter of a second at most.
    let mut found = String::new();
    for _ in 0..200 {
        found = user(&tokens, "opaque", NOW).await;
        if found == "00u1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(found, "00u1");
}

#[tokio::test]
async fn what_an_endpoint_does_not_like_about_one_token_concerns_no_other() {
    let server = answering(|count| match count {
        0 => answer(400, &[], ""),
        1 => answer(200, &[("content-type", "application/json")], "no json"),
        _ => active("00u1", NOW + 600),
    })
    .await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    for n in 1..4 {
        for odd in ["odd1", "odd2", "odd1", "odd2"] {
            assert_ne!(user(&tokens, odd, NOW).await, "00u1");
        }
        assert_eq!(user(&tokens, &format!("good{n}"), NOW).await, "00u1");
    }
    // Each odd one was asked about once.
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn many_who_show_the_same_token_ask_once() {
    let server = Server::start(|_, _, _| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        active("00u1", NOW + 600)
    })
    .await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    let mut storm = JoinSet::new();
    for _ in 0..200 {
        let tokens = Arc::clone(&tokens);
        storm.spawn(async move { user(&tokens, "opaque", NOW).await });
    }
    assert!(storm.join_all().await.into_iter().all(|user| user == "00u1"));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn few_tokens_are_asked_about_at_once() {
    let (now_asked, most) = (Arc::new(std::sync::atomic::AtomicUsize::new(0)), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let (counting, highest) = (Arc::clone(&now_asked), Arc::clone(&most));
    let server = Server::start(move |_, _, _| {
        let (counting, highest) = (Arc::clone(&counting), Arc::clone(&highest));
        async move {
            highest.fetch_max(counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1, std::sync::atomic::Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            counting.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            active("00u1", NOW + 600)
        }
    })
    .await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    let mut storm = JoinSet::new();
    for n in 0..100 {
        let tokens = Arc::clone(&tokens);
        storm.spawn(async move { user(&tokens, &format!("opaque{n}"), NOW).await });
    }
    assert!(storm.join_all().await.into_iter().all(|user| user == "00u1"));
    assert!(most.load(std::sync::atomic::Ordering::SeqCst) <= 16);
}

#[tokio::test]
async fn who_hangs_up_leaves_nothing_behind() {
    let server = Server::start(|_, _, count| async move {
        if count == 0 {
            std::future::pending::<()>().await;
        }
        active("00u1", NOW + 600)
    })
    .await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    let asked = async {
        while server.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        user = user(&tokens, "opaque", NOW) => panic!("{user}"),
        () = asked => {}
    }
    assert_eq!(user(&tokens, "opaque", NOW).await, "00u1");
}

#[tokio::test]
async fn an_opaque_token_is_shown_to_the_issuers_in_order_until_one_decides() {
    let inactive = answering(|_| said(&json!({"active": false}))).await;
    let down = answering(|_| answer(503, &[], "")).await;
    let good = answering(|_| active("00u1", NOW + 600)).await;
    let of = |servers: &[&Server]| {
        let named = servers.iter().enumerate();
        tokens(named.map(|(place, server)| introspector(&format!("issuer{place}"), server, MINUTE).0).collect())
    };
    assert_eq!(user(&of(&[&inactive, &good]), "opaque", NOW).await, "00u1");
    assert_eq!(user(&of(&[&inactive, &inactive]), "opaque", NOW).await, "the token is not active, says its issuer");
    let asked = good.asked().len();
    assert_eq!(user(&of(&[&down, &good]), "opaque", NOW).await, "the issuer could not be asked about the token");
    assert_eq!(good.asked().len(), asked, "who comes after one that is down is not asked");
}

#[tokio::test]
async fn a_signed_token_is_shown_to_its_own_issuer_alone() {
    let (one, two) = (answering(|_| active("of one", NOW + 600)).await, answering(|_| active("of two", NOW + 600)).await);
    let tokens = tokens(vec![introspector("one", &one, MINUTE).0, introspector("two", &two, MINUTE).0]);
    let forge = Forge::ed25519("a");
    let token = |issuer: &str| forge.token(&json!({"iss": issuer, "sub": "forged"}));
    assert_eq!(user(&tokens, &token("two"), NOW).await, "of two");
    assert_eq!(user(&tokens, &token("three"), NOW).await, "the token's issuer is not known");
    assert_eq!((one.asked().len(), two.asked().len()), (0, 1));
}

#[tokio::test]
async fn a_signed_token_that_rules_itself_out_is_shown_to_nobody() {
    let server = answering(|_| active("00u1", NOW + 600)).await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    let forge = Forge::ed25519("a");
    let claims = |change: Value| {
        let mut claims = json!({"iss": "one", "sub": "00u1"});
        change.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
        claims
    };
    let mut passed = Vec::new();
    for (change, expected) in [
        (json!({"exp": NOW - 31}), "`exp` has passed"),
        (json!({"nbf": NOW + 31}), "`nbf` is in the future"),
        (json!({"iat": NOW + 31}), "`iat` is in the future"),
        (json!({"aud": "else"}), "none of the issuer's audiences"),
        (json!({"exp": "soon"}), "`exp` is not a number"),
        (json!({"cnf": {"jwk": {}}}), "not known here"),
    ] {
        let found = user(&tokens, &forge.token(&claims(change)), NOW).await;
        if !found.contains(expected) {
            passed.push(format!("{found}, not {expected}"));
        }
    }
    for algorithm in ["none", "HS256", "PS512"] {
        let token = forge.sign(&json!({"alg": algorithm}).to_string(), claims(json!({})).to_string().as_bytes());
        let found = user(&tokens, &token, NOW).await;
        if !found.contains("not in its issuer's list") {
            passed.push(format!("{algorithm}: {found}"));
        }
    }
    assert_eq!((passed, server.asked().len()), (Vec::new(), 0));
    let good = forge.token(&claims(json!({"exp": NOW + 600, "nbf": NOW, "aud": ["api"]})));
    assert_eq!(user(&tokens, &good, NOW).await, "00u1");
}

#[tokio::test]
async fn a_signed_token_stays_bound_where_its_issuers_answer_does_not_say_so() {
    let (mine, other) = (crate::token::forge::hash(b"mine"), crate::token::forge::hash(b"other"));
    let forge = Forge::ed25519("a");
    let bound = |to: &str| forge.token(&json!({"iss": "one", "sub": "00u1", "cnf": {"jkt": to}}));
    let said_of = |answered: Option<String>| {
        let mut answer = json!({"active": true, "aud": "api", "sub": "00u1", "exp": NOW + 600});
        answered.into_iter().for_each(|to| answer["cnf"] = json!({"jkt": to}));
        answer
    };
    for (answered, expected) in
        [(None, "it is no bearer token"), (Some(mine.clone()), "it is no bearer token"), (Some(other), "something else than its issuer says")]
    {
        let answer = said_of(answered);
        let server = answering(move |_| said(&answer)).await;
        let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
        // The second time from memory.
        for _ in 0..2 {
            let found = user(&tokens, &bound(&mine), NOW).await;
            assert!(found.contains(expected), "{found}, not {expected}");
        }
    }
}

#[tokio::test]
async fn a_known_personal_access_token_is_shown_to_nobody() {
    let server = answering(|_| active("stranger", NOW + 600)).await;
    let tokens = tokens(vec![introspector("one", &server, MINUTE).0]);
    let digest: [u8; 32] = Sha256::digest("mine").into();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let document = json!({
        "schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-01-01T00:00:00Z",
        "users": [{"id": "00u1", "login": "a", "type": "Personal", "status": "ACTIVE"}],
        "personalAccessTokens": [{"sha256": hex, "userId": "00u1"}],
    });
    let snapshot = crate::snapshot::Snapshot::load(document.to_string().as_bytes(), now()).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, "Bearer mine".parse().unwrap())]);
    let presented = Presented { policies: Some(&snapshot.policies), ..Presented::by(&headers, now()) };
    assert!(matches!(tokens.identify(&presented).await, Identity::Opaque(found) if found == digest));
    assert_eq!(server.asked().len(), 0);
    assert_eq!(user(&tokens, "not_mine", NOW).await, "stranger");
}
