//! What can go wrong between the store and its database.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why the store could not do what it was asked. No message holds a document's content, nor a password.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process works on this file.
    #[error("`{}` is in use by another process: one file serves one process, several replicas need PostgreSQL", .0.display())]
    Occupied(PathBuf),
    /// A file could not be made, opened or locked.
    #[error("`{}`: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The URL of the database cannot be read.
    #[error("the URL of the database cannot be read: {0}")]
    Url(String),
    /// The schema is not, and could not be made, the one that this version works on.
    #[error("the database cannot be brought to this version's schema: {0}")]
    Schema(String),
    /// A document is not what this version keeps under its kind.
    #[error("the document `{key}` of kind `{kind}` cannot be read (line {line}, column {column})")]
    Document {
        /// The kind.
        kind: String,
        /// The key.
        key: String,
        /// Where in its JSON.
        line: usize,
        /// Where in that line.
        column: usize,
    },
    /// The database is not there; nothing was changed.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Others were writing for too long; nothing was changed.
    #[error("the database is busy")]
    Busy,
    /// The database did not do what it was asked; nothing was changed.
    #[error("the database refuses: {0}")]
    Database(String),
    /// The answer to a commit did not arrive.
    #[error("it is not known whether the change was kept: {0}")]
    Uncertain(String),
    /// A PostgreSQL database is not copied by us.
    #[error("a PostgreSQL database is backed up by `pg_dump`")]
    Backup,
    /// The place to go on from is none of the audit log's.
    #[error("`{0}` is no place in the audit log")]
    Place(String),
}

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum WriteError<E> {
    /// The change itself was refused; nothing of it remains.
    #[error("{0}")]
    Refused(E),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoreError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(super) fn document(kind: &str, key: &str, error: &serde_json::Error) -> Self {
        // The message of the error itself may quote what was found there.
        Self::Document { kind: kind.to_owned(), key: key.to_owned(), line: error.line(), column: error.column() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Configuration(_) => Self::Url(error.to_string()),
            sqlx::Error::Migrate(error) => Self::Schema(error.to_string()),
            sqlx::Error::PoolTimedOut => Self::Unreachable("it does not answer".to_owned()),
            _ if is_lost(&error) => Self::Unreachable(error.to_string()),
            _ if is_busy(&error) => Self::Busy,
            _ => Self::Database(error.to_string()),
        }
    }
}

/// Whether others held what was needed for too long: PostgreSQL's `lock_not_available`, SQLite's `SQLITE_BUSY`.
fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03" || code == "5")
}

/// Whether the connection, not the question, was at fault, and another one may do better.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, Protocol, Tls, WorkerCrashed};
    match error {
        Io(_) | Tls(_) | Protocol(_) | PoolClosed | WorkerCrashed => true,
        // 08: connection exception; 57P01…57P03: shut down, crashed, starting up; 25P03: kept it waiting in a transaction.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P0") || code == "25P03"),
        _ => false,
    }
}
