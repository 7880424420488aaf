//! Refusals as Pingora's answers: the problem document with its headers (interfaces §6).

use super::call::Open;
use crate::authorize::Refusal;
use crate::door::{refusal_body, refusal_headers};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HeaderMap};
use http::{Method, Response, StatusCode};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use std::time::Duration;
use tokio::time::timeout;

/// What is read of a refused request's body, at most, so that the connection can serve the next.
const DRAINED_BYTES: u64 = 64 * 1024;
const DRAINED_WITHIN: Duration = Duration::from_millis(500);

/// Answers with a refusal. A client that is gone misses it.
pub(super) async fn answer(session: &mut Session, open: &mut Open, refusal: &Refusal) {
    let is_last = refusal.closes_connection() || !drained(session).await;
    if is_last {
        session.set_keepalive(None);
    }
    open.ending.refused(refusal);
    let id = open.ending.decision_id();
    let body = Bytes::from(refusal_body(&open.world, id, refusal));
    let mut headers = refusal_headers(id, refusal);
    headers.insert(CONTENT_LENGTH, body.len().into());
    let is_head = open.head.method == Method::HEAD;
    let written = async {
        session.write_response_header(head(refusal.status(), headers), is_head).await?;
        if is_head { Ok(()) } else { session.write_response_body(Some(body), true).await }
    };
    if written.await.is_err() {
        session.set_keepalive(None);
    }
}

/// The head of an answer.
pub(super) fn head(status: StatusCode, headers: HeaderMap) -> Box<ResponseHeader> {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = status;
    parts.headers = headers;
    Box::new(ResponseHeader::from(parts))
}

/// Whether a refused request was taken in to its end, so that its connection can serve the next.
/// A body that is large, or waits for our leave to come, is not read.
async fn drained(session: &mut Session) -> bool {
    if session.is_body_done() {
        return true;
    }
    let headers = &session.req_header().headers;
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if headers.contains_key(EXPECT) || length.is_none_or(|length| length > DRAINED_BYTES) {
        return false;
    }
    let to_its_end = async {
        loop {
            match session.read_request_body().await {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    timeout(DRAINED_WITHIN, to_its_end).await.unwrap_or(false)
}
