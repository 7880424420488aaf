//! A call together with all that it is judged by: for who judges it elsewhere than where it came in.

use super::asking::Arrival;
use crate::authorize::{Call, DecisionId, Door, Identity, Step, UpstreamMetadata, authorize};
use crate::snapshot::World;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use std::sync::Arc;

/// A call that borrows nothing.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) world: Arc<World>,
    door: Door,
    pub(super) decision_id: DecisionId,
    pub(super) now: Timestamp,
    pub(super) method: Box<str>,
    pub(super) target: Box<str>,
    headers: HeaderMap,
    authority: Option<Box<str>>,
    identity: Identity,
    body: Option<Bytes>,
    pub(super) metadata: UpstreamMetadata,
}

impl Kept {
    /// What came in, and what was found out since.
    pub(super) fn of(arrival: &Arrival<'_>, identity: &Identity, body: Option<Bytes>, metadata: UpstreamMetadata) -> Self {
        Self {
            world: Arc::clone(arrival.world),
            door: arrival.door,
            decision_id: arrival.decision_id,
            now: arrival.now,
            method: arrival.method.into(),
            target: arrival.target.into(),
            headers: arrival.headers.clone(),
            authority: arrival.authority.map(Into::into),
            identity: identity.clone(),
            body,
            metadata,
        }
    }

    /// The verdict by this world.
    pub(super) fn judged_by(&self, world: &Arc<World>) -> Step {
        let call = Call {
            door: self.door,
            decision_id: self.decision_id,
            method: &self.method,
            target: &self.target,
            headers: &self.headers,
            authority: self.authority.as_deref(),
            identity: &self.identity,
            body: self.body.as_deref(),
            metadata: &self.metadata,
        };
        authorize(world, &call, self.now)
    }
}
