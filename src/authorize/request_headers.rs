//! The request's headers on their way upstream (interfaces §6, threats §3).

use super::admission::Admission;
use super::etag;
use super::spellings::{fold_separator, is_alias};
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

const USER: HeaderName = HeaderName::from_static("doorward-user");
const ROLES: HeaderName = HeaderName::from_static("doorward-roles");
/// A proof of possession: it goes up, or not, with the token that it is for.
const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The name of the header that carries the decision id, in requests and answers.
pub(super) const DECISION_ID: HeaderName = HeaderName::from_static("doorward-decision-id");

/// Removed both ways.
pub(super) static HOP_BY_HOP: [HeaderName; 9] = [
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
const OVERRIDES: [&str; 16] = [
    "-method",
    "method-override",
    "x-method",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-override-method",
    "http-method-override",
    "x-original-method",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    "x-override-url",
    "x-http-path-override",
    "x-http-host-override",
];

/// Headers that frame a request, say who sends it, or would have a filtered answer's parts or validators: whoever
/// spells them otherwise means somebody who reads them alike.
const SPELT_ONE_WAY: [&str; 15] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "dpop",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "proxy-authorization",
    "transfer-encoding",
];

/// What changes of a request's head on its way up. No name stands in both lists.
#[derive(Debug, Default)]
pub struct RequestEdits {
    /// Headers that go, each of which was there.
    pub removed: Vec<HeaderName>,
    /// Headers that are set, instead of all that were there by these names. Several values of one name
    /// stand one behind the other.
    pub set: Vec<(HeaderName, HeaderValue)>,
}

impl RequestEdits {
    /// Sets one value instead of all that were there.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.removed.retain(|removed| *removed != name);
        self.set.push((name, value));
    }

    fn remove(&mut self, name: &HeaderName, headers: &HeaderMap) {
        if headers.contains_key(name) && !self.removed.contains(name) {
            self.removed.push(name.clone());
        }
    }

    /// Changes the head.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        for name in &self.removed {
            headers.remove(name);
        }
        let mut last = None;
        for (name, value) in self.set {
            if last.as_ref() == Some(&name) {
                headers.append(&name, value);
            } else {
                headers.insert(&name, value);
            }
            last = Some(name);
        }
    }
}

pub(super) fn edits(admission: &Admission, headers: &HeaderMap) -> RequestEdits {
    let mut edits = RequestEdits { removed: Vec::new(), set: Vec::with_capacity(4) };
    edits.removed.extend(headers.keys().filter(|name| is_lookalike(name.as_str())).cloned());
    let is_upgrade = admission.is_upgrade();
    if headers.contains_key(CONNECTION) {
        for name in nominated(headers).filter(|name| !(is_upgrade && *name == UPGRADE)) {
            edits.remove(&name, headers);
        }
    }
    for name in headers.keys().filter(|name| HOP_BY_HOP.contains(name) && !(is_upgrade && (**name == UPGRADE || **name == CONNECTION))) {
        edits.remove(name, headers);
    }
    if admission.world.settings.drop_authorization {
        edits.remove(&AUTHORIZATION, headers);
        edits.remove(&PROOF, headers);
    }
    if admission.is_filtered() {
        prepare_for_filter(&mut edits, headers);
        if admission.reads() {
            bind_conditions(admission, &mut edits, headers);
        }
    }
    set_identity(admission, &mut edits);
    edits
}

/// What `Connection` names, which ends with it.
pub fn nominated(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let texts = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).filter_map(|name| HeaderName::try_from(name.trim()).ok())
}

/// A header that an upstream could take for one of ours or a proxy's: compared with `_` and `.`
/// folded to `-` (threats §3).
#[must_use]
pub fn is_lookalike(name: &str) -> bool {
    if name.contains(['_', '.']) && SPELT_ONE_WAY.iter().any(|known| is_alias(name, known)) {
        return true;
    }
    let name = name.as_bytes();
    // No name that matters here begins otherwise, so most headers cost one look.
    match name.first() {
        Some(b'd' | b'D') => begins(name, b"doorward-"),
        Some(b'f' | b'F') => folds_to(name, b"forwarded"),
        Some(b'h' | b'H' | b'm' | b'M' | b'x' | b'X' | b'-' | b'_' | b'.') => {
            begins(name, b"x-forwarded-") || OVERRIDES.iter().any(|word| folds_to(name, word.as_bytes()))
        }
        _ => false,
    }
}

fn begins(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len()).is_some_and(|beginning| folds_to(beginning, prefix))
}

/// Whether this is what a name comes to when case and `_`, `.`, `-` make no difference.
fn folds_to(name: &[u8], folded: &[u8]) -> bool {
    name.len() == folded.len() && name.iter().copied().map(fold_separator).eq(folded.iter().copied())
}

fn prepare_for_filter(edits: &mut RequestEdits, headers: &HeaderMap) {
    for name in [RANGE, IF_RANGE] {
        edits.remove(&name, headers);
    }
    edits.set(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Of a call that reads, only conditions on what this caller was shown go up. A call that writes keeps
/// all of its own: without `If-None-Match: *` a creation would be an overwriting.
fn bind_conditions(admission: &Admission, edits: &mut RequestEdits, headers: &HeaderMap) {
    for name in [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_MATCH, IF_NONE_MATCH] {
        edits.remove(&name, headers);
    }
    if !headers.contains_key(IF_NONE_MATCH) {
        return;
    }
    let sealing = admission.sealing();
    for tag in headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| etag::unbind(list, sealing?)) {
        edits.set(IF_NONE_MATCH, tag);
    }
}

fn set_identity(admission: &Admission, edits: &mut RequestEdits) {
    edits.set(DECISION_ID, admission.decision_id.header_value());
    let Some(inputs) = &admission.inputs else { return };
    if let Ok(value) = HeaderValue::from_bytes(inputs.caller.user_id.as_bytes()) {
        edits.set(USER, value);
    }
    let mut roles = String::new();
    for name in inputs.subject(None).role_names().filter(|name| is_one_role(name)) {
        if !roles.is_empty() {
            roles.push(',');
        }
        roles.push_str(&name);
    }
    if let Ok(value) = HeaderValue::from_bytes(roles.as_bytes()) {
        edits.set(ROLES, value);
    }
}

/// Whether `scope/code` is read as this one role by whoever splits a list of them: a role that could be taken
/// for another, or for several, goes unnamed.
fn is_one_role(name: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part.trim() == part && !part.contains([',', '/']) && !part.contains(char::is_control);
    name.split_once('/').is_some_and(|(scope, code)| is_plain(scope) && is_plain(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_could_be_taken_for_others_goes_unnamed() {
        assert!(is_one_role("default/portfolio managers") && is_one_role("LUSID_SYSTEM/lusid-administrator"));
        for odd in ["default/x,LUSID_SYSTEM/lusid-administrator", "default/admins ", "default/ admins", "default/a\nb", "default/a/b", "a", "/a", "a/"] {
            assert!(!is_one_role(odd), "{odd:?}");
        }
    }

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
            "http-method-override",
            "transfer_encoding",
            "content.length",
            "_method",
            "method-override",
            "X_Method",
            ".method",
            "if_none_match",
            "If.Match",
            "if-modified_since",
            "if.unmodified.since",
            "if_range",
            "accept_encoding",
        ] {
            assert!(is_lookalike(name), "{name}");
        }
        for name in ["x-user", "from", "date", "x-forwarded", "doorward", "authorization", "x-request-id", "if-none-match", "accept-encoding", "method"] {
            assert!(!is_lookalike(name), "{name}");
        }
    }

    #[test]
    fn edits_replace_what_was_there_and_keep_several_values() {
        let mut headers: HeaderMap =
            [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).into_iter().collect();
        headers.append("a", HeaderValue::from_static("again"));
        let [a, b, e] = ["a", "b", "e"].map(HeaderName::from_static);
        let mut edits = RequestEdits::default();
        edits.remove(&a, &headers);
        edits.remove(&b, &headers);
        edits.remove(&e, &headers);
        edits.set(a.clone(), HeaderValue::from_static("5"));
        edits.set(a.clone(), HeaderValue::from_static("6"));
        edits.set(e, HeaderValue::from_static("7"));
        assert_eq!(edits.removed, [b]);
        edits.apply(&mut headers);
        let mut left: Vec<String> = headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        left.sort();
        assert_eq!(left, ["a=5", "a=6", "c=3", "d=4", "e=7"]);
    }
}
