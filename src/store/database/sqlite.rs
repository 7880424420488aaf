//! SQLite: one file, embedded, for one process.

use super::PATIENCE;
use crate::store::error::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};
use std::fs::{OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Only its owner reads and writes what the store keeps.
const MODE: u32 = 0o600;

/// What SQLite calls a database that is in memory only.
const MEMORY: &str = ":memory:";

/// An open file.
pub(in crate::store) struct File {
    /// Of one connection, so that writers wait in line instead of trying again and again.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// Held as long as the file is open.
    _lock: Option<std::fs::File>,
}

impl File {
    /// Opens the file, or makes it, and keeps other processes away.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        if path == Path::new(MEMORY) {
            return Self::in_memory().await;
        }
        let path = make(path)?;
        let lock = lock(&path)?;
        let options = options(&path);
        let writer = pool(1).connect_with(options.clone()).await?;
        migrate(&writer).await?;
        let readers = pool(4).connect_with(options).await?;
        Ok(Self { writer, readers, _lock: Some(lock) })
    }

    /// Opens a file that is there, beside the process that writes it: SQLite's own locks keep a reader's
    /// view whole.
    pub(super) async fn look_at(path: &Path) -> Result<Self, StoreError> {
        let path = path.canonicalize().map_err(|error| StoreError::file(path, error))?;
        let readers = pool(1).connect_with(options(&path).create_if_missing(false)).await?;
        Ok(Self { writer: readers.clone(), readers, _lock: None })
    }

    /// A database that lives in its one connection.
    async fn in_memory() -> Result<Self, StoreError> {
        let writer = pool(1).connect_with(SqliteConnectOptions::new().in_memory(true).disable_statement_logging()).await?;
        migrate(&writer).await?;
        Ok(Self { readers: writer.clone(), writer, _lock: None })
    }

    /// Copies the whole database, as it is at one moment, into a new file that only its owner reads.
    pub(super) async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let Some(target) = to.to_str() else { return Err(StoreError::file(to, std::io::ErrorKind::InvalidFilename.into())) };
        let created = OpenOptions::new().write(true).create_new(true).mode(MODE).open(to).map_err(|error| StoreError::file(to, error))?;
        let copied = self.copy_into(target).await;
        if copied.is_err() {
            // What is not whole is no backup.
            std::fs::remove_file(to).map_err(|error| StoreError::file(to, error))?;
        }
        copied?;
        created.sync_all().and_then(|()| sync_folder_of(to)).map_err(|error| StoreError::file(to, error))
    }

    async fn copy_into(&self, target: &str) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        sqlx::query("VACUUM INTO $1").bind(target).persistent(false).execute(&mut *connection).await?;
        Ok(())
    }
}

async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    sqlx::migrate!("src/store/migrations/sqlite").run(writer).await.map_err(|error| StoreError::Schema(error.to_string()))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit that was acknowledged survives the loss of power.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
}

/// Makes sure that the file is there and only its owner's; its path without links.
fn make(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |error| StoreError::file(path, error);
    let created = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    match created {
        Ok(_) => sync_folder_of(path).map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    // It may be there with the mode of whoever copied it.
    std::fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
    path.canonicalize().map_err(failed)
}

/// Takes the lock file beside the database. The system gives it back when the process ends, however it ends.
///
/// SQLite's own locks would let a second process in whenever the first one does nothing.
fn lock(path: &Path) -> Result<std::fs::File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(&name).map_err(|error| StoreError::file(&name, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Occupied(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(StoreError::file(&name, error)),
    }
}

/// Makes a new entry of a folder survive the loss of power.
fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}
