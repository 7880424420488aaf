//! A check's question as the facts of a call. What is missing, or said twice, is a refusal.

use super::body::{Body, PARTIAL_BODY};
use super::wire::{Header, HttpRequest, Peer, Question};
use crate::authorize::Refusal;
use crate::envoy::head::{Attributes, Head, Shown, refused};
use http::HeaderMap;

impl From<Header> for Shown {
    fn from(header: Header) -> Self {
        Self { key: header.key, value: header.value, raw_value: header.raw_value }
    }
}

/// A call as Envoy shows it.
pub(super) struct Received {
    pub(super) head: Head,
    pub(super) body: Body,
    /// The client's address, as far as Envoy trusts what it was told.
    pub(super) client: Option<String>,
}

impl Received {
    /// Reads a question.
    ///
    /// # Errors
    /// A question that shows no acceptable request.
    pub(super) fn read(question: Question, head_bytes: usize) -> Result<Self, Refusal> {
        let attributes = question.attributes.ok_or_else(|| refused("the check has no attributes"))?;
        let client = attributes.source.and_then(address);
        let request = attributes.request.ok_or_else(|| refused("the check has no request"))?;
        let mut http = request.http.ok_or_else(|| refused("the check has no http request"))?;
        if !http.query.is_empty() || !http.fragment.is_empty() {
            return Err(refused("the target does not stand in the path alone"));
        }
        let is_raw = http.header_map.is_some();
        let shown = shown(&mut http)?;
        let attributes = Attributes { method: http.method, path: http.path, host: http.host };
        let mut head = Head::of_attributes(attributes, shown)?;
        if head.authority.is_empty() {
            return Err(refused("the request has no host"));
        }
        if !is_raw {
            head.headers = apart(head.headers)?;
        }
        let partial = head.headers.get_all(PARTIAL_BODY).iter().cloned().collect();
        head.headers.remove(PARTIAL_BODY);
        head.check(head_bytes)?;
        let body = Body { raw: http.raw_body, text: http.body.into(), size: http.size, is_http1: http.protocol.starts_with("HTTP/1"), partial };
        Ok(Self { head, body, client })
    }
}

/// The headers, raw or joined by name, never both.
fn shown(http: &mut HttpRequest) -> Result<Vec<Header>, Refusal> {
    let joined = std::mem::take(&mut http.joined);
    match http.header_map.take() {
        Some(raw) if joined.is_empty() => Ok(raw.headers),
        Some(_) => Err(refused("the headers are shown twice")),
        None => Ok(joined),
    }
}

/// Headers that Envoy joined by name: where a comma stands there may have been two, so there are two.
fn apart(joined: HeaderMap) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::with_capacity(joined.len());
    for (name, value) in &joined {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let part = http::HeaderValue::from_bytes(part.trim_ascii()).map_err(|_| refused("a header that no request may have"))?;
            headers.append(name.clone(), part);
        }
    }
    Ok(headers)
}

fn address(peer: Peer) -> Option<String> {
    Some(peer.address?.socket?.address)
}
