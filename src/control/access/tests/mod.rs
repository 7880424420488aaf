//! The operations of the Access API on drafts, by callers with real rights.

mod collections;
mod descriptions;
mod evaluation;
mod policies;
mod roles;
mod served;
mod snapshots;
mod user_roles;

use super::super::body;
use super::super::caller::Caller;
use super::super::caller::testing;
pub(super) use super::super::caller::testing::administrator;
use super::super::problem::Problem;
use super::super::wire::RequestId;
use crate::store::{Draft, State};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::ToSchema;

pub(super) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(super) fn draft() -> Draft {
    Draft::new(&State::default(), now())
}

/// A body, read as every body is.
pub(super) fn request<T: DeserializeOwned + ToSchema + 'static>(body: Value) -> T {
    body::read(&body).unwrap()
}

/// The fields that a body is refused for before any operation sees it.
pub(super) fn unfit_fields<T: DeserializeOwned + ToSchema + 'static>(body: &Value) -> Vec<String> {
    body::read::<T>(body).err().unwrap().errors().keys().cloned().collect()
}

/// The fields that an operation refuses.
pub(super) fn denied_fields<T>(result: Result<T, Problem>) -> Vec<String> {
    let problem = result.err().unwrap();
    assert_eq!(problem.status(), 400, "{problem:?}");
    problem.errors().keys().cloned().collect()
}

/// Status and LUSID's code of a refusal.
pub(super) fn refusal<T>(result: Result<T, Problem>) -> (u16, i64) {
    let problem = result.err().unwrap();
    let document = serde_json::to_value(problem.document("", &RequestId(String::new()))).unwrap();
    (problem.status().as_u16(), document["code"].as_i64().unwrap())
}

/// An answer, as it goes on the wire.
pub(super) fn wire<T: Serialize>(answer: T) -> Value {
    serde_json::to_value(answer).unwrap()
}

/// The user `00u1` of a snapshot with these members.
pub(super) fn caller(members: &Value) -> Caller {
    let mut snapshot = json!({
        "schema": "doorward.snapshot/1",
        "revision": 1,
        "issuedAt": "2026-11-21T00:00:00Z",
        "users": [{ "id": "00u1", "login": "a@b.c", "type": "Personal", "status": "ACTIVE", "roles": [{ "code": "own" }] }]
    });
    for (name, value) in members.as_object().unwrap() {
        snapshot[name] = value.clone();
    }
    testing::caller(&snapshot, "00u1")
}

/// A caller with a role that has these policies, given without their `id`.
pub(super) fn caller_with(policies: &[Value]) -> Caller {
    let id = |index: usize| json!({ "scope": "default", "code": format!("policy-{index}") });
    let ids: Vec<Value> = (0..policies.len()).map(id).collect();
    let documents: Vec<Value> = policies
        .iter()
        .enumerate()
        .map(|(index, policy)| {
            let mut policy = policy.clone();
            policy["id"] = id(index);
            policy
        })
        .collect();
    let role = json!({ "id": { "code": "own" }, "roleHierarchyIndex": 2, "resource": { "policyIdRoleResource": { "policies": ids } } });
    caller(&json!({ "policies": documents, "roles": [role] }))
}

/// An Allow of these activities on the entities about policies with codes of that pattern.
pub(super) fn allow_about_policies(activities: &[&str], code: &str) -> Value {
    let action = |activity: &&str, entity: &str| json!({ "scope": "default", "activity": activity, "entity": entity });
    let entities = ["Policy", "PolicyCollection", "Delegation"];
    let actions: Vec<Value> = activities.iter().flat_map(|activity| entities.map(|entity| action(activity, entity))).collect();
    json!({ "grant": "Allow", "selectors": [{ "policySelectorDefinition": { "identityRestriction": { "code": code }, "actions": actions } }] })
}

/// The body of a policy that allows to read portfolios of a scope.
pub(super) fn policy_body(code: &str) -> Value {
    json!({
        "code": code,
        "grant": "Allow",
        "applications": ["LUSID"],
        "selectors": [{ "idSelectorDefinition": {
            "identifier": { "scope": "US", "code": "*" },
            "actions": [{ "scope": "default", "activity": "Read", "entity": "Portfolio" }]
        } }],
        "when": { "activate": "2024-08-31T18:00:00.0000000+00:00" }
    })
}

/// A draft with policies of these codes.
pub(super) fn draft_with_policies(codes: &[&str]) -> Draft {
    let mut draft = draft();
    for code in codes {
        super::policies::creation(&mut draft, &administrator(), request(policy_body(code))).unwrap();
    }
    draft
}

pub(super) fn id(code: &str) -> crate::store::ScopedId {
    crate::store::ScopedId::new("default", code)
}

/// The snapshot of what is kept.
pub(super) fn snapshot_of(state: &State) -> String {
    let documents = json!({
        "schema": "doorward.snapshot/1",
        "revision": 1,
        "issuedAt": "2026-11-21T00:00:00Z",
        "policies": state.policies.values().map(|policy| wire(&**policy)).collect::<Vec<_>>(),
        "policyCollections": state.collections.values().map(|collection| wire(&**collection)).collect::<Vec<_>>(),
        "roles": state.roles.values().map(|role| wire(&**role)).collect::<Vec<_>>(),
        "userRoles": state.user_roles.values().map(|role| wire(&**role)).collect::<Vec<_>>(),
    });
    documents.to_string()
}
