//! The last good snapshot on disk, for a start while the source is down. The signature stands beside
//! it in `<path>.signature` and is verified again; neither is readable by others.

use super::SourceError;
use super::key_holder::read_bounded;
use super::signed_document::Document;
use super::snapshots::MAX_SNAPSHOT_BYTES;
use jiff::Timestamp;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// No detached signature is longer.
const MAX_SIGNATURE_BYTES: usize = 4096;

/// The document at `path`, with its signature where there is one.
pub(super) async fn read(path: &Path) -> Result<Document, SourceError> {
    let bytes = read_bounded(path, MAX_SNAPSHOT_BYTES).await?;
    let signature = match read_bounded(&beside(path, ".signature"), MAX_SIGNATURE_BYTES).await {
        Ok(signature) => std::str::from_utf8(&signature).ok().map(|text| text.trim().into()),
        Err(SourceError::File { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(Document { bytes, signature })
}

/// When the document at `path` was written, but no later than `now`.
pub(super) fn written_at(path: &Path, now: Timestamp) -> Option<Timestamp> {
    let modified = std::fs::metadata(path).and_then(|file| file.modified()).ok()?;
    Timestamp::try_from(modified).ok().map(|written| written.min(now))
}

/// Replaces the document at `path`: whoever reads sees the old one or the new one, never a part.
pub(super) async fn write(path: &Path, document: &Document) -> Result<(), SourceError> {
    let (path, document) = (path.to_owned(), document.clone());
    let written = tokio::task::spawn_blocking(move || {
        let result = replace(&path, &document.bytes).and_then(|()| {
            let signature = beside(&path, ".signature");
            match &document.signature {
                Some(text) => replace(&signature, text.as_bytes()),
                None => remove(&signature),
            }
        });
        result.map_err(|error| SourceError::File { path, error })
    });
    written.await.unwrap_or(Err(SourceError::Broken))
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

/// A path with a suffix behind its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_document_is_replaced_whole_and_readable_by_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snapshot");
        for (content, signature) in [("first", Some("s..s")), ("second", None)] {
            let document = Document { bytes: Bytes::from(content), signature: signature.map(Box::from) };
            write(&path, &document).await.unwrap();
            let read = read(&path).await.unwrap();
            assert_eq!((&*read.bytes, read.signature.as_deref()), (content.as_bytes(), signature));
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[tokio::test]
    async fn a_missing_directory_is_an_error_with_its_path() {
        let document = Document { bytes: Bytes::new(), signature: None };
        let error = write(Path::new("/nowhere/at/all"), &document).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
