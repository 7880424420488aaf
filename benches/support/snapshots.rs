//! Snapshot documents: many policies in one role, a whole firm, and the callers of one API.

use serde_json::{Value, json};

/// Users, roles and policies of [`firm`].
pub const FIRM: (usize, usize, usize) = (10_000, 1_000, 10_000);

/// One user, `00u0`, with one role that holds so many policies, each of them for one portfolio.
pub fn role_of(policies: usize) -> Value {
    let ids: Vec<Value> = (0..policies).map(|number| id(&format!("policy-{number}"))).collect();
    let policy = |number| portfolio_policy(number, &format!("code-{number}"));
    document(vec![user("00u0", &["role".to_owned()])], vec![role("role", 1, &ids)], (0..policies).map(policy).collect())
}

/// Users with three roles each, roles with thirty policies each, every policy for a scope of its own.
pub fn firm() -> Value {
    let (users, roles, policies) = FIRM;
    let user_of = |number: usize| user(&format!("00u{number}"), &[0, 7, 14].map(|step| format!("role-{}", (number + step) % roles)));
    let role_of = |number: usize| {
        let ids: Vec<Value> = (0..30).map(|place| id(&format!("policy-{}", (number * 30 + place) % policies))).collect();
        role(&format!("role-{number}"), number, &ids)
    };
    let policy = |number| portfolio_policy(number, "*");
    document((0..users).map(user_of).collect(), (0..roles).map(role_of).collect(), (0..policies).map(policy).collect())
}

/// The callers of one API: `all` sees everything, `some` four of seven scopes and not the properties
/// of `cost`, `none` may not call it.
pub const CALLERS: &str = include_str!("callers.json");

fn document(users: Vec<Value>, roles: Vec<Value>, policies: Vec<Value>) -> Value {
    json!({
        "schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-11-21T12:00:00Z",
        "users": users, "roles": roles, "policies": policies,
    })
}

fn user(name: &str, roles: &[String]) -> Value {
    let roles: Vec<Value> = roles.iter().map(|role| id(role)).collect();
    json!({ "id": name, "login": format!("{name}@example.com"), "type": "Service", "status": "ACTIVE", "userExpiry": null, "roles": roles })
}

fn role(code: &str, index: usize, policies: &[Value]) -> Value {
    json!({
        "id": id(code), "roleHierarchyIndex": index, "description": "A role", "permission": "Read", "when": when(), "links": [],
        "resource": { "policyIdRoleResource": { "policies": policies, "policyCollections": [] } },
    })
}

fn portfolio_policy(number: usize, code: &str) -> Value {
    let selector = json!({ "idSelectorDefinition": {
        "identifier": { "scope": format!("scope-{number}"), "code": code },
        "actions": [action("Any", "Portfolio")], "name": "n", "description": "d",
    }});
    json!({
        "id": id(&format!("policy-{number}")), "description": "Portfolio access", "applications": ["LUSID"], "grant": "Allow",
        "selectors": [selector], "when": when(), "links": [],
    })
}

fn action(activity: &str, entity: &str) -> Value {
    json!({ "scope": "default", "activity": activity, "entity": entity })
}

fn id(code: &str) -> Value {
    json!({ "scope": "default", "code": code })
}

fn when() -> Value {
    json!({ "activate": "2016-08-31T18:00:00.0000000+00:00", "deactivate": "9999-12-31T23:59:59.9999999+00:00" })
}
