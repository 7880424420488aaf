//! What the API says of itself is true.

use super::super::descriptions::{controlled, described};
use super::super::routes;
use super::*;

/// The operations of the Access API, as its clients know them.
fn known() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../../tests/data/access-operations.json")).unwrap()
}

#[test]
fn the_operations_listed_are_those_that_clients_know() {
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let line = |method: &Value, path: &Value, operation: &Value, status: Option<&Value>| {
        format!(
            "{} {} {} {}",
            method.as_str().unwrap(),
            path.as_str().unwrap(),
            operation.as_str().unwrap(),
            status.and_then(Value::as_str).unwrap_or_default()
        )
    };
    let listed = described(routes()).into_iter().map(wire);
    let listed = listed.map(|endpoint| line(&endpoint["httpMethod"], &endpoint["path"], &endpoint["operation"], endpoint.get("status"))).collect();
    let expected = known().iter().map(|known| line(&known["method"], &known["path"], &known["operation"], known.get("status"))).collect();
    assert_eq!(sorted(listed), sorted(expected));
}

#[test]
fn summaries_are_those_that_clients_know() {
    let summaries: Vec<(Value, Value)> =
        described(routes()).into_iter().map(wire).map(|endpoint| (endpoint["operation"].clone(), endpoint["summary"].clone())).collect();
    for known in known() {
        let own = summaries.iter().find(|(operation, _)| *operation == known["operation"]).unwrap();
        let plain = |text: &Value| text.as_str().unwrap().trim_end_matches('.').to_lowercase();
        assert_eq!(plain(&own.1), plain(&known["summary"]), "{}", known["operation"]);
    }
}

#[test]
fn every_operation_answers_with_the_status_that_clients_read() {
    let document = routes().into_openapi();
    let paths = wire(&document.paths);
    for known in known() {
        let operation = &paths[known["path"].as_str().unwrap()][known["method"].as_str().unwrap().to_lowercase()];
        let success: Vec<&String> = operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2')).collect();
        assert_eq!(success, [&known["success"].to_string()], "{}", known["operation"]);
        let tag = operation["tags"][0].as_str().unwrap();
        assert_eq!(tag, known["tag"].as_str().unwrap());
    }
}

#[test]
fn every_feature_is_in_the_limited_set_of_executing() {
    let resources = wire(controlled(vec!["access-policies-listpolicies".to_owned()]));
    let names: Vec<&str> = resources.as_array().unwrap().iter().map(|resource| resource["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Policy", "PolicyCollection", "Delegation", "Feature"]);
    let handed_on: Vec<&str> = resources[2]["actions"].as_array().unwrap().iter().map(|action| action["action"]["activity"].as_str().unwrap()).collect();
    assert_eq!(handed_on, ["Add", "Update", "Delete", "Any"]);
    let set = &resources[3]["actions"][0]["limitedSet"];
    let action = json!({ "scope": "default", "activity": "Execute", "entity": "Feature" });
    assert_eq!(*set, json!([{ "identifier": { "scope": "Access", "code": "access-policies-listpolicies" }, "actions": [action] }]));
    assert!(!resources.to_string().contains("null"));
}
