//! Questions about the caller's own rights, and their answers.
//!
//! An answer never says more than the call itself would: what is not given is unknown and fails closed.

use super::super::caller::Caller;
use super::super::problem::Problem;
use super::collections::EntitlementMetadata;
use super::moment::Moment;
use crate::observe::clock;
use crate::policy::{Dates, HeaderSource, HeaderValue, Instant, Interval, Metadata, MetadataOf, Policies, Question, ScopedId, Subject};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Questions, by keys of the caller's choice.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub(super) struct EvaluationRequests(BTreeMap<String, EvaluationRequest>);

/// May this be done to that?
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct EvaluationRequest {
    request: RequestDetails,
    resource: ResourceDetails,
}

/// What is to be done, and for which dates.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RequestDetails {
    action: RequestedActionKey,
    /// From this effective date; now unless said.
    from_effective_date: Option<Moment>,
    /// To this effective date; the same as from unless said.
    to_effective_date: Option<Moment>,
    /// From this asAt date; now unless said.
    from_as_at: Option<Moment>,
    /// To this asAt date; the same as from unless said.
    to_as_at: Option<Moment>,
}

/// An action.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RequestedActionKey {
    /// `Portfolio`, `Feature` and the like.
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    entity_code: String,
    /// Whose action it is; `default` for most.
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    scope: String,
    /// `Read`, `Execute` and the like.
    #[schema(min_length = 3, max_length = 100)]
    activity: String,
}

/// What it is to be done to.
#[derive(Clone, Debug, Deserialize, ToSchema)]
struct ResourceDetails {
    /// Part of the id → value; a part that is not given is unknown.
    id: BTreeMap<String, String>,
    /// All of its access metadata. Without it what is kept for exactly this id counts; where nothing is kept it is unknown.
    metadata: Option<BTreeMap<String, Option<Vec<EntitlementMetadata>>>>,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EvaluationResponse {
    result: EvaluationResult,
    /// Why it is denied; it names no policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detailed_message: Option<String>,
}

/// Whether it may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
enum EvaluationResult {
    Denied,
    Granted,
}

/// The headers of a request, as policies see them.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestHeaders<'h>(pub(super) &'h HeaderMap);

impl HeaderSource for RequestHeaders<'_> {
    fn value(&self, name: &str) -> HeaderValue<'_> {
        let mut values = self.0.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => HeaderValue::Absent,
            (Some(value), None) => std::str::from_utf8(value.as_bytes()).map_or(HeaderValue::Unknown, HeaderValue::Text),
            (Some(_), Some(_)) => HeaderValue::Unknown,
        }
    }
}

/// Answers every question.
///
/// # Errors
/// Dates that cannot be read, or end before they begin, by field.
pub(super) fn evaluated(
    caller: &Caller,
    headers: &RequestHeaders<'_>,
    applications: &[&str],
    requests: EvaluationRequests,
) -> Result<BTreeMap<String, EvaluationResponse>, Problem> {
    let applications = asked_for(caller.policies(), applications);
    let now = clock::now().into();
    let mut problem = Problem::invalid();
    let mut answers = BTreeMap::new();
    for (key, request) in requests.0 {
        let RequestDetails { from_effective_date, to_effective_date, from_as_at, to_as_at, .. } = &request.request;
        let effective = interval(now, from_effective_date.as_ref(), to_effective_date.as_ref());
        let as_at = interval(now, from_as_at.as_ref(), to_as_at.as_ref());
        for (dates, field) in [(&effective, "fromEffectiveDate"), (&as_at, "fromAsAt")] {
            if let Err(message) = dates {
                problem.report(format!("{key}.request.{field}"), *message);
            }
        }
        if let (Ok(effective), Ok(as_at)) = (effective, as_at) {
            let is_granted = is_granted(caller, headers, &applications, &Asked { request: &request, effective, as_at });
            answers.insert(key, answer(is_granted));
        }
    }
    problem.or_ok(answers)
}

fn answer(is_granted: bool) -> EvaluationResponse {
    match is_granted {
        true => EvaluationResponse { result: EvaluationResult::Granted, detailed_message: None },
        false => EvaluationResponse {
            result: EvaluationResult::Denied,
            detailed_message: Some("Access was denied: your policies do not grant this action on this resource.".to_owned()),
        },
    }
}

/// Every application whose policies count; the empty one stands for policies that are for all.
fn asked_for<'a>(policies: &'a Policies, applications: &[&'a str]) -> BTreeSet<Cow<'a, str>> {
    if applications.is_empty() {
        let named = policies.policies().iter().flat_map(|policy| policy.applications.iter());
        return named.map(|application| Cow::Owned(application.to_ascii_lowercase())).chain([Cow::Borrowed("")]).collect();
    }
    applications.iter().map(|application| Cow::Borrowed(*application)).collect()
}

/// The stretch of time that is asked about. Where only one end is given the other one is now, on whichever side that is.
fn interval(now: Instant, from: Option<&Moment>, to: Option<&Moment>) -> Result<Interval, &'static str> {
    let read = |moment: &Moment| moment.instant().ok_or("The value is no date; write it like 2026-01-31T12:00:00Z.");
    match (from.map(read).transpose()?, to.map(read).transpose()?) {
        (None, None) => Ok(Interval::at(now)),
        (Some(from), None) => Ok(Interval::at(from)),
        (Some(from), Some(to)) => Interval::between(from, to).ok_or("The dates end before they begin."),
        (None, Some(to)) => Interval::between(now.min(to), now.max(to)).ok_or("The dates end before they begin."),
    }
}

/// A question with its dates.
struct Asked<'a> {
    request: &'a EvaluationRequest,
    effective: Interval,
    as_at: Interval,
}

fn is_granted(caller: &Caller, headers: &RequestHeaders<'_>, applications: &BTreeSet<Cow<'_, str>>, asked: &Asked<'_>) -> bool {
    let (action, resource) = (&asked.request.request.action, &asked.request.resource);
    let part = |wanted: &str| resource.id.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str());
    let named = part("scope").zip(part("code"));
    let is_about = |entity: &str| action.entity_code.eq_ignore_ascii_case(entity);
    let policies = caller.policies();
    let subject = caller.subject_at(headers, named.filter(|_| is_about("Feature")));
    let given = resource.metadata.as_ref().map(metadata);
    let id: Vec<(&str, &str)> = resource.id.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let parts: Vec<_> = id.iter().map(|(name, value)| (*name, Some(Cow::Borrowed(*value)))).collect();
    let known = given.as_ref().or_else(|| policies.access_metadata(&action.entity_code, &id));
    let question = Question {
        application: "",
        action_scope: &action.scope,
        activity: &action.activity,
        entity: &action.entity_code,
        id: &parts,
        metadata: known.map_or(MetadataOf::Unknown, MetadataOf::Known),
        effective: Dates::Between(asked.effective),
        as_at: Dates::Between(asked.as_at),
        policy: named.filter(|_| is_about("Policy") || is_about("Delegation")).and_then(|(scope, code)| policies.document(&ScopedId::new(scope, code))),
    };
    decided(policies, &subject, &question, applications)
}

/// The decision by the policies for any of these applications: the strongest role that says something decides, and in it a Deny wins.
fn decided(policies: &Policies, subject: &Subject<'_>, question: &Question<'_>, applications: &BTreeSet<Cow<'_, str>>) -> bool {
    let roles: Vec<String> = subject.role_names().collect();
    let said = applications.iter().filter_map(|application| {
        let decision = subject.decide(&Question { application, ..*question });
        let role = decision.by?.named(policies)?.role.to_string();
        // The user-role is none of the roles, and comes after them.
        let rank = roles.iter().position(|name| *name == role).unwrap_or(roles.len());
        Some((rank, decision.granted))
    });
    // `false` is less than `true`: of one role the Deny is taken.
    said.min().is_some_and(|(_, is_granted)| is_granted)
}

fn metadata(given: &BTreeMap<String, Option<Vec<EntitlementMetadata>>>) -> Metadata {
    let values = |values: &Option<Vec<EntitlementMetadata>>| values.iter().flatten().map(|value| value.value.as_deref().map(Into::into)).collect();
    given.iter().map(|(key, own)| (key.as_str(), values(own))).collect()
}
