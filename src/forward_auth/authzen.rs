//! AuthZEN 1.0: may this subject do that to this resource? From its words to those of the policies
//! (interfaces §10) and back. It knows nothing of HTTP.

use crate::authorize::{Applications, Asking, BareQuestion, Caller};
use crate::policy::{Dates, HeaderSource, HeaderValue, Interval, Metadata, parse_instant};
use crate::snapshot::World;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Under which circumstances questions are answered.
pub(super) struct Sitting<'a> {
    pub(super) world: &'a World,
    pub(super) now: Timestamp,
    /// Names the answer in logs.
    pub(super) decision_id: String,
    /// How many questions may come at once.
    pub(super) most: usize,
}

#[derive(Clone, Deserialize)]
#[serde(expecting = "a subject: an object with `type` and `id`")]
struct Subject {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

#[derive(Clone, Deserialize)]
#[serde(expecting = "an action: an object with `name`")]
struct Action {
    name: String,
}

#[derive(Clone, Deserialize)]
#[serde(expecting = "a resource: an object with `type` and `id`")]
struct Resource {
    #[serde(rename = "type")]
    entity: String,
    id: Option<String>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Clone, Default, Deserialize)]
#[serde(expecting = "properties: an object with `id` or `metadata`")]
struct Properties {
    id: Option<BTreeMap<String, String>>,
    metadata: Option<Box<RawValue>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a context: an object with `application`, `effectiveAt` or `asAt`")]
struct Circumstances {
    application: Option<String>,
    effective_at: Option<String>,
    as_at: Option<String>,
}

/// One question, or the defaults of several.
#[derive(Clone, Default, Deserialize)]
#[serde(expecting = "an object with `subject`, `action` and `resource`")]
struct Asked {
    subject: Option<Subject>,
    action: Option<Action>,
    resource: Option<Resource>,
    context: Option<Circumstances>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `evaluations`, or with `subject`, `action` and `resource`")]
struct Several {
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(expecting = "options: an object with `evaluations_semantic`")]
struct Options {
    #[serde(default)]
    evaluations_semantic: Semantic,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Semantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

/// What a call would carry is not known: it may have any header.
struct UnknownHeaders;

impl HeaderSource for UnknownHeaders {
    fn value(&self, _: &str) -> HeaderValue<'_> {
        HeaderValue::Unknown
    }
}

impl Sitting<'_> {
    /// Answers a single question.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn one(&self, body: &[u8]) -> Result<Value, String> {
        let asked = serde_json::from_slice::<Asked>(body).map_err(|error| error.to_string())?;
        Ok(self.told(self.decide(&asked)?))
    }

    /// Answers several questions, as far as their semantic wants; without any, the single one.
    ///
    /// # Errors
    /// What is wrong with all of them; what is wrong with one stands in its answer.
    pub(super) fn several(&self, body: &[u8]) -> Result<Value, String> {
        let Several { mut rest } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let entries = match rest.remove("evaluations") {
            None => Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err("`evaluations` is no array".to_owned()),
        };
        let options = rest.remove("options").map(serde_json::from_value::<Options>).transpose();
        let Options { evaluations_semantic } = options.map_err(|error| format!("options: {error}"))?.unwrap_or_default();
        if entries.len() > self.most {
            return Err(format!("{} evaluations at once, the limit is {}", entries.len(), self.most));
        }
        if entries.is_empty() {
            let asked = serde_json::from_value::<Asked>(Value::Object(rest)).map_err(|error| error.to_string())?;
            return Ok(self.told(self.decide(&asked)?));
        }
        Ok(json!({ "evaluations": self.in_turn(&rest, entries, evaluations_semantic) }))
    }

    fn in_turn(&self, defaults: &Map<String, Value>, entries: Vec<Value>, semantic: Semantic) -> Vec<Value> {
        let mut answers = Vec::with_capacity(entries.len());
        for entry in entries {
            let decided = merged(defaults, entry).and_then(|asked| self.decide(&asked));
            let is_granted = decided == Ok(true);
            answers.push(decided.map_or_else(|message| self.unanswered(&message), |granted| self.told(granted)));
            let is_last = match semantic {
                Semantic::ExecuteAll => false,
                Semantic::DenyOnFirstDeny => !is_granted,
                Semantic::PermitOnFirstPermit => is_granted,
            };
            if is_last {
                break;
            }
        }
        answers
    }

    fn told(&self, is_granted: bool) -> Value {
        match is_granted {
            true => json!({ "decision": true, "context": { "id": self.decision_id } }),
            false => json!({ "decision": false, "context": { "id": self.decision_id, "reason": "the policies do not grant this" } }),
        }
    }

    fn unanswered(&self, message: &str) -> Value {
        json!({ "decision": false, "context": { "id": self.decision_id, "error": { "status": 400, "message": message } } })
    }

    /// Whether the subject may; one that is unknown or may not sign in may not.
    fn decide(&self, asked: &Asked) -> Result<bool, String> {
        let subject = asked.subject.as_ref().filter(|subject| !subject.kind.is_empty()).ok_or("`subject` is missing")?;
        let action = asked.action.as_ref().filter(|action| !action.name.is_empty()).ok_or("`action` is missing")?;
        let resource = asked.resource.as_ref().ok_or("`resource` is missing")?;
        let circumstances = asked.context.clone().unwrap_or_default();
        let id = self.id_of(resource)?;
        let metadata = resource
            .properties
            .metadata
            .as_ref()
            .map(|raw| Metadata::parse(raw.get().as_bytes()).ok_or("`resource.properties.metadata` is no access metadata"));
        let metadata = metadata.transpose()?;
        let (effective, as_at) = (self.dates("effectiveAt", circumstances.effective_at.as_deref())?, self.dates("asAt", circumstances.as_at.as_deref())?);
        let policies = &self.world.snapshot.policies;
        let Ok(caller) = Caller::of_user(&subject.id, policies, self.now) else { return Ok(false) };
        let question = BareQuestion {
            scope: "default",
            activity: &action.name,
            entity: &resource.entity,
            id: &id,
            metadata: metadata.as_ref(),
            effective,
            as_at,
        };
        let asking = Asking { policies, caller: &caller, is_token_known: false, headers: &UnknownHeaders, now: self.now };
        Ok(asking.may(&question, &Applications::of(policies, &circumstances.application.as_deref().into_iter().collect::<Vec<_>>())))
    }

    fn dates(&self, name: &str, date: Option<&str>) -> Result<Dates, String> {
        let at = match date {
            None => self.now.into(),
            Some(text) => parse_instant(text).ok_or_else(|| format!("`context.{name}` is no date"))?,
        };
        Ok(Dates::Between(Interval::at(at)))
    }

    /// The parts of the id: as a map, or in the entity's order.
    fn id_of<'r>(&'r self, resource: &'r Resource) -> Result<Vec<(&'r str, &'r str)>, String> {
        if let Some(parts) = &resource.properties.id {
            return Ok(parts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
        }
        let names =
            self.parts_of(&resource.entity).ok_or_else(|| format!("the parts of a `{}` are not known, give `resource.properties.id`", resource.entity))?;
        let id = resource.id.as_deref().ok_or("`resource.id` is missing")?;
        let values: Vec<&str> = id.splitn(names.len(), '/').collect();
        if values.len() != names.len() || values.iter().any(|value| value.is_empty()) {
            return Err(format!("`resource.id` must be `{}`", names.join("/")));
        }
        Ok(names.into_iter().zip(values).collect())
    }

    fn parts_of(&self, entity: &str) -> Option<Vec<&str>> {
        let is = |name: &str| name.eq_ignore_ascii_case(entity);
        if ["Feature", "Policy", "PolicyCollection", "Delegation"].into_iter().any(is) {
            return Some(vec!["scope", "code"]);
        }
        if ["PropertyValue", "PropertyDefinition"].into_iter().any(is) {
            return Some(vec!["domain", "scope", "code"]);
        }
        let known = self.world.maps.entities().iter().find(|known| is(&known.asked_as) && !known.parts.is_empty());
        known.map(|known| known.parts.iter().map(AsRef::as_ref).collect())
    }
}

/// An entry of several with what it leaves to the defaults.
fn merged(defaults: &Map<String, Value>, entry: Value) -> Result<Asked, String> {
    let Value::Object(entry) = entry else { return Err("the evaluation is no object".to_owned()) };
    let mut asked = defaults.clone();
    asked.extend(entry);
    serde_json::from_value(Value::Object(asked)).map_err(|error| error.to_string())
}
