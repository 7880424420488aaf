//! A snapshot over HTTP: conditional requests that the server may hold until there is something newer
//! (interfaces §5).

use super::signed_document::Document;
use super::snapshots::MAX_SNAPSHOT_BYTES;
use super::{SourceError, Surroundings};
use crate::http_client::{Ask, decoded};
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{StatusCode, Uri};
use std::time::Duration;

/// How long an answer may take beside the wait that was asked for.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
const PREFER: HeaderName = HeaderName::from_static("prefer");
const SIGNATURE: HeaderName = HeaderName::from_static("doorward-signature");

/// What the server answered.
pub(super) enum Fetched {
    /// A document, which is not necessarily another one.
    Document(Document, Option<HeaderValue>),
    /// The one that the `ETag` named is still the newest.
    NotModified,
}

/// Asks once. With the `ETag` of the document in force the server may hold its answer for `wait`.
pub(super) async fn fetch(
    url: &Uri,
    token: Option<&HeaderValue>,
    etag: Option<&HeaderValue>,
    wait: Duration,
    surroundings: &Surroundings,
) -> Result<Fetched, SourceError> {
    let mut ask = Ask::get(url.clone(), FETCH_TIMEOUT, MAX_SNAPSHOT_BYTES);
    ask.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    ask.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("zstd, gzip"));
    if let Some(token) = token {
        ask.headers.insert(AUTHORIZATION, token.clone());
    }
    if let Some(etag) = etag {
        ask.headers.insert(IF_NONE_MATCH, etag.clone());
        ask.timeout += wait;
        if wait.as_secs() > 0 {
            let prefer = HeaderValue::from_str(&format!("wait={}", wait.as_secs()));
            ask.headers.extend(prefer.ok().map(|prefer| (PREFER, prefer)));
        }
    }
    let answer = surroundings.client.ask(ask).await?;
    match answer.status {
        StatusCode::NOT_MODIFIED if etag.is_some() => Ok(Fetched::NotModified),
        StatusCode::OK => {
            let etag = answer.headers.get(ETAG).cloned();
            let signature = answer.headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).map(Box::from);
            let bytes = tokio::task::spawn_blocking(move || decoded(&answer, MAX_SNAPSHOT_BYTES));
            let bytes = bytes.await.map_err(|_| SourceError::Broken)??;
            Ok(Fetched::Document(Document { bytes, signature }, etag))
        }
        status => Err(SourceError::Status(status.as_u16())),
    }
}
