//! User-roles: one for a user, made by the first sign-in or by hand.

use super::super::user_roles::{addition, creation, deletion, removal, replacement};
use super::super::{collections, holdings::Holdings};
use super::*;
use crate::control::problem::Code;
use crate::store::{PolicyIds, Resource, ScopedId, UserRole};

const USER: &str = "00ubhkabcdW3DqjVG2p";

fn with_policies() -> Draft {
    let mut draft = draft_with_policies(&["one", "two"]);
    collections::creation(&mut draft, &administrator(), request(json!({ "code": "bundle" }))).unwrap();
    draft
}

fn user_role(policies: &[&str]) -> Value {
    let ids: Vec<Value> = policies.iter().map(|code| json!({ "scope": "default", "code": code })).collect();
    json!({ "userId": USER, "resource": { "policies": ids, "policyCollections": [{ "code": "bundle" }] } })
}

#[test]
fn a_bare_resource_is_answered_wrapped() {
    let made = wire(creation(&mut with_policies(), &administrator(), request(user_role(&["one"]))).unwrap());
    let own = json!({ "policies": [{ "scope": "default", "code": "one" }], "policyCollections": [{ "scope": "default", "code": "bundle" }] });
    assert_eq!(made, json!({ "resource": { "policyIdRoleResource": own }, "id": { "scope": "_users", "code": USER }, "links": [] }));
}

#[test]
fn a_user_without_one_has_none_to_change() {
    assert_eq!(refusal(replacement(&mut with_policies(), &administrator(), USER, request(user_role(&[])))), (404, 660));
    assert_eq!(refusal(addition(&mut with_policies(), &administrator(), USER, Holdings::default())), (404, 660));
    assert_eq!(refusal(deletion(&mut with_policies(), &administrator(), USER)), (404, 660));
}

#[test]
fn what_others_may_yet_bring_is_kept_and_grants_nothing_until_it_is_there() {
    let mut draft = with_policies();
    let mut body = user_role(&[]);
    let own = json!({ "policies": [{ "scope": "elsewhere", "code": "one" }], "policyCollections": [{ "scope": "elsewhere", "code": "bundle" }] });
    body["resource"] = own.clone();
    let made = wire(creation(&mut draft, &administrator(), request(body)).unwrap());
    assert_eq!(made["resource"]["policyIdRoleResource"], own);
    for scope in ["default", "LUSID_SYSTEM"] {
        let mut body = user_role(&[]);
        body["resource"]["policies"] = json!([{ "scope": scope, "code": "three" }]);
        assert_eq!(denied_fields(replacement(&mut draft, &administrator(), USER, request(body))), ["resource.policies[0]"]);
    }
}

#[test]
fn references_that_lead_nowhere_are_named() {
    let refused = creation(&mut with_policies(), &administrator(), request(user_role(&["one", "three"])));
    assert_eq!(refusal(refused.as_ref().map_err(Clone::clone)), (400, 772));
    assert_eq!(denied_fields(refused), ["resource.policies[1]"]);
}

#[test]
fn an_empty_one_is_filled_and_a_full_one_is_not_overwritten() {
    let mut draft = with_policies();
    let resource = Resource { policy_id_role_resource: Some(PolicyIds::default()), non_transitive_supervisor_role_resource: None };
    draft.put(UserRole { id: ScopedId::new("_users", USER), resource });
    creation(&mut draft, &administrator(), request(user_role(&["one"]))).unwrap();
    assert_eq!(refusal(creation(&mut draft, &administrator(), request(user_role(&["two"])))), (409, 615));
    let changed = wire(replacement(&mut draft, &administrator(), USER, request(user_role(&["two"]))).unwrap());
    assert_eq!(changed["resource"]["policyIdRoleResource"]["policies"], json!([{ "scope": "default", "code": "two" }]));
}

#[test]
fn policies_and_collections_come_and_go() {
    let mut draft = with_policies();
    let caller = administrator();
    creation(&mut draft, &caller, request(user_role(&["one"]))).unwrap();
    let more = |policies: &[&str], collections: &[&str]| Holdings {
        policies: policies.iter().map(|code| id(code)).collect(),
        collections: collections.iter().map(|code| id(code)).collect(),
    };
    let added = wire(addition(&mut draft, &caller, USER, more(&["two", "one"], &["bundle"])).unwrap());
    assert_eq!(added["resource"]["policyIdRoleResource"]["policies"], json!([{ "scope": "default", "code": "one" }, { "scope": "default", "code": "two" }]));
    assert_eq!(denied_fields(addition(&mut draft, &caller, USER, more(&["three"], &[]))), ["policies[0]"]);
    assert_eq!(denied_fields(addition(&mut draft, &caller, USER, more(&[], &["none"]))), ["policyCollections[0]"]);
    removal(&mut draft, &caller, USER, (Code::PolicyMissing, &id("one"))).unwrap();
    removal(&mut draft, &caller, USER, (Code::CollectionMissing, &id("bundle"))).unwrap();
    assert_eq!(refusal(removal(&mut draft, &caller, USER, (Code::PolicyMissing, &id("one")))), (404, 772));
    assert_eq!(refusal(removal(&mut draft, &caller, USER, (Code::CollectionMissing, &id("bundle")))), (404, 604));
    deletion(&mut draft, &caller, USER).unwrap();
}

#[test]
fn what_a_user_is_given_must_be_granted_to_the_caller() {
    let mut draft = with_policies();
    let caller = caller_with(&[allow_about_policies(&["Add"], "one"), allow_about_policies(&["Add"], "bundle")]);
    assert_eq!(refusal(creation(&mut draft, &caller, request(user_role(&["two"])))), (403, 186));
    creation(&mut draft, &caller, request(user_role(&["one"]))).unwrap();
    assert_eq!(refusal(deletion(&mut draft, &caller, USER)), (403, 186));
}

#[test]
fn what_is_not_there_yet_is_asked_by_its_id() {
    let body = |policies: Value, collections: Value| json!({ "userId": USER, "resource": { "policies": policies, "policyCollections": collections } });
    let own = body(json!([{ "scope": "futures", "code": "one" }]), json!([{ "scope": "futures", "code": "one" }]));
    let policy = body(json!([{ "scope": "futures", "code": "two" }]), json!([]));
    let collection = body(json!([]), json!([{ "scope": "futures", "code": "two" }]));
    let mut draft = with_policies();
    let caller = caller_with(&[allow_about_policies(&["Add"], "one")]);
    for foreign in [&policy, &collection] {
        assert_eq!(refusal(creation(&mut draft, &caller, request(foreign.clone()))), (403, 186), "{foreign}");
    }
    creation(&mut draft, &caller, request(own)).unwrap();
    for foreign in [policy, collection] {
        assert_eq!(refusal(replacement(&mut draft, &caller_with(&[allow_about_policies(&["Any"], "one")]), USER, request(foreign))), (403, 186));
    }
    let more = |policies: Vec<ScopedId>, collections| Holdings { policies, collections };
    let future = || vec![ScopedId::new("futures", "two")];
    assert_eq!(refusal(addition(&mut draft, &caller, USER, more(future(), Vec::new()))), (403, 186));
    assert_eq!(refusal(addition(&mut draft, &caller, USER, more(Vec::new(), future()))), (403, 186));
    assert_eq!(refusal(removal(&mut draft, &caller, USER, (Code::PolicyMissing, &ScopedId::new("futures", "one")))), (403, 186), "it is taken away");
}

#[test]
fn of_what_is_not_there_yet_it_is_not_known_what_it_will_say() {
    let portfolios = json!([{ "matchAllSelectorDefinition": { "actions": [{ "scope": "default", "activity": "Any", "entity": "Portfolio" }] } }]);
    let covering = json!({ "grant": "Allow", "selectors": [{ "policySelectorDefinition": { "restrictionSelectors": portfolios,
        "actions": [{ "scope": "default", "activity": "Add", "entity": "Delegation" }] } }] });
    let caller = caller_with(&[covering]);
    let with = |scope: &str| json!({ "userId": USER, "resource": { "policies": [{ "scope": scope, "code": "one" }] } });
    creation(&mut with_policies(), &caller, request(with("default"))).unwrap();
    assert_eq!(refusal(creation(&mut with_policies(), &caller, request(with("futures")))), (403, 186));
}

#[test]
fn a_collection_with_nothing_in_it_is_asked_itself() {
    let with = |code: &str| json!({ "userId": USER, "resource": { "policyCollections": [{ "code": code }] } });
    let mut draft = with_policies();
    let caller = caller_with(&[allow_about_policies(&["Add"], "one")]);
    assert_eq!(refusal(creation(&mut draft, &caller, request(with("bundle")))), (403, 186));
    let content = json!({ "code": "filled", "policies": [{ "code": "one" }] });
    collections::creation(&mut draft, &administrator(), request(content)).unwrap();
    creation(&mut draft, &caller, request(with("filled"))).unwrap();
}

#[test]
fn a_resource_that_is_wrapped_as_in_answers_is_read_as_the_bare_one() {
    let mut draft = with_policies();
    let mut body = user_role(&["one"]);
    body["resource"] = json!({ "policyIdRoleResource": body["resource"] });
    let made = wire(creation(&mut draft, &administrator(), request(body.clone())).unwrap());
    assert_eq!(made["resource"]["policyIdRoleResource"]["policies"], json!([{ "scope": "default", "code": "one" }]));
    let mut missing = body.clone();
    missing["resource"]["policyIdRoleResource"]["policies"] = json!([{ "code": "three" }]);
    assert_eq!(denied_fields(replacement(&mut draft, &administrator(), USER, request(missing))), ["resource.policyIdRoleResource.policies[0]"]);
    let mut both = body.clone();
    both["resource"]["policies"] = json!([]);
    assert_eq!(denied_fields(replacement(&mut draft, &administrator(), USER, request(both))), ["resource.policyIdRoleResource"]);
    body["resource"] = json!({ "nonTransitiveSupervisorRoleResource": { "roles": [{ "code": "desk" }] } });
    assert_eq!(denied_fields(replacement(&mut draft, &administrator(), USER, request(body))), ["resource.nonTransitiveSupervisorRoleResource"]);
}
