//! Who works at the demo's company and what they may do: the first snapshot document. Its people,
//! roles and policies stand in `config/demo/company.json`.

use super::DemoError;
use super::data::{Mandate, mandates};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

const COMPANY: &str = include_str!("../../config/demo/company.json");

/// One who signs in.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Person {
    /// The user's id, which is the token's `sub`.
    pub(super) id: String,
    pub(super) login: String,
    pub(super) name: String,
    /// What they do and may do, in a sentence.
    pub(super) what: String,
}

/// The people and the snapshot document that says what they may do.
#[derive(Clone, Debug)]
pub(super) struct Company {
    pub(super) people: Vec<Person>,
    /// The first revision.
    pub(super) snapshot: Value,
}

impl Company {
    /// The company, its policies issued at `now`.
    ///
    /// # Errors
    /// When the files that are built in cannot be read; a test reads them.
    pub(super) fn at(now: Timestamp) -> Result<Self, DemoError> {
        let mut snapshot: Value = serde_json::from_str(COMPANY)?;
        let people = Vec::<Person>::deserialize(snapshot.get("users").unwrap_or(&Value::Null))?;
        let metadata: Vec<Value> = mandates()?.iter().map(metadata).collect();
        if let Some(members) = snapshot.as_object_mut() {
            members.insert("revision".to_owned(), json!(1));
            members.insert("issuedAt".to_owned(), json!(now.to_string()));
            members.insert("accessMetadata".to_owned(), Value::Array(metadata));
        }
        Ok(Self { people, snapshot })
    }
}

/// What policies may ask about a portfolio beside its id.
fn metadata(mandate: &Mandate) -> Value {
    json!({
        "entity": "Portfolio",
        "id": {"scope": mandate.scope, "code": mandate.code},
        "metadata": {
            "IsExternallyManaged": [{"value": mandate.external.to_string()}],
            "Desk": [{"value": mandate.style}],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;

    #[test]
    fn the_company_is_a_snapshot_without_problems() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let company = Company::at(now).unwrap();
        assert_eq!(company.people.len(), 5);
        let snapshot = Snapshot::load(company.snapshot.to_string().as_bytes(), now).unwrap();
        assert_eq!(snapshot.policies.revision(), 1);
    }
}
