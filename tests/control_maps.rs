//! The shipped API maps of the control plane's own APIs: every operation is in them once, under the feature that the rule gives it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on says so")]

use doorward::api_map::{Answering, ApiMap};
use doorward::cases::read_yaml;
use std::collections::BTreeSet;

const ACCESS: (&str, &str) = ("config/api/access.yaml", include_str!("../config/api/access.yaml"));
const IDENTITY: (&str, &str) = ("config/api/identity.yaml", include_str!("../config/api/identity.yaml"));
const INSIGHTS: (&str, &str) = ("config/api/insights.yaml", include_str!("../config/api/insights.yaml"));

/// What the Access and the Identity API have.
const OPERATIONS: [(&str, &str); 2] = [("access", include_str!("data/access-operations.json")), ("identity", include_str!("data/identity-operations.json"))];

/// What the control plane has beside them.
const BESIDE: [&str; 10] = [
    "access-accessmetadata-deleteaccessmetadata DELETE /access/api/accessmetadata/{entity}",
    "access-accessmetadata-getaccessmetadata GET /access/api/accessmetadata/{entity}",
    "access-accessmetadata-patchaccessmetadata PATCH /access/api/accessmetadata/{entity}",
    "access-accessmetadata-putaccessmetadata PUT /access/api/accessmetadata/{entity}",
    "access-decisions-post POST /decisions",
    "access-snapshot-get GET /snapshot",
    "api-accesslogs-getaccessevaluationlog GET /app/insights/logs/{id}",
    "api-accesslogs-getaccessevaluationlog GET /insights/api/access/{id}",
    "api-accesslogs-listaccessevaluationlogs GET /insights/api/access",
    "identity-users-createsetuplink POST /identity/api/users/{id}/lifecycle/$setuplink",
];

fn shipped(maps: &[(&str, &str)]) -> ApiMap {
    let documents: Vec<_> = maps.iter().map(|(name, text)| ((*name).to_owned(), read_yaml(text).unwrap())).collect();
    ApiMap::load(&documents).unwrap_or_else(|problems| panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// The feature that an operation has by the rule, with its method and path.
fn expected() -> BTreeSet<String> {
    let listed = OPERATIONS.iter().flat_map(|(api, text)| {
        let operations: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        operations.into_iter().map(move |operation| {
            let text = |member: &str| operation[member].as_str().unwrap().to_owned();
            let code = format!("{api}-{}-{}", text("tag"), text("operation")).to_lowercase();
            format!("{code} {} {}", text("method"), text("path"))
        })
    });
    listed.chain(BESIDE.iter().map(|line| (*line).to_owned())).collect()
}

#[test]
fn every_operation_of_the_control_plane_is_mapped_under_the_feature_of_the_rule() {
    let map = shipped(&[ACCESS, IDENTITY, INSIGHTS]);
    let lines = map.operations().iter().map(|operation| format!("{} {} {}", operation.feature, operation.method, operation.template));
    assert_eq!(lines.collect::<BTreeSet<_>>(), expected());
    assert_eq!(map.operations().len(), 40 + 76 + BESIDE.len());
}

#[test]
fn each_map_is_of_its_own_application() {
    for (map, application) in [(ACCESS, "Access"), (IDENTITY, "Identity"), (INSIGHTS, "Insights")] {
        let map = shipped(&[map]);
        assert!(map.operations().iter().all(|operation| *operation.application == *application), "{application}");
    }
}

#[test]
fn only_descriptions_and_the_own_account_are_open_to_whoever_signed_in() {
    let map = shipped(&[ACCESS, IDENTITY, INSIGHTS]);
    let open = map.operations().iter().filter(|operation| operation.answering == Answering::Anonymous);
    let open: BTreeSet<_> = open.map(|operation| format!("{} {}", operation.method, operation.template)).collect();
    let expected = [
        "DELETE /identity/api/tokens",
        "GET /access/api/me",
        "GET /access/api/metadata/access/resources",
        "GET /access/api/metadata/endpoints",
        "GET /identity/api/me",
        "GET /identity/api/metadata/access/resources",
        "GET /identity/api/metadata/endpoints",
        "POST /access/api/me",
        "PUT /identity/api/me/password",
    ];
    assert_eq!(open, expected.map(str::to_owned).into());
}

#[test]
fn a_literal_path_is_no_code() {
    let map = shipped(&[ACCESS, IDENTITY, INSIGHTS]);
    for (method, path, feature) in [
        ("GET", "/access/api/policies/page", "access-policies-pagepolicies"),
        ("GET", "/access/api/policies/pages", "access-policies-getpolicy"),
        ("POST", "/access/api/policytemplates/$generatepolicy", "access-policytemplates-generatepolicyfromtemplate"),
        ("GET", "/identity/api/users/$runnable", "identity-users-listrunnableusers"),
    ] {
        assert_eq!(&*map.find(method, path).unwrap().unwrap().operation.feature, feature, "{method} {path}");
    }
}
