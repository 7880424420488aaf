//! A token. An input with an empty line is a header and, behind it, a payload, which are signed by the
//! issuer's own key, so that the claims are reached; any other is a token as it stands, which nobody signed.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use rooms::token::{Checks, TokenError, Unverified, VerifiedToken, verify, verify_signature};
use rooms::{calls, json, signing};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    match input.windows(2).position(|two| two == b"\n\n") {
        Some(at) => check_signed(&input[..at], &input[at + 2..]),
        None => check_bare(&String::from_utf8_lossy(input)),
    }
});

fn verified(token: &str) -> Result<VerifiedToken, TokenError> {
    verify(Unverified::parse(token)?, signing::issuer(), signing::keys(), calls::now(), Checks::default())
}

/// Nobody signed it, so it is not accepted, whatever it says.
fn check_bare(token: &str) {
    if Unverified::parse(token).is_ok() {
        let parts: Vec<_> = token.split('.').collect();
        assert!(parts.len() == 3 && token.len() <= 16 * 1024 && signing::decode(parts[0]).is_some_and(|header| header.len() <= 2048));
        for part in parts {
            let decoded = signing::decode(part).expect("every part is base64url");
            assert_eq!(signing::encode(&decoded), part, "there is one spelling");
        }
    }
    assert!(verified(token).is_err());
    assert!(verify_signature(token, &signing::all_algorithms(), signing::keys()).is_err());
}

fn check_signed(header: &[u8], payload: &[u8]) {
    let token = signing::sign(header, payload);
    if let Ok(content) = verify_signature(&token, &signing::all_algorithms(), signing::keys()) {
        assert_eq!(content, payload);
        check_header(header);
    }
    let Ok(accepted) = verified(&token) else { return };
    check_header(header);
    check_claims(payload, &accepted);
    let spoilt = if token.ends_with('A') { token.trim_end_matches('A').to_owned() + "Q" } else { token[..token.len() - 1].to_owned() + "A" };
    assert!(verified(&spoilt).is_err(), "another signature");
    let (_, unsigned) = token.split_once('.').expect("it has a header");
    assert!(verified(&format!("{}.{unsigned}", signing::encode(b"{\"alg\":\"none\"}"))).is_err());
}

fn check_header(header: &[u8]) {
    assert!(header.len() <= 2048 && !json::has_twins(header), "{}", header.escape_ascii());
    // What is nested deeper than that library reads is left out.
    let Ok(header) = serde_json::from_slice::<Value>(header) else { return };
    assert_eq!(header["alg"], "EdDSA");
    assert!(header.get("kid").is_none_or(|id| id == "k1"), "{header}");
    assert!(["crit", "enc", "zip"].iter().all(|name| header.get(name).is_none()), "{header}");
    assert!(header.get("b64").is_none_or(|plain| plain == true), "{header}");
}

fn check_claims(payload: &[u8], accepted: &VerifiedToken) {
    assert!(!json::has_twins(payload), "{}", payload.escape_ascii());
    let Ok(claims) = serde_json::from_slice::<Value>(payload) else { return };
    assert_eq!(claims["iss"], signing::ISSUER);
    let audience = &claims["aud"];
    assert!(audience == signing::AUDIENCE || audience.as_array().is_some_and(|all| all.iter().any(|one| one == signing::AUDIENCE)), "{claims}");
    assert!(!accepted.user.is_empty() && claims["sub"].as_str() == Some(&accepted.user), "{claims}");
    check_times(&claims, accepted.expires_at);
    let named = |role: &str| claims["groups"] == role || claims["groups"].as_array().is_some_and(|all| all.iter().any(|one| one == role));
    assert!(accepted.roles.iter().all(|role| named(role)), "{claims}");
    let texts = format!("{} {}", claims["scp"], claims["scope"]);
    assert!(accepted.scopes.iter().all(|scope| texts.contains(serde_json::to_string(scope).expect("a text").trim_matches('"'))), "{claims}");
    assert!(claims.get("jti").is_none_or(|id| id.as_str() == accepted.token_id.as_deref() && id.is_string()), "{claims}");
}

fn check_times(claims: &Value, expires_at: Timestamp) {
    let now = calls::now().as_second() as f64;
    let time = |name: &str| claims.get(name).map(|time| time.as_f64().expect("a time is a number"));
    let exp = time("exp").expect("a token ends");
    assert!(exp > now - signing::SKEW - 1.0 && (expires_at.as_second() as f64 - exp).abs() <= 1.0, "{claims}");
    assert!(time("nbf").is_none_or(|start| start <= now + signing::SKEW + 1.0), "{claims}");
    assert!(time("iat").is_none_or(|issued| issued <= now + signing::SKEW + 1.0), "{claims}");
    assert!(exp <= time("iat").unwrap_or(now + signing::SKEW) + signing::LIFETIME + 1.0, "{claims}");
}
