//! What may be loaded, and that everything wrong is said at its place (semantics §4, interfaces §5).

use super::*;

fn policy_problems(member: &str, value: Value) -> Vec<String> {
    Snapshot::of_roles(&[&[with(allow(all_portfolios()), member, value)]]).problems()
}

#[test]
fn entries_must_have_exactly_one_member_that_is_known() {
    let all = || json!({ "actions": any_portfolio() });
    for entry in [
        json!({}),
        json!({ "matchAllSelectorDefinition": null }),
        json!({ "tag": all() }),
        json!(null),
        json!([]),
        json!({ "matchAllSelectorDefinition": all(), "comment": null }),
    ] {
        assert!(policy_problems("selectors", json!([all_portfolios(), entry]))[0].starts_with("policies[0].selectors[1]"), "{entry}");
    }
    for entry in [json!({}), json!({ "moonPhase": {} }), json!({ "effectiveRange": {}, "asAtRelative": { "relativeToDateTime": "Before" } })] {
        assert!(policy_problems("for", json!([entry]))[0].starts_with("policies[0].for[0]"), "{entry}");
    }
    for entry in [json!({}), json!({ "ifWeekday": {} })] {
        assert!(policy_problems("if", json!([entry]))[0].starts_with("policies[0].if[0]"), "{entry}");
    }
}

#[test]
fn a_null_member_is_absent() {
    let selector = json!({ "matchAllSelectorDefinition": { "actions": any_portfolio(), "name": null }, "idSelectorDefinition": null });
    let policy = json!({ "grant": "Allow", "selectors": [selector], "for": null, "if": null, "when": null, "applications": null, "how": null });
    assert!(Ask::default().granted(&one_role(&[policy])));
    for (member, path) in [("grant", "policies[0].grant"), ("selectors", "policies[0].selectors")] {
        assert_eq!(policy_problems(member, Value::Null), [path]);
    }
}

#[test]
fn what_must_not_be_empty_is_reported_empty() {
    let kind = |kind: &str, definition: Value| policy_problems("selectors", json!([{ kind: definition }])).remove(0);
    assert_eq!(policy_problems("selectors", json!([])), ["policies[0].selectors"]);
    assert_eq!(kind("matchAllSelectorDefinition", json!({ "actions": [] })), "policies[0].selectors[0].matchAllSelectorDefinition.actions");
    assert_eq!(
        kind("idSelectorDefinition", json!({ "identifier": {}, "actions": any_portfolio() })),
        "policies[0].selectors[0].idSelectorDefinition.identifier"
    );
    assert_eq!(
        kind("metadataSelectorDefinition", json!({ "expressions": [], "actions": any_portfolio() })),
        "policies[0].selectors[0].metadataSelectorDefinition.expressions"
    );
    let inner = json!({ "restrictionSelectors": [{ "matchAllSelectorDefinition": {} }], "actions": any_portfolio() });
    assert_eq!(
        kind("policySelectorDefinition", inner),
        "policies[0].selectors[0].policySelectorDefinition.restrictionSelectors[0].matchAllSelectorDefinition.actions"
    );
}

#[test]
fn undefined_and_unknown_words_are_reported() {
    for word in ["Undefined", "allow", "Perhaps", ""] {
        assert_eq!(policy_problems("grant", json!(word)), ["policies[0].grant"]);
    }
    let relative =
        |member: &str, value: &str| policy_problems("for", json!([{ "asAtRelative": with(json!({ "relativeToDateTime": "Before" }), member, json!(value)) }]));
    for member in ["date", "unit", "relativeToDateTime"] {
        assert_eq!(relative(member, "Undefined"), [format!("policies[0].for[0].asAtRelative.{member}")]);
    }
    let via = json!([{ "ifViaApiExpression": { "apiFeatureCodes": "x", "operator": "Not" } }]);
    assert_eq!(policy_problems("if", via), ["policies[0].if[0].ifViaApiExpression.operator"]);
}

#[test]
fn operators_that_need_a_value_must_have_one() {
    let header = |operator: &str| json!([{ "ifRequestHeaderExpression": { "headerName": "x", "operator": operator } }]);
    assert_eq!(policy_problems("if", header("NotPresentOrNotContainsCaseSensitive")), ["policies[0].if[0].ifRequestHeaderExpression.value"]);
    assert!(!one_role(&[with(allow(all_portfolios()), "if", header("NotPresent"))]).policies().is_empty());
}

#[test]
fn a_member_that_stands_twice_anywhere_is_an_error() {
    let document = |inside: &str| format!(r#"{{"schema":"doorward.snapshot/1","revision":1,"issuedAt":"{NOW}",{inside}}}"#);
    for (inside, path) in [
        (r#""revision":1"#, "revision"),
        (r#""users":[],"users":[]"#, "users"),
        (r#""unheard":{"a":[{"b":1,"b":1}]}"#, "unheard.a[0].b"),
        (r#""users":[{"id":"a","status":"ACTIVE","links":[{"x":1,"x":2}]}]"#, "users[0].links[0].x"),
        (r#""users":[{"id":"a","i\u0064":"b","status":"ACTIVE"}]"#, "users[0].id"),
    ] {
        assert_eq!(problems(&document(inside)), [path], "{inside}");
    }
    let many: Vec<_> = (0..20).map(|n| format!(r#""m{}":1"#, n % 19)).collect();
    assert_eq!(problems(&document(&format!(r#""x":{{{}}}"#, many.join(",")))), ["x.m0"]);
}

#[test]
fn unknown_members_elsewhere_are_ignored() {
    let mut policy = allow(json!({ "matchAllSelectorDefinition": { "actions": any_portfolio(), "colour": "red" } }));
    policy["colour"] = json!({ "deep": [1, 2.5, null] });
    assert!(Ask::default().granted(&Snapshot::of_roles(&[&[policy]]).plus("colours", json!("red")).load()));
}

#[test]
fn ids_must_differ_with_a_missing_scope_as_default() {
    let policy = |id: Value| with(allow(all_portfolios()), "id", id);
    let access = |id: Value, entity: &str| json!({ "entity": entity, "id": id, "metadata": {} });
    let token = || json!({ "sha256": "ab".repeat(32), "userId": "u" });
    let snapshot = Snapshot::default()
        .user(&[])
        .user(&[])
        .plus("policies", policy(json!({ "scope": "default", "code": "p" })))
        .plus("policies", policy(json!({ "code": "p" })))
        .plus("accessMetadata", access(json!({ "a": "1", "b": "2" }), "Portfolio"))
        .plus("accessMetadata", access(json!({ "B": "2", "A": "1" }), "PORTFOLIO"))
        .plus("accessMetadata", access(json!({ "a": "2", "b": "1" }), "Portfolio"))
        .plus("personalAccessTokens", token())
        .plus("personalAccessTokens", token());
    let mut found = snapshot.problems();
    found.sort();
    assert_eq!(found, ["accessMetadata[1]", "personalAccessTokens[1]", "policies[1]", "users[1]"]);
}

#[test]
fn references_must_lead_somewhere_but_for_the_roles_of_a_user_and_the_administrator() {
    let resource = json!({
        "policyIdRoleResource": { "policies": [id("gone")], "policyCollections": [id("gone")] },
        "nonTransitiveSupervisorRoleResource": { "roles": [id("gone"), id("LUSID_SYSTEM/lusid-administrator")] },
    });
    let mut snapshot = Snapshot::default().user(&["gone"]);
    snapshot.add_role("r", 1, resource.clone());
    let snapshot = snapshot
        .plus("userRoles", json!({ "id": { "scope": "_users", "code": "v" }, "resource": resource }))
        .plus("policyCollections", json!({ "id": id("c"), "policies": [id("gone")], "policyCollections": [id("gone")] }))
        .plus("personalAccessTokens", json!({ "sha256": "00".repeat(32), "userId": "gone" }))
        .plus("revokedTokens", json!({ "userId": "gone", "issuedBefore": NOW }));
    let of = |array: &str| {
        ["policyIdRoleResource.policies[0]", "policyIdRoleResource.policyCollections[0]", "nonTransitiveSupervisorRoleResource.roles[0]"]
            .map(|member| format!("{array}[0].resource.{member}"))
    };
    let mut expected: Vec<_> = of("roles").into_iter().chain(of("userRoles")).collect();
    expected.extend(["policyCollections[0].policies[0]", "policyCollections[0].policyCollections[0]", "personalAccessTokens[0].userId"].map(str::to_owned));
    assert_eq!(snapshot.problems(), expected);
}

#[test]
fn collections_that_contain_themselves_are_reported() {
    let collection = |name: &str, inner: &[&str]| json!({ "id": id(name), "policyCollections": inner.iter().map(|name| id(name)).collect::<Vec<_>>() });
    let around = Snapshot::default()
        .plus("policyCollections", collection("a", &["b", "c"]))
        .plus("policyCollections", collection("b", &["c"]))
        .plus("policyCollections", collection("c", &["a"]));
    assert_eq!(around.problems(), ["policyCollections[2].policyCollections[0]"]);
    let itself = Snapshot::default().plus("policyCollections", collection("a", &["a"]));
    assert_eq!(itself.problems(), ["policyCollections[0].policyCollections[0]"]);
    let diamond = Snapshot::default()
        .plus("policyCollections", collection("a", &["b", "c"]))
        .plus("policyCollections", collection("b", &["c"]))
        .plus("policyCollections", collection("c", &[]));
    assert_eq!(diamond.load().collections().len(), 3);
}

#[test]
fn a_chain_of_collections_as_long_as_the_document_is_no_danger() {
    let mut snapshot = Snapshot::default();
    for number in 0..5_000 {
        snapshot.push("policyCollections", json!({ "id": id(&format!("c{number}")), "policyCollections": [id(&format!("c{}", (number + 1) % 5_000))] }));
    }
    assert_eq!(snapshot.problems().len(), 1);
}

#[test]
fn the_head_of_the_document_is_checked() {
    let of = |member: &str, value: Value| problems(&with(Snapshot::default().json(), member, value).to_string());
    assert_eq!(of("schema", json!("doorward.snapshot/2")), ["schema"]);
    for revision in [json!(0), json!(-1), json!("1"), json!(1.5)] {
        assert_eq!(of("revision", revision), ["revision"]);
    }
    assert_eq!(of("issuedAt", json!("soon")), ["issuedAt"]);
    assert_eq!(of("users", json!({})), ["users"]);
    assert_eq!(of("roles", json!(7)), ["roles"]);
    assert_eq!(problems("{}"), ["schema", "revision", "issuedAt"]);
    for json in ["", "[]", "{", "\u{feff}{}", "{} x", "nul"] {
        assert_eq!(problems(json), [""], "{json}");
    }
}

#[test]
fn everything_is_reported_at_once_with_what_to_do() {
    let mut snapshot = Snapshot::of_roles(&[&[with(with(allow(json!({})), "when", json!({ "activate": "x", "deactivate": 1 })), "grant", json!("No"))]]);
    snapshot.push("users", json!({ "id": "", "status": "ASLEEP", "type": "Robot", "userExpiry": "tomorrow", "roles": [{}] }));
    let expected = [
        "users[1].id",
        "users[1].type",
        "users[1].status",
        "users[1].userExpiry",
        "users[1].roles[0].code",
        "policies[0].grant",
        "policies[0].selectors[0]",
        "policies[0].when.activate",
        "policies[0].when.deactivate",
    ];
    let mut found = snapshot.problems();
    let mut expected = expected.map(str::to_owned).to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let text = load(snapshot.json().to_string().as_bytes()).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(text.contains("users[1].type: `Robot` is not known; use one of Personal, Service"), "{text}");
}

#[test]
fn documents_stay_available() {
    let policies = one_role(&[allow(all_portfolios())]);
    let document = policies.document(&ScopedId::named("r1-1")).unwrap();
    assert_eq!((document.grant, document.selectors.len(), document.when), (Grant::Allow, 1, When::default()));
    assert_eq!((policies.users().len(), policies.roles().len(), policies.policies().len()), (1, 1, 1));
    assert_eq!((policies.revision(), policies.issued_at()), (7, instant(NOW).into()));
    assert!(policies.role(&RoleId::named("r1")).is_some() && policies.user_role("u").is_none());
    assert!(policies.bytes() > 1_000);
}

fn refused(json: &str) -> Vec<Problem> {
    load(json.as_bytes()).err().unwrap()
}

fn with_users(users: &str) -> String {
    format!(r#"{{"schema":"doorward.snapshot/1","revision":1,"issuedAt":"2026-11-21T12:00:00Z","users":[{users}]}}"#)
}

#[test]
fn of_many_problems_the_first_are_said_and_the_others_counted() {
    let problems = |count: usize| refused(&with_users(&vec!["1"; count].join(",")));
    let all = problems(5000);
    assert!(all.len() == 5000 && all.iter().all(|problem| problem.message == "must be an object"));
    let many = problems(100_000);
    let (rest, said) = many.split_last().unwrap();
    assert!(said.starts_with(&all) && said.len() < 20_000, "{}", said.len());
    assert_eq!(rest.to_string(), format!("… and at least {} more", 100_000 - said.len()));
}

#[test]
fn a_problem_is_short_whatever_the_document_says() {
    let name = "é".repeat(100_000);
    for element in [format!(r#"{{"id":"a","status":"{name}"}}"#), format!(r#"{{"id":"a","status":"ACTIVE","{name}":{{"b":1,"b":2}}}}"#)] {
        let problem = refused(&with_users(&element)).remove(0);
        assert!(problem.to_string().len() < 5000 && problem.to_string().contains("é…"), "{}", problem.to_string().len());
    }
}

#[test]
fn an_element_of_more_values_than_any_good_one_has_is_refused() {
    let list = |values: usize| format!("[{}]", vec!["0"; values - 1].join(","));
    let most = 1_000_000;
    assert_eq!(refused(&with_users(&list(most)))[0].to_string(), "users[0]: must be an object");
    let message = refused(&with_users(&list(most + 1))).remove(0).message;
    assert!(message.starts_with("is not a snapshot in JSON: an element holds more than 1000000 values"), "{message}");
}

#[test]
fn a_document_of_more_members_than_any_schema_has_is_refused() {
    let members = |count: usize| (0..count).map(|number| format!(r#","x{number}":0"#)).collect::<String>();
    let document = |count: usize| with_users("").replace('}', &format!("{}}}", members(count - 4)));
    assert!(load(document(1000).as_bytes()).is_ok());
    assert!(refused(&document(1001))[0].message.contains("has more than 1000 members"));
}

#[test]
fn what_is_empty_is_no_snapshot() {
    for json in ["", " ", "null", "[]", "{}"] {
        assert!(!refused(json).is_empty(), "{json}");
    }
}
