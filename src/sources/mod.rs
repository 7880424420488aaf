//! Background work: the key sets of the issuers, the token cache that hangs on them, questions to
//! issuers about tokens, and the snapshot.
//! What comes from outside is bounded, and a bad answer never replaces a good one.

mod file_reader;
mod introspector;
mod key_holder;
mod key_sets;
mod pacing;
mod presented;
mod replays;
mod signed_document;
mod snapshot_cache;
mod snapshot_file;
mod snapshot_http;
mod snapshots;
mod tokens;

#[cfg(test)]
mod tests;

pub use introspector::{IntrospectionSettings, Introspector};
pub use key_holder::{KeyHolder, KeyOrigin};
pub use key_sets::{IssuerKeys, KeySets};
pub use pacing::BackOff;
pub use presented::{Channel, Circumstances, Presented};
pub use snapshot_cache::{MAX_SIGNATURE_BYTES, signature_path};
pub use snapshots::{MAX_SNAPSHOT_BYTES, SnapshotOrigin, SnapshotSource, Snapshots};
pub use tokens::{Tokens, Wanted};

use crate::http_client::{HttpClient, HttpError};
use crate::token::TokenError;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Where counts go; every label is from a closed set (interfaces §7).
pub trait SourceObserver: Send + Sync {
    /// One attempt at the snapshot: `ok`, `unchanged`, `refused` or `failed`, and the document's size.
    fn snapshot_load(&self, result: &'static str, bytes: usize);
    /// One attempt at an issuer's key set: `ok`, `unchanged` or `failed`.
    fn keys_refresh(&self, issuer: &str, result: &'static str);
    /// One look into the token cache.
    fn token_cache(&self, hit: bool);
    /// One question to an issuer about a token: `active`, `refused` or `failed`.
    fn introspection(&self, _issuer: &str, _result: &'static str) {}
}

/// Nobody counts.
impl SourceObserver for () {
    fn snapshot_load(&self, _: &'static str, _: usize) {}
    fn keys_refresh(&self, _: &str, _: &'static str) {}
    fn token_cache(&self, _: bool) {}
}

/// What every source needs of its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Asks over HTTP.
    pub client: HttpClient,
    /// Counts.
    pub observer: Arc<dyn SourceObserver>,
    /// Reads the wall clock.
    pub clock: fn() -> Timestamp,
}

/// Why a source gave nothing that can be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It could not be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It answered something else.
    #[error("the answer has status {0}")]
    Status(u16),
    /// A file could not be read or written.
    #[error("`{path}`: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Nothing comes of reading or writing a file, as on the disk of a server that is gone.
    #[error("`{path}` can be neither read nor written in time: it hangs", path = path.display())]
    Hangs {
        /// The file.
        path: PathBuf,
        /// Whether it did not hang before.
        is_news: bool,
    },
    /// It holds more than is allowed.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    /// The key set or the signature is not acceptable.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A key set without a single key that can be used.
    #[error("the key set has no key that can be used")]
    NoKeys,
    /// The discovery document is not acceptable.
    #[error("the discovery document cannot be used: {0}")]
    Discovery(&'static str),
    /// Keys are configured, and the document has no signature.
    #[error("it is not signed")]
    Unsigned,
    /// It is older than the one in force.
    #[error("its revision {offered} is not greater than {in_force}, the one in force")]
    Rollback {
        /// The revision of the document.
        offered: u64,
        /// The revision in force.
        in_force: u64,
    },
    /// It was understood and has problems: one `path: message` each, or the last for all that are too many.
    #[error("it has {} problems", .0.len())]
    Problems(Vec<String>),
    /// The work on it broke off.
    #[error("the work on it broke off")]
    Broken,
}

impl SourceError {
    /// Whether it is to be said: that a file still hangs is not.
    fn is_news(&self) -> bool {
        !matches!(self, Self::Hangs { is_news: false, .. })
    }

    /// Whether it is that there is no such file.
    fn is_absence(&self) -> bool {
        matches!(self, Self::File { error, .. } if error.kind() == std::io::ErrorKind::NotFound)
    }
}
