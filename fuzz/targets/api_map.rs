//! An API map, as JSON. A map that is taken leaves nothing unsaid, tells its operations apart, and finds
//! each of them by its own path; calls into it never get more than its operations say.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::api_map::{Answering, ApiMap, Operation};
use rooms::calls::{self, Asked};
use rooms::routes;
use rooms::snapshot::World;
use serde_json::Value;
use std::sync::Arc;

fuzz_target!(|input: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    match ApiMap::load(&[("map".to_owned(), value)]) {
        Ok(map) => check(map),
        Err(problems) => assert!(!problems.is_empty() && problems.iter().all(|problem| problem.document == "map" && !problem.message.is_empty())),
    }
});

fn check(map: ApiMap) {
    let _ = map.findings();
    let world = Arc::new(World { maps: Arc::new(map), ..World::clone(calls::plain()) });
    for (index, operation) in world.maps.operations().iter().enumerate().take(20) {
        check_said(operation);
        check_found(&world.maps, operation, index);
        call(&world, operation);
    }
}

fn check_said(operation: &Operation) {
    let may_be_silent = matches!(&*operation.method, "HEAD" | "DELETE");
    assert!(operation.answering != Answering::Undeclared || may_be_silent, "{} {}", operation.method, operation.template);
    assert_eq!(operation.filter.is_some(), operation.answering == Answering::Filtered);
    assert_eq!(operation.response.is_empty(), operation.answering != Answering::Filtered);
    assert!(!operation.application.is_empty() && operation.template.starts_with('/'));
}

/// A path of the operation, every template filled in alike.
fn path(operation: &Operation) -> String {
    routes::segments(&operation.template).map(|segment| format!("/{}", if routes::is_template(segment) { "US" } else { segment })).collect()
}

fn check_found(map: &ApiMap, operation: &Operation, index: usize) {
    let path = path(operation);
    let expected = routes::find(map, &operation.method, &path).expect("a slow reading finds the operation, or one with more literals");
    // A literal with an escape may be what another operation's template captures, and cannot.
    let Ok(found) = map.find(&operation.method, &path) else { return };
    let found = found.expect("it is found");
    assert_eq!(found.index, expected, "{} {path}", operation.method);
    let same = |other: &Operation| {
        other.method == operation.method && routes::segments(&other.template).map(blank).eq(routes::segments(&operation.template).map(blank))
    };
    assert!(map.operations().iter().enumerate().all(|(place, other)| place == index || !same(other)), "{path} is two operations");
}

/// Templates are alike, whatever they are called.
fn blank(segment: &str) -> &str {
    if routes::is_template(segment) { "{}" } else { segment }
}

fn call(world: &Arc<World>, operation: &Operation) {
    let (target, headers) = (path(operation), calls::bare_headers());
    let asked = Asked {
        method: &operation.method,
        target: &target,
        headers: &headers,
        authority: None,
        body: b"{\"id\":{\"scope\":\"US\"},\"values\":[]}",
    };
    let Some(Ok(admission)) = calls::try_ask(world, asked) else { return };
    let found = world.maps.find(&operation.method, &target).expect("it was found").expect("it was found").operation;
    assert_ne!(found.answering, Answering::Refused);
    assert!(found.answering == Answering::Anonymous || found.application.eq_ignore_ascii_case("LUSID"), "the user's features are LUSID's: {}", found.application);
    assert!(!admission.is_filtered() || found.answering == Answering::Filtered);
    assert!(!admission.is_upgrade() || found.upgrade);
}
