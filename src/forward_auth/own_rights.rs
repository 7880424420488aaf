//! `POST /access/api/me`: what the caller's own policies say to questions, in the words of the Access
//! API, answered by the snapshot in force here.

use crate::authorize::{Applications, Asking, BareQuestion};
use crate::policy::{Dates, Instant, Interval, Metadata, parse_instant};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Evaluation {
    request: Request,
    resource: Resource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    action: Action,
    from_effective_date: Option<String>,
    to_effective_date: Option<String>,
    from_as_at: Option<String>,
    to_as_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    entity_code: String,
    scope: String,
    activity: String,
}

#[derive(Deserialize)]
struct Resource {
    id: BTreeMap<String, String>,
    metadata: Option<Box<RawValue>>,
}

/// The answers by the keys of the questions, at most `most` of them.
///
/// # Errors
/// What cannot be read, with its key.
pub(super) fn evaluated(asking: &Asking<'_>, applications: &Applications<'_>, body: &[u8], most: usize) -> Result<Value, String> {
    let questions: BTreeMap<String, Evaluation> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if questions.len() > most {
        return Err(format!("{} evaluations at once, the limit is {most}", questions.len()));
    }
    let mut answers = Map::new();
    for (key, question) in questions {
        let is_granted = is_granted(asking, applications, &question).map_err(|message| format!("{key}: {message}"))?;
        answers.insert(key, told(is_granted));
    }
    Ok(Value::Object(answers))
}

fn told(is_granted: bool) -> Value {
    match is_granted {
        true => json!({ "result": "Granted" }),
        false => json!({ "result": "Denied", "detailedMessage": "Access was denied: your policies do not grant this action on this resource." }),
    }
}

fn is_granted(asking: &Asking<'_>, applications: &Applications<'_>, question: &Evaluation) -> Result<bool, &'static str> {
    let Evaluation { request, resource } = question;
    let now = asking.now.into();
    let metadata = resource.metadata.as_ref().map(|raw| Metadata::parse(raw.get().as_bytes()).ok_or("the metadata cannot be read")).transpose()?;
    let id: Vec<(&str, &str)> = resource.id.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let bare = BareQuestion {
        scope: &request.action.scope,
        activity: &request.action.activity,
        entity: &request.action.entity_code,
        id: &id,
        metadata: metadata.as_ref(),
        effective: dates(now, request.from_effective_date.as_deref(), request.to_effective_date.as_deref())?,
        as_at: dates(now, request.from_as_at.as_deref(), request.to_as_at.as_deref())?,
    };
    Ok(asking.may(&bare, applications))
}

/// The stretch of time that is asked about. Where only one end is given the other one is that same, or now.
fn dates(now: Instant, from: Option<&str>, to: Option<&str>) -> Result<Dates, &'static str> {
    let read = |text: &str| parse_instant(text).ok_or("a date cannot be read");
    let interval = match (from.map(read).transpose()?, to.map(read).transpose()?) {
        (None, None) => Some(Interval::at(now)),
        (Some(from), None) => Some(Interval::at(from)),
        (Some(from), Some(to)) => Interval::between(from, to),
        (None, Some(to)) => Interval::between(now.min(to), now.max(to)),
    };
    interval.map(Dates::Between).ok_or("the dates end before they begin")
}
