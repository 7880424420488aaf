//! One key set: where it comes from, the last good one, and the rules for asking again (interfaces §4).

use super::pacing::{BackOff, jittered};
use super::{SourceError, Surroundings};
use crate::http_client::{Answer, Ask, decoded, is_askable};
use crate::token::{KeySet, MAX_KEY_SET_BYTES};
use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{StatusCode, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// No key server is waited for longer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a key set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// A JWK set at an http or https URL.
    Url(Uri),
    /// A JWK set in a file, read again at every refresh.
    File(PathBuf),
    /// The `jwks_uri` of the issuer's discovery document (OpenID Connect Discovery §4).
    Discovery {
        /// The issuer, which the document must name exactly.
        issuer: Box<str>,
    },
}

/// A key set with the time of its last confirmation.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) keys: KeySet,
    /// Grows whenever the document changes; 0 is the empty set of the start.
    pub(super) version: u64,
    confirmed_at: Option<Timestamp>,
    document: Bytes,
}

/// Holds a key set and refreshes it. The last good set is kept while its origin is down.
pub struct KeyHolder {
    /// The issuer, or whose else the keys are: the label of logs and metrics.
    name: Box<str>,
    origin: KeyOrigin,
    refresh: Duration,
    cooldown: Duration,
    surroundings: Surroundings,
    held: ArcSwap<Held>,
    attempts: AtomicU64,
    /// Held during an attempt, so that there is one at a time; when the last attempt for an unknown key ended.
    gate: Arc<Mutex<Option<Instant>>>,
}

impl KeyHolder {
    /// Holds no keys yet; `refresh` is the regular interval, `cooldown` the least time between two
    /// attempts for unknown keys.
    #[must_use]
    pub fn new(name: &str, origin: KeyOrigin, refresh: Duration, cooldown: Duration, surroundings: Surroundings) -> Self {
        Self {
            name: name.into(),
            origin,
            refresh,
            cooldown,
            surroundings,
            held: ArcSwap::default(),
            attempts: AtomicU64::new(0),
            gate: Arc::default(),
        }
    }

    /// The issuer, or whose else the keys are.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the origin was asked at least once, whatever it answered.
    #[must_use]
    pub fn tried_once(&self) -> bool {
        self.attempts.load(Ordering::Acquire) > 0
    }

    /// When the origin last gave a good set.
    #[must_use]
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        self.held.load().confirmed_at
    }

    /// The keys as they are now.
    pub(super) fn held(&self) -> Guard<Arc<Held>> {
        self.held.load()
    }

    /// Refreshes for ever: at once, then regularly, and sooner after a failure.
    pub async fn run(&self) {
        let mut back_off = BackOff::default();
        loop {
            let attempts = self.attempts.load(Ordering::Acquire);
            let gate = self.gate.lock().await;
            let good = attempts != self.attempts.load(Ordering::Acquire) || self.attempt().await;
            drop(gate);
            let pause = if good {
                back_off.succeeded();
                jittered(self.refresh)
            } else {
                back_off.failed(self.refresh)
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks again because a token names an unknown key: once per cooldown, whatever the answer, and
    /// only one at a time. Returns whether it is worth looking again: someone asked since the call.
    pub async fn refresh_for_unknown_key(self: &Arc<Self>) -> bool {
        let attempts = self.attempts.load(Ordering::Acquire);
        let mut last = Arc::clone(&self.gate).lock_owned().await;
        if attempts != self.attempts.load(Ordering::Acquire) {
            return true;
        }
        if last.is_some_and(|last| last.elapsed() < self.cooldown) {
            return false;
        }
        let holder = Arc::clone(self);
        // A task of its own: a caller who hangs up must not take the attempt along.
        let attempt = tokio::spawn(async move {
            holder.attempt().await;
            *last = Some(Instant::now());
        });
        attempt.await.is_ok()
    }

    /// One attempt; the caller holds the gate. Returns whether the origin gave a good set.
    async fn attempt(&self) -> bool {
        let result = match self.fetch().await {
            Ok(document) => self.take(document),
            Err(error) => Err(error),
        };
        self.attempts.fetch_add(1, Ordering::AcqRel);
        let label = match &result {
            Ok(true) => "ok",
            Ok(false) => "unchanged",
            Err(error) => {
                tracing::warn!(issuer = %self.name, error = %error, "keys not refreshed, the last good ones stay");
                "failed"
            }
        };
        self.surroundings.observer.keys_refresh(&self.name, label);
        result.is_ok()
    }

    /// Takes a document into force if it is good; returns whether it is another one than before.
    fn take(&self, document: Bytes) -> Result<bool, SourceError> {
        let now = (self.surroundings.clock)();
        let before = self.held.load();
        let keys = KeySet::parse(&document)?;
        if keys.is_empty() {
            return Err(SourceError::NoKeys);
        }
        let is_new = before.document != document;
        if is_new {
            for warning in keys.warnings().iter().take(20) {
                tracing::warn!(issuer = %self.name, warning = ?warning, "a key is left out or doubtful");
            }
        }
        let version = before.version + u64::from(is_new);
        self.held.store(Arc::new(Held { keys, version, confirmed_at: Some(now), document }));
        Ok(is_new)
    }

    async fn fetch(&self) -> Result<Bytes, SourceError> {
        match &self.origin {
            KeyOrigin::Url(url) => self.ask(url.clone()).await,
            KeyOrigin::File(path) => read_bounded(path, MAX_KEY_SET_BYTES).await,
            KeyOrigin::Discovery { issuer } => {
                let url = self.discover(issuer).await?;
                self.ask(url).await
            }
        }
    }

    async fn ask(&self, url: Uri) -> Result<Bytes, SourceError> {
        let mut ask = Ask::get(url, FETCH_TIMEOUT, MAX_KEY_SET_BYTES);
        ask.headers.insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        let answer = self.surroundings.client.ask(ask).await?;
        ok_body(&answer)
    }

    /// The address of the keys, from a document that names exactly this issuer. Keys of an https
    /// issuer come by https.
    async fn discover(&self, issuer: &str) -> Result<Uri, SourceError> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let address: Uri = address.parse().map_err(|_| SourceError::Discovery("the issuer is no URL"))?;
        let document = self.ask(address).await?;
        let document: DiscoveryDocument =
            serde_json::from_slice(&document).map_err(|_| SourceError::Discovery("it is no JSON object with `issuer` and `jwks_uri`"))?;
        if document.issuer != issuer {
            return Err(SourceError::Discovery("it names another issuer"));
        }
        let url: Uri = document.jwks_uri.parse().map_err(|_| SourceError::Discovery("its `jwks_uri` is no URL"))?;
        if !is_askable(&url) || (issuer.starts_with("https:") && url.scheme_str() != Some("https")) {
            return Err(SourceError::Discovery("its `jwks_uri` is not acceptable"));
        }
        Ok(url)
    }
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

fn ok_body(answer: &Answer) -> Result<Bytes, SourceError> {
    if answer.status != StatusCode::OK {
        return Err(SourceError::Status(answer.status.as_u16()));
    }
    Ok(decoded(answer, MAX_KEY_SET_BYTES)?)
}

/// A file's content, if it is no larger than `limit`; read on a thread that may block.
pub(super) async fn read_bounded(path: &Path, limit: usize) -> Result<Bytes, SourceError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let mut content = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let result = std::fs::File::open(&path).and_then(|file| match file.metadata()?.len() {
            // Nothing is taken in of what is too large anyway.
            length if length >= most => Ok(usize::MAX),
            _ => file.take(most).read_to_end(&mut content),
        });
        match result {
            Ok(read) if read > limit => Err(SourceError::TooLarge(limit)),
            Ok(_) => Ok(Bytes::from(content)),
            Err(error) => Err(SourceError::File { path, error }),
        }
    });
    read.await.unwrap_or(Err(SourceError::Broken))
}
