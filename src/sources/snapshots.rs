//! Keeps the snapshot in force up to date. A document that is not signed as it must be, cannot be
//! understood, or would roll back is refused with all its reasons, and the one in force stays.

use super::pacing::BackOff;
use super::signed_document::{Document, InForce, Judged, judge};
use super::snapshot_file::FileWatch;
use super::snapshot_http::{Fetched, fetch};
use super::{KeyHolder, SourceError, Surroundings, snapshot_cache};
use crate::snapshot::WorldStore;
use http::Uri;
use http::header::HeaderValue;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// No snapshot is larger, encoded or decoded.
pub const MAX_SNAPSHOT_BYTES: usize = 512 * 1024 * 1024;
/// No more problems of one document are logged.
const PROBLEMS_LOGGED: usize = 20;
/// Between two documents in a row, so that a server cannot make us spin.
const BREATH: Duration = Duration::from_millis(50);

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
    source: SnapshotSource,
    store: Arc<WorldStore>,
    surroundings: Surroundings,
    /// The digest of the document in force, once one of ours is.
    digest: Option<[u8; 32]>,
    /// The `ETag` of the document in force.
    etag: Option<HeaderValue>,
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
        Self { source, store, surroundings, digest: None, etag: None }
    }

    /// Runs for ever; dropping the future stops it.
    pub async fn run(mut self) {
        let watch = match &self.source.origin {
            SnapshotOrigin::File(path) => Some(FileWatch::start(path)),
            SnapshotOrigin::Http(_) => None,
        };
        let mut back_off = BackOff::default();
        let mut is_first = true;
        loop {
            let started = Instant::now();
            let outcome = self.attempt().await;
            if std::mem::take(&mut is_first) && outcome == Outcome::Nothing {
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
        let fetched = match &self.source.origin {
            SnapshotOrigin::File(path) => snapshot_cache::read(path).await.map(|file| Fetched::Document(file, None)),
            SnapshotOrigin::Http(url) => {
                let (token, etag) = (self.source.authorization.as_ref(), self.etag.as_ref());
                fetch(url, token, etag, self.source.poll, &self.surroundings).await
            }
        };
        match fetched {
            Ok(Fetched::NotModified) => self.confirm(0),
            Ok(Fetched::Document(document, etag)) => self.offer(document, etag).await,
            Err(error) => {
                tracing::warn!(error = %error, "the snapshot's source gave nothing, the one in force stays");
                self.surroundings.observer.snapshot_load("failed", 0);
                Outcome::Nothing
            }
        }
    }

    async fn offer(&mut self, document: Document, etag: Option<HeaderValue>) -> Outcome {
        let size = document.bytes.len();
        let now = (self.surroundings.clock)();
        match judge(&document, self.source.keys.as_ref(), self.in_force(), now).await {
            Ok(Judged::Same) => {
                self.etag = etag;
                self.confirm(size)
            }
            Ok(Judged::New(snapshot, digest)) => {
                let revision = snapshot.policies.revision();
                self.store.publish(*snapshot);
                (self.digest, self.etag) = (Some(digest), etag);
                tracing::info!(revision, bytes = size, "a new snapshot is in force");
                self.surroundings.observer.snapshot_load("ok", size);
                self.keep(&document).await;
                Outcome::Loaded
            }
            Err(error) => {
                report(&error, "the source");
                self.surroundings.observer.snapshot_load("refused", size);
                Outcome::Nothing
            }
        }
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
    async fn keep(&self, document: &Document) {
        let Some(path) = &self.source.cache else { return };
        if let Err(error) = snapshot_cache::write(path, document).await {
            tracing::warn!(error = %error, "the snapshot is in force, but could not be kept on disk");
        }
    }

    /// Puts the kept document into force while the source is down. Nobody confirmed it since it was written.
    async fn start_from_cache(&mut self) {
        let Some(path) = self.source.cache.clone() else { return };
        let now = (self.surroundings.clock)();
        let document = match snapshot_cache::read(&path).await {
            Ok(document) => document,
            Err(error) => return report(&error, "the cache"),
        };
        match judge(&document, self.source.keys.as_ref(), self.in_force(), now).await {
            Ok(Judged::New(snapshot, digest)) => {
                snapshot.confirm(snapshot_cache::written_at(&path, now).unwrap_or(Timestamp::UNIX_EPOCH));
                tracing::warn!(revision = snapshot.policies.revision(), "the last good snapshot is in force, the source is down");
                self.store.publish(*snapshot);
                self.digest = Some(digest);
            }
            Ok(Judged::Same) => {}
            Err(error) => report(&error, "the cache"),
        }
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
