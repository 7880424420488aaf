//! The directory that a demo writes into. Its files are for their owner only, for `demo.json` holds
//! tokens. One that was not named is made, and removed with the demo.

use super::DemoError;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An absolute directory that is there.
pub(super) struct Directory {
    path: PathBuf,
    is_ours: bool,
}

impl Directory {
    /// The named directory, made if it is not there, or one of our own. A `demo.json` of an earlier
    /// demo is removed: who waits for the file waits for this demo.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn open(named: Option<&Path>) -> Result<Self, DemoError> {
        let is_ours = named.is_none();
        let path = named.map_or_else(|| std::env::temp_dir().join(format!("doorward-demo-{}", std::process::id())), Path::to_owned);
        let failed = |source| DemoError::File { path: path.clone(), source };
        // One of our own must be new: another user may not lay it out for us.
        DirBuilder::new().mode(0o700).recursive(!is_ours).create(&path).map_err(failed)?;
        let path = fs::canonicalize(&path).map_err(failed)?;
        let directory = Self { path, is_ours };
        for stale in ["demo.json", "decisions.log", "control.db", "control.db-wal", "control.db-shm"] {
            // Mostly it is not there; if it cannot be removed, writing it will say so.
            let _ = fs::remove_file(directory.path.join(stale));
        }
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file as a whole: nobody sees half of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, DemoError> {
        let (path, draft) = (self.path.join(name), self.path.join(format!(".{name}.new")));
        let failed = |source| DemoError::File { path: path.clone(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        fs::rename(&draft, &path).map_err(failed)?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_ours {
            // Nothing is lost with it, and nobody is left to be told.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
