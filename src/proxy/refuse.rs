//! Refusals as HTTP answers: the problem document with its headers (interfaces §6).

use super::body::AnswerBody;
use super::ids;
use crate::authorize::{DecisionId, Refusal, RefusalName};
use crate::snapshot::World;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, VARY};
use http::{Response, Version};

/// The header that every answer of the door carries.
pub(super) const DECISION_ID: HeaderName = HeaderName::from_static("doorward-decision-id");

/// The answer to a refused call. `is_last` closes an HTTP/1.1 connection after it.
pub(super) fn answer(world: &World, id: DecisionId, refusal: &Refusal, version: Version, is_last: bool) -> Response<AnswerBody> {
    let body = refusal.problem(&world.settings.instance_prefix, id);
    let mut response = Response::new(AnswerBody::whole(Bytes::from(body)));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(VARY, HeaderValue::from_static("Authorization"));
    for &(name, value) in refusal.headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(DECISION_ID, ids::header_value(id));
    if version != Version::HTTP_2 && (is_last || refusal.closes_connection()) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The bytes of a 503 for a connection that is over the limit: said without reading a request.
pub(super) fn overloaded(world: &World, id: DecisionId) -> Vec<u8> {
    let refusal = Refusal::new(RefusalName::Overloaded, "The service is overloaded.", "too many connections");
    let body = refusal.problem(&world.settings.instance_prefix, id);
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
