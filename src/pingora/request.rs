//! The request: what `authorize` may need of it, and the head that an admitted one goes up with.
//! Framing is written anew and never copied.

use super::call::Open;
use super::reaching::unavailable;
use crate::authorize::{Admission, Refusal, RefusalName};
use crate::door::framing::dress_request;
use crate::door::{Metadata, MetadataAnswers, Supplies};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::time::Duration;
use tokio::time::timeout;

/// What this door can bring: the body from the client, metadata from the upstream.
pub(super) struct Upstairs<'a> {
    pub(super) session: &'a mut Session,
    pub(super) metadata: &'a Metadata,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) awaits_leave: bool,
    /// For a whole body.
    pub(super) patience: Duration,
    pub(super) whole: Option<Bytes>,
}

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Length(u64),
    Chunked,
}

impl Supplies for Upstairs<'_> {
    fn body(&self) -> Option<&Bytes> {
        self.whole.as_ref()
    }

    /// It is complete and within the limit before anything is decided on it.
    async fn read_body(&mut self, limit: usize) -> Result<(), Refusal> {
        if length(&self.session.req_header().headers).is_some_and(|length| length > limit as u64) {
            return Err(Refusal::body_too_large(limit));
        }
        if self.awaits_leave && !self.session.is_body_done() {
            give_leave(self.session).await?;
        }
        let read = timeout(self.patience, read_whole(self.session, limit)).await;
        self.whole = Some(read.unwrap_or_else(|_| Err(incomplete("the request body did not come in time")))?);
        Ok(())
    }

    async fn read_metadata(&mut self, targets: Vec<String>) -> MetadataAnswers {
        self.metadata.read(targets, self.authorization.clone()).await
    }
}

/// The whole body, of at most so many bytes. Pingora's own limit is on the time between two chunks;
/// trailers end there.
async fn read_whole(session: &mut Session, limit: usize) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = session.read_request_body().await.map_err(|error| incomplete(error.etype().as_str()))? {
        if whole.len() + chunk.len() > limit {
            return Err(Refusal::body_too_large(limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Tells a client that waits for it that its body may come. For Pingora that is an answer before the
/// body, after which it would close the connection.
///
/// # Errors
/// When the client is gone.
pub(super) async fn give_leave(session: &mut Session) -> Result<(), Refusal> {
    let keepalive = session.get_keepalive();
    session.write_continue_response().await.map_err(|_| incomplete("the client is gone"))?;
    session.set_keepalive(keepalive);
    Ok(())
}

/// How the request said its body is framed, while it is still to be read.
pub(super) fn framing_of(session: &mut Session) -> Framing {
    if session.is_body_empty() {
        return Framing::Empty;
    }
    length(&session.req_header().headers).map_or(Framing::Chunked, Framing::Length)
}

/// The head that an admitted call goes up with.
///
/// # Errors
/// 502 when it would not ask for exactly the target that was authorized.
pub(super) fn outgoing(open: &Open, admission: &Admission, authority: HeaderValue, framing: Framing) -> Result<RequestHeader, Refusal> {
    let host = open.head.headers.get(HOST).cloned().or_else(|| HeaderValue::try_from(open.head.uri.authority()?.as_str()).ok());
    let mut headers = open.head.headers.clone();
    admission.edit_request(&mut headers);
    dress_request(&mut headers, &open.visitor, host, open.upgrade.clone(), open.head.version);
    headers.insert(HOST, authority);
    frame(&mut headers, &open.head.method, framing);
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = open.head.method.clone();
    parts.uri = PathAndQuery::try_from(admission.target()).map(Uri::from).map_err(|_| elsewhere())?;
    parts.version = Version::HTTP_11;
    parts.headers = headers;
    let outgoing = RequestHeader::from(parts);
    // INVARIANT: what is authorized and what is forwarded are the same bytes (threats §2).
    if outgoing.raw_path() == admission.target().as_bytes() { Ok(outgoing) } else { Err(elsewhere()) }
}

fn frame(headers: &mut HeaderMap, method: &Method, framing: Framing) {
    match framing {
        Framing::Length(length) => {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        Framing::Chunked => {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Framing::Empty if [Method::POST, Method::PUT, Method::PATCH].contains(method) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Framing::Empty => {}
    }
}

/// The length that a head names, if it names one and no other framing.
fn length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(CONTENT_LENGTH).filter(|_| !headers.contains_key(TRANSFER_ENCODING));
    length.and_then(|length| length.to_str().ok()?.parse().ok())
}

fn elsewhere() -> Refusal {
    unavailable("the authorized target is no request target")
}

/// 400: the body did not come to its end.
pub(super) fn incomplete(reason: &str) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request body is incomplete.", format!("the request body broke off: {reason}"))
}
