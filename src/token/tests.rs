//! What is accepted, what is refused, and for which reason.

mod keys;

use super::compact::decode;
use super::forge::{Forge, encode, header_of, key_set};
use super::*;
use crate::policy::ClaimValue;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

const NOW: i64 = 1_800_000_000;

static ED: LazyLock<Forge> = LazyLock::new(|| Forge::ed25519("ed"));
static EC: LazyLock<Forge> = LazyLock::new(|| Forge::p256("ec"));
static EC384: LazyLock<Forge> = LazyLock::new(|| Forge::p384("ec384"));
static RSA: LazyLock<Forge> = LazyLock::new(|| Forge::rsa("rsa", jsonwebtoken::Algorithm::RS256));

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn issuer() -> Issuer {
    Issuer {
        rules: Arc::new(IssuerRules { issuer: "https://id.example".into(), roles_claim: Some("groups".into()), ..IssuerRules::default() }),
        audience: vec!["api".into(), "other".into()],
        algorithms: Algorithm::ALL.to_vec(),
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
    }
}

fn all_keys() -> KeySet {
    KeySet::parse(&key_set(&[ED.jwk(), EC.jwk(), EC384.jwk(), RSA.jwk()])).unwrap()
}

fn claims(change: Value) -> Value {
    let mut claims = json!({"iss": "https://id.example", "aud": "api", "sub": "00u1", "exp": NOW + 600, "iat": NOW - 5});
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims(json!({}));
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn accept(token: &str, keys: &KeySet) -> Result<VerifiedToken, TokenError> {
    verify(Unverified::parse(token)?, &issuer(), keys, now(), Checks::default())
}

fn outcome(claims: &Value) -> Result<VerifiedToken, TokenError> {
    accept(&ED.token(claims), &all_keys())
}

fn refusal(claims: &Value) -> String {
    outcome(claims).unwrap_err().to_string()
}

#[test]
fn a_good_token_of_every_algorithm_is_accepted() {
    use jsonwebtoken::Algorithm as Name;
    let keys = all_keys();
    for forge in [&*ED, &*EC, &*EC384] {
        assert_eq!(&*accept(&forge.token(&claims(json!({}))), &keys).unwrap().user, "00u1");
    }
    let mut rsa = Forge::rsa("own", Name::RS256);
    let keys = KeySet::parse(&key_set(&[rsa.jwk()])).unwrap();
    for name in [Name::RS256, Name::RS384, Name::RS512, Name::PS256, Name::PS384, Name::PS512] {
        rsa = rsa.with(name);
        assert!(accept(&rsa.token(&claims(json!({}))), &keys).is_ok(), "{name:?}");
    }
}

#[test]
fn only_listed_algorithms_are_accepted() {
    let keys = all_keys();
    let issuer = Issuer { algorithms: vec![Algorithm::Es256], ..issuer() };
    let token = ED.token(&claims(json!({})));
    let result = verify(Unverified::parse(&token).unwrap(), &issuer, &keys, now(), Checks::default());
    assert_eq!(result.unwrap_err(), TokenError::Algorithm);
}

#[test]
fn none_and_the_symmetric_algorithms_are_refused() {
    let payload = claims(json!({})).to_string();
    for name in ["none", "None", "NONE", "HS256", "HS512", "ES512", "ES256K", "rs256", "RS256 ", ""] {
        let token = ED.sign(&json!({"alg": name, "kid": "ed"}).to_string(), payload.as_bytes());
        assert_eq!(accept(&token, &all_keys()).unwrap_err(), TokenError::Algorithm, "{name}");
    }
    let unsigned = format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(payload.as_bytes()));
    assert!(accept(&unsigned, &all_keys()).is_err());
}

#[test]
fn an_algorithm_that_does_not_fit_the_keys_type_is_refused() {
    for name in ["RS256", "PS256", "ES256", "ES384"] {
        let token = ED.sign(&json!({"alg": name, "kid": "ed"}).to_string(), claims(json!({})).to_string().as_bytes());
        assert_eq!(accept(&token, &all_keys()).unwrap_err(), TokenError::KeyDoesNotFit, "{name}");
    }
}

#[test]
fn an_hmac_over_the_public_key_is_refused() {
    let payload = claims(json!({})).to_string();
    let signed = format!("{}.{}", encode(br#"{"alg":"HS256","kid":"rsa"}"#), encode(payload.as_bytes()));
    let secret = jsonwebtoken::EncodingKey::from_secret(RSA.jwk()["n"].as_str().unwrap().as_bytes());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256).unwrap();
    assert!(accept(&format!("{signed}.{signature}"), &all_keys()).is_err());
}

#[test]
fn what_a_header_embeds_is_never_followed() {
    let stranger = Forge::ed25519("ed");
    let header = json!({"alg": "EdDSA", "kid": "ed", "jwk": stranger.jwk(), "jku": "https://evil.example", "x5u": "https://evil.example", "x5c": ["MII"]});
    let payload = claims(json!({})).to_string();
    let forged = stranger.sign(&header.to_string(), payload.as_bytes());
    assert_eq!(accept(&forged, &all_keys()).unwrap_err(), TokenError::Signature);
    assert!(accept(&ED.sign(&header.to_string(), payload.as_bytes()), &all_keys()).is_ok());
}

#[test]
fn headers_that_change_the_reading_are_refused() {
    let payload = claims(json!({})).to_string();
    let changes = [
        json!({"crit": ["exp"], "exp": 1}),
        json!({"crit": []}),
        json!({"b64": false}),
        json!({"b64": "true"}),
        json!({"enc": "A128GCM"}),
        json!({"zip": "DEF"}),
        json!({"kid": 7}),
        json!({"kid": null}),
        json!({"alg": null}),
        json!({"typ": "dpop+jwt"}),
        json!({"typ": ["JWT"]}),
        json!({"pad": "x".repeat(2048)}),
    ];
    for change in changes {
        let mut header = json!({"alg": "EdDSA", "kid": "ed"});
        for (name, value) in change.as_object().unwrap() {
            header[name] = value.clone();
        }
        assert!(accept(&ED.sign(&header.to_string(), payload.as_bytes()), &all_keys()).is_err(), "{header}");
    }
    for (length, fits) in [(2048, true), (2049, false)] {
        let bare = json!({"alg": "EdDSA", "kid": "ed", "pad": ""}).to_string();
        let header = json!({"alg": "EdDSA", "kid": "ed", "pad": "x".repeat(length - bare.len())}).to_string();
        assert_eq!((header.len(), accept(&ED.sign(&header, payload.as_bytes()), &all_keys()).is_ok()), (length, fits));
    }
    let twice = r#"{"alg":"EdDSA","kid":"ed","kid":"ed"}"#;
    assert!(accept(&ED.sign(twice, payload.as_bytes()), &all_keys()).is_err());
    for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        let header = json!({"alg": "EdDSA", "kid": "ed", "typ": kind}).to_string();
        assert!(accept(&ED.sign(&header, payload.as_bytes()), &all_keys()).is_ok(), "{kind}");
    }
}

#[test]
fn another_spelling_of_the_same_token_is_refused() {
    let token = ED.token(&claims(json!({})));
    for spelled in [
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}."),
        format!("{token}.x"),
        token.replace('.', ".."),
        token.replacen('.', "=.", 1),
    ] {
        assert!(accept(&spelled, &all_keys()).is_err(), "{spelled}");
    }
    // The last character of 64 signature bytes carries four bits that mean nothing.
    let (rest, last) = token.split_at(token.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        assert_eq!(accept(&format!("{rest}{other}"), &all_keys()).is_ok(), last.starts_with(other), "{other}");
    }
}

#[test]
fn a_payload_with_a_member_twice_is_refused() {
    let payload = format!(r#"{{"iss":"https://id.example","aud":"api","sub":"a","sub":"b","exp":{}}}"#, NOW + 60);
    let token = ED.sign(r#"{"alg":"EdDSA","kid":"ed"}"#, payload.as_bytes());
    assert!(matches!(accept(&token, &all_keys()).unwrap_err(), TokenError::Malformed(_)));
}

#[test]
fn a_token_that_is_too_long_is_refused() {
    assert_eq!(refusal(&claims(json!({"pad": "x".repeat(MAX_TOKEN_BYTES)}))), "the token is longer than 16384 bytes");
}

#[test]
fn registered_claims_of_the_wrong_type_are_refused() {
    let changes = [
        json!({"exp": (NOW + 60).to_string()}),
        json!({"exp": null}),
        json!({"exp": [NOW + 60]}),
        json!({"exp": true}),
        json!({"nbf": "0"}),
        json!({"iat": {}}),
        json!({"iss": ["https://id.example"]}),
        json!({"aud": 1}),
        json!({"aud": ["api", 1]}),
        json!({"aud": null}),
        json!({"aud": {"api": true}}),
        json!({"sub": 1}),
        json!({"sub": null}),
        json!({"jti": 1}),
    ];
    for change in changes {
        assert!(outcome(&claims(change.clone())).is_err(), "{change}");
    }
}

#[test]
fn required_claims_must_be_there() {
    for (name, message) in [
        ("iss", "the token's issuer is not known"),
        ("aud", "the token's claim `aud` is missing"),
        ("exp", "the token's claim `exp` is missing"),
        ("sub", "the token's claim `sub` is missing"),
    ] {
        assert_eq!(refusal(&without(name)), message);
    }
    assert!(outcome(&without("iat")).is_ok());
    assert_eq!(refusal(&claims(json!({"sub": ""}))), "the token's claim `sub` is empty");
}

#[test]
fn issuer_and_audience_are_compared_exactly() {
    for name in ["https://id.example/", "https://ID.example", "id.example", ""] {
        assert_eq!(outcome(&claims(json!({"iss": name}))).unwrap_err(), TokenError::UnknownIssuer, "{name}");
    }
    for audience in [json!("API"), json!("api "), json!([]), json!(["apis"]), json!("")] {
        assert!(outcome(&claims(json!({"aud": audience.clone()}))).is_err(), "{audience}");
    }
    assert!(outcome(&claims(json!({"aud": ["stranger", "other"]}))).is_ok());
}

#[test]
fn times_are_measured_against_now_with_the_skew() {
    for (change, accepted) in [
        (json!({"exp": NOW - 29}), true),
        (json!({"exp": NOW - 30}), false),
        (json!({"exp": NOW as f64 + 0.5}), true),
        (json!({"exp": -1}), false),
        (json!({"nbf": NOW + 30}), true),
        (json!({"nbf": NOW + 31}), false),
        (json!({"iat": NOW + 30}), true),
        (json!({"iat": NOW + 31}), false),
        (json!({"iat": 0, "exp": 9_007_199_254_740_992_i64}), false),
        (json!({"exp": 9_007_199_254_740_994_i64}), false),
        (serde_json::from_str(r#"{"nbf": -9007199254740993.0}"#).unwrap(), false),
        (json!({"exp": 1e300}), false),
        (json!({"nbf": -1e300}), false),
        (json!({"nbf": -9_007_199_254_740_992_i64}), true),
        (json!({"nbf": -9_007_199_254_740_993_i64}), false),
        (json!({"iat": NOW - 100, "exp": NOW + 86_300}), true),
        (json!({"iat": NOW - 100, "exp": NOW + 86_301}), false),
    ] {
        assert_eq!(outcome(&claims(change.clone())).is_ok(), accepted, "{change}");
    }
    let mut without_iat = without("iat");
    without_iat["exp"] = json!(NOW + 86_400);
    assert!(outcome(&without_iat).is_ok());
    without_iat["exp"] = json!(NOW + 86_431);
    assert!(outcome(&without_iat).is_err());
}

#[test]
fn claims_reach_the_policies_as_they_were_written() {
    let payload = format!(
        r#"{{"iss":"https://id.example","aud":"api","sub":"00u1","exp":{},"level":1.50,"mfa":true,"unit":["a",2,null,[1],{{}}],"none":null,"empty":[],"nested":[[]],"object":{{}},"text":"\u0061b"}}"#,
        NOW + 60
    );
    let token = accept(&ED.sign(r#"{"alg":"EdDSA"}"#, payload.as_bytes()), &all_keys()).unwrap();
    let values = |name: &str| token.claims.values.iter().find(|(claim, _)| **claim == *name).map_or(&[][..], |(_, values)| values);
    let text = |text: &str| ClaimValue::Text(text.into());
    assert_eq!(token.claims.issuer.as_deref(), Some("https://id.example"));
    assert_eq!(values("level"), [text("1.50")]);
    assert_eq!(values("mfa"), [text("true")]);
    assert_eq!(values("unit"), [text("a"), text("2"), ClaimValue::Unknown, ClaimValue::Unknown]);
    assert!(values("none").is_empty());
    assert!(values("empty").is_empty());
    assert_eq!(values("nested"), [ClaimValue::Unknown]);
    assert_eq!(values("object"), [ClaimValue::Unknown]);
    assert_eq!(values("text"), [text("ab")]);
}

#[test]
fn scopes_and_roles_are_gathered() {
    let token = outcome(&claims(json!({"scp": ["a b", "c"], "scope": "d  e", "groups": ["x", "y/z"], "jti": "j"}))).unwrap();
    assert_eq!(token.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>(), ["a b", "c", "d", "e"]);
    assert_eq!(token.roles.iter().map(|role| &**role).collect::<Vec<_>>(), ["x", "y/z"]);
    assert_eq!(token.token_id.as_deref(), Some("j"));
    assert_eq!(token.issued_at, Some(Timestamp::from_second(NOW - 5).unwrap()));
    assert_eq!(outcome(&claims(json!({"groups": "one"}))).unwrap().roles.len(), 1);
    assert!(outcome(&claims(json!({"groups": ["x", 1]}))).unwrap().roles.is_empty());
}

#[test]
fn claims_of_a_case_file_need_only_a_user() {
    let rules = issuer().rules;
    let from = |claims: &str| VerifiedToken::from_claims(Arc::clone(&rules), claims);
    let token = from(r#"{"sub":"u","exp":"never","aud":1,"iss":"https://other.example","groups":["g"]}"#).unwrap();
    assert_eq!((&*token.user, token.claims.issuer.as_deref()), ("u", Some("https://other.example")));
    assert_eq!(token.expires_at, Timestamp::MAX);
    for claims in ["{}", r#"{"sub":""}"#, r#"{"sub":1}"#, "[]", ""] {
        assert!(from(claims).is_err(), "{claims}");
    }
}

#[test]
fn issuer_and_audience_are_asked_for_only_where_the_checks_say_so() {
    let mut claims = claims(json!({}));
    claims.as_object_mut().unwrap().retain(|name, _| name != "iss" && name != "aud");
    let token = ED.token(&claims);
    let with = |checks| verify(Unverified::parse(&token).unwrap(), &issuer(), &all_keys(), now(), checks);
    assert!(with(Checks { issuer: false, audience: false }).is_ok());
    assert!(with(Checks { issuer: true, audience: false }).is_err());
    assert!(with(Checks { issuer: false, audience: true }).is_err());
    // Not asked for, but of the wrong type.
    claims["aud"] = json!({"api": true});
    assert!(Unverified::parse(&ED.token(&claims)).is_err());
}

#[test]
fn a_signature_alone_is_verified_over_any_payload() {
    let token = ED.sign(r#"{"alg":"EdDSA","typ":"JOSE"}"#, b"no claims");
    let keys = all_keys();
    assert_eq!(verify_signature(&token, &Algorithm::ALL, &keys).unwrap(), b"no claims");
    assert_eq!(verify_signature(&token, &Algorithm::DEFAULT[..1], &keys).unwrap_err(), TokenError::Algorithm);
}

#[test]
fn the_example_of_rfc_8037_verifies() {
    let key = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let token =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let keys = KeySet::parse(key).unwrap();
    assert_eq!(verify_signature(token, &Algorithm::ALL, &keys).unwrap(), b"Example of Ed25519 signing");
    assert!(verify_signature(&token.replacen("RXh", "RXg", 1), &Algorithm::ALL, &keys).is_err());
}

#[test]
fn a_detached_signature_is_over_the_content() {
    let keys = KeySet::parse(&key_set(&[ED.jwk(), EC.jwk()])).unwrap();
    let signature = ED.detached(b"content");
    assert_eq!(verify_detached(&signature, b"content", &keys), Ok(()));
    assert_eq!(verify_detached(&signature, b"contents", &keys), Err(TokenError::Signature));
    assert_eq!(verify_detached(&EC.detached(b"content"), b"content", &keys), Err(TokenError::Algorithm));
    for broken in ["", "..", "a..b", signature.split_once("..").unwrap().1] {
        assert!(verify_detached(broken, b"content", &keys).is_err(), "{broken}");
    }
    let unknown = Forge::ed25519("unknown").detached(b"content");
    assert!(verify_detached(&unknown, b"content", &keys).unwrap_err().is_unknown_key());
}

#[test]
fn a_tokens_form_decides_whether_it_is_opaque() {
    assert!(is_compact("a.b.c"));
    for opaque in ["", "abc", "a.b", "a.b.c.d.e"] {
        assert!(!is_compact(opaque), "{opaque}");
    }
    assert_eq!(header_of(&ED.token(&json!({})))["alg"], "EdDSA");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_with_any_byte_changed_is_never_accepted(place in 0_usize..10_000, byte in 0x20_u8..0x7f) {
        static TOKEN: LazyLock<String> = LazyLock::new(|| ED.token(&claims(json!({"groups": ["a"]}))));
        let mut changed = TOKEN.clone().into_bytes();
        let place = place % changed.len();
        prop_assume!(changed[place] != byte);
        changed[place] = byte;
        prop_assert!(accept(&String::from_utf8(changed).unwrap(), &all_keys()).is_err());
    }

    #[test]
    fn any_text_is_refused_without_a_panic(token in ".{0,200}", header in ".{0,60}", payload in ".{0,60}") {
        prop_assert!(accept(&token, &all_keys()).is_err());
        let _ = KeySet::parse(token.as_bytes());
        let _ = verify_detached(&token, b"", &all_keys());
        let _ = VerifiedToken::from_claims(issuer().rules, &payload);
        prop_assert!(accept(&ED.sign(&header, payload.as_bytes()), &all_keys()).is_err());
    }
}

#[test]
fn a_token_that_is_bound_to_its_sender_is_no_bearer_token() {
    for cnf in [json!({"jkt": forge::hash(b"")}), json!({"x5t#S256": forge::hash(b"")})] {
        let token = ED.token(&claims(json!({"cnf": cnf})));
        assert_eq!(accept(&token, &all_keys()).unwrap_err(), TokenError::Bound("it is no bearer token"));
        let for_sender = verify_for_sender(Unverified::parse(&token).unwrap(), &issuer(), &all_keys(), now(), Checks::default()).unwrap();
        assert!(for_sender.binding.is_some());
    }
    assert!(outcome(&claims(json!({"cnf": {"jwk": {}}}))).is_err());
    assert!(outcome(&claims(json!({"cnf": null}))).is_err());
}
