//! Questions about the caller's own rights.

use super::super::evaluation::{EvaluationRequests, RequestHeaders, evaluated};
use super::super::me::{attached, sources};
use super::super::{collections, roles};
use super::*;
use crate::control::defaults;
use crate::store::{Resource, UserRole};
use http::HeaderMap;

fn portfolio(scope: &str) -> Value {
    json!({
        "request": { "action": { "entityCode": "Portfolio", "scope": "default", "activity": "Read" } },
        "resource": { "id": { "scope": scope, "code": "eq" } }
    })
}

fn allow(applications: &[&str], selector: Value) -> Value {
    grant("Allow", applications, selector)
}

fn grant(grant: &str, applications: &[&str], selector: Value) -> Value {
    json!({ "grant": grant, "applications": applications, "selectors": [selector] })
}

fn by_scope(scope: &str) -> Value {
    json!({ "idSelectorDefinition": { "identifier": { "scope": scope }, "actions": [{ "scope": "default", "activity": "Any", "entity": "Portfolio" }] } })
}

fn result(caller: &Caller, applications: &[&str], question: &Value) -> String {
    with_headers(caller, applications, question, &HeaderMap::new())
}

fn with_headers(caller: &Caller, applications: &[&str], question: &Value, headers: &HeaderMap) -> String {
    let requests = request::<EvaluationRequests>(json!({ "q": question }));
    let answers = evaluated(caller, &RequestHeaders(headers), applications, requests).unwrap();
    wire(answers)["q"]["result"].as_str().unwrap().to_owned()
}

#[test]
fn every_question_is_answered_under_its_key() {
    let caller = caller_with(&[allow(&[], by_scope("US"))]);
    let requests = request::<EvaluationRequests>(json!({ "e1": portfolio("US"), "e2": portfolio("UK") }));
    let answers = wire(evaluated(&caller, &RequestHeaders(&HeaderMap::new()), &[], requests).unwrap());
    assert_eq!(answers["e1"], json!({ "result": "Granted" }));
    assert_eq!(answers["e2"], json!({ "result": "Denied", "detailedMessage": "Access was denied: your policies do not grant this action on this resource." }));
}

#[test]
fn a_question_that_does_not_fit_is_named_by_its_key() {
    let fields = unfit_fields::<EvaluationRequests>(&json!({ "e1": { "request": {}, "resource": { "id": { "scope": 1 } } } }));
    assert_eq!(fields, ["e1.request.action", "e1.resource.id.scope"]);
    let mut reversed = portfolio("US");
    reversed["request"]["fromAsAt"] = json!("2024-01-02");
    reversed["request"]["toAsAt"] = json!("2024-01-01");
    let requests = request::<EvaluationRequests>(json!({ "e1": reversed }));
    assert_eq!(denied_fields(evaluated(&administrator(), &RequestHeaders(&HeaderMap::new()), &[], requests)), ["e1.request.fromAsAt"]);
}

#[test]
fn policies_of_any_of_the_applications_count() {
    let caller = caller_with(&[allow(&["LUSID"], by_scope("US")), allow(&["Drive"], by_scope("UK"))]);
    let asked = |applications: &[&str]| [result(&caller, applications, &portfolio("US")), result(&caller, applications, &portfolio("UK"))];
    assert_eq!(asked(&["lusid"]), ["Granted", "Denied"]);
    assert_eq!(asked(&["LUSID", "Drive"]), ["Granted", "Granted"]);
    assert_eq!(asked(&["Insights"]), ["Denied", "Denied"]);
    assert_eq!(asked(&[]), ["Granted", "Granted"]);
}

#[test]
fn among_applications_a_deny_of_the_same_role_wins_and_a_stronger_role_wins() {
    let denied = caller_with(&[allow(&["LUSID"], by_scope("US")), grant("Deny", &["Drive"], by_scope("US"))]);
    assert_eq!(result(&denied, &["LUSID"], &portfolio("US")), "Granted");
    assert_eq!(result(&denied, &["LUSID", "Drive"], &portfolio("US")), "Denied");
    let role = |code: &str, index: i64, policy: &str| json!({ "id": { "code": code }, "roleHierarchyIndex": index, "resource": { "policyIdRoleResource": { "policies": [{ "code": policy }] } } });
    let (mut strong, mut weak) = (allow(&["LUSID"], by_scope("US")), grant("Deny", &["Drive"], by_scope("US")));
    strong["id"] = json!({ "code": "strong" });
    weak["id"] = json!({ "code": "weak" });
    let user_role = json!([{ "id": { "scope": "_users", "code": "00u1" }, "resource": { "policyIdRoleResource": { "policies": [{ "code": "weak" }] } } }]);
    for weaker in [
        json!({ "roles": [role("own", 2, "strong")], "userRoles": user_role }),
        json!({
            "users": [{ "id": "00u1", "login": "a@b.c", "type": "Personal", "status": "ACTIVE", "roles": [{ "code": "own" }, { "code": "low" }] }],
            "roles": [role("low", 3, "weak"), role("own", 2, "strong")],
        }),
    ] {
        let mut members = weaker.clone();
        members["policies"] = json!([strong, weak]);
        assert_eq!(result(&caller(&members), &["Drive", "LUSID"], &portfolio("US")), "Granted", "{weaker}");
    }
}

#[test]
fn metadata_counts_as_given_then_as_kept_and_is_unknown_otherwise() {
    let selector = json!({ "metadataSelectorDefinition": {
        "expressions": [{ "metadataKey": "Secret", "operator": "Equals", "textValue": "yes" }],
        "actions": [{ "scope": "default", "activity": "Any", "entity": "Portfolio" }]
    } });
    let caller = caller_with(&[allow(&[], by_scope("*")), grant("Deny", &[], selector)]);
    let with = |metadata: Value| {
        let mut question = portfolio("US");
        question["resource"]["metadata"] = metadata;
        result(&caller, &[], &question)
    };
    assert_eq!(with(json!({ "Secret": [{ "value": "yes", "provider": "x" }] })), "Denied");
    assert_eq!(with(json!({ "Secret": [{ "value": "no" }] })), "Granted");
    assert_eq!(with(json!({ "Secret": null })), "Granted");
    assert_eq!(with(json!({})), "Granted");
    assert_eq!(with(Value::Null), "Denied");
}

#[test]
fn kept_metadata_is_taken_where_a_question_brings_none() {
    let mut deny = grant(
        "Deny",
        &[],
        json!({ "metadataSelectorDefinition": {
        "expressions": [{ "metadataKey": "Secret", "operator": "Equals", "textValue": "yes" }],
        "actions": [{ "scope": "default", "activity": "Any", "entity": "Portfolio" }]
    } }),
    );
    deny["id"] = json!({ "code": "deny" });
    let mut open = allow(&[], by_scope("*"));
    open["id"] = json!({ "code": "open" });
    let caller = caller(&json!({
        "policies": [deny, open],
        "roles": [{ "id": { "code": "own" }, "roleHierarchyIndex": 2, "resource": { "policyIdRoleResource": { "policies": [{ "code": "deny" }, { "code": "open" }] } } }],
        "accessMetadata": [{ "entity": "Portfolio", "id": { "scope": "US", "code": "eq" }, "metadata": {} }]
    }));
    assert_eq!(result(&caller, &[], &portfolio("US")), "Granted");
    assert_eq!(result(&caller, &[], &portfolio("UK")), "Denied");
}

#[test]
fn an_open_stretch_of_dates_reaches_to_now() {
    let mut policy = allow(&[], by_scope("*"));
    policy["for"] = json!([{ "effectiveRange": { "from": "2020-01-01", "to": "2024-01-01" } }]);
    let caller = caller_with(&[policy]);
    let between = |from: Value, to: Value| {
        let mut question = portfolio("US");
        question["request"]["fromEffectiveDate"] = from;
        question["request"]["toEffectiveDate"] = to;
        result(&caller, &[], &question)
    };
    assert_eq!(between(json!("2021-01-01"), Value::Null), "Granted");
    assert_eq!(between(json!("2021-01-01"), json!("2022-01-01T00:00:00+00:00")), "Granted");
    assert_eq!(between(json!("2021-01-01"), json!("2025-01-01")), "Denied");
    assert_eq!(between(Value::Null, json!("2021-01-01")), "Denied");
    assert_eq!(between(Value::Null, Value::Null), "Denied");
}

#[test]
fn a_feature_is_asked_as_the_one_that_is_executed() {
    let execute = json!({ "scope": "default", "activity": "Execute", "entity": "Feature" });
    let mut policy = allow(&[], json!({ "matchAllSelectorDefinition": { "actions": [execute] } }));
    policy["if"] = json!([{ "ifViaApiExpression": { "apiFeatureCodes": ["LUSID/api-portfolios-*"] } }]);
    let mut data = allow(&[], by_scope("*"));
    data["if"] = policy["if"].clone();
    let caller = caller_with(&[policy, data]);
    let feature = |code: &str| json!({ "request": { "action": { "entityCode": "Feature", "scope": "default", "activity": "Execute" } }, "resource": { "id": { "scope": "LUSID", "code": code } } });
    assert_eq!(result(&caller, &[], &feature("api-portfolios-listportfolios")), "Granted");
    assert_eq!(result(&caller, &[], &feature("api-quotes-getquotes")), "Denied");
    // By which feature data would be read is not known.
    assert_eq!(result(&caller, &[], &portfolio("US")), "Denied");
}

#[test]
fn headers_are_those_of_the_request_itself() {
    let mut policy = allow(&[], by_scope("*"));
    policy["if"] = json!([{ "ifRequestHeaderExpression": { "headerName": "X-Team", "operator": "EqualsCaseSensitive", "value": "eq" } }]);
    let caller = caller_with(&[policy]);
    let mut headers = HeaderMap::new();
    assert_eq!(with_headers(&caller, &[], &portfolio("US"), &headers), "Denied");
    headers.append("x-team", "eq".parse().unwrap());
    assert_eq!(with_headers(&caller, &[], &portfolio("US"), &headers), "Granted");
    headers.append("x-team", "eq".parse().unwrap());
    assert_eq!(with_headers(&caller, &[], &portfolio("US"), &headers), "Denied");
}

#[test]
fn a_question_about_a_policy_sees_the_policy() {
    let restriction =
        json!([{ "idSelectorDefinition": { "identifier": { "scope": "US" }, "actions": [{ "scope": "default", "activity": "Any", "entity": "Portfolio" }] } }]);
    let actions = json!([{ "scope": "default", "activity": "Update", "entity": "Policy" }]);
    let about = json!({ "policySelectorDefinition": { "restrictionSelectors": restriction, "actions": actions } });
    let caller = caller_with(&[allow(&[], about), allow(&[], by_scope("US")), allow(&[], by_scope("*"))]);
    let update = |code: &str| json!({ "request": { "action": { "entityCode": "Policy", "scope": "default", "activity": "Update" } }, "resource": { "id": { "scope": "default", "code": code } } });
    assert_eq!(result(&caller, &[], &update("policy-1")), "Granted");
    assert_eq!(result(&caller, &[], &update("policy-2")), "Denied");
}

#[test]
fn own_policies_come_in_the_order_of_the_roles() {
    let mut draft = draft_with_policies(&["one", "two", "three"]);
    let caller = administrator();
    let mut drive = policy_body("a-drive");
    drive["applications"] = json!(["Drive"]);
    super::super::policies::creation(&mut draft, &caller, request(drive)).unwrap();
    let held = |policies: &[&str], collections: &[&str]| {
        let ids = |codes: &[&str]| codes.iter().map(|code| json!({ "code": code })).collect::<Vec<_>>();
        json!({ "policies": ids(policies), "policyCollections": ids(collections) })
    };
    collections::creation(&mut draft, &caller, request(json!({ "code": "inner", "policies": [{ "code": "two" }] }))).unwrap();
    collections::creation(&mut draft, &caller, request(json!({ "code": "outer", "policyCollections": [{ "code": "inner" }] }))).unwrap();
    for (code, own) in [("low", held(&["one"], &[])), ("high", held(&["two", "a-drive"], &["outer"]))] {
        roles::creation(&mut draft, &caller, request(json!({ "code": code, "resource": { "policyIdRoleResource": own } }))).unwrap();
    }
    let supervisor = json!({ "nonTransitiveSupervisorRoleResource": { "roles": [{ "code": "low" }] } });
    roles::creation(&mut draft, &caller, request(json!({ "code": "head", "resource": supervisor }))).unwrap();
    let resource = Resource {
        policy_id_role_resource: Some(crate::store::PolicyIds { policies: vec![id("three")], policy_collections: Vec::new() }),
        ..Resource::default()
    };
    draft.put(UserRole { id: crate::store::ScopedId::new("_users", "00u1"), resource });
    let list = |applications: &[&str]| -> Vec<String> {
        let held = attached(&draft, &sources(&draft, &[defaults::administrator(), id("high"), id("head"), id("gone")], "00u1"), applications);
        let line =
            |policy: Value| format!("{} {} {} {}", policy["roleHierarchyIndex"], policy["sourceRole"]["code"], policy["id"]["code"], policy["policyType"]);
        held.into_iter().map(|policy| line(wire(policy)).replace('"', "")).collect()
    };
    assert_eq!(list(&[]), ["3 high a-drive Entitlement", "3 high two Entitlement", "4 head one Entitlement", "5 00u1 three Entitlement"]);
    assert_eq!(list(&["lusid", "Insights"]), ["3 high two Entitlement", "4 head one Entitlement", "5 00u1 three Entitlement"]);
}
