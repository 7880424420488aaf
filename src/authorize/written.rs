//! A record as it is written: the members of the decision log, and beside them those of LUSID's
//! `AccessEvaluationLog` that one call can have, so that the control plane can show it.

use super::call::DecisionId;
use super::deciding::{Answered, Deciding};
use super::record::Record;
use super::refusal::RefusalName;
use crate::api_map::Operation;
use crate::policy::{Cause, Dates, Instant, Policies, ScopedId, User, UserKind};
use crate::snapshot::World;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// A record with every name in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    #[serde(serialize_with = "as_text")]
    decision_id: DecisionId,
    #[serde(serialize_with = "as_text")]
    time: Timestamp,
    door: &'static str,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    items_removed: u64,
    properties_removed: u64,
    #[serde(serialize_with = "as_text")]
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<&'a str>,
    #[serde(serialize_with = "as_text")]
    id: DecisionId,
    #[serde(serialize_with = "as_text")]
    request_id: DecisionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_type: Option<&'static str>,
    result: &'static str,
    #[serde(flatten)]
    decided: Option<Decided<'a>>,
}

/// The question that decided, and by what it was answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided<'a> {
    action: String,
    resource_type: &'a str,
    #[serde(serialize_with = "as_map")]
    resource: Vec<(&'a str, &'a str)>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_as_text")]
    resource_from_effective_date: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_as_text")]
    resource_to_effective_date: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_as_text")]
    resource_from_as_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_as_text")]
    resource_to_as_at: Option<Instant>,
    #[serde(flatten)]
    by: Option<By<'a>>,
}

/// What is authoritative for an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct By<'a> {
    authoritative_role_id: WrittenId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authoritative_policy_id: Option<WrittenId<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authoritative_selector: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct WrittenId<'a> {
    scope: &'a str,
    code: &'a str,
}

impl<'a> Written<'a> {
    /// The record with its names, as the world that judged the call has them.
    pub(super) fn new(record: &'a Record, world: &'a World) -> Self {
        let operation = record.operation(world);
        let policies = &world.snapshot.policies;
        let user = record.user.as_deref();
        Self {
            decision_id: record.decision_id,
            time: record.time,
            door: record.door.name(),
            method: &record.method,
            path: &record.path,
            operation: operation.map(|operation| &*operation.template),
            feature: operation.map(Operation::feature_id),
            user,
            revision: record.revision,
            refusal: record.refusal.map(RefusalName::as_str),
            reason: &record.reason,
            items_removed: record.items_removed,
            properties_removed: record.properties_removed,
            timestamp: record.time,
            application: operation.map(|operation| &*operation.application),
            id: record.decision_id,
            request_id: record.decision_id,
            user_type: user.and_then(|user| policies.user(user)).and_then(|user: &User| user.kind).map(UserKind::name),
            result: if record.is_granted() { "Granted" } else { "Denied" },
            decided: Decided::of(record, operation, policies),
        }
    }
}

impl<'a> Decided<'a> {
    fn of(record: &'a Record, operation: Option<&'a Operation>, policies: &'a Policies) -> Option<Self> {
        match (record.refused(), record.feature(), operation) {
            (Some(refused), _, _) => Some(Self::of_question(refused, policies)),
            (None, Some(answered), Some(operation)) => Some(Self::of_feature(operation, answered, policies)),
            _ => None,
        }
    }

    fn of_question(question: &'a Deciding, policies: &'a Policies) -> Self {
        let resource = question.id.iter().map(|(part, value)| (&**part, &**value)).collect();
        Self::new((&question.action_scope, &question.activity, &question.entity), resource, question.answered, policies)
    }

    fn of_feature(operation: &'a Operation, answered: Answered, policies: &'a Policies) -> Self {
        let resource = vec![("scope", &*operation.application), ("code", &*operation.feature)];
        Self::new(("default", "Execute", "Feature"), resource, answered, policies)
    }

    fn new(action: (&str, &str, &'a str), resource: Vec<(&'a str, &'a str)>, answered: Answered, policies: &'a Policies) -> Self {
        let (scope, activity, entity) = action;
        let (from_effective, to_effective) = ends(answered.effective);
        let (from_as_at, to_as_at) = ends(answered.as_at);
        Self {
            action: format!("{scope}/{activity}/{entity}"),
            resource_type: entity,
            resource,
            resource_from_effective_date: from_effective,
            resource_to_effective_date: to_effective,
            resource_from_as_at: from_as_at,
            resource_to_as_at: to_as_at,
            by: answered.by.and_then(|by| By::of(by, policies)),
        }
    }
}

impl<'a> By<'a> {
    fn of(cause: Cause, policies: &'a Policies) -> Option<Self> {
        let named = cause.named(policies)?;
        Some(Self {
            authoritative_role_id: named.role.into(),
            authoritative_policy_id: named.policy.map(|policy| (&policy.id).into()),
            authoritative_selector: named.selector_name(),
        })
    }
}

impl<'a> From<&'a ScopedId> for WrittenId<'a> {
    fn from(id: &'a ScopedId) -> Self {
        Self { scope: &id.scope, code: &id.code }
    }
}

/// The ends of what was asked about; an open end, and a date that is not known, are none.
fn ends(dates: Dates) -> (Option<Instant>, Option<Instant>) {
    match dates {
        Dates::Between(interval) => (Some(interval.from()).filter(|from| *from != Instant::MIN), Some(interval.to()).filter(|to| *to != Instant::MAX)),
        Dates::Unknown | Dates::LeftToRows => (None, None),
    }
}

fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
fn some_as_text<S: Serializer>(value: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn as_map<S: Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}
