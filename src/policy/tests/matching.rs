//! When a policy and its selectors match (semantics §3 and §4).

use super::*;

fn portfolio(activity: &str) -> Value {
    all(json!([action(activity, "Portfolio")]))
}

#[test]
fn applications_have_no_case_and_none_means_every_one() {
    for (applications, granted) in [(json!(["Drive", "lusid"]), true), (json!([]), true), (Value::Null, true), (json!(["Drive"]), false)] {
        let policies = one_role(&[with(allow(all_portfolios()), "applications", applications)]);
        assert_eq!(Ask::default().granted(&policies), granted);
    }
}

#[test]
fn a_policy_is_in_force_from_activate_until_just_before_deactivate() {
    let of = |when: Value| Ask::default().granted(&one_role(&[with(allow(all_portfolios()), "when", when)]));
    assert!(of(json!({ "activate": NOW })));
    assert!(!of(json!({ "activate": "2026-11-21T12:00:00.0000001Z" })));
    assert!(!of(json!({ "deactivate": NOW })));
    assert!(of(json!({ "deactivate": "2026-11-21T12:00:00.0000001Z" })));
    assert!(of(Value::Null) && of(json!({})) && of(json!({ "activate": null, "deactivate": null })));
}

#[test]
fn actions_have_no_case_and_any_stands_for_all() {
    let policies = one_role(&[allow(all(json!([{ "scope": "default", "activity": "rEAD", "entity": "pORTFOLIO" }, action("ANY", "Quote")])))]);
    assert!(Ask::default().granted(&policies));
    assert!(!Ask::doing("Update").granted(&policies));
    assert!(Ask { entity: "quote", ..Ask::doing("Unheard") }.granted(&policies));
}

#[test]
fn action_scopes_match_when_equal_or_when_either_is_default() {
    let of = |own: &str, asked: &str| {
        let policies = one_role(&[allow(all(json!([{ "scope": own, "activity": "Read", "entity": "Portfolio" }])))]);
        Ask { scope: asked, ..Ask::default() }.granted(&policies)
    };
    assert!(of("default", "LUSID") && of("LUSID", "Default") && of("lusid", "LUSID"));
    assert!(!of("LUSID", "Drive"));
}

#[test]
fn the_scope_of_another_action_does_not_help() {
    let actions = json!([{ "scope": "A", "activity": "Read", "entity": "Portfolio" }, { "scope": "B", "activity": "Update", "entity": "Portfolio" }]);
    let policies = one_role(&[allow(all(actions))]);
    assert!(!Ask { scope: "B", ..Ask::default() }.granted(&policies));
    assert!(Ask { scope: "B", ..Ask::doing("Update") }.granted(&policies));
}

#[test]
fn an_allow_of_upsert_grants_add_and_update_but_not_the_other_way() {
    let upsert = one_role(&[allow(portfolio("Upsert"))]);
    for activity in ["Add", "Update", "Upsert"] {
        assert!(Ask::doing(activity).granted(&upsert), "{activity}");
    }
    assert!(!Ask::doing("Delete").granted(&upsert));
    let both = one_role(&[allow(portfolio("Add")), allow(portfolio("Update"))]);
    assert!(!Ask::doing("Upsert").granted(&both));
}

#[test]
fn a_deny_of_add_or_update_denies_upsert() {
    for (denied, asked, granted) in [
        ("Add", "Upsert", false),
        ("update", "Upsert", false),
        ("Delete", "Upsert", true),
        ("Add", "Update", true),
        ("Upsert", "Add", false),
        ("Upsert", "Delete", true),
    ] {
        let policies = one_role(&[allow(all_portfolios()), deny(portfolio(denied))]);
        assert_eq!(Ask::doing(asked).granted(&policies), granted, "{denied} {asked}");
    }
}

#[test]
fn every_part_must_match_and_null_matches_anything() {
    let policies = one_role(&[allow(by_id(json!({ "SCOPE": "US", "code": null })))]);
    assert!(Ask::read("US", "eq").granted(&policies));
    assert!(!Ask::read("UK", "eq").granted(&policies));
    let policies = one_role(&[allow(by_id(json!({ "scope": "US", "code": "fi" })))]);
    assert!(!Ask::read("US", "eq").granted(&policies));
}

#[test]
fn values_keep_their_case_in_an_allow_and_lose_it_in_a_deny() {
    let policies = one_role(&[allow(by_id(json!({ "code": "e*" }))), deny(by_id(json!({ "scope": "us", "code": "*SECRET*" })))]);
    assert!(Ask::read("US", "eq").granted(&policies));
    assert!(!Ask::read("US", "EQ").granted(&policies));
    assert!(!Ask::read("US", "e-Secret-1").granted(&policies));
    let accent = one_role(&[allow(all_portfolios()), deny(by_id(json!({ "code": "ç" })))]);
    assert!(Ask::read("US", "Ç").granted(&accent));
}

#[test]
fn features_have_no_case_in_an_allow_either() {
    let feature = json!({ "idSelectorDefinition": { "identifier": { "scope": "lusid", "code": "API-Portfolios-*" }, "actions": [{ "scope": "LUSID", "activity": "execute", "entity": "feature" }] } });
    let policies = one_role(&[allow(feature)]);
    assert!(Ask::feature("api-portfolios-getportfolio").granted(&policies));
    assert!(!Ask::feature("api-portfolio").granted(&policies));
}

#[test]
fn dates_are_not_tested_for_features() {
    let long_ago = json!([{ "effectiveRange": { "to": "2001-01-01" } }]);
    let policies = one_role(&[with(allow(all(json!([action("Execute", "Feature"), action("Any", "Portfolio")]))), "for", long_ago)]);
    assert!(Ask::feature("x").granted(&policies));
    assert!(!Ask::default().granted(&policies));
}

#[test]
fn every_expression_of_a_metadata_selector_must_hold() {
    let expressions = json!([
        { "metadataKey": "Level", "operator": "GreaterThan", "textValue": "5" },
        { "metadataKey": "Team", "operator": "NotEquals", "textValue": "FI" },
    ]);
    let policies = one_role(&[allow(json!({ "metadataSelectorDefinition": { "expressions": expressions, "actions": any_portfolio() } }))]);
    let ask = |metadata: &Metadata| Ask { metadata: MetadataOf::Known(metadata), ..Ask::default() }.granted(&policies);
    assert!(ask(&metadata(&[("Level", "10")])));
    assert!(!ask(&metadata(&[("Level", "5")])));
    assert!(!ask(&metadata(&[("Level", "10"), ("Team", "FI")])));
    assert!(!ask(&Metadata::default()));
}

#[test]
fn metadata_selectors_never_match_features_and_properties() {
    for entity in ["Feature", "PropertyValue", "PropertyDefinition"] {
        let selector = json!({ "metadataSelectorDefinition": {
            "expressions": [{ "metadataKey": "K", "operator": "NotEquals", "textValue": "v" }], "actions": [action("Any", entity)] } });
        let policies = one_role(&[allow(all(json!([action("Any", entity)]))), deny(selector.clone())]);
        assert!(Ask { entity, ..Ask::default() }.granted(&policies), "{entity}: known not to match");
        assert!(!Ask { entity, ..Ask::default() }.subject(&one_role(&[allow(selector)])).could_grant("LUSID", "Read", entity));
    }
}

#[test]
fn access_metadata_is_found_by_exact_parts_and_values() {
    let entry = json!({ "entity": "Portfolio", "id": { "scope": "US", "code": "eq" }, "metadata": { "Desk": [{ "value": "EQ" }] } });
    let policies = Snapshot::default().plus("accessMetadata", entry).load();
    assert!(policies.access_metadata("PORTFOLIO", &[("Code", "eq"), ("Scope", "US")]).is_some());
    for id in [&[("scope", "us"), ("code", "eq")][..], &[("scope", "US")], &[("scope", "US"), ("code", "eq"), ("x", "y")], &[("scope", "eq"), ("code", "US")]] {
        assert_eq!(policies.access_metadata("Portfolio", id), None, "{id:?}");
    }
}

#[test]
fn per_se_looks_at_everything_but_id_metadata_and_dates() {
    let could = |policy: Value| Ask::default().subject(&one_role(&[policy])).could_grant("LUSID", "Read", "Portfolio");
    assert!(could(allow(by_id(json!({ "scope": "nowhere" })))));
    assert!(could(allow(by_metadata("K", "Equals", "v"))));
    assert!(could(with(allow(all_portfolios()), "for", json!([{ "effectiveRange": { "to": "2001-01-01" } }]))));
    assert!(!could(allow(portfolio("Update"))));
    assert!(!could(allow(all(json!([action("Any", "Quote")])))));
    assert!(!could(deny(all_portfolios())));
    assert!(!could(with(allow(all_portfolios()), "when", json!({ "deactivate": NOW }))));
    assert!(!could(with(allow(all_portfolios()), "applications", json!(["Drive"]))));
    assert!(!could(with(allow(all_portfolios()), "if", json!([{ "ifIdentityScopeExpression": { "scopeName": "s" } }]))));
}
