//! Refusals as HTTP answers: the problem document with its headers (interfaces §6).

use super::body::AnswerBody;
use crate::authorize::{DecisionId, Refusal};
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
