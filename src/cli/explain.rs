//! `doorward explain`: the verdict on a call and why, or what is recorded of a decision.

use super::recorded::{self, Recorder};
use super::{input, offline::OfflineCall};
use crate::authorize::{ExplainedCall, SupposedCall, explain_call};
use crate::policy::OneLine;
use anyhow::{Result, anyhow};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The snapshot document.
    #[arg(long, required_unless_present = "decision")]
    snapshot: Option<PathBuf>,
    /// The API map.
    #[arg(long, required_unless_present = "decision")]
    api_map: Option<PathBuf>,
    /// The user's id.
    #[arg(long, required_unless_present = "decision")]
    user: Option<String>,
    /// The method.
    #[arg(long, required_unless_present = "decision")]
    method: Option<String>,
    /// The request target, such as `/api/portfolios?limit=10`.
    #[arg(long, required_unless_present = "decision")]
    target: Option<String>,
    /// The time of the call; the clock's by default.
    #[arg(long, value_parser = input::time)]
    now: Option<Timestamp>,
    /// A header, as `name: value`; may be given several times.
    #[arg(long, value_parser = read_header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// The request body.
    #[arg(long)]
    body: Option<PathBuf>,
    /// The upstream's 200 body, judged as it would be on its way back.
    #[arg(long)]
    upstream: Option<PathBuf>,
    /// Instead: what is recorded of the decision with this id.
    #[arg(
        long,
        value_name = "ID",
        value_parser = recorded::decision_id,
        conflicts_with_all = ["snapshot", "api_map", "user", "method", "target", "now", "header", "body", "upstream"]
    )]
    decision: Option<String>,
    #[command(flatten)]
    recorder: Recorder,
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(id) = &arguments.decision {
        return recorded::run(&arguments.recorder, id, arguments.json);
    }
    let report = explained(arguments)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explained(arguments: &Arguments) -> Result<ExplainedCall> {
    let offline = offline_call(arguments).ok_or_else(|| anyhow!("a call has --snapshot, --api-map, --user, --method and --target"))?;
    let files = [("--snapshot", &arguments.snapshot), ("--api-map", &arguments.api_map), ("--body", &arguments.body), ("--upstream", &arguments.upstream)];
    input::require_one_standard_input(files.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?))))?;
    let world = offline.world()?;
    let read = |path: &Option<PathBuf>| path.as_deref().map(input::read).transpose();
    let (body, upstream) = (read(&arguments.body)?, read(&arguments.upstream)?);
    let mut headers = HeaderMap::new();
    for (name, value) in &arguments.header {
        headers.append(name, value.clone());
    }
    let supposed = SupposedCall {
        user: &offline.user,
        method: arguments.method.as_deref().unwrap_or_default(),
        target: &offline.target,
        headers,
        body: body.as_deref().unwrap_or_default(),
        upstream: upstream.as_deref(),
    };
    Ok(explain_call(&world, &supposed, offline.now()))
}

fn offline_call(arguments: &Arguments) -> Option<OfflineCall> {
    Some(OfflineCall {
        snapshot: arguments.snapshot.clone()?,
        api_map: arguments.api_map.clone()?,
        user: arguments.user.clone()?,
        target: arguments.target.clone()?,
        now: arguments.now,
    })
}

fn read_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `name: value`")?;
    let name = HeaderName::try_from(name.trim()).map_err(|error| error.to_string())?;
    Ok((name, HeaderValue::try_from(value.trim()).map_err(|error| error.to_string())?))
}

fn print(out: &mut impl Write, report: &ExplainedCall) -> std::io::Result<()> {
    writeln!(out, "verdict: {} ({})", report.verdict, report.status)?;
    if let Some(refusal) = report.refusal {
        writeln!(out, "refusal: {refusal}: {}", OneLine(&report.reason))?;
    }
    for (what, value) in [("operation", &report.operation), ("feature", &report.feature)] {
        if let Some(value) = value {
            writeln!(out, "{what}: {}", OneLine(value))?;
        }
    }
    // A document, which may have lines of its own.
    if let Some(answer) = &report.answer {
        writeln!(out, "answer: {answer}")?;
    }
    for question in &report.questions {
        let id: Vec<String> = question.id.iter().map(|(part, value)| format!("{part}={}", value.as_deref().unwrap_or("unknown"))).collect();
        writeln!(out, "\nasked: {} {} ({})", OneLine(&question.action), OneLine(&id.join(" ")), question.known)?;
        writeln!(out, "{}", question.explanation)?;
    }
    Ok(())
}
