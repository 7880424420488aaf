//! What `doorward check` says of key sets and snapshots in files: what a source would say of them when it
//! reads them. Nothing is fetched.

use super::input;
use crate::config::{Config, VerifiedBy};
use crate::snapshot::Snapshot;
use crate::sources::{KeyOrigin, MAX_SIGNATURE_BYTES, SnapshotOrigin, signature_path};
use crate::token::{KeySet, verify_detached};
use jiff::Timestamp;
use std::path::Path;

/// What is wrong with the issuers' key sets; a file that is not there is reported elsewhere.
pub(super) fn key_sets(config: &Config) -> Vec<String> {
    let files = config.issuers.iter().enumerate().filter_map(|(index, issuer)| match &issuer.verified_by {
        VerifiedBy::Keys(KeyOrigin::File(path)) => Some((format!("issuers[{index}].jwks"), path)),
        _ => None,
    });
    files.filter(|(_, path)| path.is_file()).filter_map(|(key, path)| key_set(&key, path).err()).collect()
}

fn key_set(key: &str, path: &Path) -> Result<KeySet, String> {
    let bytes = input::read(path).map_err(|error| format!("{key}: {error:#}"))?;
    match KeySet::parse(&bytes) {
        Ok(keys) if keys.is_empty() => Err(format!("{key}: `{}`: the key set has no key that can be used", path.display())),
        Ok(keys) => Ok(keys),
        Err(error) => Err(format!("{key}: `{}`: {error}", path.display())),
    }
}

/// The snapshot in a file that this key names, or everything that is wrong with it.
pub(super) fn snapshot(key: &str, path: &Path) -> Result<(Snapshot, Vec<u8>), Vec<String>> {
    let bytes = input::read(path).map_err(|error| vec![format!("{key}: {error:#}")])?;
    match Snapshot::load(&bytes, Timestamp::UNIX_EPOCH) {
        Ok(snapshot) => Ok((snapshot, bytes)),
        Err(problems) => Err(problems.iter().map(|problem| format!("{key}: {}: {problem}", path.display())).collect()),
    }
}

/// What is wrong with the signature of the snapshot in force, where there must be one; and with the keys
/// themselves. By keys that would have to be fetched nothing is verified.
pub(super) fn signature(config: &Config, snapshot: Option<&[u8]>) -> Option<String> {
    let keys = match config.snapshot.public_keys.as_ref()? {
        KeyOrigin::File(path) if !path.is_file() => return None,
        KeyOrigin::File(path) => match key_set("snapshot.public_keys", path) {
            Ok(keys) => Some(keys),
            Err(problem) => return Some(problem),
        },
        KeyOrigin::Url(_) | KeyOrigin::Discovery { .. } => None,
    };
    let (SnapshotOrigin::File(path), Some(bytes)) = (&config.snapshot.source, snapshot) else { return None };
    let wrong = |what: String| Some(format!("snapshot.source: `{}`: {what}", path.display()));
    let beside = signature_path(path);
    let text = match std::fs::read(&beside) {
        Ok(text) => text,
        Err(error) => return wrong(format!("it is not signed as `snapshot.public_keys` demands: `{}`: {error}", beside.display())),
    };
    let text = std::str::from_utf8(&text).ok().filter(|text| text.len() <= MAX_SIGNATURE_BYTES);
    let Some(text) = text else { return wrong(format!("`{}` is no signature", beside.display())) };
    let verified = keys.map_or(Ok(()), |keys| verify_detached(text.trim(), bytes, &keys));
    verified.err().and_then(|error| wrong(format!("its signature is not acceptable: {error}")))
}
