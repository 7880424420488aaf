//! Questions about the caller's own rights, and their answers.
//!
//! An answer never says more than the call itself would: what is not given is unknown and fails closed.

use super::super::caller::Caller;
use super::super::problem::Problem;
use super::collections::EntitlementMetadata;
use super::moment::Moment;
pub(super) use crate::authorize::RequestHeaders;
use crate::authorize::{Applications, Asking, BareQuestion};
use crate::policy::{Dates, Instant, Interval, Metadata};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    let applications = Applications::of(caller.policies(), applications);
    let asking = caller.asking(headers);
    let now = asking.now.into();
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
            let is_granted = is_granted(&asking, &applications, &Asked { request: &request, effective, as_at });
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

fn is_granted(asking: &Asking<'_>, applications: &Applications<'_>, asked: &Asked<'_>) -> bool {
    let (action, resource) = (&asked.request.request.action, &asked.request.resource);
    let given = resource.metadata.as_ref().map(metadata);
    let id: Vec<(&str, &str)> = resource.id.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let question = BareQuestion {
        scope: &action.scope,
        activity: &action.activity,
        entity: &action.entity_code,
        id: &id,
        metadata: given.as_ref(),
        effective: Dates::Between(asked.effective),
        as_at: Dates::Between(asked.as_at),
    };
    asking.may(&question, applications)
}

fn metadata(given: &BTreeMap<String, Option<Vec<EntitlementMetadata>>>) -> Metadata {
    let values = |values: &Option<Vec<EntitlementMetadata>>| values.iter().flatten().map(|value| value.value.as_deref().map(Into::into)).collect();
    given.iter().map(|(key, own)| (key.as_str(), values(own))).collect()
}
