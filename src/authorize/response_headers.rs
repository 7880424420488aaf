//! The answer's headers on their way to the client (interfaces §6).

use super::admission::Admission;
use super::etag::{self, Sealing};
use super::request_headers::{DECISION_ID, HOP_BY_HOP, nominated};
use super::revealing::is_revealing;
use super::spellings::is_alias;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONNECTION, ETAG, HeaderMap, HeaderName, HeaderValue, UPGRADE, VARY};

pub(super) fn edit(admission: &Admission, status: StatusCode, headers: &mut HeaderMap) {
    remove_hop_by_hop(headers, admission.is_upgrade());
    make_private(headers);
    if admission.is_filtered() {
        remove_revealing(headers, admission.reads(), status);
        if headers.contains_key(ETAG) {
            bind_etag(headers, admission.sealing());
        }
    }
    headers.insert(DECISION_ID, admission.decision_id.header_value());
}

/// What would speak of a body that the client does not get. Where a creation or a redirection leads is
/// said; where what was read is to be found is not.
fn remove_revealing(headers: &mut HeaderMap, is_read: bool, status: StatusCode) {
    let leads_on = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
    let is_place = |name: &str| name == "content-location" || is_alias(name, "content-location") || name == "location" && !leads_on;
    let goes = |name: &HeaderName| is_revealing(name.as_str()) || is_read && is_place(name.as_str());
    remove_all(headers, goes);
}

fn remove_hop_by_hop(headers: &mut HeaderMap, is_upgrade: bool) {
    let nominated: Vec<HeaderName> = nominated(headers).collect();
    let stays = |name: &HeaderName| is_upgrade && (*name == UPGRADE || *name == CONNECTION);
    remove_all(headers, |name| (HOP_BY_HOP.contains(name) || nominated.contains(name)) && !stays(name));
}

/// One look at each name that is there costs less than to look for each name that may be.
fn remove_all(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// `Cache-Control: private` and `Vary: Authorization` always; `public` and `s-maxage` go.
fn make_private(headers: &mut HeaderMap) {
    let kept: Vec<String> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|directive| !directive.is_empty() && !is_shared(directive))
        .map(str::to_owned)
        .collect();
    let directives = if kept.is_empty() { "private".to_owned() } else { format!("private, {}", kept.join(", ")) };
    headers.insert(CACHE_CONTROL, HeaderValue::try_from(directives).unwrap_or(HeaderValue::from_static("private")));
    let names_it = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.split(',').any(|name| name.trim().eq_ignore_ascii_case("authorization")));
    remove_targeted_cache_control(headers);
    if !headers.get_all(VARY).iter().any(names_it) {
        headers.append(VARY, HeaderValue::from_static("Authorization"));
    }
}

/// Headers by which shared caches are told past `Cache-Control` (RFC 9213, and what came before it).
fn remove_targeted_cache_control(headers: &mut HeaderMap) {
    let is_targeted = |name: &HeaderName| {
        let name = name.as_str();
        matches!(name, "surrogate-control" | "edge-control" | "x-accel-expires") || (name.ends_with("-cache-control") && name != CACHE_CONTROL)
    };
    remove_all(headers, is_targeted);
}

fn is_shared(directive: &str) -> bool {
    let name = directive.split_once('=').map_or(directive, |(name, _)| name).trim();
    ["public", "s-maxage", "private"].iter().any(|shared| name.eq_ignore_ascii_case(shared))
}

fn bind_etag(headers: &mut HeaderMap, sealing: Option<Sealing<'_>>) {
    let bound = headers.get(ETAG).zip(sealing).and_then(|(tag, sealing)| etag::bind(tag, sealing));
    match bound {
        Some(tag) => {
            headers.insert(ETAG, tag);
        }
        None => {
            headers.remove(ETAG);
        }
    }
}
