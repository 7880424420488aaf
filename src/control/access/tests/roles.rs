//! Roles: what they consist of, and their order.

use super::super::ranks::Place;
use super::super::roles::{addition, all, creation, deletion, place, removal, replacement};
use super::super::{collections, holders};
use super::*;
use crate::control::defaults;
use crate::control::parameters::Parameters;
use crate::store::{Resource, Role, ScopedId, When};
use proptest::prelude::*;

fn role_body(code: &str) -> Value {
    json!({ "code": code, "resource": { "policyIdRoleResource": { "policies": [], "policyCollections": [] } }, "when": {} })
}

fn with(codes: &[&str]) -> Draft {
    let mut draft = draft_with_policies(&["one", "two"]);
    for code in codes {
        creation(&mut draft, &administrator(), request(role_body(code))).unwrap();
    }
    draft
}

/// The codes in their order, with their indexes.
fn order(draft: &Draft) -> Vec<(String, i64)> {
    all(draft).iter().map(|role| (role.id.code.clone(), role.role_hierarchy_index)).collect()
}

fn codes(draft: &Draft) -> Vec<String> {
    order(draft).into_iter().map(|(code, _)| code).collect()
}

fn shift(draft: &mut Draft, code: &str, before: Option<&str>, after: Option<&str>) -> Result<Value, Problem> {
    let place = Place { before: before.map(id), after: after.map(id) };
    replacement(draft, &administrator(), &id(code), (request(role_body(code)), place)).map(wire)
}

/// The administrator, as the first start makes it.
fn built_in() -> Role {
    Role {
        id: defaults::administrator(),
        role_hierarchy_index: 1,
        description: None,
        resource: Resource::default(),
        when: When { activate: "0001-01-01T00:00:00.0000000+00:00".to_owned(), deactivate: "9999-12-31T23:59:59.9999999+00:00".to_owned() },
        permission: "Read".to_owned(),
        limit: None,
    }
}

#[test]
fn a_role_comes_back_as_it_was_sent() {
    let mut draft = with(&[]);
    let mut body = role_body("desk");
    body["description"] = json!("The desk");
    body["permission"] = json!("Write");
    body["roleHierarchyIndex"] = json!(77);
    body["resource"]["policyIdRoleResource"]["policies"] = json!([{ "code": "two" }, { "scope": "default", "code": "one" }]);
    body["when"] = json!({ "activate": "2024-08-31T18:00:00.0000000+00:00" });
    let made = wire(creation(&mut draft, &administrator(), request(body)).unwrap());
    let policies = json!([{ "scope": "default", "code": "two" }, { "scope": "default", "code": "one" }]);
    let expected = json!({
        "id": { "scope": "default", "code": "desk" },
        "roleHierarchyIndex": 2,
        "description": "The desk",
        "resource": { "policyIdRoleResource": { "policies": policies, "policyCollections": [] } },
        "when": { "activate": "2024-08-31T18:00:00.0000000+00:00", "deactivate": "9999-12-31T23:59:59.9999999+00:00" },
        "permission": "Write",
        "links": []
    });
    assert_eq!(made, expected);
}

#[test]
fn permission_is_read_unless_said_and_stays_unless_changed() {
    let mut draft = with(&["desk"]);
    assert_eq!(shift(&mut draft, "desk", None, None).unwrap()["permission"], "Read");
    let place = Place { before: None, after: None };
    let mut body = role_body("desk");
    body["permission"] = json!("Execute");
    replacement(&mut draft, &administrator(), &id("desk"), (request(body), place)).unwrap();
    assert_eq!(shift(&mut draft, "desk", None, None).unwrap()["permission"], "Execute");
}

#[test]
fn a_new_role_is_the_weakest_and_the_administrator_counts_even_where_it_is_not_kept() {
    let mut draft = with(&["r-1", "r-2"]);
    assert_eq!(order(&draft), [("r-1".to_owned(), 2), ("r-2".to_owned(), 3)]);
    draft.put(built_in());
    creation(&mut draft, &administrator(), request(role_body("r-3"))).unwrap();
    assert_eq!(order(&draft).first().unwrap(), &("lusid-administrator".to_owned(), 1));
    assert_eq!(order(&draft).last().unwrap(), &("r-3".to_owned(), 4));
}

#[test]
fn a_role_moves_directly_before_or_after_another() {
    let mut draft = with(&["r-1", "r-2", "r-3", "r-4"]);
    assert_eq!(shift(&mut draft, "r-4", Some("r-2"), None).unwrap()["roleHierarchyIndex"], 3);
    assert_eq!(codes(&draft), ["r-1", "r-4", "r-2", "r-3"]);
    shift(&mut draft, "r-1", None, Some("r-2")).unwrap();
    assert_eq!(codes(&draft), ["r-4", "r-2", "r-1", "r-3"]);
    shift(&mut draft, "r-3", Some("r-2"), Some("r-4")).unwrap();
    assert_eq!(codes(&draft), ["r-4", "r-3", "r-2", "r-1"]);
    // Where it stands already.
    shift(&mut draft, "r-3", Some("r-2"), Some("r-4")).unwrap();
    assert_eq!(codes(&draft), ["r-4", "r-3", "r-2", "r-1"]);
    let first = Place { before: None, after: Some(defaults::administrator()) };
    replacement(&mut draft, &administrator(), &id("r-1"), (request(role_body("r-1")), first)).unwrap();
    assert_eq!(codes(&draft), ["r-1", "r-4", "r-3", "r-2"]);
}

#[test]
fn a_place_that_is_none_is_refused() {
    let mut draft = with(&["r-1", "r-2", "r-3", "r-4"]);
    for (before, after, field) in [
        (Some("r-1"), None, "beforeCode"),
        (None, Some("r-1"), "afterCode"),
        (Some("none"), None, "beforeCode"),
        (None, Some("none"), "afterCode"),
        (Some("r-4"), Some("r-2"), "beforeCode"),
        (Some("r-2"), Some("r-3"), "beforeCode"),
    ] {
        assert_eq!(denied_fields(shift(&mut draft, "r-1", before, after)), [field], "{before:?} {after:?}");
    }
    let first = Place { before: Some(defaults::administrator()), after: None };
    assert_eq!(denied_fields(replacement(&mut draft, &administrator(), &id("r-1"), (request(role_body("r-1")), first))), ["beforeCode"]);
}

#[test]
fn a_scope_without_its_code_is_no_place() {
    let read = |query: &str| place(&Parameters::parse(query).unwrap());
    assert_eq!(denied_fields(read("beforeScope=default")), ["beforeCode"]);
    assert_eq!(denied_fields(read("afterScope=default")), ["afterCode"]);
    let both = read("beforeCode=one&afterScope=LUSID_SYSTEM&afterCode=lusid-administrator").unwrap();
    assert_eq!(both, Place { before: Some(id("one")), after: Some(defaults::administrator()) });
}

#[test]
fn nothing_changes_the_administrator() {
    let mut draft = with(&["r-1"]);
    draft.put(built_in());
    let (caller, own) = (administrator(), defaults::administrator());
    let place = Place { before: None, after: Some(id("r-1")) };
    assert_eq!(refusal(replacement(&mut draft, &caller, &own, (request(role_body("-")), place))), (400, 152));
    assert_eq!(refusal(deletion(&mut draft, &caller, &own)), (400, 152));
    assert_eq!(refusal(addition(&mut draft, &caller, &own, Vec::new())), (400, 152));
    assert_eq!(denied_fields(creation(&mut draft, &caller, request(role_body("Lusid-Administrator")))), ["code"]);
}

#[test]
fn a_role_has_either_policies_or_roles_to_supervise() {
    let mut draft = with(&["r-1"]);
    let mut create = |resource: Value| {
        let mut body = role_body("r-2");
        body["resource"] = resource;
        creation(&mut draft, &administrator(), request(body)).map(wire)
    };
    let supervisor = json!({ "roles": [{ "scope": "default", "code": "r-1" }, { "scope": "LUSID_SYSTEM", "code": "lusid-administrator" }] });
    assert_eq!(denied_fields(create(json!({}))), ["resource"]);
    assert_eq!(denied_fields(create(json!({ "policyIdRoleResource": {}, "nonTransitiveSupervisorRoleResource": supervisor }))), ["resource"]);
    let field = "resource.nonTransitiveSupervisorRoleResource.roles[0]";
    assert_eq!(denied_fields(create(json!({ "nonTransitiveSupervisorRoleResource": { "roles": [{ "code": "none" }] } }))), [field]);
    assert_eq!(denied_fields(create(json!({ "nonTransitiveSupervisorRoleResource": { "roles": [{ "code": "r-2" }] } }))), [field]);
    let made = create(json!({ "nonTransitiveSupervisorRoleResource": supervisor, "policyIdRoleResource": null })).unwrap();
    assert_eq!(made["resource"], json!({ "nonTransitiveSupervisorRoleResource": supervisor }));
    assert_eq!(refusal(deletion(&mut draft, &administrator(), &id("r-1"))), (400, 152));
    assert_eq!(refusal(addition(&mut draft, &administrator(), &id("r-2"), Vec::new())), (400, 157));
}

#[test]
fn references_that_lead_nowhere_are_named() {
    let mut body = role_body("desk");
    body["resource"]["policyIdRoleResource"] = json!({ "policies": [{ "code": "three" }], "policyCollections": [{ "code": "none" }] });
    let refused = creation(&mut with(&[]), &administrator(), request(body));
    assert_eq!(refusal(refused.as_ref().map_err(Clone::clone)), (400, 772));
    assert_eq!(denied_fields(refused), ["resource.policyIdRoleResource.policies[0]", "resource.policyIdRoleResource.policyCollections[0]"]);
}

#[test]
fn collections_come_and_go() {
    let mut draft = with(&["desk"]);
    let caller = administrator();
    collections::creation(&mut draft, &caller, request(json!({ "code": "bundle" }))).unwrap();
    let added = wire(addition(&mut draft, &caller, &id("desk"), vec![id("bundle"), id("bundle")]).unwrap());
    assert_eq!(added["resource"]["policyIdRoleResource"]["policyCollections"], json!([{ "scope": "default", "code": "bundle" }]));
    assert_eq!(refusal(addition(&mut draft, &caller, &id("desk"), vec![id("none")])), (400, 604));
    let left = wire(removal(&mut draft, &caller, &id("desk"), &id("bundle")).unwrap());
    assert_eq!(left["resource"]["policyIdRoleResource"]["policyCollections"], json!([]));
    assert_eq!(refusal(removal(&mut draft, &caller, &id("desk"), &id("bundle"))), (404, 604));
    assert_eq!(refusal(removal(&mut draft, &caller, &id("none"), &id("bundle"))), (404, 660));
}

#[test]
fn what_a_role_hands_on_must_be_granted_to_the_caller() {
    let mut draft = with(&[]);
    let with_policy = |code: &str, policy: &str| {
        let mut body = role_body(code);
        body["resource"]["policyIdRoleResource"]["policies"] = json!([{ "code": policy }]);
        body
    };
    let caller = caller_with(&[allow_about_policies(&["Add"], "one")]);
    creation(&mut draft, &caller, request(with_policy("r-1", "one"))).unwrap();
    assert_eq!(refusal(creation(&mut draft, &caller, request(with_policy("r-2", "two")))), (403, 186));
    let place = Place { before: None, after: None };
    assert_eq!(refusal(replacement(&mut draft, &caller, &id("r-1"), (request(role_body("r-1")), place))), (403, 186));
    assert_eq!(refusal(deletion(&mut draft, &caller, &id("r-1"))), (403, 186));
    creation(&mut draft, &administrator(), request(with_policy("r-3", "two"))).unwrap();
    let supervisor = json!({ "code": "r-4", "resource": { "nonTransitiveSupervisorRoleResource": { "roles": [{ "code": "r-3" }] } } });
    assert_eq!(refusal(creation(&mut draft, &caller, request(supervisor))), (403, 186));
}

#[test]
fn neither_rank_nor_time_of_a_role_is_changed_by_whoever_may_not_hand_on_what_it_has() {
    let mut draft = with(&[]);
    let body = |code: &str, policy: &str, from: &str| {
        let mut body = role_body(code);
        body["resource"]["policyIdRoleResource"]["policies"] = json!([{ "code": policy }]);
        body["when"] = json!({ "activate": from });
        body
    };
    let early = "2020-01-01T00:00:00Z";
    creation(&mut draft, &administrator(), request(body("r-deny", "two", early))).unwrap();
    creation(&mut draft, &administrator(), request(body("r-own", "one", early))).unwrap();
    let caller = caller_with(&[allow_about_policies(&["Any"], "one")]);
    let stay = || Place { before: None, after: None };
    let ahead = || Place { before: Some(id("r-deny")), after: None };
    let put = |draft: &mut Draft, caller: &Caller, code: &str, policy: &str, from: &str, place: Place| {
        replacement(draft, caller, &id(code), (request(body(code, policy, from)), place))
    };
    // Past a role with a policy that is not the caller's to hand on; and such a role out of force.
    assert_eq!(refusal(put(&mut draft, &caller, "r-own", "one", early, ahead())), (403, 186));
    let mut draft = with(&[]);
    creation(&mut draft, &administrator(), request(body("r-deny", "two", early))).unwrap();
    creation(&mut draft, &administrator(), request(body("r-own", "one", early))).unwrap();
    assert_eq!(refusal(put(&mut draft, &caller, "r-deny", "two", "2099-01-01T00:00:00Z", stay())), (403, 186));
    put(&mut draft, &caller, "r-own", "one", "2021-01-01T00:00:00Z", stay()).unwrap();
    put(&mut draft, &administrator(), "r-own", "one", "2021-01-01T00:00:00Z", ahead()).unwrap();
}

#[test]
fn codes_are_taken_once() {
    let mut draft = with(&["desk"]);
    assert_eq!(refusal(creation(&mut draft, &administrator(), request(role_body("desk")))), (409, 615));
    assert_eq!(refusal(deletion(&mut draft, &administrator(), &id("none"))), (404, 660));
}

/// Something that is done to the order.
#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Delete(usize),
    Before(usize, usize),
    After(usize, usize),
    Between(usize, usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let role = 0..6_usize;
    let step = prop_oneof![
        role.clone().prop_map(Step::Create),
        role.clone().prop_map(Step::Delete),
        (role.clone(), role.clone()).prop_map(|(one, other)| Step::Before(one, other)),
        (role.clone(), role.clone()).prop_map(|(one, other)| Step::After(one, other)),
        (role.clone(), role.clone(), role).prop_map(|(one, other, third)| Step::Between(one, other, third)),
    ];
    proptest::collection::vec(step, 0..24)
}

fn take(draft: &mut Draft, step: &Step) -> Option<ScopedId> {
    let code = |index: &usize| format!("role-{index}");
    let caller = administrator();
    let (touched, result) = match step {
        Step::Create(one) => (one, creation(draft, &caller, request(role_body(&code(one)))).map(drop)),
        Step::Delete(one) => (one, deletion(draft, &caller, &id(&code(one)))),
        Step::Before(one, other) => (one, shift(draft, &code(one), Some(&code(other)), None).map(drop)),
        Step::After(one, other) => (one, shift(draft, &code(one), None, Some(&code(other))).map(drop)),
        Step::Between(one, other, third) => (one, shift(draft, &code(one), Some(&code(other)), Some(&code(third))).map(drop)),
    };
    result.ok().map(|()| id(&code(touched)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn indexes_stay_dense_and_the_others_keep_their_order(steps in steps(), is_kept in any::<bool>()) {
        let mut draft = draft();
        if is_kept {
            draft.put(built_in());
        }
        for step in &steps {
            let before = codes(&draft);
            let mut next = Draft::new(&draft, now());
            let touched = take(&mut next, step);
            // A refused change is dropped by the store.
            if let Some(touched) = touched {
                draft = next;
                let others = |codes: Vec<String>| codes.into_iter().filter(|code| *code != touched.code).collect::<Vec<_>>();
                prop_assert_eq!(others(before), others(codes(&draft)));
                let own = |code: &str| codes(&draft).iter().position(|other| *other == id(code).code);
                match step {
                    Step::Before(one, other) => prop_assert_eq!(own(&format!("role-{one}")).map(|at| at + 1), own(&format!("role-{other}"))),
                    Step::After(one, other) => prop_assert_eq!(own(&format!("role-{one}")), own(&format!("role-{other}")).map(|at| at + 1)),
                    _ => {}
                }
            }
            let first = if is_kept { 1 } else { 2 };
            let indexes: Vec<i64> = order(&draft).into_iter().map(|(_, index)| index).collect();
            prop_assert_eq!(indexes.clone(), (first..).take(indexes.len()).collect::<Vec<i64>>());
            prop_assert!(!is_kept || holders::is_built_in(&all(&draft).first().unwrap().id));
        }
    }
}
