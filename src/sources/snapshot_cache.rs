//! The last good snapshot on disk, for a start while the source is down. The signature stands beside
//! it in `<path>.signature` and is verified again, the keys that it is good with in `<path>.keys`: for a
//! start while their origin is down too. None is readable by others.

use super::SourceError;
use super::file_reader::FileReader;
use super::signed_document::Document;
use super::snapshot_file::SignedFile;
use crate::token::MAX_KEY_SET_BYTES;
use bytes::Bytes;
use jiff::Timestamp;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// No detached signature is longer.
pub const MAX_SIGNATURE_BYTES: usize = 4096;
/// A write that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the last good snapshot is kept.
pub(super) struct SnapshotCache {
    file: SignedFile,
    keys: FileReader,
    /// One write at a time; one that hangs keeps it.
    turn: Arc<Semaphore>,
}

/// A document with the key set, as it came, that its signature is good with.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) document: Document,
    pub(super) keys: Option<Bytes>,
}

impl SnapshotCache {
    pub(super) fn new(path: &Path) -> Self {
        Self { file: SignedFile::new(path), keys: FileReader::new(&beside(path, ".keys")), turn: Arc::new(Semaphore::new(1)) }
    }

    pub(super) async fn read(&self) -> Result<Kept, SourceError> {
        let document = self.file.read().await?;
        let keys = match self.keys.read(MAX_KEY_SET_BYTES).await {
            Ok(keys) => Some(keys),
            Err(error) if error.is_absence() => None,
            Err(error) => return Err(error),
        };
        Ok(Kept { document, keys })
    }

    /// When the document was written, but no later than `now`.
    pub(super) async fn written_at(&self, now: Timestamp) -> Option<Timestamp> {
        let found = tokio::time::timeout(PATIENCE, tokio::fs::metadata(self.file.path())).await.ok()?;
        let modified = found.and_then(|file| file.modified()).ok()?;
        Timestamp::try_from(modified).ok().map(|written| written.min(now))
    }

    /// Replaces what is kept: whoever reads sees the old file or the new one, never a part.
    pub(super) async fn write(&self, kept: Kept) -> Result<(), SourceError> {
        let path = self.file.path().to_owned();
        let hangs = SourceError::Hangs { path: path.clone(), is_news: true };
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return Err(hangs) };
        let written = tokio::task::spawn_blocking(move || {
            let written = replace_all(&path, &kept).map_err(|error| SourceError::File { path, error });
            drop(turn);
            written
        });
        match tokio::time::timeout(PATIENCE, written).await {
            Ok(written) => written.unwrap_or(Err(SourceError::Broken)),
            Err(_) => Err(hangs),
        }
    }
}

fn replace_all(path: &Path, kept: &Kept) -> std::io::Result<()> {
    let signature = kept.document.signature.as_ref().map(|text| text.as_bytes());
    replace(path, &kept.document.bytes)?;
    for (beside, content) in [(signature_path(path), signature), (beside(path, ".keys"), kept.keys.as_deref())] {
        match content {
            Some(content) => replace(&beside, content)?,
            None => remove(&beside)?,
        }
    }
    Ok(())
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let temporary = beside(path, &format!(".{}.tmp", std::process::id()));
    remove(&temporary)?;
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The failure to write is what the caller learns; a file left behind is removed next time.
        let _ = remove(&temporary);
    }
    written
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where the detached signature of the document at `path` stands.
#[must_use]
pub fn signature_path(path: &Path) -> PathBuf {
    beside(path, ".signature")
}

/// A path with a suffix behind its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn kept(content: &'static str, signature: Option<&str>, keys: Option<&'static str>) -> Kept {
        let document = Document { bytes: Bytes::from(content), signature: signature.map(Box::from) };
        Kept { document, keys: keys.map(Bytes::from) }
    }

    #[tokio::test]
    async fn a_document_is_replaced_whole_and_readable_by_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snapshot");
        let cache = SnapshotCache::new(&path);
        for (content, signature, keys) in [("first", Some("s..s"), Some("k")), ("second", None, None)] {
            cache.write(kept(content, signature, keys)).await.unwrap();
            let read = cache.read().await.unwrap();
            assert_eq!((&*read.document.bytes, read.document.signature.as_deref()), (content.as_bytes(), signature));
            assert_eq!(read.keys.as_deref(), keys.map(str::as_bytes));
            for file in std::fs::read_dir(directory.path()).unwrap() {
                assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[tokio::test]
    async fn a_missing_directory_is_an_error_with_its_path() {
        let error = SnapshotCache::new(Path::new("/nowhere/at/all")).write(kept("", None, None)).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_written_while_a_write_hangs() {
        let directory = tempfile::tempdir().unwrap();
        let cache = SnapshotCache::new(&directory.path().join("snapshot"));
        let _hanging = cache.turn.acquire().await.unwrap();
        assert!(matches!(cache.write(kept("", None, None)).await, Err(SourceError::Hangs { .. })));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
