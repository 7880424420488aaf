//! `doorward explain`: the verdict on a call and why.

use super::{input, offline};
use crate::authorize::{Answer, AnswerFilter, Call, DecisionId, Door, Need, Refusal, Step, Stop, Trace, Traced, UpstreamMetadata, Verdict, authorize_traced};
use anyhow::{Result, anyhow};
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    offline: offline::OfflineCall,
    /// The method.
    #[arg(long)]
    method: String,
    /// A header, as `name: value`; may be given several times.
    #[arg(long, value_parser = read_header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// The request body.
    #[arg(long)]
    body: Option<PathBuf>,
    /// The upstream's 200 body, judged as it would be on its way back.
    #[arg(long)]
    upstream: Option<PathBuf>,
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
}

/// Everything there is to say about a call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    verdict: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    questions: Vec<Traced>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let world = arguments.offline.world()?;
    let headers = headers_of(&arguments.header);
    let body = arguments.body.as_deref().map(input::read).transpose()?.unwrap_or_default();
    let identity = arguments.offline.identity();
    let mut metadata = UpstreamMetadata::default();
    let now = arguments.offline.now();
    let (step, trace) = loop {
        let trace = Arc::new(Trace::default());
        let call = Call {
            door: Door::Proxy,
            decision_id: DecisionId(0),
            method: &arguments.method,
            target: &arguments.offline.target,
            headers: &headers,
            authority: None,
            identity: &identity,
            body: Some(&body),
            metadata: &metadata,
        };
        match authorize_traced(&world, &call, now, Some(&trace)) {
            // The upstream's metadata is not at hand here, so it is unknown.
            Step::Need(Need::Metadata(targets)) => targets.iter().for_each(|target| metadata.insert(target, None)),
            step => break (step, trace),
        }
    };
    let report = report(step, &trace, arguments)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `name: value`")?;
    let name = HeaderName::try_from(name.trim()).map_err(|error| error.to_string())?;
    Ok((name, HeaderValue::try_from(value.trim()).map_err(|error| error.to_string())?))
}

fn headers_of(given: &[(HeaderName, HeaderValue)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(name, value.clone());
    }
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
    headers
}

fn report(step: Step, trace: &Trace, arguments: &Arguments) -> Result<Report> {
    let mut report = match step {
        Step::Need(need) => return Err(anyhow!("a verdict needs more than is at hand: {need:?}")),
        Step::Done(Verdict::Refuse(refused)) => Report {
            verdict: "refused",
            status: refused.refusal.status().as_u16(),
            refusal: Some(refused.refusal.name.as_str()),
            reason: refused.refusal.reason,
            operation: refused.record.operation.map(Into::into),
            feature: refused.record.feature.map(Into::into),
            answer: None,
            questions: Vec::new(),
        },
        Step::Done(Verdict::Admit(admission)) => {
            let record = admission.record().clone();
            let verdict = if admission.is_filtered() { "admitted, its answer filtered" } else { "admitted, its answer as it is" };
            let answer = arguments.upstream.as_deref().map(input::read).transpose()?;
            let answer = answer.map(|body| filtered(admission.answer(StatusCode::OK, &mut HeaderMap::new()), &body)).transpose();
            let (answer, refusal) = answer.map_or_else(|refusal| (None, Some(refusal)), |answer| (answer, None));
            Report {
                verdict: if refusal.is_some() { "admitted, its answer refused" } else { verdict },
                status: refusal.as_ref().map_or(200, |refusal| refusal.status().as_u16()),
                refusal: refusal.as_ref().map(|refusal| refusal.name.as_str()),
                reason: refusal.map(|refusal| refusal.reason).unwrap_or_default(),
                operation: record.operation.map(Into::into),
                feature: record.feature.map(Into::into),
                answer,
                questions: Vec::new(),
            }
        }
    };
    report.questions = trace.take();
    Ok(report)
}

fn filtered(answer: Result<Answer, Refusal>, body: &[u8]) -> Result<String, Refusal> {
    let out = match answer? {
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
    offline::write(filter, body, &mut out)?;
    offline::end(filter, &mut out)?;
    Ok(out)
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    writeln!(out, "verdict: {} ({})", report.verdict, report.status)?;
    if let Some(refusal) = report.refusal {
        writeln!(out, "refusal: {refusal}: {}", report.reason)?;
    }
    for (what, value) in [("operation", &report.operation), ("feature", &report.feature), ("answer", &report.answer)] {
        if let Some(value) = value {
            writeln!(out, "{what}: {value}")?;
        }
    }
    for question in &report.questions {
        let id: Vec<String> = question.id.iter().map(|(part, value)| format!("{part}={}", value.as_deref().unwrap_or("unknown"))).collect();
        writeln!(out, "\nasked: {} {} ({})", question.action, id.join(" "), question.known)?;
        writeln!(out, "{}", question.explanation)?;
    }
    Ok(())
}
