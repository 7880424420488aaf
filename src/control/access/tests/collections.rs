//! Collections: what may be in them, and who may put it there.

use super::super::collections::{addition, creation, deletion, removal, replacement};
use super::*;

fn bundle(code: &str, policies: &[&str], collections: &[&str]) -> Value {
    let ids = |codes: &[&str]| codes.iter().map(|code| json!({ "code": code })).collect::<Vec<_>>();
    json!({ "code": code, "policies": ids(policies), "policyCollections": ids(collections) })
}

fn with(codes: &[(&str, &[&str])]) -> Draft {
    let mut draft = draft_with_policies(&["one", "two"]);
    for (code, inner) in codes {
        creation(&mut draft, &administrator(), request(bundle(code, &[], inner))).unwrap();
    }
    draft
}

#[test]
fn a_collection_comes_back_without_its_metadata() {
    let mut draft = draft_with_policies(&["one", "two"]);
    let mut body = bundle("bundle", &["two", "one"], &[]);
    body["metadata"] = json!({ "Desk": [{ "value": "EQ", "provider": null }], "None": null });
    let made = wire(creation(&mut draft, &administrator(), request(body)).unwrap());
    let ids = json!([{ "scope": "default", "code": "two" }, { "scope": "default", "code": "one" }]);
    assert_eq!(made, json!({ "id": { "scope": "default", "code": "bundle" }, "policies": ids, "policyCollections": [], "links": [] }));
    assert_eq!(draft.collections.find("default/bundle").unwrap().metadata, Some(json!({ "Desk": [{ "value": "EQ" }] })));
}

#[test]
fn everything_in_a_collection_may_be_left_unsaid() {
    let made = wire(creation(&mut draft(), &administrator(), request(json!({ "code": "empty" }))).unwrap());
    assert_eq!((&made["policies"], &made["policyCollections"]), (&json!([]), &json!([])));
}

#[test]
fn references_that_lead_nowhere_are_named() {
    let mut draft = with(&[("inner", &[])]);
    let refused = creation(&mut draft, &administrator(), request(bundle("outer", &["one", "three"], &["none"])));
    assert_eq!(refusal(refused.as_ref().map_err(Clone::clone)), (400, 772));
    assert_eq!(denied_fields(refused), ["policies[1]", "policyCollections[0]"]);
    assert_eq!(refusal(creation(&mut draft, &administrator(), request(bundle("outer", &[], &["none"])))), (400, 604));
}

#[test]
fn a_collection_is_never_in_itself() {
    let mut draft = with(&[("c-1", &[]), ("c-2", &["c-1"]), ("c-3", &["c-2"])]);
    let caller = administrator();
    assert_eq!(denied_fields(replacement(&mut draft, &caller, &id("c-1"), request(bundle("c-1", &[], &["c-1"])))), ["policyCollections[0]"]);
    assert_eq!(denied_fields(replacement(&mut draft, &caller, &id("c-1"), request(bundle("c-1", &[], &["c-3"])))), ["policyCollections[0]"]);
    assert_eq!(denied_fields(addition(&mut draft, &caller, &id("c-1"), request(bundle("c-1", &[], &["c-2"])))), ["policyCollections[0]"]);
    let mut own = bundle("new", &[], &["new"]);
    assert_eq!(refusal(creation(&mut draft, &caller, request(own.take()))), (400, 604));
    replacement(&mut draft, &caller, &id("c-3"), request(bundle("c-3", &[], &["c-1", "c-2"]))).unwrap();
}

#[test]
fn what_is_added_twice_is_in_it_once_and_what_is_removed_is_gone() {
    let mut draft = with(&[("inner", &[]), ("outer", &[])]);
    let caller = administrator();
    addition(&mut draft, &caller, &id("outer"), request(bundle("-", &["one"], &["inner"]))).unwrap();
    let added = wire(addition(&mut draft, &caller, &id("outer"), request(bundle("-", &["one", "two"], &[]))).unwrap());
    assert_eq!(added["policies"], json!([{ "scope": "default", "code": "one" }, { "scope": "default", "code": "two" }]));
    let left = wire(removal(&mut draft, &caller, &id("outer"), request(bundle("-", &["one", "three"], &["inner"]))).unwrap());
    assert_eq!((&left["policies"], &left["policyCollections"]), (&json!([{ "scope": "default", "code": "two" }]), &json!([])));
    assert_eq!(denied_fields(addition(&mut draft, &caller, &id("outer"), request(bundle("-", &["three"], &[])))), ["policies[0]"]);
    assert_eq!(refusal(addition(&mut draft, &caller, &id("none"), request(json!({})))), (404, 604));
}

#[test]
fn codes_are_taken_once_and_page_never() {
    let mut draft = with(&[("outer", &[])]);
    assert_eq!(refusal(creation(&mut draft, &administrator(), request(json!({ "code": "outer" })))), (409, 612));
    assert_eq!(denied_fields(creation(&mut draft, &administrator(), request(json!({ "code": "page" })))), ["code"]);
}

#[test]
fn a_collection_in_use_is_not_deleted() {
    let mut draft = with(&[("inner", &[]), ("outer", &["inner"])]);
    let caller = administrator();
    assert_eq!(refusal(deletion(&mut draft, &caller, &id("inner"))), (400, 152));
    deletion(&mut draft, &caller, &id("outer")).unwrap();
    deletion(&mut draft, &caller, &id("inner")).unwrap();
    assert_eq!(refusal(deletion(&mut draft, &caller, &id("inner"))), (404, 604));
}

#[test]
fn policies_are_handed_on_by_whoever_may_delegate_them() {
    let own = |activities: &[&str], entity: &str, code: &str| {
        let actions: Vec<Value> = activities.iter().map(|activity| json!({ "scope": "default", "activity": activity, "entity": entity })).collect();
        json!({ "grant": "Allow", "selectors": [{ "policySelectorDefinition": { "identityRestriction": { "code": code }, "actions": actions } }] })
    };
    let caller = caller_with(&[own(&["Any"], "PolicyCollection", "*"), own(&["Add"], "Delegation", "one")]);
    let mut draft = with(&[]);
    creation(&mut draft, &caller, request(bundle("outer", &["one"], &[]))).unwrap();
    assert_eq!(refusal(creation(&mut draft, &caller, request(bundle("other", &["two"], &[])))), (403, 186));
    assert_eq!(refusal(addition(&mut draft, &caller, &id("outer"), request(bundle("-", &["two"], &[])))), (403, 186));
    assert_eq!(refusal(removal(&mut draft, &caller, &id("outer"), request(bundle("-", &["one"], &[])))), (403, 186));
    // What is in a collection already counts as handed on when the collection is.
    creation(&mut draft, &administrator(), request(bundle("secret", &["two"], &[]))).unwrap();
    assert_eq!(refusal(addition(&mut draft, &caller, &id("outer"), request(bundle("-", &[], &["secret"])))), (403, 186));
}
