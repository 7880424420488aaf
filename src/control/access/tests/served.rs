//! Every operation, asked for over a socket as clients ask, answers with the status that they read.

use super::super::{lists, routes};
use super::*;
use crate::control::parameters::Parameters;
use crate::control::plane;
use crate::observe::clock;
use axum::Extension;
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The operations with their targets and bodies, in an order in which each can succeed.
fn calls() -> Vec<(&'static str, &'static str, Option<Value>)> {
    let holding = |policies: &[&str], collections: &[&str]| {
        let ids = |codes: &[&str]| codes.iter().map(|code| json!({ "code": code })).collect::<Vec<_>>();
        json!({ "policies": ids(policies), "policyCollections": ids(collections) })
    };
    let role = |code: &str| json!({ "code": code, "resource": { "policyIdRoleResource": holding(&["readers"], &[]) }, "when": {} });
    let template = json!({ "code": "forms", "displayName": "Forms", "description": "", "templatedSelectors": [] });
    let question = json!({ "q": {
        "request": { "action": { "entityCode": "Portfolio", "scope": "default", "activity": "Read" } },
        "resource": { "id": { "scope": "US", "code": "eq" } }
    } });
    vec![
        ("ListAccessControlledResources", "/access/api/metadata/access/resources", None),
        ("ListApiEndpoints", "/access/api/metadata/endpoints", None),
        ("CreatePolicy", "/access/api/policies", Some(policy_body("readers"))),
        ("ListPolicies", "/access/api/policies?scope=default", None),
        ("PagePolicies", "/access/api/policies/page?limit=1&sortBy=-id.code&filter=id.scope%20eq%20'default'", None),
        ("GetPolicy", "/access/api/policies/readers?scope=default&asAt=2999-11-21T12:00:00.000000Z", None),
        ("UpdatePolicy", "/access/api/policies/readers", Some(policy_body("readers"))),
        ("CreatePolicyCollection", "/access/api/policycollections", Some(json!({ "code": "bundle" }))),
        ("ListPolicyCollections", "/access/api/policycollections", None),
        ("PagePolicyCollections", "/access/api/policycollections/page", None),
        ("GetPolicyCollection", "/access/api/policycollections/bundle", None),
        ("UpdatePolicyCollection", "/access/api/policycollections/bundle", Some(json!({ "description": "d" }))),
        ("AddToPolicyCollection", "/access/api/policycollections/bundle/add", Some(holding(&["readers"], &[]))),
        ("RemoveFromPolicyCollection", "/access/api/policycollections/bundle/remove", Some(holding(&["readers"], &[]))),
        ("CreateRole", "/access/api/roles", Some(role("desk-1"))),
        ("CreateRole", "/access/api/roles", Some(role("desk-2"))),
        ("ListRoles", "/access/api/roles", None),
        ("GetRole", "/access/api/roles/desk-1", None),
        ("UpdateRole", "/access/api/roles/desk-2?scope=default&beforeScope=default&beforeCode=desk-1", Some(role("desk-2"))),
        ("AddPolicyCollectionToRole", "/access/api/roles/default/desk-1/policycollections", Some(holding(&[], &["bundle"]))),
        ("RemovePolicyCollectionFromRole", "/access/api/roles/default/desk-1/policycollections/default/bundle", None),
        ("DeleteRole", "/access/api/roles/desk-1", None),
        ("DeleteRole", "/access/api/roles/desk-2", None),
        ("CreateUserRole", "/access/api/userroles", Some(json!({ "userId": "00u1", "resource": {} }))),
        ("ListUserRoles", "/access/api/userroles", None),
        ("GetUserRole", "/access/api/userroles/00u1", None),
        ("UpdateUserRole", "/access/api/userroles/00u1/update", Some(json!({ "resource": {} }))),
        ("AddPolicyToUserRole", "/access/api/userroles/00u1/policies", Some(holding(&["readers"], &[]))),
        ("AddPolicyCollectionToUserRole", "/access/api/userroles/00u1/policycollections", Some(holding(&[], &["bundle"]))),
        ("GetOwnPolicies", "/access/api/me?applications=LUSID&applications=Drive", None),
        ("Evaluate", "/access/api/me?applications=LUSID&applications=Drive", Some(question)),
        ("RemovePolicyFromUserRole", "/access/api/userroles/00u1/policies/default/readers", None),
        ("RemovePolicyCollectionFromUserRole", "/access/api/userroles/00u1/policycollections/default/bundle", None),
        ("DeleteUserRole", "/access/api/userroles/00u1", None),
        ("CreatePolicyTemplate", "/access/api/policytemplates", Some(template.clone())),
        ("ListPolicyTemplates", "/access/api/policytemplates", None),
        ("GetPolicyTemplate", "/access/api/policytemplates/forms", None),
        ("UpdatePolicyTemplate", "/access/api/policytemplates/forms", Some(template)),
        ("UpdatePolicyTemplate", "/access/api/policytemplates/forms", None),
        (
            "GeneratePolicyFromTemplate",
            "/access/api/policytemplates/$generatepolicy",
            Some(json!({ "templateSelection": [{ "scope": "default", "code": "forms" }] })),
        ),
        ("DeletePolicyTemplate", "/access/api/policytemplates/forms", None),
        ("DeletePolicyCollection", "/access/api/policycollections/bundle", None),
        ("DeletePolicy", "/access/api/policies/readers", None),
    ]
}

/// The routes, served to an administrator.
async fn serve() -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (router, _) = routes().split_for_parts();
    let router = router.layer(Extension(administrator())).with_state(plane::empty().await);
    (address, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

/// Status and body of an answer.
async fn ask(address: std::net::SocketAddr, method: &str, target: &str, body: Option<&Value>) -> (u16, String) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json-patch+json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn every_operation_answers_with_its_status() {
    let known: Vec<Value> = serde_json::from_str(include_str!("../../../../tests/data/access-operations.json")).unwrap();
    let (address, server) = serve().await;
    let mut asked = BTreeSet::new();
    for (operation, target, body) in calls() {
        let known = known.iter().find(|known| known["operation"] == operation).unwrap();
        let (status, answer) = ask(address, known["method"].as_str().unwrap(), target, body.as_ref()).await;
        assert_eq!(u64::from(status), known["success"].as_u64().unwrap(), "{operation} {answer}");
        assert!(!answer.contains(":null"), "{operation} {answer}");
        assert_eq!(answer.is_empty(), status == 204, "{operation} {answer}");
        asked.insert(operation);
    }
    assert_eq!(asked.len(), known.len());
    server.abort();
}

#[tokio::test]
async fn what_is_missing_is_404_and_what_is_unreadable_400() {
    let (address, server) = serve().await;
    for target in ["policies/none", "policies/none?scope=nowhere", "policycollections/none", "roles/none", "userroles/none", "policytemplates/none"] {
        for method in ["GET", "DELETE"] {
            assert_eq!(ask(address, method, &format!("/access/api/{target}"), None).await.0, 404, "{method} {target}");
        }
    }
    for (method, target, body) in [
        ("GET", "policies/readers?asAt=yesterday", None),
        ("GET", "policytemplates?asAt=2026-02-30", None),
        ("GET", "policytemplates/forms?asAt=5", None),
        ("POST", "policytemplates/$generatepolicy?asAt=x", Some(json!({ "templateSelection": [] }))),
        ("GET", "policies/page?limit=0", None),
        ("GET", "policies/page?page=AAAA", None),
        ("GET", "policies/page?filter=id.code", None),
        ("GET", "policies?scope=one&scope=two", None),
        ("POST", "policies", None),
        ("POST", "policies", Some(json!({}))),
        ("PUT", "roles/desk?afterScope=default", Some(json!({ "resource": {} }))),
    ] {
        assert_eq!(ask(address, method, &format!("/access/api/{target}"), body.as_ref()).await.0, 400, "{method} {target}");
    }
    server.abort();
}

#[test]
fn a_sentence_about_a_parameter_ends_once() {
    for query in ["limit=0", "filter=id.code", "sortBy=a,,b", "page=AAAA"] {
        let list = lists::List { name: "policies", href: String::new() };
        let problem = list.page(&Parameters::parse(query).unwrap(), std::iter::empty::<(&str, fn() -> Value)>()).err().unwrap();
        let said: String = problem.errors().values().flatten().cloned().collect();
        assert!(said.ends_with('.') && !said.contains(".."), "{said}");
    }
}

/// The address of a read at that time.
fn at(target: &str, time: jiff::Timestamp) -> String {
    format!("/access/api/{target}?asAt={time}")
}

#[tokio::test]
async fn a_policy_is_answered_as_it_was_at_the_time_asked_for() {
    let (address, server) = serve().await;
    let body = |description: &str| {
        let mut body = policy_body("readers");
        body["description"] = json!(description);
        Some(body)
    };
    let mut times = vec![clock::now()];
    for (method, target, body, status) in [
        ("POST", "policies", body("first"), 201),
        ("PUT", "policies/readers", body("second"), 200),
        ("DELETE", "policies/readers", None, 204),
        ("POST", "policies", body("third"), 201),
    ] {
        assert_eq!(ask(address, method, &format!("/access/api/{target}"), body.as_ref()).await.0, status);
        times.push(clock::now());
    }
    let mut told = Vec::new();
    for time in times {
        let (status, answer) = ask(address, "GET", &at("policies/readers", time), None).await;
        told.push((status, serde_json::from_str::<Value>(&answer).ok().and_then(|answer| answer["description"].as_str().map(str::to_owned))));
    }
    let version = |description: &str| (200, Some(description.to_owned()));
    assert_eq!(told, [(404, None), version("first"), version("second"), (404, None), version("third")]);
    server.abort();
}

#[tokio::test]
async fn templates_are_answered_as_they_were_at_the_time_asked_for() {
    let (address, server) = serve().await;
    let template = |code: &str, entity: &str| {
        let selector = json!({ "matchAllSelectorDefinition": { "actions": [{ "scope": "default", "activity": "Any", "entity": entity }] } });
        let templated = json!([{ "application": "LUSID", "tag": "Data", "selector": selector }]);
        json!({ "code": code, "displayName": entity, "description": "", "templatedSelectors": templated })
    };
    let mut times = vec![clock::now()];
    for (method, target, body) in [
        ("POST", "policytemplates", Some(template("forms", "Portfolio"))),
        ("PUT", "policytemplates/forms", Some(template("forms", "Instrument"))),
        ("DELETE", "policytemplates/forms", None),
    ] {
        assert!(ask(address, method, &format!("/access/api/{target}"), body.as_ref()).await.0 < 300);
        times.push(clock::now());
    }
    let selection = json!({ "templateSelection": [{ "scope": "default", "code": "forms" }] });
    for (time, expected) in times.into_iter().zip([None, Some("Portfolio"), Some("Instrument"), None]) {
        let (status, one) = ask(address, "GET", &at("policytemplates/forms", time), None).await;
        assert_eq!(status, if expected.is_some() { 200 } else { 404 });
        let (status, all) = ask(address, "GET", &at("policytemplates", time), None).await;
        assert_eq!((status, all.contains("forms")), (200, expected.is_some()));
        let (status, made) = ask(address, "POST", &at("policytemplates/$generatepolicy", time), Some(&selection)).await;
        assert_eq!(status, if expected.is_some() { 200 } else { 400 });
        if let Some(expected) = expected {
            assert!(one.contains(expected) && all.contains(expected) && made.contains(expected), "{expected}: {one} {all} {made}");
        }
    }
    server.abort();
}
