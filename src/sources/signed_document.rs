//! A snapshot document on its way into force: signature, understanding, revision.

use super::{KeyHolder, SourceError};
use crate::snapshot::Snapshot;
use crate::token::{KeySet, TokenError, verify_detached};
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// How long a start from the cache waits for keys of the origin, which are better than kept ones.
const PATIENCE: Duration = Duration::from_secs(1);

/// A document as its source gave it.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Without content coding.
    pub(super) bytes: Bytes,
    /// The detached signature that came with it.
    pub(super) signature: Option<Box<str>>,
}

/// What a document is measured against.
pub(super) struct InForce {
    /// The digest of the document in force, if a source of ours put it there.
    pub(super) digest: Option<[u8; 32]>,
    /// Its revision; a source that may roll back passes `None`.
    pub(super) revision: Option<u64>,
}

/// What became of a document.
pub(super) enum Judged {
    /// It is good and another one than the one in force.
    New(Box<Snapshot>, [u8; 32]),
    /// It is the one in force.
    Same,
}

/// Judges a document whose signature, if keys are configured, was found good: first its content, then its
/// revision. The work is done on a thread that may block.
pub(super) async fn judge(document: &Document, in_force: InForce, now: Timestamp) -> Result<Judged, SourceError> {
    let bytes = document.bytes.clone();
    let judged = tokio::task::spawn_blocking(move || understand(&bytes, &in_force, now));
    judged.await.unwrap_or(Err(SourceError::Broken))
}

/// The signature must be good with a key that is held, or that a refresh brings. Gives the key set that it
/// is good with, as it came.
pub(super) async fn require_signature(document: &Document, keys: &Arc<KeyHolder>) -> Result<Bytes, SourceError> {
    let verified = verify_with(document, keys).await;
    match verified {
        Err(SourceError::Token(error)) if error.is_unknown_key() && keys.refresh_for_unknown_key().await => verify_with(document, keys).await,
        other => other,
    }
}

/// The same of a document that was kept together with the keys that it was good with. They count as
/// long as the origin of the keys has not given any, and for this document alone.
pub(super) async fn require_kept_signature(document: &Document, kept: Option<Bytes>, keys: &Arc<KeyHolder>) -> Result<(), SourceError> {
    if keys.held().version == 0 {
        // Whether it gave some is seen below.
        let _ = tokio::time::timeout(PATIENCE, keys.refresh_for_unknown_key()).await;
    }
    let has_none = keys.held().version == 0;
    match kept.filter(|_| has_none && keys.is_remote()) {
        Some(kept) => verify(document, Arc::new(KeySet::parse(&kept)?), |kept| kept).await,
        None => require_signature(document, keys).await.map(drop),
    }
}

async fn verify_with(document: &Document, keys: &Arc<KeyHolder>) -> Result<Bytes, SourceError> {
    let held = Arc::clone(&*keys.held());
    verify(document, Arc::clone(&held), |held| &held.keys).await?;
    Ok(held.document.clone())
}

async fn verify<K: Send + Sync + 'static>(document: &Document, keys: Arc<K>, of: fn(&K) -> &KeySet) -> Result<(), SourceError> {
    let signature = document.signature.clone().ok_or(SourceError::Unsigned)?;
    let bytes = document.bytes.clone();
    let verified = tokio::task::spawn_blocking(move || verify_detached(&signature, &bytes, of(&keys)));
    let verified: Result<(), TokenError> = verified.await.map_err(|_| SourceError::Broken)?;
    Ok(verified?)
}

fn understand(bytes: &[u8], in_force: &InForce, now: Timestamp) -> Result<Judged, SourceError> {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    if in_force.digest == Some(digest) {
        return Ok(Judged::Same);
    }
    let snapshot = Snapshot::load(bytes, now).map_err(|problems| SourceError::Problems(problems.iter().map(ToString::to_string).collect()))?;
    let offered = snapshot.policies.revision();
    match in_force.revision {
        Some(in_force) if offered <= in_force => Err(SourceError::Rollback { offered, in_force }),
        _ => Ok(Judged::New(Box::new(snapshot), digest)),
    }
}
