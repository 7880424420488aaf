//! Access metadata that only the upstream knows, for doors that carry no bytes themselves: read with
//! the one client, a few at a time, each bounded in size and time. A read that fails makes the
//! metadata unknown, never empty.

use super::metadata_cache::{Asker, MetadataCache, asker};
use crate::http_client::{Ask, HttpClient};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderValue};
use http::{StatusCode, Uri};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// How many are read at once for one call.
const AT_ONCE: usize = 8;
/// The largest metadata answer that is read; a larger one is unknown.
const METADATA_BYTES: usize = 64 * 1024;

/// The answers by target; `None` where there is none.
pub type MetadataAnswers = Vec<(String, Option<Bytes>)>;

/// Reads metadata from the upstreams in turn.
#[derive(Clone)]
pub struct Metadata(Arc<Reader>);

struct Reader {
    cache: MetadataCache,
    client: HttpClient,
    upstreams: Vec<Uri>,
    turn: AtomicUsize,
    patience: Duration,
}

impl Metadata {
    /// Reads from these upstreams, none of them for longer than `patience`. Without an upstream all
    /// metadata is unknown.
    #[must_use]
    pub fn of(upstreams: Vec<Uri>, client: HttpClient, cache: MetadataCache, patience: Duration) -> Self {
        Self(Arc::new(Reader { cache, client, upstreams, turn: AtomicUsize::new(0), patience }))
    }

    /// Reads all targets with the caller's own authorization.
    pub async fn read(&self, targets: Vec<String>, authorization: Option<HeaderValue>) -> MetadataAnswers {
        let mut answers = MetadataAnswers::with_capacity(targets.len());
        let mut reading = JoinSet::new();
        let asker = asker(authorization.as_ref());
        for target in targets {
            if reading.len() >= AT_ONCE {
                take(&mut reading, &mut answers).await;
            }
            let (reader, authorization) = (Arc::clone(&self.0), authorization.clone());
            reading.spawn(async move { reader.read(target, authorization, asker).await });
        }
        while !reading.is_empty() {
            take(&mut reading, &mut answers).await;
        }
        answers
    }
}

impl Reader {
    async fn read(&self, target: String, authorization: Option<HeaderValue>, asker: Asker) -> (String, Option<Bytes>) {
        let body = self.cache.get(&target, asker, || self.ask(&target, authorization)).await;
        (target, body)
    }

    /// The body of a plain 200 (semantics §9, "Metadata").
    async fn ask(&self, target: &str, authorization: Option<HeaderValue>) -> Option<Bytes> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let base = self.upstreams.get(turn.checked_rem(self.upstreams.len())?)?;
        let mut parts = base.clone().into_parts();
        parts.path_and_query = Some(target.parse().ok()?);
        let mut ask = Ask::get(Uri::from_parts(parts).ok()?, self.patience, METADATA_BYTES);
        ask.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        ask.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            ask.headers.insert(AUTHORIZATION, authorization);
        }
        let answer = self.client.ask(ask).await.ok()?;
        let is_plain = answer.status == StatusCode::OK && !answer.headers.contains_key(CONTENT_ENCODING);
        is_plain.then_some(answer.body)
    }
}

async fn take(reading: &mut JoinSet<(String, Option<Bytes>)>, answers: &mut MetadataAnswers) {
    if let Some(Ok(answer)) = reading.join_next().await {
        answers.push(answer);
    }
}
