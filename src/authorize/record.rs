//! What is written down about one call: one line of the decision log, and the labels of the metrics.

use super::answer::Summary;
use super::call::{Call, DecisionId, Door};
use super::refusal::{Refusal, RefusalName};
use crate::api_map::Match;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A decision record. It holds no credential, no body and no query.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The decision id.
    #[serde(serialize_with = "as_text")]
    pub decision_id: DecisionId,
    /// When the call was judged.
    #[serde(serialize_with = "as_text")]
    pub time: Timestamp,
    /// The door.
    #[serde(serialize_with = "door_name")]
    pub door: Door,
    /// The method.
    pub method: Box<str>,
    /// The path, without the query.
    pub path: Box<str>,
    /// The template of the operation, where the route is mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Box<str>>,
    /// `application/code` of the feature, where the route is mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<Box<str>>,
    /// The user's id, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<str>>,
    /// The revision that the call was judged by.
    pub revision: u64,
    /// The refusal, if it was refused, or would have been where the door only observes.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "refusal_name")]
    pub refusal: Option<RefusalName>,
    /// Why, for the operator.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Items removed from the answer.
    pub items_removed: u64,
    /// Properties removed from the answer.
    pub properties_removed: u64,
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
            operation: None,
            feature: None,
            user: None,
            revision,
            refusal: None,
            reason: String::new(),
            items_removed: 0,
            properties_removed: 0,
        }
    }

    pub(super) fn route(&mut self, route: Option<&Match<'_>>) {
        if let Some(found) = route {
            self.operation = Some(found.operation.template.clone());
            self.feature = Some(format!("{}/{}", found.operation.application, found.operation.feature).into());
        }
    }

    pub(super) fn user(&mut self, user: &str) {
        self.user = Some(user.into());
    }

    /// Notes a refusal, made here or by a door that could not carry the call out.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.refusal = Some(refusal.name);
        self.reason.clone_from(&refusal.reason);
    }

    /// Notes what was removed from the answer.
    pub fn summarize(&mut self, summary: &Summary) {
        self.items_removed = summary.items_removed();
        self.properties_removed = summary.properties_removed;
    }
}

fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn door_name<S: Serializer>(door: &Door, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(door.name())
}

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
fn refusal_name<S: Serializer>(name: &Option<RefusalName>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.map_or("", RefusalName::as_str))
}
