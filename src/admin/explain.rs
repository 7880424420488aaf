//! `POST /explain`: what would come of a call under the world in force, and why.

use super::Admin;
use crate::authorize::{ExplainedCall, SupposedCall, explain_call};
use crate::observe::clock;
use crate::snapshot::World;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest question: an upstream's answer may be in it.
pub(super) const LONGEST_QUESTION: usize = 16 << 20;

/// The question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `user`, `method` and `target`")]
struct Asked {
    user: String,
    method: String,
    target: String,
    now: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    body: Option<Box<RawValue>>,
    upstream: Option<Box<RawValue>>,
}

/// A header's value, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// Answers as `doorward explain --json` does; 400 says what is wrong with the question.
pub(super) async fn explain(State(admin): State<Admin>, question: Bytes) -> Response {
    let world = admin.world.load();
    // It walks every policy for every question of the call: nothing else waits for it.
    let explained = tokio::task::spawn_blocking(move || explained(&world, &question));
    match explained.await {
        Ok(Ok(explained)) => Json(explained).into_response(),
        Ok(Err(problem)) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the explanation broke off\n").into_response(),
    }
}

fn explained(world: &Arc<World>, question: &[u8]) -> Result<ExplainedCall, String> {
    let asked: Asked = serde_json::from_slice(question).map_err(|error| error.to_string())?;
    let now = asked.now.as_deref().map_or_else(|| Ok(clock::now()), time)?;
    let (body, upstream) = (asked.body.as_deref().map(bytes).transpose()?, asked.upstream.as_deref().map(bytes).transpose()?);
    let supposed = SupposedCall {
        user: &asked.user,
        method: &asked.method,
        target: &asked.target,
        headers: headers(&asked.headers)?,
        body: body.as_deref().unwrap_or_default(),
        upstream: upstream.as_deref(),
    };
    Ok(explain_call(world, &supposed, now))
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("now: `{text}` is no date such as `2026-11-21T12:00:00Z`"))
}

/// A text is sent as it is, anything else as the JSON that it is.
fn bytes(body: &RawValue) -> Result<Vec<u8>, String> {
    let json = body.get();
    if !json.starts_with('"') {
        return Ok(json.as_bytes().to_vec());
    }
    serde_json::from_str::<String>(json).map(String::into_bytes).map_err(|error| error.to_string())
}

fn headers(given: &BTreeMap<String, Values>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, values) in given {
        let values = match values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        };
        let name = HeaderName::try_from(name).map_err(|error| format!("headers: `{name}`: {error}"))?;
        for value in values {
            headers.append(&name, HeaderValue::try_from(value).map_err(|error| format!("headers: `{name}`: {error}"))?);
        }
    }
    Ok(headers)
}
