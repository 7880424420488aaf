//! Reads one file again and again, and is not held up by it: a file may be on a disk of a server that is
//! gone, where a read never comes to its end. Such a read stays behind on its thread, which nothing can
//! stop, but never more than one of a file beside the one that is made.

use super::SourceError;
use bytes::Bytes;
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A read hangs when nothing came for so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many reads there may be of a file: one that hangs, and one that is made.
const READS: usize = 2;
/// What is read between two looks at whether anything came.
const PIECE: usize = 256 * 1024;

/// A file that is read more than once.
pub(super) struct FileReader {
    path: PathBuf,
    turns: Arc<Semaphore>,
    /// Whether the last read hung, which is said once.
    hung: AtomicBool,
}

impl FileReader {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), turns: Arc::new(Semaphore::new(READS)), hung: AtomicBool::new(false) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's content, if it is no larger than `limit`.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or hangs.
    pub(super) async fn read(&self, limit: usize) -> Result<Bytes, SourceError> {
        let path = self.path.clone();
        self.bounded(PATIENCE, move |came| read(path, limit, came)).await
    }

    /// The outcome of a work that counts what came, if something comes in every such time.
    async fn bounded<F>(&self, patience: Duration, work: F) -> Result<Bytes, SourceError>
    where
        F: FnOnce(&AtomicUsize) -> Result<Bytes, SourceError> + Send + 'static,
    {
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else { return Err(self.hangs()) };
        let came = Arc::<AtomicUsize>::default();
        let mut reading = tokio::task::spawn_blocking({
            let came = Arc::clone(&came);
            move || {
                let read = work(&came);
                drop(turn);
                read
            }
        });
        loop {
            let before = came.load(Ordering::Relaxed);
            match tokio::time::timeout(patience, &mut reading).await {
                Ok(read) => {
                    self.hung.store(false, Ordering::Relaxed);
                    return read.unwrap_or(Err(SourceError::Broken));
                }
                Err(_) if came.load(Ordering::Relaxed) == before => return Err(self.hangs()),
                Err(_) => {}
            }
        }
    }

    fn hangs(&self) -> SourceError {
        SourceError::Hangs { path: self.path.clone(), is_news: !self.hung.swap(true, Ordering::Relaxed) }
    }
}

/// Reads on a thread that may block. A pipe is no file: to open one is to wait for somebody who writes.
fn read(path: PathBuf, limit: usize, came: &AtomicUsize) -> Result<Bytes, SourceError> {
    let is_file = std::fs::metadata(&path).and_then(|found| match found.is_file() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
    });
    match is_file.and_then(|()| File::open(&path)).and_then(|file| content(file, limit, came)) {
        Ok(Some(content)) => Ok(content.into()),
        Ok(None) => Err(SourceError::TooLarge(limit)),
        Err(error) => Err(SourceError::File { path, error }),
    }
}

/// Nothing is taken in of what is too large anyway.
fn content(mut file: File, limit: usize, came: &AtomicUsize) -> std::io::Result<Option<Vec<u8>>> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > limit {
        return Ok(None);
    }
    let mut content = Vec::with_capacity(length);
    while file.by_ref().take(PIECE as u64).read_to_end(&mut content)? > 0 {
        came.store(content.len(), Ordering::Relaxed);
        if content.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SHORT: Duration = Duration::from_millis(50);

    /// A work that hangs until the sender is dropped.
    fn hanging() -> (mpsc::Sender<()>, impl FnOnce(&AtomicUsize) -> Result<Bytes, SourceError> + Send + 'static) {
        let (end, ended) = mpsc::channel();
        (end, move |_: &AtomicUsize| {
            let _ = ended.recv();
            Ok(Bytes::new())
        })
    }

    #[tokio::test]
    async fn a_read_that_hangs_is_said_once_and_the_next_is_made_beside_it() {
        let reader = FileReader::new(Path::new("x"));
        let (first, work) = hanging();
        assert!(matches!(reader.bounded(SHORT, work).await, Err(SourceError::Hangs { is_news: true, .. })));
        let good = reader.bounded(SHORT * 100, |_: &AtomicUsize| Ok(Bytes::from("good"))).await.unwrap();
        assert_eq!(good, "good");
        let (second, work) = hanging();
        assert!(matches!(reader.bounded(SHORT, work).await, Err(SourceError::Hangs { is_news: true, .. })));
        // Two are behind: no third is begun, but as soon as one of them ends.
        let third = |_: &AtomicUsize| Ok(Bytes::from("a third read was made"));
        assert!(matches!(reader.bounded(SHORT * 100, third).await, Err(SourceError::Hangs { is_news: false, .. })));
        drop(first);
        while reader.turns.available_permits() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(reader.bounded(SHORT * 100, |_: &AtomicUsize| Ok(Bytes::new())).await.is_ok());
        drop(second);
    }

    #[tokio::test]
    async fn a_read_that_goes_on_slowly_does_not_hang() {
        let reader = FileReader::new(Path::new("x"));
        let slow = |came: &AtomicUsize| {
            for _ in 0..80 {
                std::thread::sleep(Duration::from_millis(10));
                came.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Bytes::from("slow"))
        };
        assert_eq!(reader.bounded(SHORT * 10, slow).await.unwrap(), "slow");
    }

    #[tokio::test]
    async fn a_folder_or_what_is_too_large_is_refused_and_a_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = vec![7; PIECE * 2 + 1];
        std::fs::write(&path, &content).unwrap();
        let reader = FileReader::new(&path);
        assert_eq!(reader.read(content.len()).await.unwrap(), content);
        assert!(matches!(reader.read(content.len() - 1).await, Err(SourceError::TooLarge(_))));
        let error = FileReader::new(folder.path()).read(10).await.unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_says_no_length_is_read_within_the_limit() {
        let endless = FileReader::new(Path::new("/proc/self/maps"));
        assert!(matches!(endless.read(10).await, Err(SourceError::TooLarge(10))));
        assert!(endless.read(1 << 20).await.is_ok_and(|read| !read.is_empty()));
    }
}
