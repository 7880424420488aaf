//! What is written down about one call: one line of the decision log, and the labels of the metrics.

use super::answer::Summary;
use super::call::{Call, DecisionId, Door};
use super::deciding::{Answered, Deciding};
use super::refusal::{Refusal, RefusalName};
use super::written::Written;
use crate::api_map::{Match, Operation};
use crate::snapshot::World;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// A decision record. It holds no credential, no body and no query.
#[derive(Clone, Debug)]
pub struct Record {
    /// The decision id.
    pub decision_id: DecisionId,
    /// When the call was judged.
    pub time: Timestamp,
    /// The door.
    pub door: Door,
    /// The method.
    pub method: Box<str>,
    /// The path, without the query.
    pub path: Box<str>,
    /// The user's id, once known.
    pub user: Option<Box<str>>,
    /// The revision that the call was judged by.
    pub revision: u64,
    /// The refusal, if it was refused, or would have been where the door only observes.
    pub refusal: Option<RefusalName>,
    /// Why, for the operator.
    pub reason: String,
    /// Items removed from the answer.
    pub items_removed: u64,
    /// Properties removed from the answer.
    pub properties_removed: u64,
    /// The place of the operation in the API maps, where the route is mapped.
    operation: Option<usize>,
    /// What was said of the feature, once it was granted: the decision of an admitted call.
    feature: Option<Answered>,
    /// The question that refused the call.
    refused: Option<Arc<Deciding>>,
}

/// A record with the world that the call was judged by, in which its names are looked up when it is
/// written, and not before.
#[derive(Clone, Debug)]
pub struct KeptRecord {
    /// The record.
    pub record: Record,
    world: Arc<World>,
}

impl Record {
    pub(super) fn new(call: &Call<'_>, revision: u64, now: Timestamp) -> Self {
        let path = call.target.split_once('?').map_or(call.target, |(path, _)| path);
        Self {
            decision_id: call.decision_id,
            time: now,
            door: call.door,
            method: call.method.into(),
            path: path.into(),
            user: None,
            revision,
            refusal: None,
            reason: String::new(),
            items_removed: 0,
            properties_removed: 0,
            operation: None,
            feature: None,
            refused: None,
        }
    }

    pub(super) fn route(&mut self, route: Option<&Match<'_>>) {
        self.operation = route.map(|found| found.index);
    }

    pub(super) fn user(&mut self, user: &str) {
        self.user = Some(user.into());
    }

    pub(super) fn feature_granted(&mut self, answered: Answered) {
        self.feature = Some(answered);
    }

    /// Notes a refusal, made here or by a door that could not carry the call out.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.refusal = Some(refusal.name);
        self.reason.clone_from(&refusal.reason);
        self.refused.clone_from(&refusal.deciding);
    }

    /// Notes what was removed from the answer.
    pub fn summarize(&mut self, summary: &Summary) {
        self.items_removed = summary.items_removed();
        self.properties_removed = summary.properties_removed;
    }

    /// The operation of the call, where the route is mapped; `world` is the one that it was judged by.
    #[must_use]
    pub fn operation<'w>(&self, world: &'w World) -> Option<&'w Operation> {
        world.maps.operations().get(self.operation?)
    }

    /// Whether the call got leave, whatever became of it upstream.
    pub(super) fn is_granted(&self) -> bool {
        !self.refusal.is_some_and(RefusalName::is_ours)
    }

    /// What was said of the feature, if that is what decided.
    pub(super) fn feature(&self) -> Option<Answered> {
        self.feature.filter(|_| self.is_granted())
    }

    /// The question that refused the call, if one did.
    pub(super) fn refused(&self) -> Option<&Deciding> {
        self.refused.as_deref()
    }
}

impl KeptRecord {
    /// Keeps a record of a call that was judged by this world.
    #[must_use]
    pub fn new(record: Record, world: Arc<World>) -> Self {
        Self { record, world }
    }
}

impl Serialize for KeptRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::new(&self.record, &self.world).serialize(serializer)
    }
}
