//! What an issuer's introspection endpoint answered about a token (RFC 7662 §2.2) → claims. The
//! answer is measured as a signed token's payload is: the same claims are required, by the same code.

use super::claims::{self, ClaimSet};
use super::strict_json::text;
use super::verify::{require_audience, require_times};
use super::{Binding, Issuer, TokenError, VerifiedToken};
use jiff::Timestamp;
use std::sync::Arc;

/// Where servers say what sort of token it is, each in its own way.
const SORTS: [&str; 3] = ["token_type", "token_use", "typ"];
/// What they call an access token. A refresh token or an identity token may be active too.
const ACCESS: [&str; 6] = ["bearer", "dpop", "access_token", "access", "jwt", "at+jwt"];

/// The token that `answer`, the whole body of a 200, is about. It may be bound to its sender: see its
/// `binding`. What it binds itself to, if it is one that can be read ([`super::Unverified::uncontradicted`]), holds
/// although the answer be silent about that.
///
/// # Errors
/// When it is not active, not of this issuer or for this audience, not an access token, out of its
/// times, bound to something else than it says itself, or the answer cannot be understood ([`TokenError::Introspection`] and [`TokenError::Malformed`]).
pub fn introspected(answer: Vec<u8>, own: Option<Binding>, issuer: &Issuer, now: Timestamp) -> Result<VerifiedToken, TokenError> {
    let mut claims = ClaimSet::parse(answer)?;
    match claims.claim("active") {
        Some("true") => {}
        Some("false") => return Err(TokenError::Inactive),
        _ => return Err(TokenError::Introspection("whether it is active is not said")),
    }
    let ours = &issuer.rules.issuer;
    if claims.issuer.as_ref().is_some_and(|named| named != ours) {
        return Err(TokenError::UnknownIssuer);
    }
    require_access(&claims)?;
    require_audience(&claims, &issuer.audience)?;
    let expires_at = require_times(&claims, issuer, now)?;
    claims.binding = match (own, claims.binding) {
        (Some(own), Some(answered)) if own != answered => return Err(TokenError::Bound("to something else than its issuer says")),
        (own, answered) => own.or(answered),
    };
    // Who was asked is who says it, whether or not the answer names him.
    claims.issuer = Some(ours.clone());
    claims::verified(claims, Arc::clone(&issuer.rules), expires_at)
}

fn require_access(claims: &ClaimSet) -> Result<(), TokenError> {
    let is_access = |value: &str| text(value).is_some_and(|sort| ACCESS.iter().any(|known| known.eq_ignore_ascii_case(&sort)));
    match SORTS.iter().filter_map(|name| claims.claim(name)).all(is_access) {
        true => Ok(()),
        false => Err(TokenError::Introspection("it is no access token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::forge::hash;
    use crate::token::{Algorithm, IssuerRules};
    use serde_json::{Value, json};
    use std::time::Duration;

    const NOW: i64 = 1_800_000_000;

    fn read(answer: &Value) -> Result<VerifiedToken, TokenError> {
        let rules = IssuerRules { roles_claim: Some("groups".into()), user_claim: "username".into(), ..IssuerRules::named("https://id.example") };
        let issuer = Issuer {
            rules: Arc::new(rules),
            audience: vec!["api".into()],
            algorithms: Algorithm::DEFAULT.to_vec(),
            clock_skew: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(86_400),
        };
        introspected(answer.to_string().into_bytes(), None, &issuer, Timestamp::from_second(NOW).unwrap())
    }

    fn with(change: Value) -> Value {
        let mut answer = json!({"active": true, "aud": ["x", "api"], "username": "ann", "exp": NOW + 600, "scope": "a b", "groups": ["g"]});
        for (name, value) in change.as_object().unwrap() {
            answer[name] = value.clone();
        }
        answer
    }

    #[test]
    fn an_active_token_has_the_claims_of_the_answer() {
        let token = read(&with(json!({"jti": "j"}))).unwrap();
        assert_eq!((&*token.user, token.roles.len(), token.scopes.len(), token.token_id.as_deref()), ("ann", 1, 2, Some("j")));
        assert_eq!(token.claims.issuer.as_deref(), Some("https://id.example"), "who was asked says it");
        assert_eq!(token.expires_at, Timestamp::from_second(NOW + 600).unwrap());
        assert!(matches!(read(&with(json!({"cnf": {"jkt": hash(b"")}}))).unwrap().binding, Some(Binding::Key(_))));
        for sort in ["Bearer", "bearer", "DPoP", "access_token"] {
            assert!(read(&with(json!({"token_type": sort}))).is_ok(), "{sort}");
        }
    }

    #[test]
    fn only_what_is_plainly_active_is_taken() {
        assert_eq!(read(&json!({"active": false})).unwrap_err(), TokenError::Inactive);
        for active in [json!("true"), json!(1), json!(null), json!([true])] {
            assert!(read(&with(json!({"active": active.clone()}))).is_err(), "{active}");
        }
        let mut unsaid = with(json!({}));
        unsaid.as_object_mut().unwrap().remove("active");
        assert!(read(&unsaid).is_err());
        let issuer = || Issuer { rules: Arc::default(), audience: vec![], algorithms: vec![], clock_skew: Duration::ZERO, max_lifetime: Duration::MAX };
        for text in ["", "[]", "true", "{\"active\":true,\"active\":true}", "{\"active\":false,\"active\":true}", "<html>"] {
            assert!(matches!(introspected(text.into(), None, &issuer(), Timestamp::UNIX_EPOCH), Err(TokenError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn an_answer_is_measured_as_a_signed_token_is() {
        for change in [
            json!({"iss": "https://other.example"}),
            json!({"iss": "https://id.example/"}),
            json!({"iss": 7}),
            json!({"aud": "other"}),
            json!({"aud": []}),
            json!({"aud": 7}),
            json!({"exp": NOW - 30}),
            json!({"exp": "never"}),
            json!({"exp": NOW + 90_000}),
            json!({"nbf": NOW + 31}),
            json!({"iat": NOW + 31}),
            json!({"username": ""}),
            json!({"username": 7}),
            json!({"sub": 7}),
            json!({"cnf": {"jwk": {}}}),
            json!({"token_type": "refresh_token"}),
            json!({"token_type": 7}),
            json!({"token_use": "refresh_token"}),
            json!({"typ": "Refresh"}),
        ] {
            assert!(read(&with(change.clone())).is_err(), "{change}");
        }
        for name in ["aud", "exp", "username"] {
            let mut answer = with(json!({}));
            answer.as_object_mut().unwrap().remove(name);
            assert!(read(&answer).is_err(), "{name}");
        }
    }
}
