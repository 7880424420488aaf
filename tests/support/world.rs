//! A small world: one user who may read portfolios of scope US and books of the
//! desk EQ, a few routes, one bearer token.

use doorward::api_map::ApiMap;
use doorward::snapshot::{Settings, Snapshot, World};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The user's personal access token.
pub const TOKEN: &str = "canary-7f3a91-reader";

/// The user's `Authorization` header line.
pub fn authorization() -> String {
    format!("authorization: Bearer {TOKEN}\r\n")
}

/// The world in force.
pub fn world() -> World {
    world_of(&snapshot())
}

/// This snapshot, loaded now.
pub fn loaded(snapshot: &Value) -> Snapshot {
    Snapshot::load(&snapshot.to_string().into_bytes(), doorward::observe::clock::now()).expect("the snapshot loads")
}

/// The world with this snapshot.
pub fn world_of(snapshot: &Value) -> World {
    let snapshot = loaded(snapshot);
    let maps = ApiMap::load(&[("test.yaml".to_owned(), api_map())]).expect("the map loads");
    World { snapshot: Arc::new(snapshot), maps: Arc::new(maps), settings: Arc::new(Settings::default()) }
}

/// The routes.
pub fn api_map() -> Value {
    let portfolio = json!({ "scope": "/id/scope", "code": "/id/code" });
    json!({
        "application": "LUSID",
        "entities": {
            "Portfolio": { "id": portfolio, "metadata": "none" },
            "Book": { "id": portfolio, "metadata": "upstream:/metadata/{scope}/{code}" },
        },
        "operations": [
            { "feature": "free", "match": "GET /free", "unfiltered": true },
            { "feature": "free-write", "match": "POST /free", "unfiltered": true },
            { "feature": "free-put", "match": "PUT /free", "unfiltered": true },
            { "feature": "socket", "match": "GET /socket", "unfiltered": true, "upgrade": true },
            { "feature": "list", "match": "GET /api/portfolios", "response": [{ "items": "/values/*", "entity": "Portfolio" }] },
            { "feature": "books", "match": "GET /api/books", "response": [{ "items": "/values/*", "entity": "Book" }] },
            {
                "feature": "book", "match": "GET /api/books/{scope}/{code}", "response": [{ "items": "", "entity": "Book" }],
                "targets": [{ "entity": "Book", "id": { "scope": "path.scope", "code": "path.code" } }],
            },
            { "feature": "held", "match": "GET /api/held", "response": [{ "items": "", "entity": "Portfolio" }] },
            { "feature": "one", "match": "GET /api/portfolios/{scope}/{code}", "targets": [{ "entity": "Portfolio", "id": { "scope": "path.scope", "code": "path.code" } }],
              "response": [{ "items": "", "entity": "Portfolio" }] },
            { "feature": "put", "match": "PUT /api/portfolios", "body": [{ "items": "", "entity": "Portfolio" }], "response": [{ "items": "", "entity": "Portfolio" }] },
            { "feature": "filtered-socket", "match": "GET /filtered-socket", "upgrade": true, "response": [{ "items": "/values/*", "entity": "Portfolio" }] },
            { "feature": "add", "match": "POST /api/portfolios", "unfiltered": true, "body": [{ "items": "", "entity": "Portfolio" }] },
        ],
    })
}

/// An entry of the snapshot's personal access tokens.
pub fn token_of(token: &str, user: &str) -> Value {
    let sha256: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "sha256": sha256, "userId": user, "deactivationDate": null })
}

/// The snapshot document.
pub fn snapshot() -> Value {
    let id = |code: &str| json!({ "scope": "default", "code": code });
    let features = json!({ "idSelectorDefinition": {
        "identifier": { "scope": "LUSID", "code": "*" },
        "actions": [{ "scope": "default", "activity": "Execute", "entity": "Feature" }],
    }});
    let portfolios = json!({ "idSelectorDefinition": {
        "identifier": { "scope": "US", "code": "*" },
        "actions": [{ "scope": "default", "activity": "Any", "entity": "Portfolio" }],
    }});
    let books = json!({ "metadataSelectorDefinition": {
        "expressions": [{ "metadataKey": "Desk", "operator": "Equals", "textValue": "EQ" }],
        "actions": [{ "scope": "default", "activity": "Any", "entity": "Book" }],
    }});
    json!({
        "schema": "doorward.snapshot/1", "revision": 7, "issuedAt": "2026-11-21T12:00:00Z",
        "users": [{ "id": "00u1", "login": "a@b.c", "type": "Service", "status": "ACTIVE", "roles": [id("reader")] }],
        "roles": [{
            "id": id("reader"), "roleHierarchyIndex": 1, "when": {}, "permission": "Read",
            "resource": { "policyIdRoleResource": { "policies": [id("features"), id("portfolios"), id("books")], "policyCollections": [] } },
        }],
        "policies": [
            { "id": id("features"), "grant": "Allow", "when": {}, "selectors": [features] },
            { "id": id("portfolios"), "grant": "Allow", "when": {}, "selectors": [portfolios] },
            { "id": id("books"), "grant": "Allow", "when": {}, "selectors": [books] },
        ],
        "personalAccessTokens": [token_of(TOKEN, "00u1")],
    })
}

/// A list of this many portfolios, every second one of scope EU, which the user may not see.
pub fn portfolios(count: usize) -> String {
    let items: Vec<String> = (0..count).map(|number| portfolio(if number % 2 == 0 { "US" } else { "EU" }, number)).collect();
    format!("{{\"values\":[{}]}}", items.join(","))
}

/// What the user sees of that list.
pub fn visible_portfolios(count: usize) -> String {
    let items: Vec<String> = (0..count).step_by(2).map(|number| portfolio("US", number)).collect();
    format!("{{\"values\":[{}]}}", items.join(","))
}

fn portfolio(scope: &str, number: usize) -> String {
    format!("{{\"id\":{{\"scope\":\"{scope}\",\"code\":\"p{number}\"}},\"displayName\":\"portfolio {number}\"}}")
}
