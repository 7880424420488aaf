//! Policies: what is accepted, how it is kept, and by whom.

use super::super::policies::{PolicyCreationRequest, PolicyUpdateRequest, creation, deletion, in_scope, replacement};
use super::super::{collections, roles};
use super::*;

/// The body of a policy with one member changed.
fn body(member: &str, value: Value) -> Value {
    let mut body = policy_body("readers");
    body[member] = value;
    body
}

fn create(body: Value) -> Result<Value, Problem> {
    creation(&mut draft(), &administrator(), request(body)).map(wire)
}

fn action(entity: &str) -> Value {
    json!([{ "scope": "default", "activity": "Read", "entity": entity }])
}

#[test]
fn a_policy_comes_back_as_it_was_sent() {
    let mut body = policy_body("readers");
    body["description"] = json!("Readers of US");
    body["selectors"] = json!([
        { "idSelectorDefinition": { "identifier": { "scope": "US" }, "actions": action("Portfolio"), "name": "n", "description": "d" } },
        { "metadataSelectorDefinition": { "expressions": [{ "metadataKey": "Desk", "operator": "In", "textValue": "EQ,FX" }], "actions": action("Portfolio") } },
        { "matchAllSelectorDefinition": { "actions": action("Feature") } },
        { "policySelectorDefinition": {
            "identityRestriction": { "scope": "default" },
            "restrictionSelectors": [{ "matchAllSelectorDefinition": { "actions": action("Portfolio") } }],
            "actions": action("Policy")
        } }
    ]);
    body["for"] = json!([
        { "effectiveRange": { "from": "2015-12-25", "to": "2020-12-25T00:00:00+00:00" } },
        { "asAtRangeForSpec": { "from": { "dateTimeOffset": "2018-01-01T00:00:00.0000000+00:00" }, "to": { "value": "AsAt=Latest" } } },
        { "effectiveDateRelative": { "date": "Now", "adjustment": -7, "unit": "Day", "relativeToDateTime": "BeforeOrOn" } },
        { "asAtRelative": { "relativeToDateTime": "After" } },
        { "effectiveDateHasQuality": { "quality": "IsBefore5pm" } }
    ]);
    body["if"] = json!([
        { "ifRequestHeaderExpression": { "headerName": "team", "operator": "EqualsCaseInsensitive", "value": "eq" } },
        { "ifIdentityClaimExpression": { "claimType": "desk", "claimIssuer": "x", "operator": "NotPresent" } },
        { "ifIdentityScopeExpression": { "scopeName": "client" } },
        { "ifViaApiExpression": { "apiFeatureCodes": ["LUSID/a"], "operator": "NotIn" } },
        { "ifFeatureChainExpression": { "selectors": [{ "matchAllSelectorDefinition": { "actions": action("Feature") } }] } }
    ]);
    body["how"] = json!({ "type": "t", "parameters": [{ "key": "k", "value": "v" }] });
    body["templateMetadata"] =
        json!({ "templateSelection": [{ "scope": "default", "code": "one", "selectorTags": ["Data"] }], "buildAsAt": "2024-01-01T00:00:00Z" });
    let mut expected = body.clone();
    let members = expected.as_object_mut().unwrap();
    members.remove("code");
    members.insert("id".to_owned(), json!({ "scope": "default", "code": "readers" }));
    members.insert("links".to_owned(), json!([]));
    expected["when"]["deactivate"] = json!("9999-12-31T23:59:59.9999999+00:00");
    assert_eq!(create(body).unwrap(), expected);
}

#[test]
fn nulls_and_unknown_members_are_left_out_at_any_depth() {
    let mut sent = policy_body("readers");
    for member in ["description", "for", "if", "how", "templateMetadata", "links"] {
        sent[member] = Value::Null;
    }
    sent["permission"] = json!("Read");
    sent["when"]["deactivate"] = Value::Null;
    let selector = &mut sent["selectors"][0];
    selector["metadataSelectorDefinition"] = Value::Null;
    selector["idSelectorDefinition"]["name"] = Value::Null;
    selector["idSelectorDefinition"]["typeName"] = json!("idSelectorDefinition");
    assert_eq!(create(sent).unwrap(), create(policy_body("readers")).unwrap());
}

#[test]
fn a_new_policy_without_when_is_in_force_at_once_and_for_ever() {
    for when in [json!({}), Value::Null] {
        let expected = json!({ "activate": "2026-11-21T12:00:00.0000000+00:00", "deactivate": "9999-12-31T23:59:59.9999999+00:00" });
        assert_eq!(create(body("when", when)).unwrap()["when"], expected);
    }
}

#[test]
fn a_single_feature_code_is_kept_as_a_list_that_clients_can_read() {
    let made = create(body("if", json!([{ "ifViaApiExpression": { "apiFeatureCodes": "LUSID/api-portfolios-*" } }]))).unwrap();
    assert_eq!(made["if"], json!([{ "ifViaApiExpression": { "apiFeatureCodes": ["LUSID/api-portfolios-*"], "operator": "In" } }]));
}

#[test]
fn what_the_schema_refuses_is_named_by_its_field() {
    for (member, value, field) in [
        ("code", json!("ab"), "code"),
        ("code", json!("a.b"), "code"),
        ("code", json!("123"), "code"),
        ("description", json!("x".repeat(1025)), "description"),
        ("grant", json!("Undefined"), "grant"),
        ("selectors", json!([]), "selectors"),
        ("selectors", Value::Null, "selectors"),
        ("when", json!({ "activate": "yesterday" }), "when.activate"),
        ("for", json!([{ "effectiveDateHasQuality": { "quality": "Undefined" } }]), "for[0].effectiveDateHasQuality.quality"),
        ("selectors", json!([{ "matchAllSelectorDefinition": { "actions": [] } }]), "selectors[0].matchAllSelectorDefinition.actions"),
        (
            "selectors",
            json!([{ "idSelectorDefinition": { "identifier": { "scope": 5 }, "actions": action("Portfolio") } }]),
            "selectors[0].idSelectorDefinition.identifier.scope",
        ),
    ] {
        assert_eq!(unfit_fields::<PolicyCreationRequest>(&body(member, value.clone())), [field], "{member} {value}");
    }
}

#[test]
fn what_the_snapshot_loader_refuses_is_named_by_its_field() {
    let match_all = json!({ "actions": action("Portfolio") });
    for (member, value, field) in [
        ("selectors", json!([{}]), "selectors[0]"),
        ("selectors", json!([{ "unknown": {} }]), "selectors[0]"),
        (
            "selectors",
            json!([{ "matchAllSelectorDefinition": match_all, "idSelectorDefinition": { "identifier": { "a": "b" }, "actions": action("Portfolio") } }]),
            "selectors[0]",
        ),
        (
            "selectors",
            json!([{ "idSelectorDefinition": { "identifier": {}, "actions": action("Portfolio") } }]),
            "selectors[0].idSelectorDefinition.identifier",
        ),
        (
            "selectors",
            json!([{ "metadataSelectorDefinition": { "expressions": [{ "metadataKey": "k", "operator": "In" }], "actions": action("Portfolio") } }]),
            "selectors[0].metadataSelectorDefinition.expressions[0].textValue",
        ),
        ("for", json!([{}]), "for[0]"),
        ("for", json!([{ "asAtRelative": {} }]), "for[0].asAtRelative.relativeToDateTime"),
        ("for", json!([{ "effectiveRange": { "from": "2024-02-29T12:00:60Z" } }]), "for[0].effectiveRange.from"),
        ("for", json!([{ "asAtRangeForSpec": { "from": { "value": "AsAt=Now" }, "to": { "value": "AsAt=Latest" } } }]), "for[0].asAtRangeForSpec.from.value"),
        ("if", json!([{}]), "if[0]"),
        ("if", json!([{ "ifRequestHeaderExpression": { "headerName": "h", "operator": "EqualsCaseSensitive" } }]), "if[0].ifRequestHeaderExpression.value"),
        (
            "if",
            json!([{ "ifRequestHeaderExpression": { "headerName": "X-Bad\r\n: é", "operator": "NotPresent" } }]),
            "if[0].ifRequestHeaderExpression.headerName",
        ),
        ("for", json!([{ "effectiveDateRelative": { "adjustment": 1e30, "relativeToDateTime": "After" } }]), "for[0].effectiveDateRelative.adjustment"),
        ("selectors", Value::Array(vec![json!({ "matchAllSelectorDefinition": match_all }); 2001]), "selectors"),
    ] {
        let sent = body(member, value.clone());
        let refused = body::read::<PolicyCreationRequest>(&sent).and_then(|request| creation(&mut draft(), &administrator(), request));
        assert_eq!(denied_fields(refused), [field], "{value}");
    }
}

#[test]
fn a_policy_too_deep_for_a_snapshot_is_refused() {
    let nested = |levels: usize| {
        (0..levels).fold(
            json!({ "matchAllSelectorDefinition": { "actions": action("Policy") } }),
            |inner, _| json!({ "policySelectorDefinition": { "restrictionSelectors": [inner], "actions": action("Policy") } }),
        )
    };
    assert!(create(body("selectors", json!([nested(19)]))).is_ok());
    assert_eq!(denied_fields(create(body("selectors", json!([nested(20)])))), [""]);
}

#[test]
fn policies_about_policies_select_by_policy_or_everything() {
    let by_id = |entity: &str| json!([{ "idSelectorDefinition": { "identifier": { "code": "*" }, "actions": action(entity) } }]);
    let by_policy = |entity: &str| json!([{ "policySelectorDefinition": { "actions": action(entity) } }]);
    let by_metadata =
        json!([{ "metadataSelectorDefinition": { "expressions": [{ "metadataKey": "k", "operator": "In", "textValue": "" }], "actions": action("policy") } }]);
    assert_eq!(refusal(create(body("selectors", by_id("Policy")))), (400, 611));
    assert_eq!(refusal(create(body("selectors", by_id("PolicyCollection")))), (400, 611));
    assert_eq!(refusal(create(body("selectors", by_metadata))), (400, 611));
    assert_eq!(refusal(create(body("selectors", by_id("delegation")))), (400, 607));
    assert_eq!(refusal(create(body("selectors", by_policy("Portfolio")))), (400, 608));
    assert_eq!(denied_fields(create(body("selectors", by_policy("Portfolio")))), ["selectors[0].policySelectorDefinition.actions[0].entity"]);
    for entity in ["Policy", "PolicyCollection", "Delegation"] {
        assert!(create(body("selectors", by_policy(entity))).is_ok());
        assert!(create(body("selectors", json!([{ "matchAllSelectorDefinition": { "actions": action(entity) } }]))).is_ok());
    }
}

#[test]
fn a_code_is_taken_once_and_page_never() {
    let mut draft = draft_with_policies(&["readers"]);
    assert_eq!(refusal(creation(&mut draft, &administrator(), request(policy_body("readers")))), (409, 613));
    assert_eq!(denied_fields(creation(&mut draft, &administrator(), request(policy_body("page")))), ["code"]);
}

#[test]
fn an_update_replaces_everything_but_the_activation_it_does_not_name() {
    let mut draft = draft_with_policies(&["readers"]);
    let mut content = policy_body("readers");
    content["grant"] = json!("Deny");
    content["applications"] = Value::Null;
    content["when"] = json!({ "deactivate": "2030-01-01" });
    let changed = wire(replacement(&mut draft, &administrator(), &id("readers"), request::<PolicyUpdateRequest>(content.clone())).unwrap());
    assert_eq!((&changed["grant"], &changed["applications"]), (&json!("Deny"), &json!([])));
    assert_eq!(changed["when"], json!({ "activate": "2024-08-31T18:00:00.0000000+00:00", "deactivate": "2030-01-01T00:00:00.0000000+00:00" }));
    assert_eq!(refusal(replacement(&mut draft, &administrator(), &id("writers"), request::<PolicyUpdateRequest>(content))), (404, 772));
}

#[test]
fn a_policy_in_use_is_not_deleted_and_its_users_are_named() {
    let mut draft = draft_with_policies(&["readers", "free"]);
    let caller = administrator();
    let ids = json!([{ "code": "readers" }]);
    roles::creation(&mut draft, &caller, request(json!({ "code": "desk", "resource": { "policyIdRoleResource": { "policies": ids } } }))).unwrap();
    collections::creation(&mut draft, &caller, request(json!({ "code": "bundle", "policies": ids }))).unwrap();
    let refused = deletion(&mut draft, &caller, &id("readers"));
    let detail = wire(refused.as_ref().err().unwrap().document("", &RequestId(String::new())))["detail"].clone();
    assert_eq!(detail, "The policy `default/readers` is in use and cannot be deleted; roles: default/desk; policy collections: default/bundle.");
    assert_eq!(refusal(refused), (400, 152));
    deletion(&mut draft, &caller, &id("free")).unwrap();
    assert_eq!(refusal(deletion(&mut draft, &caller, &id("free"))), (404, 772));
}

#[test]
fn a_list_is_of_one_scope() {
    let mut draft = draft_with_policies(&["readers", "a-writers"]);
    let mut other = (**draft.policies.find("default/readers").unwrap()).clone();
    other.id.scope = "default2".to_owned();
    draft.put(other);
    let codes = |scope| -> Vec<Value> { in_scope(&draft, &administrator(), scope).iter().map(|policy| wire(policy)["id"]["code"].clone()).collect() };
    assert_eq!(codes(None), ["a-writers", "readers"]);
    assert_eq!(codes(Some("default2")), ["readers"]);
    assert!(codes(Some("nowhere")).is_empty());
}

#[test]
fn a_caller_changes_only_policies_that_are_granted_to_them() {
    let mut draft = draft_with_policies(&["own-1", "other"]);
    let caller = caller_with(&[allow_about_policies(&["Add", "Update", "Delete"], "own*")]);
    creation(&mut draft, &caller, request(policy_body("own-2"))).unwrap();
    replacement(&mut draft, &caller, &id("own-1"), request(policy_body("own-1"))).unwrap();
    deletion(&mut draft, &caller, &id("own-1")).unwrap();
    assert_eq!(refusal(creation(&mut draft, &caller, request(policy_body("others")))), (403, 186));
    assert_eq!(refusal(replacement(&mut draft, &caller, &id("other"), request(policy_body("other")))), (403, 186));
    assert_eq!(refusal(deletion(&mut draft, &caller, &id("other"))), (403, 186));
}

#[test]
fn a_caller_cannot_turn_a_policy_into_one_that_is_not_granted_to_them() {
    let restricted = json!([{ "idSelectorDefinition": { "identifier": { "scope": "US" }, "actions": action("Portfolio") } }]);
    let grant = json!({ "grant": "Allow", "selectors": [{ "policySelectorDefinition": {
        "restrictionSelectors": restricted,
        "actions": [{ "scope": "default", "activity": "Any", "entity": "Policy" }]
    } }] });
    let mut draft = draft_with_policies(&["readers"]);
    let caller = caller_with(&[grant]);
    replacement(&mut draft, &caller, &id("readers"), request(policy_body("readers"))).unwrap();
    let mut wider = policy_body("readers");
    wider["selectors"][0]["idSelectorDefinition"]["identifier"] = json!({ "code": "*" });
    assert_eq!(refusal(replacement(&mut draft, &caller, &id("readers"), request(wider))), (403, 186));
}
