//! One decision: LUSID's `AccessEvaluationLog`, and what our doors know beside it (interfaces §9).

use crate::control::wire::{Link, time};
use crate::store::DecisionRow;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The longest id.
const LONGEST_ID: usize = 128;

/// A decision that a door made.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = AccessEvaluationLog)]
pub(super) struct Log {
    /// When it was made.
    #[schema(max_length = 64)]
    timestamp: Option<String>,
    /// The application of the operation; empty where the route is not mapped.
    #[schema(max_length = 256)]
    application: Option<String>,
    /// Its id.
    #[schema(max_length = 128)]
    id: Option<String>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    request_id: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    session_id: Option<String>,
    /// The user's id; empty where nobody is known.
    #[schema(max_length = 256)]
    user: Option<String>,
    /// `Personal` or `Service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    user_type: Option<String>,
    /// How long the evaluation took, in milliseconds.
    duration: Option<f64>,
    /// `Granted` or `Denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    result: Option<String>,
    /// The role that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    authoritative_role_id: Option<Named>,
    /// The policy that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    authoritative_policy_id: Option<Named>,
    /// The selector that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    authoritative_selector: Option<String>,
    /// The entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    resource_type: Option<String>,
    /// What was to be done, `scope/activity/entity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    action: Option<String>,
    /// The parts of the entity's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<BTreeMap<String, Option<String>>>,
    /// The beginning of the effective dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    resource_from_effective_date: Option<String>,
    /// Their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    resource_to_effective_date: Option<String>,
    /// The beginning of the as-at dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    resource_from_as_at: Option<String>,
    /// Their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    resource_to_as_at: Option<String>,
    /// When it was evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    access_execution_time: Option<String>,
    /// As at when it was evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    access_as_at_time: Option<String>,
    /// The licence that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    required_licence_policy_id: Option<String>,
    /// The same as `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    decision_id: Option<String>,
    /// The door.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    door: Option<String>,
    /// The revision that the call was judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// The refusal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    refusal: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    reason: Option<String>,
    /// Items removed from the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    items_removed: Option<u64>,
    /// Properties removed from the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    properties_removed: Option<u64>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    method: Option<String>,
    /// The path, without the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 16384)]
    path: Option<String>,
    /// The operation's route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    operation: Option<String>,
    /// The feature, `application/code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    feature: Option<String>,
    /// How the call ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    outcome: Option<String>,
    /// The status that the client saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Empty.
    #[serde(skip_deserializing)]
    links: Vec<Link>,
}

/// The id of a role or policy: as one text, or by its parts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
enum Named {
    /// `scope/code`.
    Text(String),
    /// The same in two.
    Parts {
        /// The scope.
        scope: String,
        /// The code in the scope.
        code: String,
    },
}

/// Why a record is not taken: the member, and a sentence.
pub(super) type Flaw = (&'static str, String);

impl Log {
    /// The record as it is kept: with an id, a time, and every member that LUSID's clients ask for.
    /// A record without a time was made when it came.
    ///
    /// # Errors
    /// The member that does not fit.
    pub(super) fn kept(mut self, now: Timestamp) -> Result<DecisionRow, Flaw> {
        let id = self.id.take().or_else(|| self.decision_id.clone()).ok_or_else(|| ("id", "A decision has an id.".to_owned()))?;
        if !is_id(&id) {
            return Err(("id", format!("An id has 1 to {LONGEST_ID} letters, digits and `-_.:`.")));
        }
        let at = match self.timestamp.as_deref() {
            Some(text) => text.parse().map_err(|_| ("timestamp", "The value is no date; write it like 2026-01-31T12:00:00Z.".to_owned()))?,
            None => now,
        };
        let user = self.user.take().unwrap_or_default();
        let application = self.application.take().unwrap_or_default();
        let log = Self {
            timestamp: Some(time(at)),
            id: Some(id.clone()),
            decision_id: Some(id.clone()),
            user: Some(user.clone()),
            application: Some(application.clone()),
            duration: Some(self.duration.unwrap_or_default()),
            authoritative_role_id: self.authoritative_role_id.take().map(Named::into_text),
            authoritative_policy_id: self.authoritative_policy_id.take().map(Named::into_text),
            ..self
        };
        let body = serde_json::to_string(&log).map_err(|error| ("", format!("{error}.")))?;
        Ok(DecisionRow { id, at, user, application, body })
    }
}

impl Named {
    fn into_text(self) -> Self {
        match self {
            Self::Parts { scope, code } => Self::Text(format!("{scope}/{code}")),
            text @ Self::Text(_) => text,
        }
    }
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}
