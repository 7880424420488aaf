//! Keeps the snapshot in force up to date. A document that is not signed as it must be, cannot be
//! understood, or would roll back is refused with all its reasons, and the one in force stays.

use super::pacing::BackOff;
use super::signed_document::{Document, InForce, Judged, judge, require_kept_signature, require_signature};
use super::snapshot_cache::{Kept, SnapshotCache};
use super::snapshot_file::{FileWatch, SignedFile};
use super::snapshot_http::{Fetched, fetch};
use super::{KeyHolder, SourceError, Surroundings};
use crate::snapshot::WorldStore;
use bytes::Bytes;
use http::Uri;
use http::header::HeaderValue;
use jiff::Timestamp;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// No snapshot is larger, encoded or decoded.
pub const MAX_SNAPSHOT_BYTES: usize = 512 * 1024 * 1024;
/// No more problems of one document are logged.
const PROBLEMS_LOGGED: usize = 20;
/// Between two documents in a row, so that a server cannot make us spin.
const BREATH: Duration = Duration::from_millis(50);
/// How long a start waits for the source before the cache is used.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the snapshot comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotOrigin {
    /// A file, watched; whatever revision it has.
    File(PathBuf),
    /// An http or https URL; its revisions only grow.
    Http(Uri),
}

/// The snapshot's section of the configuration.
pub struct SnapshotSource {
    /// Where it comes from.
    pub origin: SnapshotOrigin,
    /// The whole `Authorization` header towards an HTTP source, marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// The keys that must have signed it, if it must be signed.
    pub keys: Option<Arc<KeyHolder>>,
    /// Where the last good one is kept.
    pub cache: Option<PathBuf>,
    /// How long an HTTP source may hold its answer; how often a file is read though it did not change.
    pub poll: Duration,
}

/// The task that keeps the snapshot up to date.
pub struct Snapshots {
    source: Arc<SnapshotSource>,
    /// Where the source is a file.
    file: Option<Arc<SignedFile>>,
    cache: Option<SnapshotCache>,
    store: Arc<WorldStore>,
    surroundings: Surroundings,
    /// The digest of the document in force, once one of ours is.
    digest: Option<[u8; 32]>,
    /// The `ETag` of the document in force.
    etag: Option<HeaderValue>,
    /// Why the cache could not be used the last time.
    cache_said: Option<String>,
}

/// What one attempt came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Loaded,
    Unchanged,
    /// Nothing better than what is in force.
    Nothing,
}

impl Snapshots {
    /// Publishes to `store` what `source` gives, once it runs.
    #[must_use]
    pub fn new(source: SnapshotSource, store: Arc<WorldStore>, surroundings: Surroundings) -> Self {
        let file = match &source.origin {
            SnapshotOrigin::File(path) => Some(Arc::new(SignedFile::new(path))),
            SnapshotOrigin::Http(_) => None,
        };
        let cache = source.cache.as_deref().map(SnapshotCache::new);
        Self { source: Arc::new(source), file, cache, store, surroundings, digest: None, etag: None, cache_said: None }
    }

    /// Runs for ever; dropping the future stops it.
    pub async fn run(mut self) {
        let watch = match &self.source.origin {
            SnapshotOrigin::File(path) => Some(FileWatch::start(path)),
            SnapshotOrigin::Http(_) => None,
        };
        let mut back_off = BackOff::default();
        loop {
            let started = Instant::now();
            let outcome = self.attempt().await;
            // Its keys may have come since, or the cache itself.
            if outcome == Outcome::Nothing && self.digest.is_none() {
                self.start_from_cache().await;
            }
            let pause = match outcome {
                Outcome::Nothing => back_off.failed(self.source.poll),
                Outcome::Loaded if watch.is_none() && self.etag.is_some() => BREATH,
                Outcome::Loaded | Outcome::Unchanged => self.source.poll.saturating_sub(started.elapsed()).max(BREATH),
            };
            if outcome != Outcome::Nothing {
                back_off.succeeded();
            }
            match &watch {
                Some(watch) => watch.wait(pause).await,
                None => tokio::time::sleep(pause).await,
            }
        }
    }

    /// One attempt at the source, logged and counted.
    async fn attempt(&mut self) -> Outcome {
        match self.fetched().await {
            Ok(Fetched::NotModified) => self.confirm(0),
            Ok(Fetched::Document(document, etag)) => self.offer(document, etag).await,
            Err(error) => {
                if error.is_news() {
                    tracing::warn!(error = %error, "the snapshot's source gave nothing, the one in force stays");
                }
                self.surroundings.observer.snapshot_load("failed", 0);
                Outcome::Nothing
            }
        }
    }

    /// What the source gives. While nothing is in force the cache does not wait for a source that is slow.
    async fn fetched(&mut self) -> Result<Fetched, SourceError> {
        let (source, file) = (Arc::clone(&self.source), self.file.clone());
        let (etag, surroundings) = (self.etag.clone(), self.surroundings.clone());
        let mut asked = pin!(async move {
            match (&source.origin, file) {
                (_, Some(file)) => file.read().await.map(|document| Fetched::Document(document, None)),
                (SnapshotOrigin::Http(url), None) => fetch(url, source.authorization.as_ref(), etag.as_ref(), source.poll, &surroundings).await,
                (SnapshotOrigin::File(_), None) => Err(SourceError::Broken),
            }
        });
        if self.digest.is_none() && self.cache.is_some() {
            if let Ok(fetched) = tokio::time::timeout(PATIENCE, &mut asked).await {
                return fetched;
            }
            self.start_from_cache().await;
        }
        asked.await
    }

    async fn offer(&mut self, document: Document, etag: Option<HeaderValue>) -> Outcome {
        let size = document.bytes.len();
        let now = (self.surroundings.clock)();
        match self.judged(&document, now).await {
            Ok((Judged::Same, _)) => {
                self.etag = etag;
                self.confirm(size)
            }
            Ok((Judged::New(snapshot, digest), keys)) => {
                let revision = snapshot.policies.revision();
                self.store.publish(*snapshot);
                (self.digest, self.etag) = (Some(digest), etag);
                tracing::info!(revision, bytes = size, "a new snapshot is in force");
                self.surroundings.observer.snapshot_load("ok", size);
                self.keep(Kept { document, keys }).await;
                Outcome::Loaded
            }
            Err(error) => {
                report(&error, "the source");
                self.surroundings.observer.snapshot_load("refused", size);
                Outcome::Nothing
            }
        }
    }

    /// Judges a document of the source; gives the keys too that its signature is good with, if their
    /// origin may be down one day.
    async fn judged(&self, document: &Document, now: Timestamp) -> Result<(Judged, Option<Bytes>), SourceError> {
        let keys = match &self.source.keys {
            Some(keys) => Some(require_signature(document, keys).await?).filter(|_| keys.is_remote()),
            None => None,
        };
        Ok((judge(document, self.in_force(), now).await?, keys))
    }

    fn confirm(&self, size: usize) -> Outcome {
        self.store.confirm((self.surroundings.clock)());
        self.surroundings.observer.snapshot_load("unchanged", size);
        Outcome::Unchanged
    }

    fn in_force(&self) -> InForce {
        let revision = match self.source.origin {
            SnapshotOrigin::File(_) => None,
            SnapshotOrigin::Http(_) => Some(self.store.load().snapshot.policies.revision()),
        };
        InForce { digest: self.digest, revision }
    }

    /// Keeps the last good document; that it could not be kept does not undo it.
    async fn keep(&self, kept: Kept) {
        let Some(cache) = &self.cache else { return };
        if let Err(error) = cache.write(kept).await {
            tracing::warn!(error = %error, "the snapshot is in force, but could not be kept on disk");
        }
    }

    /// Puts the kept document into force while the source is down. Nobody confirmed it since it was written.
    async fn start_from_cache(&mut self) {
        let Some(cache) = &self.cache else { return };
        let now = (self.surroundings.clock)();
        match self.kept(cache, now).await {
            Ok(Judged::New(snapshot, digest)) => {
                snapshot.confirm(cache.written_at(now).await.unwrap_or(Timestamp::UNIX_EPOCH));
                tracing::warn!(revision = snapshot.policies.revision(), "the last good snapshot is in force, the source is down");
                self.store.publish(*snapshot);
                self.digest = Some(digest);
            }
            Ok(Judged::Same) => {}
            Err(error) => {
                let said = Some(error.to_string());
                if self.cache_said != said {
                    report(&error, "the cache");
                    self.cache_said = said;
                }
            }
        }
    }

    async fn kept(&self, cache: &SnapshotCache, now: Timestamp) -> Result<Judged, SourceError> {
        let Kept { document, keys: kept } = cache.read().await?;
        if let Some(keys) = &self.source.keys {
            require_kept_signature(&document, kept, keys).await?;
        }
        judge(&document, self.in_force(), now).await
    }
}

/// Logs every problem of a document on its own line, within bounds.
fn report(error: &SourceError, origin: &str) {
    tracing::error!(error = %error, "the snapshot of {origin} is refused, the one in force stays");
    let SourceError::Problems(problems) = error else { return };
    for problem in problems.iter().take(PROBLEMS_LOGGED) {
        tracing::error!(problem = ?problem, "refused snapshot");
    }
    if problems.len() > PROBLEMS_LOGGED {
        tracing::error!(more = problems.len() - PROBLEMS_LOGGED, "refused snapshot: more problems");
    }
}
