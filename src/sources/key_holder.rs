//! One key set: where it comes from, the last good one, and the rules for asking again (interfaces §4).

use super::file_reader::FileReader;
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
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

/// No key server is waited for longer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How many callers at most wait for newer keys: each holds a seat that others need, and whoever writes
/// down a token can name a key that nobody has.
const MOST_WAITING: usize = 64;

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
    /// The set as it came.
    pub(super) document: Bytes,
}

/// Holds a key set and refreshes it. The last good set is kept while its origin is down.
pub struct KeyHolder {
    /// The issuer, or whose else the keys are: the label of logs and metrics.
    name: Box<str>,
    origin: KeyOrigin,
    /// Where the origin is a file.
    file: Option<FileReader>,
    refresh: Duration,
    cooldown: Duration,
    surroundings: Surroundings,
    held: ArcSwap<Held>,
    attempts: AtomicU64,
    /// Whether the last attempt gave a good set.
    is_good: AtomicBool,
    /// Held during an attempt, so that there is one at a time.
    gate: Arc<Mutex<()>>,
    /// When the last attempt for an unknown key ended, or one that stood for it.
    asked_at: StdMutex<Option<Instant>>,
    /// The places of those who wait.
    places: Semaphore,
}

impl KeyHolder {
    /// Holds no keys yet; `refresh` is the regular interval, `cooldown` the least time between two
    /// attempts for unknown keys.
    #[must_use]
    pub fn new(name: &str, origin: KeyOrigin, refresh: Duration, cooldown: Duration, surroundings: Surroundings) -> Self {
        let file = match &origin {
            KeyOrigin::File(path) => Some(FileReader::new(path)),
            KeyOrigin::Url(_) | KeyOrigin::Discovery { .. } => None,
        };
        Self {
            name: name.into(),
            origin,
            file,
            refresh,
            cooldown,
            surroundings,
            held: ArcSwap::default(),
            attempts: AtomicU64::new(0),
            is_good: AtomicBool::new(false),
            gate: Arc::default(),
            asked_at: StdMutex::default(),
            places: Semaphore::new(MOST_WAITING),
        }
    }

    /// The issuer, or whose else the keys are.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its origin is somewhere else, and can be down.
    pub(super) fn is_remote(&self) -> bool {
        self.file.is_none()
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

    /// Refreshes for ever: at once, then regularly, and sooner after a failure. Once tokens cause attempts, an
    /// origin that fails is asked once per cooldown, by whomever.
    pub async fn run(&self) {
        let (mut back_off, mut is_retry) = (BackOff::default(), false);
        loop {
            let attempts = self.attempts.load(Ordering::Acquire);
            let gate = self.gate.lock().await;
            if attempts == self.attempts.load(Ordering::Acquire) && !(is_retry && self.is_cooling()) {
                self.attempt().await;
                if is_retry && self.was_asked() {
                    self.cool();
                }
            }
            drop(gate);
            is_retry = !self.is_good.load(Ordering::Acquire);
            if is_retry {
                tokio::time::sleep(back_off.failed(self.refresh)).await;
                tokio::time::sleep(self.left_to_cool()).await;
            } else {
                back_off.succeeded();
                tokio::time::sleep(jittered(self.refresh)).await;
            }
        }
    }

    /// Asks again because a token names an unknown key: once per cooldown, whatever the answer, and
    /// only one at a time. Returns whether it is worth looking again: someone asked since the call. Few
    /// wait for that; who comes within the cooldown, or is one too many, is told at once that it is not.
    pub async fn refresh_for_unknown_key(self: &Arc<Self>) -> bool {
        let attempts = self.attempts.load(Ordering::Acquire);
        if self.is_cooling() {
            return false;
        }
        let Ok(_place) = self.places.try_acquire() else { return false };
        let gate = Arc::clone(&self.gate).lock_owned().await;
        if attempts != self.attempts.load(Ordering::Acquire) {
            return true;
        }
        if self.is_cooling() {
            return false;
        }
        let holder = Arc::clone(self);
        // A task of its own: a caller who hangs up must not take the attempt along.
        let attempt = tokio::spawn(async move {
            holder.attempt().await;
            holder.cool();
            drop(gate);
        });
        attempt.await.is_ok()
    }

    /// Whether a token ever caused an attempt.
    fn was_asked(&self) -> bool {
        self.asked_at.lock().is_ok_and(|asked_at| asked_at.is_some())
    }

    /// Begins the time in which no token may cause another attempt.
    fn cool(&self) {
        if let Ok(mut asked_at) = self.asked_at.lock() {
            *asked_at = Some(Instant::now());
        }
    }

    fn is_cooling(&self) -> bool {
        !self.left_to_cool().is_zero()
    }

    /// What is left of that time.
    fn left_to_cool(&self) -> Duration {
        let Ok(asked_at) = self.asked_at.lock() else { return self.cooldown };
        asked_at.map_or(Duration::ZERO, |at| self.cooldown.saturating_sub(at.elapsed()))
    }

    /// One attempt; the caller holds the gate.
    async fn attempt(&self) {
        let result = match self.fetch().await {
            Ok(document) => self.take(document),
            Err(error) => Err(error),
        };
        self.is_good.store(result.is_ok(), Ordering::Release);
        self.attempts.fetch_add(1, Ordering::AcqRel);
        let label = match &result {
            Ok(true) => "ok",
            Ok(false) => "unchanged",
            Err(error) => {
                if error.is_news() {
                    tracing::warn!(issuer = %self.name, error = %error, "keys not refreshed, the last good ones stay");
                }
                "failed"
            }
        };
        self.surroundings.observer.keys_refresh(&self.name, label);
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
        match (&self.origin, &self.file) {
            (_, Some(file)) => file.read(MAX_KEY_SET_BYTES).await,
            (KeyOrigin::Url(url), None) => self.ask(url.clone()).await,
            (KeyOrigin::File(_), None) => Err(SourceError::Broken),
            (KeyOrigin::Discovery { issuer }, None) => {
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
        keys_address(issuer, &self.ask(address).await?)
    }
}

fn keys_address(issuer: &str, document: &[u8]) -> Result<Uri, SourceError> {
    let document: DiscoveryDocument =
        serde_json::from_slice(document).map_err(|_| SourceError::Discovery("it is no JSON object with `issuer` and `jwks_uri`"))?;
    if document.issuer != issuer {
        return Err(SourceError::Discovery("it names another issuer"));
    }
    let url: Uri = document.jwks_uri.parse().map_err(|_| SourceError::Discovery("its `jwks_uri` is no URL"))?;
    if !is_askable(&url) || (issuer.starts_with("https:") && url.scheme_str() != Some("https")) {
        return Err(SourceError::Discovery("its `jwks_uri` is not acceptable"));
    }
    Ok(url)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_of_an_https_issuer_come_by_https_and_by_no_odd_address() {
        let address = |issuer: &str, url: &str| keys_address(issuer, json!({"issuer": issuer, "jwks_uri": url}).to_string().as_bytes());
        assert_eq!(address("https://id.example", "https://keys.example/a").unwrap(), "https://keys.example/a");
        assert!(address("http://id.example", "http://keys.example/a").is_ok());
        for url in ["http://keys.example/a", "ftp://keys.example/a", "/a", "https://user:secret@keys.example:1/a", ""] {
            assert!(matches!(address("https://id.example", url), Err(SourceError::Discovery(_))), "{url}");
        }
    }
}
