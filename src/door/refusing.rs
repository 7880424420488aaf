//! A refusal as every door gives it: the headers and the problem document (interfaces §6).

use crate::authorize::{DecisionId, Refusal, RefusalName};
use crate::snapshot::World;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY};

/// The header that every answer of a door carries.
pub const DECISION_ID: HeaderName = HeaderName::from_static("doorward-decision-id");

/// The headers of a refusal, but for its framing.
#[must_use]
pub fn refusal_headers(id: DecisionId, refusal: &Refusal) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(VARY, HeaderValue::from_static("Authorization"));
    for &(name, value) in refusal.headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(DECISION_ID, id.header_value());
    headers
}

/// The problem document; its `instance` leads to where the decision is explained.
#[must_use]
pub fn refusal_body(world: &World, id: DecisionId, refusal: &Refusal) -> Vec<u8> {
    refusal.problem(&world.settings.instance_prefix, id)
}

/// The refusal of a call for which there is no seat.
#[must_use]
pub fn too_busy() -> Refusal {
    shed("too many calls at once")
}

fn shed(reason: &str) -> Refusal {
    Refusal::new(RefusalName::Overloaded, "The service is overloaded.", reason)
}

/// The bytes of a 503 for a connection that is over the limit: said without reading a request.
#[must_use]
pub fn overloaded(world: &World, id: DecisionId) -> Vec<u8> {
    let refusal = shed("too many connections");
    let body = refusal_body(world, id, &refusal);
    let mut answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n".to_vec();
    for (name, value) in refusal.headers() {
        answer.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let rest = format!(
        "cache-control: private, no-store\r\nvary: Authorization\r\ndoorward-decision-id: {id}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    answer.extend_from_slice(rest.as_bytes());
    answer.extend_from_slice(&body);
    answer
}
