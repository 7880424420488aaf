//! Who asks in a case: a user of the snapshot, a token's claims, or nobody.

use super::file::CaseCaller;
use super::reading::text_of;
use crate::authorize::Identity;
use crate::token::{IssuerRules, VerifiedToken};
use serde_json::{Map, Value};
use std::sync::Arc;

/// `user`: a user of the snapshot without claims or scopes; `claims`: a token's; neither: no token.
pub(super) fn identity(case: &Map<String, Value>, issuers: &[Arc<IssuerRules>]) -> Identity {
    if let Some(claims) = case.get("claims") {
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let rules = issuers.iter().find(|rules| *rules.issuer == *issuer).cloned().unwrap_or_default();
        return match VerifiedToken::from_claims(rules, &claims.to_string()) {
            Ok(token) => Identity::Token(Arc::new(token)),
            Err(error) => Identity::Refused(error.to_string().into()),
        };
    }
    match text_of(case, "user") {
        Some(user) => Identity::Token(Arc::new(VerifiedToken::without_claims(&user))),
        None => Identity::Missing,
    }
}

pub(super) fn caller(case: &Map<String, Value>) -> CaseCaller {
    match (case.get("claims"), text_of(case, "user")) {
        (Some(claims), _) => CaseCaller::Claims(claims.to_string()),
        (None, Some(user)) => CaseCaller::User(user),
        (None, None) => CaseCaller::Nobody,
    }
}

pub(super) fn issuer(value: &Value) -> Result<Arc<IssuerRules>, String> {
    crate::config::case_rules("issuers", value).map(Arc::new).map_err(|error| error.to_string())
}
