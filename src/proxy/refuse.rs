//! Refusals as HTTP answers: the problem document with its headers (interfaces §6).

use super::body::AnswerBody;
use crate::authorize::{DecisionId, Refusal, RefusalName};
use crate::door::{refusal_body, refusal_headers};
use crate::snapshot::World;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Response, Version};

/// The answer to a refused call. `is_last` closes an HTTP/1.1 connection after it.
pub(super) fn answer(world: &World, id: DecisionId, refusal: &Refusal, version: Version, is_last: bool) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::whole(Bytes::from(refusal_body(world, id, refusal))));
    *response.status_mut() = refusal.status();
    *response.headers_mut() = refusal_headers(id, refusal);
    if version != Version::HTTP_2 && (is_last || refusal.closes_connection()) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The bytes of a 503 for a connection that is over the limit: said without reading a request.
pub(super) fn overloaded(world: &World, id: DecisionId) -> Vec<u8> {
    let refusal = Refusal::new(RefusalName::Overloaded, "The service is overloaded.", "too many connections");
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
