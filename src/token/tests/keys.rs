//! Which keys are taken, and which of them verifies a token.

use super::*;

#[test]
fn a_key_is_chosen_by_the_bytes_of_its_id() {
    let payload = claims(json!({})).to_string();
    let token = |header: Value| ED.sign(&header.to_string(), payload.as_bytes());
    let keys = all_keys();
    assert!(accept(&token(json!({"alg": "EdDSA"})), &keys).is_ok(), "one key fits");
    for id in ["ED", "ed ", "", "../ed"] {
        let error = accept(&token(json!({"alg": "EdDSA", "kid": id})), &keys).unwrap_err();
        assert!(error.is_unknown_key(), "{id}");
    }
    let two = KeySet::parse(&key_set(&[ED.jwk(), Forge::ed25519("second").jwk()])).unwrap();
    assert_eq!(accept(&token(json!({"alg": "EdDSA"})), &two).unwrap_err(), TokenError::AmbiguousKey);
    let same_id = KeySet::parse(&key_set(&[ED.jwk(), Forge::ed25519("ed").jwk()])).unwrap();
    assert_eq!(accept(&token(json!({"alg": "EdDSA", "kid": "ed"})), &same_id).unwrap_err(), TokenError::AmbiguousKey);
    assert_eq!(same_id.warnings().len(), 1);
    let none = KeySet::default();
    assert!(accept(&token(json!({"alg": "EdDSA", "kid": "ed"})), &none).unwrap_err().is_unknown_key());
}

#[test]
fn keys_that_must_not_be_used_are_left_out_with_a_warning() {
    let bad = [
        json!({"use": "enc"}),
        json!({"use": null}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": "verify"}),
        json!({"alg": "RS256"}),
        json!({"alg": "ES512"}),
        json!({"alg": 7}),
        json!({"kid": 7}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"crv": "X25519"}),
        json!({"x": "AAAA"}),
        json!({"d": "AAAA"}),
        json!({"k": "AAAA"}),
    ];
    for change in bad {
        let mut key = ED.jwk();
        for (name, value) in change.as_object().unwrap() {
            key[name] = value.clone();
        }
        let set = KeySet::parse(&key_set(&[key])).unwrap();
        assert!(set.is_empty(), "{change}");
        assert_eq!(set.warnings().len(), 1, "{change}");
    }
    let mut good = ED.jwk();
    good["use"] = json!("sig");
    good["key_ops"] = json!(["verify"]);
    good["alg"] = json!("EdDSA");
    assert_eq!(KeySet::parse(&key_set(&[good])).unwrap().len(), 1);
}

#[test]
fn weak_and_impossible_keys_are_left_out() {
    let mut small = RSA.jwk();
    small["n"] = json!(encode(&[0xff; 255]));
    let mut exponent_one = RSA.jwk();
    exponent_one["e"] = json!("AQ");
    let mut even = RSA.jwk();
    even["e"] = json!("BA");
    let mut off_curve = EC.jwk();
    off_curve["y"] = off_curve["x"].clone();
    let mut short = EC.jwk();
    short["x"] = json!(encode(&[1; 31]));
    // The same point, cut elsewhere.
    let mut uneven = EC.jwk();
    let point = ["x", "y"].map(|name| decode(EC.jwk()[name].as_str().unwrap()).unwrap()).concat();
    (uneven["x"], uneven["y"]) = (json!(encode(&point[..31])), json!(encode(&point[31..])));
    let mut other_curve = EC.jwk();
    other_curve["crv"] = json!("P-521");
    for key in [small, exponent_one, even, off_curve, short, uneven, other_curve] {
        assert!(KeySet::parse(&key_set(std::slice::from_ref(&key))).unwrap().is_empty(), "{key}");
    }
}

#[test]
fn keys_that_anybody_can_sign_for_are_left_out() {
    let mut order_one = ED.jwk();
    order_one["x"] = json!(encode(&[&[1][..], &[0; 31]].concat()));
    let mut second_spelling = ED.jwk();
    second_spelling["x"] = json!(encode(&[&[0xf0][..], &[0xff; 30], &[0x7f]].concat()));
    let mut marked = RSA.jwk();
    marked["n"] = json!(encode(&super::roca::tests::marked(123)));
    for (key, reason) in [(order_one, "small order"), (second_spelling, "not canonical"), (marked, "CVE-2017-15361")] {
        let set = KeySet::parse(&key_set(std::slice::from_ref(&key))).unwrap();
        assert!(set.is_empty(), "{key}");
        assert!(set.warnings()[0].contains(reason), "{:?}", set.warnings());
    }
}

#[test]
fn a_key_bound_to_one_algorithm_serves_no_other() {
    let mut bound = RSA.jwk();
    bound["alg"] = json!("PS256");
    let keys = KeySet::parse(&key_set(&[bound])).unwrap();
    assert_eq!(accept(&RSA.token(&claims(json!({}))), &keys).unwrap_err(), TokenError::KeyDoesNotFit);
}

#[test]
fn documents_that_are_no_key_set_are_errors() {
    for document in ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
        assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
    }
    let mut padded = key_set(&[ED.jwk()]);
    padded.resize(MAX_KEY_SET_BYTES, b' ');
    assert_eq!(KeySet::parse(&padded).unwrap().len(), 1);
    padded.push(b' ');
    assert!(KeySet::parse(&padded).is_err());
    assert!(KeySet::parse(&key_set(&vec![json!({}); 201])).is_err());
    assert_eq!(KeySet::parse(&key_set(&[json!(1), json!({"kty": "EC"})])).unwrap().warnings().len(), 2);
}
