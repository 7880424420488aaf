//! A snapshot in a file: reads it, and notices when it changes.

use super::SourceError;
use super::file_reader::FileReader;
use super::signed_document::Document;
use super::snapshot_cache::{MAX_SIGNATURE_BYTES, signature_path};
use super::snapshots::MAX_SNAPSHOT_BYTES;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Changes come in bursts; the file is read when one has passed.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// A document in a file, with its signature beside it where there is one.
pub(super) struct SignedFile {
    document: FileReader,
    signature: FileReader,
}

impl SignedFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { document: FileReader::new(path), signature: FileReader::new(&signature_path(path)) }
    }

    pub(super) fn path(&self) -> &Path {
        self.document.path()
    }

    pub(super) async fn read(&self) -> Result<Document, SourceError> {
        let bytes = self.document.read(MAX_SNAPSHOT_BYTES).await?;
        let signature = match self.signature.read(MAX_SIGNATURE_BYTES).await {
            Ok(signature) => std::str::from_utf8(&signature).ok().map(|text| text.trim().into()),
            Err(error) if error.is_absence() => None,
            Err(error) => return Err(error),
        };
        Ok(Document { bytes, signature })
    }
}

/// Watches the directory of a file, so that replacing the file, or a link that leads to it, is seen.
pub(super) struct FileWatch {
    changed: Arc<Notify>,
    /// Watches as long as it lives; `None` where the system cannot watch, then time alone decides.
    _watcher: Option<RecommendedWatcher>,
}

impl FileWatch {
    pub(super) fn start(path: &Path) -> Self {
        let changed = Arc::new(Notify::new());
        let watcher = watch(path, Arc::clone(&changed));
        if let Err(error) = &watcher {
            tracing::warn!(path = %path.display(), error = %error, "cannot be watched, it is read at intervals");
        }
        Self { changed, _watcher: watcher.ok() }
    }

    /// Returns when the file may have changed, or `longest` has passed.
    pub(super) async fn wait(&self, longest: Duration) {
        if tokio::time::timeout(longest, self.changed.notified()).await.is_ok() {
            tokio::time::sleep(DEBOUNCE).await;
        }
    }
}

fn watch(path: &Path, changed: Arc<Notify>) -> Result<RecommendedWatcher, SourceError> {
    let wrong = |error: notify::Error| SourceError::File { path: path.to_owned(), error: std::io::Error::other(error) };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error of the watcher is taken as a change: reading once more does no harm.
        if event.is_err() || event.is_ok_and(|event| concerns(&event, &name)) {
            changed.notify_one();
        }
    })
    .map_err(wrong)?;
    watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(wrong)?;
    Ok(watcher)
}

/// Whether an event may have changed the file or its signature. Reading is no change, and `..` starts
/// the names that Kubernetes swaps under a mounted file.
fn concerns(event: &Event, name: &str) -> bool {
    let is_change = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    let named = |path: &PathBuf| {
        let file = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        file.starts_with(name) || file.starts_with("..")
    };
    is_change && (event.paths.is_empty() || event.need_rescan() || event.paths.iter().any(named))
}
