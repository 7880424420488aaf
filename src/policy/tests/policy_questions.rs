//! Selectors for policies, and what restriction selectors cover (semantics §4).

use super::*;

fn about_policies(identity: Value, restrictions: Value) -> Value {
    json!({ "policySelectorDefinition": { "identityRestriction": identity, "restrictionSelectors": restrictions, "actions": [action("Any", "Policy"), action("Any", "Portfolio")] } })
}

fn ask<'a>(policy: Option<&'a PolicyDocument>) -> Ask<'a> {
    Ask { entity: "Policy", policy, ..Ask::default() }
}

/// Whether a policy with this one selector is covered.
fn covers(restriction: Value, selector: Value) -> bool {
    let policy = with(deny(selector), "id", id("x")).to_string();
    let policy = PolicyDocument::parse(policy.as_bytes()).unwrap();
    ask(Some(&policy)).granted(&one_role(&[allow(about_policies(Value::Null, json!([restriction])))]))
}

#[test]
fn policy_selectors_match_no_other_entity() {
    let policies = one_role(&[allow(about_policies(Value::Null, Value::Null))]);
    assert!(ask(None).granted(&policies));
    assert!(!Ask::default().granted(&policies));
    let denying = one_role(&[allow(all_portfolios()), deny(about_policies(Value::Null, json!([all_portfolios()])))]);
    assert!(Ask::default().granted(&denying));
}

#[test]
fn an_identity_restriction_reads_like_an_identifier() {
    let policies = one_role(&[allow(about_policies(json!({ "scope": "US", "code": "e*" }), Value::Null))]);
    assert!(ask(None).granted(&policies));
    assert!(!Ask { entity: "Policy", ..Ask::read("us", "eq") }.granted(&policies));
    let denying = one_role(&[allow(all(json!([action("Any", "Policy")]))), deny(about_policies(json!({ "scope": "us" }), Value::Null))]);
    assert!(!ask(None).granted(&denying));
}

#[test]
fn without_the_policy_at_hand_its_selectors_are_unknown() {
    let restricted = about_policies(json!({ "scope": "US" }), json!([all_portfolios()]));
    assert!(!ask(None).granted(&one_role(&[allow(restricted.clone())])));
    let denying = one_role(&[allow(all(json!([action("Any", "Policy")]))), deny(restricted)]);
    assert!(!ask(None).granted(&denying));
    assert!(Ask { entity: "Policy", ..Ask::read("UK", "eq") }.granted(&denying), "a known mismatch wins");
}

#[test]
fn an_empty_restriction_is_as_if_absent() {
    assert!(ask(None).granted(&one_role(&[allow(about_policies(Value::Null, json!([])))])));
}

#[test]
fn match_all_covers_every_kind_but_is_covered_by_itself_only() {
    for selector in [all_portfolios(), by_id(json!({ "scope": "US" })), by_metadata("K", "Equals", "v")] {
        assert!(covers(all_portfolios(), selector.clone()));
        assert_eq!(covers(by_id(json!({ "scope": "*" })), selector.clone()), selector == by_id(json!({ "scope": "US" })));
    }
}

#[test]
fn every_action_must_be_matched_by_an_action_there() {
    let actions = |names: &[&str]| all(names.iter().map(|name| action(name, "Portfolio")).collect());
    assert!(covers(actions(&["Read", "Upsert"]), actions(&["Read", "Add", "Update", "Upsert"])));
    assert!(!covers(actions(&["Read"]), actions(&["Read", "Delete"])));
    assert!(!covers(actions(&["Read"]), actions(&["Any"])));
    // by the rules for Allow policies, although the policy in question is a Deny
    assert!(!covers(actions(&["Add", "Update"]), actions(&["Upsert"])));
    assert!(!covers(actions(&["Any"]), all(json!([action("Read", "Quote")]))));
}

#[test]
fn every_part_that_is_restricted_must_be_there_and_fit() {
    let us = || by_id(json!({ "scope": "US", "code": "e*" }));
    for (identifier, covered) in [
        (json!({ "SCOPE": "US", "code": "eq" }), true),
        (json!({ "scope": "US", "code": "e*" }), true),
        (json!({ "scope": "US", "code": "e*q", "more": "x" }), true),
        (json!({ "scope": "US" }), false),
        (json!({ "scope": "us", "code": "eq" }), false),
        (json!({ "scope": "US", "code": "*" }), false),
        (json!({ "scope": "US", "code": null }), false),
        (json!({ "scope": "U*", "code": "eq" }), false),
    ] {
        assert_eq!(covers(us(), by_id(identifier.clone())), covered, "{identifier}");
    }
    assert!(covers(by_id(json!({ "scope": "*" })), by_id(json!({ "scope": null }))));
    assert!(!covers(by_id(json!({ "scope": "*" })), by_id(json!({ "code": "eq" }))));
}

#[test]
fn features_are_restricted_without_case() {
    let feature =
        |code: &str| json!({ "idSelectorDefinition": { "identifier": { "scope": "LUSID", "code": code }, "actions": [action("Execute", "Feature")] } });
    assert!(covers(feature("API-*"), feature("api-x")));
}

#[test]
fn metadata_must_have_the_same_expressions_or_more() {
    let expressions = |texts: &[&str]| {
        let list: Vec<_> = texts.iter().map(|text| json!({ "metadataKey": "K", "operator": "Equals", "textValue": text })).collect();
        json!({ "metadataSelectorDefinition": { "expressions": list, "actions": any_portfolio() } })
    };
    assert!(covers(expressions(&["a"]), expressions(&["b", "a"])));
    assert!(!covers(expressions(&["a", "b"]), expressions(&["a"])));
    assert!(!covers(expressions(&["a"]), all_portfolios()));
}

#[test]
fn selectors_for_policies_are_restricted_in_turn() {
    let restricted = |identity: Value, inner: Value| about_policies(identity, inner);
    let inner = json!([by_id(json!({ "scope": "US" }))]);
    assert!(covers(restricted(Value::Null, inner.clone()), restricted(json!({ "scope": "x" }), json!([by_id(json!({ "scope": "US", "code": "eq" }))]))));
    assert!(!covers(restricted(Value::Null, inner.clone()), restricted(Value::Null, Value::Null)));
    assert!(!covers(restricted(json!({ "scope": "x" }), Value::Null), restricted(Value::Null, inner)));
}

#[test]
fn one_selector_that_is_not_covered_is_enough() {
    let policy = with(allow(vec![by_id(json!({ "scope": "US" })), by_id(json!({ "scope": "UK" }))]), "id", id("x")).to_string();
    let policy = PolicyDocument::parse(policy.as_bytes()).unwrap();
    let of = |restrictions: Value| ask(Some(&policy)).granted(&one_role(&[allow(about_policies(Value::Null, restrictions))]));
    assert!(!of(json!([by_id(json!({ "scope": "US" }))])));
    assert!(of(json!([by_id(json!({ "scope": "US" })), by_id(json!({ "scope": "UK" }))])));
}
