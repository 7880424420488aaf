//! The request's headers on their way upstream (interfaces §6, threats §3).

use super::admission::Admission;
use super::etag;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};

const USER: HeaderName = HeaderName::from_static("doorward-user");
const ROLES: HeaderName = HeaderName::from_static("doorward-roles");
/// A proof of possession: it goes up, or not, with the token that it is for.
const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The name of the header that carries the decision id, in requests and answers.
pub(super) const DECISION_ID: HeaderName = HeaderName::from_static("doorward-decision-id");

/// Removed both ways.
pub(super) const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers by which some frameworks take another method or target than the request line's.
const OVERRIDES: [&str; 7] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-method", "x-original-url", "x-original-uri", "x-rewrite-url"];

pub(super) fn edit(admission: &Admission, headers: &mut HeaderMap) {
    remove_lookalikes(headers);
    let is_upgrade = admission.is_upgrade();
    for name in HOP_BY_HOP.iter().filter(|name| !(is_upgrade && (**name == UPGRADE || **name == CONNECTION))) {
        headers.remove(name);
    }
    if admission.world.settings.drop_authorization {
        headers.remove(AUTHORIZATION);
        headers.remove(PROOF);
    }
    if admission.is_filtered() {
        prepare_for_filter(headers);
        if admission.reads() {
            bind_conditions(admission, headers);
        }
    }
    set_identity(admission, headers);
}

/// A header that an upstream could take for one of ours or a proxy's: compared with `_` and `.`
/// folded to `-` (threats §3).
#[must_use]
pub fn is_lookalike(name: &str) -> bool {
    // No name that matters here begins otherwise, so most headers cost one look.
    if !matches!(name.as_bytes().first(), Some(b'd' | b'x' | b'f' | b'D' | b'X' | b'F')) {
        return false;
    }
    let folded: String = name.chars().map(|character| if matches!(character, '_' | '.') { '-' } else { character.to_ascii_lowercase() }).collect();
    folded == "forwarded" || folded.starts_with("doorward-") || folded.starts_with("x-forwarded-") || OVERRIDES.contains(&folded.as_str())
}

fn remove_lookalikes(headers: &mut HeaderMap) {
    if headers.keys().any(|name| is_lookalike(name.as_str())) {
        let names: Vec<HeaderName> = headers.keys().filter(|name| is_lookalike(name.as_str())).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

fn prepare_for_filter(headers: &mut HeaderMap) {
    for name in [RANGE, IF_RANGE] {
        headers.remove(name);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Of a call that reads, only conditions on what this caller was shown go up. A call that writes keeps
/// all of its own: without `If-None-Match: *` a creation would be an overwriting.
fn bind_conditions(admission: &Admission, headers: &mut HeaderMap) {
    for name in [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
        headers.remove(name);
    }
    if !headers.contains_key(IF_NONE_MATCH) {
        return;
    }
    let rights = admission.rights();
    let tags: Vec<HeaderValue> = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| etag::unbind(list, rights?)).collect();
    headers.remove(IF_NONE_MATCH);
    for tag in tags {
        headers.append(IF_NONE_MATCH, tag);
    }
}

fn set_identity(admission: &Admission, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::try_from(admission.decision_id.to_string()) {
        headers.insert(DECISION_ID, value);
    }
    let Some(inputs) = &admission.inputs else { return };
    if let Ok(value) = HeaderValue::from_bytes(inputs.caller.user_id.as_bytes()) {
        headers.insert(USER, value);
    }
    let mut roles = String::new();
    for name in inputs.subject(None).role_names() {
        if !roles.is_empty() {
            roles.push(',');
        }
        roles.push_str(&name);
    }
    if let Ok(value) = HeaderValue::from_bytes(roles.as_bytes()) {
        headers.insert(ROLES, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookalikes_are_found_whatever_stands_between_their_words() {
        for name in [
            "doorward-user",
            "doorward_user",
            "doorward.roles",
            "x_forwarded_for",
            "x-forwarded.host",
            "forwarded",
            "x-http-method-override",
            "x_http_method",
            "x-original-url",
            "X_Rewrite_Url",
        ] {
            assert!(is_lookalike(name), "{name}");
        }
        for name in ["x-user", "from", "date", "x-forwarded", "doorward", "authorization", "x-request-id"] {
            assert!(!is_lookalike(name), "{name}");
        }
    }
}
