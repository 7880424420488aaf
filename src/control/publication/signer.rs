//! The snapshot is signed by the key that the control plane keeps for it.

use super::publisher::Signer;
use crate::control::oauth::Signing;
use crate::control::oauth::signing::signing_key_id;
use crate::store::{KeyPurpose, State};
use jiff::Timestamp;

impl Signer for Signing {
    fn key(&self, state: &State, now: Timestamp) -> Option<String> {
        signing_key_id(state, KeyPurpose::Snapshot, now).map(str::to_owned)
    }

    fn sign(&self, state: &State, now: Timestamp, bytes: &[u8]) -> Option<String> {
        let signature = self.detached(state, now, bytes);
        signature.inspect_err(|error| tracing::error!(%error, "the snapshot cannot be signed")).ok()
    }
}
