//! What is recorded of a decision: asked of the gateway that made it, or of the control plane that
//! its records were posted to.

use super::input;
use crate::config::process_environment;
use crate::http_client::{Ask, Authorities, HttpClient, without_userinfo};
use crate::policy::OneLine;
use anyhow::{Context, Result, anyhow, bail};
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use http::{StatusCode, Uri};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);
const LONGEST_RECORD: usize = 1 << 20;

/// Who is asked for a record.
#[derive(Debug, clap::Args)]
pub(super) struct Recorder {
    /// The address of the admin listener of the gateway that decided.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901", requires = "decision")]
    admin: String,
    /// Instead of it the control plane, by its URL, such as `https://access.example`.
    #[arg(long, value_name = "URL", requires = "decision", conflicts_with = "admin")]
    control: Option<String>,
    /// The file with the bearer token towards the control plane; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "control")]
    token_file: Option<PathBuf>,
    /// The environment variable with that token.
    #[arg(long, value_name = "NAME", requires = "control", conflicts_with = "token_file")]
    token_env: Option<String>,
}

/// Reads the id of a decision.
pub(super) fn decision_id(text: &str) -> Result<String, String> {
    let is_id = !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_id.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is no decision id; it stands in the header Doorward-Decision-Id of the answer"))
}

/// Prints what is recorded of the decision.
pub(super) fn run(recorder: &Recorder, id: &str, as_json: bool) -> Result<ExitCode> {
    let record = asked(recorder, id)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&record)?)?;
    } else {
        print(&mut out, &record)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn asked(recorder: &Recorder, id: &str) -> Result<Value> {
    let (url, whom) = match &recorder.control {
        Some(control) => (format!("{}/insights/api/access/{id}", control.trim_end_matches('/')), without_userinfo(control)),
        None => (format!("http://{}/decisions/{id}", recorder.admin), without_userinfo(&recorder.admin)),
    };
    let url: Uri = url.parse().with_context(|| format!("`{whom}` is no URL"))?;
    let mut ask = Ask::get(url, WITHIN, LONGEST_RECORD);
    ask.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    ask.headers.extend(bearer(recorder)?.map(|bearer| (AUTHORIZATION, bearer)));
    let client = HttpClient::new(Authorities::Native)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(client.ask(ask)).with_context(|| format!("cannot ask `{whom}`"))?;
    match answer.status {
        StatusCode::OK => serde_json::from_slice(&answer.body).with_context(|| format!("`{whom}` answered something else than a record")),
        StatusCode::NOT_FOUND => bail!("`{whom}` knows no decision `{id}`: it was not recorded, or is no longer kept"),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => bail!("`{whom}` does not let this token read decisions ({})", answer.status.as_u16()),
        status => bail!("`{whom}` answered {}", status.as_u16()),
    }
}

fn bearer(recorder: &Recorder) -> Result<Option<HeaderValue>> {
    let token = match (&recorder.token_file, &recorder.token_env) {
        (Some(path), _) => String::from_utf8(input::read(path)?).with_context(|| path.display().to_string())?,
        (None, Some(name)) => {
            let found = process_environment().into_iter().find(|(known, _)| known == name);
            found.map(|(_, token)| token).ok_or_else(|| anyhow!("the variable `{name}` is not set"))?
        }
        (None, None) => return Ok(None),
    };
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| anyhow!("the token has characters that no bearer token has"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn print(out: &mut impl Write, record: &Value) -> std::io::Result<()> {
    for (what, text) in lines(record) {
        writeln!(out, "{what}: {}", OneLine(&text))?;
    }
    Ok(())
}

/// What a record says, as far as it says it: a gateway and a control plane do not keep the same.
fn lines(record: &Value) -> Vec<(&'static str, String)> {
    let of = |name: &str| record.get(name).map(told).filter(|text| !text.is_empty());
    let with = |text: Option<String>, more: Option<String>| text.map(|text| more.map_or_else(|| text.clone(), |more| format!("{text} ({more})")));
    let both = |left: Option<String>, right: Option<String>| left.zip(right).map(|(left, right)| format!("{left} {right}"));
    let dates = |from: &str, to: &str| match (of(from), of(to)) {
        (None, None) => None,
        (from, to) if from == to => from,
        (from, to) => Some(format!("{} to {}", from.as_deref().unwrap_or("the beginning"), to.as_deref().unwrap_or("the end"))),
    };
    let told = [
        ("decision", of("decisionId").or_else(|| of("id"))),
        ("time", of("time").or_else(|| of("timestamp"))),
        ("result", of("result")),
        ("outcome", with(of("outcome"), of("status"))),
        ("refusal", of("refusal")),
        ("reason", of("reason")),
        ("call", both(of("method"), of("path"))),
        ("door", of("door")),
        ("user", with(of("user"), of("userType"))),
        ("operation", of("operation")),
        ("feature", of("feature")),
        ("application", of("application").filter(|_| record.get("feature").is_none())),
        ("question", with(of("action"), of("resource"))),
        ("effective", dates("resourceFromEffectiveDate", "resourceToEffectiveDate")),
        ("asAt", dates("resourceFromAsAt", "resourceToAsAt")),
        ("role", of("authoritativeRoleId")),
        ("policy", with(of("authoritativePolicyId"), of("authoritativeSelector"))),
        ("removed", removed(record)),
        ("revision", of("revision")),
        ("milliseconds", of("duration")),
    ];
    told.into_iter().filter_map(|(what, text)| Some((what, text?))).collect()
}

fn removed(record: &Value) -> Option<String> {
    let count = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (items, properties) = (count("itemsRemoved"), count("propertiesRemoved"));
    (items + properties > 0).then(|| format!("{items} items, {properties} properties"))
}

/// A value in words: an id as `scope/code`, other objects part by part.
fn told(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(members) => match (members.len(), members.get("scope"), members.get("code")) {
            (2, Some(Value::String(scope)), Some(Value::String(code))) => format!("{scope}/{code}"),
            _ => members.iter().map(|(part, value)| format!("{part}={}", told(value))).collect::<Vec<_>>().join(" "),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_is_told_as_far_as_it_goes() {
        let record = json!({
            "decisionId": "1f", "result": "Denied", "outcome": "refused", "status": 403, "method": "GET", "path": "/p", "user": "ann", "userType": null,
            "action": "default/Read/Portfolio", "resource": { "scope": "US", "code": "a", "part": "x" }, "resourceFromEffectiveDate": "2026-01-01T00:00:00Z",
            "authoritativeRoleId": { "scope": "default", "code": "pm" }, "itemsRemoved": 0, "propertiesRemoved": 2,
        });
        let told: Vec<String> = lines(&record).into_iter().map(|(what, text)| format!("{what}: {text}")).collect();
        assert_eq!(
            told,
            [
                "decision: 1f",
                "result: Denied",
                "outcome: refused (403)",
                "call: GET /p",
                "user: ann",
                "question: default/Read/Portfolio (scope=US code=a part=x)",
                "effective: 2026-01-01T00:00:00Z to the end",
                "role: default/pm",
                "removed: 0 items, 2 properties",
            ]
        );
    }

    #[test]
    fn what_would_lead_elsewhere_is_no_decision_id() {
        for odd in ["", "../status", "a/b", "a?b", "a b", "é"] {
            assert!(decision_id(odd).is_err(), "{odd}");
        }
        assert_eq!(decision_id("0f-A_1").as_deref(), Ok("0f-A_1"));
    }
}
