//! A snapshot document on its way into force: signature, understanding, revision.

use super::{KeyHolder, SourceError};
use crate::snapshot::Snapshot;
use crate::token::{TokenError, verify_detached};
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;

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

/// Judges a document: first its signature, if keys are configured, then its content, then its revision.
/// The work is done on a thread that may block.
pub(super) async fn judge(document: &Document, keys: Option<&Arc<KeyHolder>>, in_force: InForce, now: Timestamp) -> Result<Judged, SourceError> {
    if let Some(keys) = keys {
        require_signature(document, keys).await?;
    }
    let bytes = document.bytes.clone();
    let judged = tokio::task::spawn_blocking(move || understand(&bytes, &in_force, now));
    judged.await.unwrap_or(Err(SourceError::Broken))
}

/// The signature must be good with a key that is held, or that a refresh brings.
async fn require_signature(document: &Document, keys: &Arc<KeyHolder>) -> Result<(), SourceError> {
    let verified = verify_with(document, keys).await;
    match verified {
        Err(SourceError::Token(error)) if error.is_unknown_key() && keys.refresh_for_unknown_key().await => verify_with(document, keys).await,
        other => other,
    }
}

async fn verify_with(document: &Document, keys: &Arc<KeyHolder>) -> Result<(), SourceError> {
    let signature = document.signature.clone().ok_or(SourceError::Unsigned)?;
    let (bytes, held) = (document.bytes.clone(), Arc::clone(&*keys.held()));
    let verified = tokio::task::spawn_blocking(move || verify_detached(&signature, &bytes, &held.keys));
    let verified: Result<(), TokenError> = verified.await.map_err(|_| SourceError::Broken)?;
    Ok(verified?)
}

fn understand(bytes: &[u8], in_force: &InForce, now: Timestamp) -> Result<Judged, SourceError> {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    if in_force.digest == Some(digest) {
        return Ok(Judged::Same);
    }
    let snapshot = Snapshot::load(bytes, now)
        .map_err(|problems| SourceError::Problems(problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()))?;
    let offered = snapshot.policies.revision();
    match in_force.revision {
        Some(in_force) if offered <= in_force => Err(SourceError::Rollback { offered, in_force }),
        _ => Ok(Judged::New(Box::new(snapshot), digest)),
    }
}
