//! AuthZEN and the caller's own rights, over the wire.

use crate::site::{Site, ask};
use crate::support::client::Answer;
use crate::support::upstream::{Upstream, ok};
use crate::support::world::{TOKEN, snapshot, token_of};
use serde_json::{Value, json};

/// The token of a user that may ask about others.
const EVALUATOR: &str = "canary-51bd20-evaluator";

/// The usual world, with a user that may evaluate, one that is suspended, and access metadata.
fn document() -> Value {
    let mut document = snapshot();
    let id = |code: &str| json!({ "scope": "default", "code": code });
    let user = |id: &str, status: &str, role: Value| json!({ "id": id, "login": id, "type": "Service", "status": status, "roles": [role] });
    let feature = json!({ "idSelectorDefinition": {
        "identifier": { "scope": "Access", "code": "access-evaluate" },
        "actions": [{ "scope": "default", "activity": "Execute", "entity": "Feature" }],
    }});
    let extend = |document: &mut Value, array: &str, entry: Value| document[array].as_array_mut().unwrap().push(entry);
    extend(&mut document, "users", user("00u2", "ACTIVE", id("evaluator")));
    extend(&mut document, "users", user("00u3", "SUSPENDED", id("reader")));
    extend(&mut document, "policies", json!({ "id": id("evaluate"), "grant": "Allow", "when": {}, "selectors": [feature] }));
    let header = json!({ "ifRequestHeaderExpression": { "headerName": "X-Team", "operator": "EqualsCaseSensitive", "value": "eq" } });
    let every = json!({ "matchAllSelectorDefinition": { "actions": [{ "scope": "default", "activity": "Approve", "entity": "Portfolio" }] } });
    extend(&mut document, "policies", json!({ "id": id("approve"), "grant": "Allow", "when": {}, "if": [header], "selectors": [every] }));
    let absent = json!({ "ifRequestHeaderExpression": { "headerName": "X-Team", "operator": "NotPresent" } });
    let sign = json!({ "matchAllSelectorDefinition": { "actions": [{ "scope": "default", "activity": "Sign", "entity": "Portfolio" }] } });
    extend(&mut document, "policies", json!({ "id": id("sign"), "grant": "Allow", "when": {}, "if": [absent], "selectors": [sign] }));
    let guests = json!({ "ifIdentityClaimExpression": { "claimType": "guest", "claimIssuer": "https://id.example", "operator": "EqualsCaseSensitive", "value": "yes" } });
    let publish = json!({ "matchAllSelectorDefinition": { "actions": [{ "scope": "default", "activity": "Publish", "entity": "Portfolio" }] } });
    extend(&mut document, "policies", json!({ "id": id("publish"), "grant": "Allow", "when": {}, "selectors": [publish] }));
    extend(&mut document, "policies", json!({ "id": id("guests"), "grant": "Deny", "when": {}, "if": [guests], "selectors": [publish] }));
    let own = [id("approve"), id("sign"), id("publish"), id("guests")];
    document["roles"][0]["resource"]["policyIdRoleResource"]["policies"].as_array_mut().unwrap().extend(own);
    extend(
        &mut document,
        "roles",
        json!({
            "id": id("evaluator"), "roleHierarchyIndex": 2, "when": {}, "permission": "Read",
            "resource": { "policyIdRoleResource": { "policies": [id("evaluate")], "policyCollections": [] } },
        }),
    );
    extend(&mut document, "personalAccessTokens", token_of(EVALUATOR, "00u2"));
    document["accessMetadata"] = json!([{ "entity": "Book", "id": { "scope": "EU", "code": "kept" }, "metadata": { "Desk": [{ "value": "EQ" }] } }]);
    document
}

async fn site() -> (Upstream, Site) {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site =
        Site::with(upstream.address, &document(), "trusted_peers = []\npublic_url = \"https://doorward.example/\"\nquestions = 5\nquestion_bytes = 2000\n")
            .await;
    (upstream, site)
}

async fn post(site: &Site, token: &str, path: &str, body: &str) -> Answer {
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: doorward\r\nauthorization: Bearer {token}\r\nx-request-id: bfe9eb29\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = ask(site.door(), &format!("{head}{body}")).await;
    assert_eq!(answer.header("x-request-id"), Some("bfe9eb29"));
    answer
}

async fn told(site: &Site, path: &str, body: &Value) -> Value {
    let answer = post(site, EVALUATOR, path, &body.to_string()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{body}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

async fn decision(site: &Site, body: &Value) -> bool {
    told(site, "/access/v1/evaluation", body).await["decision"].as_bool().unwrap()
}

fn question(user: &str, activity: &str, entity: &str, id: &str) -> Value {
    json!({ "subject": { "type": "user", "id": user }, "action": { "name": activity }, "resource": { "type": entity, "id": id } })
}

#[tokio::test]
async fn a_subject_may_what_its_policies_grant() {
    let (_upstream, site) = site().await;
    for (user, activity, entity, id, may) in [
        ("00u1", "Read", "Portfolio", "US/eq", true),
        ("00u1", "Delete", "portfolio", "US/e/q", true),
        ("00u1", "Read", "Portfolio", "EU/eq", false),
        ("00u1", "Read", "Book", "EU/kept", true),
        ("00u1", "Read", "Book", "EU/other", false),
        ("00u1", "Execute", "Feature", "LUSID/free", true),
        ("00u1", "Execute", "Feature", "Other/free", false),
        ("00u1", "Read", "PropertyValue", "Portfolio/a/b", false),
        ("00u2", "Read", "Portfolio", "US/eq", false),
        ("00u3", "Read", "Portfolio", "US/eq", false),
        ("nobody", "Read", "Portfolio", "US/eq", false),
        // A header that is not known is no header that fits, and none that is absent.
        ("00u1", "Sign", "Portfolio", "EU/eq", false),
        // Nobody knows that the token will not name a guest.
        ("00u1", "Publish", "Portfolio", "EU/eq", false),
        ("00u1", "Approve", "Portfolio", "EU/eq", false),
    ] {
        assert_eq!(decision(&site, &question(user, activity, entity, id)).await, may, "{user} {activity} {entity} {id}");
    }
}

#[tokio::test]
async fn ids_metadata_and_dates_may_be_said_in_other_ways() {
    let (_upstream, site) = site().await;
    let mut asked = question("00u1", "Read", "Portfolio", "whatever it is called");
    asked["resource"]["properties"] = json!({ "id": { "scope": "US", "code": "eq" } });
    assert!(decision(&site, &asked).await);
    let mut asked = question("00u1", "Read", "Book", "EU/other");
    asked["resource"]["properties"] = json!({ "metadata": { "Desk": [{ "value": "EQ" }] } });
    asked["context"] = json!({ "application": "LUSID", "effectiveAt": "2026-01-01", "asAt": "2026-01-01T00:00:00Z" });
    assert!(decision(&site, &asked).await);
    asked["resource"]["properties"] = json!({ "metadata": { "Desk": [] } });
    assert!(!decision(&site, &asked).await);
    // What is given counts, and not what the snapshot has.
    asked["resource"]["id"] = json!("EU/kept");
    assert!(!decision(&site, &asked).await);
}

#[tokio::test]
async fn several_questions_share_their_defaults_and_end_as_their_semantic_says() {
    let (_upstream, site) = site().await;
    let several = |semantic: Option<&str>, ids: &[&str]| {
        let mut asked = question("00u1", "Read", "Portfolio", "US/default");
        asked["evaluations"] = ids.iter().map(|id| json!({ "resource": { "type": "Portfolio", "id": id } })).collect();
        if let Some(semantic) = semantic {
            asked["options"] = json!({ "evaluations_semantic": semantic });
        }
        asked
    };
    for (semantic, ids, decisions) in [
        (None, &["US/a", "EU/a", "US/b"][..], &[true, false, true][..]),
        (Some("execute_all"), &["EU/a", "US/a"], &[false, true]),
        (Some("deny_on_first_deny"), &["US/a", "EU/a", "US/b"], &[true, false]),
        (Some("permit_on_first_permit"), &["EU/a", "US/a", "EU/b"], &[false, true]),
        (None, &["US", "US/a"], &[false, true]),
    ] {
        let answers = told(&site, "/access/v1/evaluations", &several(semantic, ids)).await;
        let came: Vec<bool> = answers["evaluations"].as_array().unwrap().iter().map(|answer| answer["decision"].as_bool().unwrap()).collect();
        assert_eq!(came, decisions, "{semantic:?} {ids:?}");
    }
    let unreadable = told(&site, "/access/v1/evaluations", &several(None, &["US"])).await;
    assert_eq!(unreadable["evaluations"][0]["context"]["error"]["status"], 400);
    // Without evaluations it is the single question.
    assert_eq!(told(&site, "/access/v1/evaluations", &several(None, &[])).await["decision"], true);
    let wrong = several(Some("whatever"), &["US/a"]).to_string();
    assert_eq!(post(&site, EVALUATOR, "/access/v1/evaluations", &wrong).await.problem(), "InvalidRequest");
    let many = several(None, &["US/a", "US/b", "US/c", "US/d", "US/e", "US/f"]).to_string();
    assert_eq!(post(&site, EVALUATOR, "/access/v1/evaluations", &many).await.problem(), "InvalidRequest");
}

#[tokio::test]
async fn only_who_holds_the_feature_may_ask_about_others() {
    let (_upstream, site) = site().await;
    let asked = question("00u1", "Read", "Portfolio", "US/eq").to_string();
    for path in ["/access/v1/evaluation", "/access/v1/evaluations"] {
        assert_eq!(post(&site, TOKEN, path, &asked).await.problem(), "AccessDenied");
        let nobody = post(&site, "unknown", path, &asked).await;
        assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer error=\"invalid_token\"")));
    }
}

#[tokio::test]
async fn malformed_questions_are_refused_and_never_granted() {
    let (_upstream, site) = site().await;
    let good = question("00u1", "Read", "Portfolio", "US/eq");
    let without = |path: &str| {
        let mut asked = good.clone();
        asked.as_object_mut().unwrap().remove(path);
        asked.to_string()
    };
    let with = |pointer: &str, value: Value| {
        let mut asked = good.clone();
        asked["context"] = json!({});
        asked["resource"]["properties"] = json!({});
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        asked.pointer_mut(parent).unwrap()[name] = value;
        asked.to_string()
    };
    for body in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        without("subject"),
        without("action"),
        without("resource"),
        with("/subject/id", json!(1)),
        with("/subject/type", json!("")),
        with("/subject/id", Value::Null),
        with("/action/name", json!({})),
        with("/resource/id", json!("US")),
        with("/resource/id", json!("/eq")),
        with("/resource/id", json!("US/")),
        with("/resource/type", json!("Unknown")),
        with("/resource/properties/id", json!("US/eq")),
        with("/resource/properties/id", json!({ "scope": 1 })),
        with("/resource/properties/metadata", json!("x")),
        with("/context/effectiveAt", json!("yesterday")),
        with("/context/asAt", json!("2026-13-01")),
        with("/context/application", json!(["LUSID"])),
        "{\"subject\":{\"type\":\"user\",\"id\":\"nobody\"},".to_owned() + &good.to_string()[1..],
    ] {
        let answer = post(&site, EVALUATOR, "/access/v1/evaluation", &body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "InvalidRequest"), "{body}");
        assert!(!answer.text().contains("struct"), "it is told in words of the protocol: {}", answer.text());
    }
    for (path, body) in [("evaluation", "[]"), ("evaluation", "null"), ("evaluations", "[]"), ("evaluations", r#"{"options":"x"}"#)] {
        let answer = post(&site, EVALUATOR, &format!("/access/v1/{path}"), body).await;
        assert!(answer.status == 400 && answer.text().contains("an object with") && !answer.text().contains("struct"), "{path}: {}", answer.text());
    }
    let named = post(&site, EVALUATOR, "/access/v1/evaluation", &with("/resource/id", json!("US/"))).await;
    assert!(named.text().contains("`resource.id` must be `scope/code`"), "{}", named.text());
    for twice in [
        good.to_string().replacen("\"name\":", "\"name\":\"Any\",\"name\":", 1),
        format!("{{\"evaluations\":[],\"evaluations\":[{good}]}}"),
        r#"{"evaluations":[{"action":{"name":"Read","name":"Any"}}]}"#.to_owned(),
    ] {
        for path in ["/access/v1/evaluation", "/access/v1/evaluations", "/access/api/me"] {
            let answer = post(&site, EVALUATOR, path, &twice).await;
            assert_eq!(answer.status, 400, "{path} {twice}");
        }
    }
    let long = with("/subject/properties", json!("x".repeat(3000)));
    assert_eq!(post(&site, EVALUATOR, "/access/v1/evaluation", &long).await.problem(), "BodyTooLarge");
    let get = site.ask("/access/v1/evaluation", "").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn the_endpoints_are_told() {
    let (_upstream, site) = site().await;
    let answer = site.ask("/.well-known/authzen-configuration", "").await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        told,
        json!({
            "policy_decision_point": "https://doorward.example",
            "access_evaluation_endpoint": "https://doorward.example/access/v1/evaluation",
            "access_evaluations_endpoint": "https://doorward.example/access/v1/evaluations",
        })
    );
}

#[tokio::test]
async fn everybody_may_ask_about_their_own_rights() {
    let (_upstream, site) = site().await;
    let question = |scope: &str, activity: &str| {
        json!({
            "request": { "action": { "entityCode": "Portfolio", "scope": "default", "activity": activity } },
            "resource": { "id": { "scope": scope, "code": "eq" } },
        })
    };
    let body =
        json!({ "one": question("US", "Read"), "two": question("EU", "Read"), "three": question("EU", "Approve"), "four": question("EU", "Sign"), "five": question("EU", "Publish") }).to_string();
    let answer = post(&site, TOKEN, "/access/api/me?applications=LUSID", &body).await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &told["one"], &told["two"]["result"], &told["three"]["result"]),
        (200, &json!({ "result": "Granted" }), &json!("Denied"), &json!("Denied"))
    );
    assert_eq!((&told["four"]["result"], &told["five"]["result"]), (&json!("Granted"), &json!("Granted")));
    let many: serde_json::Map<String, Value> = (0..6).map(|number| (number.to_string(), question("US", "Read"))).collect();
    assert_eq!(post(&site, TOKEN, "/access/api/me", &Value::Object(many).to_string()).await.problem(), "InvalidRequest");
    // Here the headers are those of the request.
    let head =
        format!("POST /access/api/me HTTP/1.1\r\nhost: doorward\r\nauthorization: Bearer {TOKEN}\r\nx-team: eq\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = ask(site.door(), &format!("{head}{body}")).await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["three"]["result"], "Granted");
    assert_eq!(post(&site, "unknown", "/access/api/me", &body).await.problem(), "InvalidIdentityToken");
    for malformed in [
        "",
        "[]",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"a\":{\"request\":{\"action\":{\"entityCode\":\"P\",\"scope\":\"default\",\"activity\":\"Read\"},\"fromAsAt\":\"x\"},\"resource\":{\"id\":{}}}}",
    ] {
        assert_eq!(post(&site, TOKEN, "/access/api/me", malformed).await.problem(), "InvalidRequest", "{malformed}");
    }
}
