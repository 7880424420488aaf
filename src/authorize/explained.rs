//! A call explained: the verdict, and every question that led to it. For `doorward explain` and the
//! operator's door; doors for callers never ask for it.

use super::answer::{Answer, AnswerFilter, Stop};
use super::call::{Call, DecisionId, Door, Identity, UpstreamMetadata};
use super::record::Record;
use super::refusal::Refusal;
use super::trace::{Trace, Traced};
use super::{Admission, Need, Step, Verdict, authorize_traced};
use crate::api_map::Operation;
use crate::snapshot::World;
use crate::token::VerifiedToken;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;

/// A call of which one wants to know what would come of it.
#[derive(Clone, Debug)]
pub struct SupposedCall<'a> {
    /// The user's id; there is no token, so no claim and no scope.
    pub user: &'a str,
    /// The method.
    pub method: &'a str,
    /// The request target.
    pub target: &'a str,
    /// The headers; a host is put in if there is none.
    pub headers: HeaderMap,
    /// The whole request body.
    pub body: &'a [u8],
    /// The upstream's 200 body, judged as it would be on its way back.
    pub upstream: Option<&'a [u8]>,
}

/// Everything there is to say about a call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedCall {
    /// The verdict in words.
    pub verdict: &'static str,
    /// The status that the client would see.
    pub status: u16,
    /// The refusal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'static str>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The template of the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// `application/code` of its feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// What the client would see of the upstream's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Every question in its order, up to a bound.
    pub questions: Vec<Traced>,
}

/// Explains a call under this world at this time. The upstream's metadata is not at hand, so it is
/// unknown.
#[must_use]
pub fn explain_call(world: &Arc<World>, supposed: &SupposedCall<'_>, now: Timestamp) -> ExplainedCall {
    let mut headers = supposed.headers.clone();
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
    let identity = Identity::Token(Arc::new(VerifiedToken::without_claims(supposed.user)));
    let mut metadata = UpstreamMetadata::default();
    loop {
        let trace = Arc::new(Trace::default());
        let call = Call {
            door: Door::Proxy,
            decision_id: DecisionId(0),
            method: supposed.method,
            target: supposed.target,
            headers: &headers,
            authority: None,
            identity: &identity,
            body: Some(supposed.body),
            metadata: &metadata,
        };
        let told = match authorize_traced(world, &call, now, Some(&trace)) {
            Step::Need(Need::Metadata(targets)) => {
                targets.iter().for_each(|target| metadata.insert(target, None));
                continue;
            }
            Step::Need(Need::Body { limit }) => refused(world, None, Refusal::body_too_large(limit)),
            Step::Done(Verdict::Refuse(refused_call)) => refused(world, Some(&refused_call.record), refused_call.refusal),
            Step::Done(Verdict::Admit(admission)) => admitted(world, admission, supposed.upstream),
        };
        return ExplainedCall { questions: trace.take(), ..told };
    }
}

fn refused(world: &World, record: Option<&Record>, refusal: Refusal) -> ExplainedCall {
    ExplainedCall {
        status: refusal.status().as_u16(),
        refusal: Some(refusal.name.as_str()),
        reason: refusal.reason,
        ..described(world, record, "refused")
    }
}

fn admitted(world: &World, mut admission: Box<Admission>, upstream: Option<&[u8]>) -> ExplainedCall {
    let verdict = if admission.is_filtered() { "admitted, its answer filtered" } else { "admitted, its answer as it is" };
    let told = described(world, admission.take_record().as_ref(), verdict);
    let Some(body) = upstream else { return told };
    match filtered(admission, body) {
        Ok(answer) => ExplainedCall { answer: Some(answer), ..told },
        Err(refusal) => ExplainedCall {
            verdict: "admitted, its answer refused",
            status: refusal.status().as_u16(),
            refusal: Some(refusal.name.as_str()),
            reason: refusal.reason,
            ..told
        },
    }
}

fn described(world: &World, record: Option<&Record>, verdict: &'static str) -> ExplainedCall {
    let operation = record.and_then(|record| record.operation(world));
    ExplainedCall {
        verdict,
        status: StatusCode::OK.as_u16(),
        refusal: None,
        reason: String::new(),
        operation: operation.map(|operation| operation.template.to_string()),
        feature: operation.map(Operation::feature_id),
        answer: None,
        questions: Vec::new(),
    }
}

fn filtered(admission: Box<Admission>, body: &[u8]) -> Result<String, Refusal> {
    let out = match admission.answer(StatusCode::OK, &mut HeaderMap::new())? {
        Answer::Pass => return Ok(String::from_utf8_lossy(body).into_owned()),
        Answer::Empty => return Ok(String::new()),
        Answer::Filter(mut filter) => run_filter(&mut filter, body),
    };
    match out {
        Ok(out) => Ok(String::from_utf8_lossy(&out).into_owned()),
        Err(Stop::Replace(body)) => Ok(String::from_utf8_lossy(body).into_owned()),
        Err(Stop::Refuse(refusal)) => Err(refusal),
    }
}

fn run_filter(filter: &mut AnswerFilter, body: &[u8]) -> Result<Vec<u8>, Stop> {
    let mut out = Vec::new();
    filter.write_alone(body, &mut out)?;
    filter.end_alone(&mut out)?;
    Ok(out)
}
