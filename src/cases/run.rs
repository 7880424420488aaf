//! One case through the real pipeline, without sockets.

use super::compare::{Reply, mismatches};
use super::file::{Case, CaseFile, UpstreamReply};
use crate::authorize::{Admission, Answer, AnswerFilter, Call, DecisionId, Door, Need, Progress, Refusal, Step, Stop, UpstreamMetadata, Verdict, authorize};
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// What came of a file.
pub struct Ran {
    /// One outcome a case; a file of load errors counts as one.
    pub outcomes: Vec<Outcome>,
}

/// What came of a case.
pub struct Outcome {
    /// Its sentence.
    pub name: String,
    /// Every difference; empty when it passed.
    pub mismatches: Vec<String>,
}

/// Runs every case of a file.
#[must_use]
pub fn run(file: &CaseFile) -> Ran {
    if file.load_errors.is_empty() {
        let outcome = |case: &Case| Outcome { name: case.name.clone(), mismatches: mismatches(&case.expect, &run_case(case, usize::MAX)) };
        return Ran { outcomes: file.cases.iter().map(outcome).collect() };
    }
    Ran { outcomes: vec![Outcome { name: file.name.clone(), mismatches: missing_load_errors(file) }] }
}

fn missing_load_errors(file: &CaseFile) -> Vec<String> {
    let is_reported = |text: &&String| !file.snapshot_problems.iter().any(|problem| problem.contains(text.as_str()));
    let mut missing: Vec<String> = file.load_errors.iter().filter(is_reported).map(|text| format!("a problem at `{text}` should have been reported")).collect();
    if !missing.is_empty() {
        missing.push(format!("came: {}", file.snapshot_problems.join("; ")));
    }
    missing
}

/// Runs one case; the upstream's body is handed over in pieces of `cut` bytes.
#[must_use]
pub fn run_case(case: &Case, cut: usize) -> Reply {
    let headers = match header_map(&case.request.headers) {
        Ok(headers) => headers,
        Err(reason) => return refused(&Refusal::new(crate::authorize::RefusalName::InvalidRequest, "The request head is not acceptable.", reason), false),
    };
    match judge(case, &headers) {
        Ok(admission) => answer(case, admission, cut),
        Err(refusal) => refused(&refusal, false),
    }
}

fn judge(case: &Case, headers: &HeaderMap) -> Result<Box<Admission>, Refusal> {
    let mut fetched = UpstreamMetadata::default();
    let mut body = None;
    loop {
        let call = Call {
            door: Door::Proxy,
            decision_id: DecisionId(0),
            method: &case.request.method,
            target: &case.request.target,
            headers,
            authority: None,
            identity: &case.identity,
            body,
            metadata: &fetched,
        };
        match authorize(&case.world, &call, case.now) {
            Step::Done(Verdict::Admit(admission)) => return Ok(admission),
            Step::Done(Verdict::Refuse(refused)) => return Err(refused.refusal),
            Step::Need(Need::Body { limit }) if case.request.body.len() > limit => return Err(Refusal::body_too_large(limit)),
            Step::Need(Need::Body { .. }) => body = Some(case.request.body.as_slice()),
            Step::Need(Need::Metadata(targets)) => fetch(case, &targets, |target, answer| fetched.insert(target, answer)),
        }
    }
}

fn fetch(case: &Case, targets: &[String], mut insert: impl FnMut(&str, Option<&[u8]>)) {
    for target in targets {
        let call = format!("GET {target}");
        let found = case.upstreams.iter().find(|(known, _)| *known == call);
        let body = found.filter(|(_, reply)| reply.status == 200).map(|(_, reply)| reply.body.as_slice());
        insert(target, body);
    }
}

fn answer(case: &Case, admission: Box<Admission>, cut: usize) -> Reply {
    let UpstreamReply { status, headers, body } = &case.upstream;
    let code = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = header_map(headers).unwrap_or_default();
    match admission.answer(code, &mut headers) {
        Err(refusal) => refused(&refusal, true),
        Ok(Answer::Pass) => passed(*status, body.clone()),
        Ok(Answer::Empty) => passed(*status, Vec::new()),
        Ok(Answer::Filter(mut filter)) => match filter_body(case, &mut filter, body, cut) {
            Ok(body) => passed(*status, body),
            Err(Stop::Replace(body)) => passed(*status, body.to_vec()),
            Err(Stop::Refuse(refusal)) => refused(&refusal, true),
        },
    }
}

fn filter_body(case: &Case, filter: &mut AnswerFilter, body: &[u8], cut: usize) -> Result<Vec<u8>, Stop> {
    let mut out = Vec::new();
    for chunk in body.chunks(cut.max(1)) {
        let mut progress = filter.write(chunk, &mut out)?;
        while let Progress::Need(targets) = progress {
            fetch(case, &targets, |target, answer| filter.supply(target, answer));
            progress = filter.write(&[], &mut out)?;
        }
    }
    while let Progress::Need(targets) = filter.end(&mut out)? {
        fetch(case, &targets, |target, answer| filter.supply(target, answer));
    }
    Ok(out)
}

fn passed(status: u16, body: Vec<u8>) -> Reply {
    Reply { status, body, upstream_called: Some(true) }
}

fn refused(refusal: &Refusal, upstream_called: bool) -> Reply {
    Reply { status: refusal.status().as_u16(), body: refusal.problem("", DecisionId(0)), upstream_called: Some(upstream_called) }
}

/// The headers of a case, with a host unless it names one.
fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|error| format!("header `{name}`: {error}"))?;
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|error| format!("header value: {error}"))?);
    }
    if !map.contains_key(HOST) {
        map.insert(HOST, HeaderValue::from_static("doorward.example"));
    }
    Ok(map)
}
