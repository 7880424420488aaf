//! A key set document. A token is accepted only if the set has its key, said to be for such signatures;
//! a key that no reading of the document could find usable is never counted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::token::{KeySet, verify_signature};
use rooms::{json, signing};
use serde_json::Value;
use std::sync::LazyLock;

static TOKENS: LazyLock<[String; 2]> =
    LazyLock::new(|| [r#"{"alg":"EdDSA","kid":"k1"}"#, r#"{"alg":"EdDSA"}"#].map(|header| signing::sign(header.as_bytes(), b"{}")));

fuzz_target!(|document: &[u8]| {
    let Ok(set) = KeySet::parse(document) else { return };
    assert!(!json::has_twins(document), "{}", document.escape_ascii());
    let Ok(value) = serde_json::from_slice::<Value>(document) else { return };
    let keys = match &value["keys"] {
        Value::Array(keys) => keys.clone(),
        _ => vec![value.clone()],
    };
    let usable = keys.iter().filter(|key| may_be_used(key)).count();
    assert!(set.len() <= usable, "{} of {usable}: {value}", set.len());
    assert!(set.warnings().len() + set.len() >= keys.len(), "a key is left out without a word: {value}");
    let [named, unnamed] = &*TOKENS;
    let accepts = |token: &str| verify_signature(token, &signing::all_algorithms(), &set).is_ok();
    let ours = |key: &&Value| may_be_used(key) && key["x"].as_str() == Some(&signing::encode(signing::public_key()));
    assert!(!accepts(named) || keys.iter().filter(ours).filter(|key| key["kid"] == "k1").count() >= 1, "{value}");
    assert!(!accepts(unnamed) || keys.iter().filter(ours).count() >= 1, "{value}");
});

/// Whether some reading could take the key for one that verifies.
fn may_be_used(key: &Value) -> bool {
    let is_for_signatures = key.get("use").is_none_or(|value| value == "sig");
    let verifies = key.get("key_ops").is_none_or(|all| all.as_array().is_some_and(|all| all.iter().any(|one| one == "verify")));
    let bytes = |name: &str| key[name].as_str().and_then(signing::decode);
    let algorithm = |names: &[&str]| key.get("alg").is_none_or(|value| value.as_str().is_some_and(|name| names.contains(&name)));
    let fits = match (key["kty"].as_str(), key["crv"].as_str()) {
        (Some("RSA"), _) => {
            let is_long = bytes("n").is_some_and(|modulus| modulus.iter().skip_while(|byte| **byte == 0).count() >= 256);
            let is_odd = bytes("e").is_some_and(|exponent| exponent.last().is_some_and(|last| last % 2 == 1) && exponent != [1]);
            is_long && is_odd && algorithm(&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
        }
        (Some("EC"), Some("P-256")) => bytes("x").is_some_and(|x| x.len() == 32) && bytes("y").is_some_and(|y| y.len() == 32) && algorithm(&["ES256"]),
        (Some("EC"), Some("P-384")) => bytes("x").is_some_and(|x| x.len() == 48) && bytes("y").is_some_and(|y| y.len() == 48) && algorithm(&["ES384"]),
        (Some("OKP"), Some("Ed25519")) => bytes("x").is_some_and(|x| x.len() == 32) && algorithm(&["EdDSA"]),
        _ => false,
    };
    is_for_signatures && verifies && fits
}
