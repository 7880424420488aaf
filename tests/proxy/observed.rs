//! What is counted and recorded, and what never is.

use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::record::refused;
use crate::support::upstream::{Reply, Upstream, ok, whole};
use crate::support::within;
use crate::support::world::{TOKEN, portfolios, snapshot, world_of};
use doorward::observe::{LogSettings, OnFull, Sink, When};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Lets the door finish, so that every record is written.
async fn close(door: Doorward) {
    let Doorward { serving, world, metrics, .. } = door;
    serving.stop(Duration::from_secs(10)).await;
    drop((world, metrics));
}

#[tokio::test]
async fn every_call_is_counted_once_by_how_it_ended() {
    let upstream = Upstream::start(|seen| if seen.line().contains("/api/") { ok(&portfolios(5)) } else { ok("{}") }).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    for target in ["/free", "/free", "/api/portfolios", "/unmapped"] {
        client.get(target).await;
    }
    assert_eq!(door.metric("doorward_open_connections"), 1.0);
    // The last answer's count is taken when its body is gone.
    client.get("/unmapped").await;
    for (outcome, count) in [("passed", 2.0), ("filtered", 1.0), ("failed", 0.0)] {
        assert_eq!(door.metric(&format!("doorward_requests_total{{door=\"proxy\",outcome=\"{outcome}\"}}")), count, "{outcome}");
    }
    assert_eq!(door.metric("doorward_items_total{entity=\"Portfolio\",verdict=\"kept\"}"), 3.0);
    assert_eq!(door.metric("doorward_items_total{entity=\"Portfolio\",verdict=\"removed\"}"), 2.0);
    assert!(door.metric("doorward_decision_seconds_count") >= 5.0);
    assert_eq!(door.metric("doorward_upstream_seconds_count"), 3.0);
}

#[tokio::test]
async fn each_call_is_one_line_of_the_log_with_the_id_that_the_client_saw() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let upstream = Upstream::start(|seen| if seen.line().contains("/api/") { ok(&portfolios(5)) } else { ok("{}") }).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.log.sinks = vec![Sink::File(path.clone())]);
    let mut client = Client::connect(door.address).await;
    let mut ids = Vec::new();
    for target in ["/free?q=%0a%22", "/api/portfolios", "/unmapped"] {
        ids.push(client.get(target).await.header("doorward-decision-id").unwrap().to_owned());
    }
    drop(client);
    close(door).await;
    let lines = lines(&path);
    assert_eq!(lines.iter().map(|line| line["decisionId"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    assert_eq!(lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect::<Vec<_>>(), ["passed", "filtered", "refused"]);
    assert_eq!(lines[1]["itemsRemoved"], 2);
    assert_eq!((lines[2]["refusal"].as_str(), lines[2]["status"].as_u64()), (Some("RouteNotMapped"), Some(403)));
    assert!(lines.iter().all(|line| line["revision"] == 7 && line["door"] == "proxy"));
}

#[tokio::test]
async fn a_log_of_the_denied_holds_refusals_and_failures_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let upstream = Upstream::start(|seen| if seen.line().contains("/api/") { Reply::Close(whole("<html>")) } else { ok("{}") }).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.log.sinks = vec![Sink::File(path.clone())];
        plan.log.when = When::Denied;
    });
    let mut client = Client::connect(door.address).await;
    for target in ["/free", "/api/portfolios", "/unmapped"] {
        client.get(target).await;
    }
    drop(client);
    close(door).await;
    let refusals: Vec<Value> = lines(&path).iter().map(|line| line["refusal"].clone()).collect();
    assert_eq!(refusals, ["UnfilterableResponse", "RouteNotMapped"]);
}

#[tokio::test]
async fn a_sample_holds_its_share_of_all_calls_and_is_drawn_by_the_decision_id() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(|_| ok("{}")).await;
    for (share, least) in [(0.0, "0"), (0.5, "8"), (1.0, "g")] {
        let path = directory.path().join(share.to_string());
        let door = Doorward::planned(&[upstream.address], |plan| {
            plan.log.sinks = vec![Sink::File(path.clone())];
            plan.log.when = When::Sampled(share);
        });
        let mut client = Client::connect(door.address).await;
        let mut ids = Vec::new();
        for call in 0..80 {
            let answer = client.get(if call % 2 == 0 { "/free" } else { "/unmapped" }).await;
            ids.push(answer.header("doorward-decision-id").unwrap().to_owned());
        }
        drop(client);
        close(door).await;
        // Refusals are sampled as the calls that pass; the first digit of an id says on which side of a half it is.
        ids.retain(|id| id.as_str() < least);
        let lines = lines(&path);
        assert_eq!(lines.iter().map(|line| line["decisionId"].as_str().unwrap()).collect::<Vec<_>>(), ids, "{share}");
        let outcomes: BTreeSet<_> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes.len(), if share == 0.0 { 0 } else { 2 }, "{share}: {outcomes:?}");
    }
}

#[tokio::test]
async fn calls_go_on_where_a_full_log_drops_and_what_is_dropped_is_counted() {
    const DROPPED: &str = "doorward_decision_log_total{result=\"dropped\"}";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let upstream = Upstream::start(|_| ok("{}")).await;
    // Open for somebody to read, who never does: what it holds is full soon, and then the queue.
    let stuck = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.log = LogSettings { sinks: vec![Sink::File(path.clone())], when: When::All, on_full: OnFull::Drop };
    });
    let (log, world) = (Arc::clone(&door.wiring.log), door.world.load());
    within(tokio::task::spawn_blocking(move || (0..10_000).for_each(|id| log.record(refused(&world, id, 1))))).await.unwrap();
    let dropped = door.metric(DROPPED);
    assert!(dropped > 0.0);
    let mut client = Client::connect(door.address).await;
    for _ in 0..20 {
        assert_eq!(client.get("/free").await.status, 200);
    }
    door.comes_to(DROPPED, dropped + 20.0).await;
    // The writer goes on, and fails, when nobody has it open any more.
    drop((stuck, client));
    close(door).await;
}

#[tokio::test]
async fn the_bearer_token_is_in_no_log_no_metric_and_no_answer_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let upstream = Upstream::start(|seen| if seen.line().contains("/api/") { ok("<html>") } else { ok("{}") }).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.log.sinks = vec![Sink::File(path.clone())]);
    let mut answers = String::new();
    for (method, target, headers) in [
        ("GET", "/free", ""),
        ("GET", "/api/portfolios", ""),
        ("GET", "/unmapped", ""),
        ("GET", "free", ""),
        ("GET", "/free", "authorization: Bearer canary-7f3a91-reader\r\n"),
        ("POST", "/api/portfolios", "content-length: 1\r\n"),
    ] {
        let mut client = Client::connect(door.address).await;
        client.send(request(method, target, headers) + if method == "POST" { "x" } else { "" }).await;
        answers.push_str(&format!("{:?}", client.answer().await));
    }
    let metrics = door.metrics.render().unwrap();
    let debug = format!("{:?} {:?}", door.serving, door.metrics);
    close(door).await;
    let log = std::fs::read_to_string(&path).unwrap();
    assert_eq!(log.lines().count(), 6, "{log}");
    for (place, text) in [("answers", answers), ("metrics", metrics), ("Debug", debug), ("log", log)] {
        assert!(!text.contains(TOKEN), "the token is in the {place}");
    }
}

/// The usual world, in which the portfolios of scope EU and code p1 are denied by a selector with a name.
fn with_a_named_denial() -> doorward::snapshot::World {
    let mut document = snapshot();
    let id = json!({ "scope": "default", "code": "hidden" });
    let actions = json!([{ "scope": "default", "activity": "Any", "entity": "Portfolio" }]);
    let first = json!({ "idSelectorDefinition": { "identifier": { "scope": "nowhere" }, "actions": actions } });
    let second = json!({ "idSelectorDefinition": { "identifier": { "scope": "EU", "code": "p1" }, "actions": actions, "name": "the first of the EU" } });
    document["policies"].as_array_mut().unwrap().push(json!({ "id": id, "grant": "Deny", "when": {}, "selectors": [first, second] }));
    document["roles"][0]["resource"]["policyIdRoleResource"]["policies"].as_array_mut().unwrap().push(id);
    world_of(&document)
}

#[tokio::test]
async fn a_record_says_what_was_asked_and_what_decided() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let held = "{\"id\":{\"scope\":\"EU\",\"code\":\"p1\"}}";
    let upstream = Upstream::start(move |seen| if seen.line().contains("/held") { ok(held) } else { ok("{}") }).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.log.sinks = vec![Sink::File(path.clone())];
        plan.world = with_a_named_denial();
    });
    let mut client = Client::connect(door.address).await;
    let mut bodies = Vec::new();
    for target in ["/free?effectiveAt=2026-01-02", "/api/portfolios/EU/p1?effectiveAt=2026-01-02&asAt=odd", "/api/portfolios/EU/p2", "/api/held", "/unmapped"] {
        bodies.push(client.get(target).await.text().to_owned());
    }
    client.send(request("PUT", "/api/portfolios", &format!("content-length: {}\r\n", held.len())) + held).await;
    bodies.push(client.answer().await.text().to_owned());
    drop(client);
    close(door).await;
    let lines = lines(&path);
    let by = |line: &Value| (line["authoritativeRoleId"].clone(), line["authoritativePolicyId"].clone(), line["authoritativeSelector"].clone());
    let id = |code: &str| json!({ "scope": "default", "code": code });
    let hidden = (id("reader"), id("hidden"), json!("the first of the EU"));

    let free = &lines[0];
    assert_eq!((&free["result"], &free["action"], &free["resourceType"]), (&json!("Granted"), &json!("default/Execute/Feature"), &json!("Feature")));
    assert_eq!(free["resource"], json!({ "scope": "LUSID", "code": "free" }));
    assert_eq!(by(free), (id("reader"), id("features"), json!("selectors[0]")));
    assert_eq!((&free["resourceFromEffectiveDate"], &free["resourceToEffectiveDate"]), (&json!("2026-01-02T00:00:00Z"), &json!("2026-01-02T00:00:00Z")));

    let denied = &lines[1];
    assert_eq!((&denied["result"], &denied["action"], &denied["resourceType"]), (&json!("Denied"), &json!("default/Read/Portfolio"), &json!("Portfolio")));
    assert_eq!((&denied["resource"], by(denied)), (&json!({ "scope": "EU", "code": "p1" }), hidden.clone()));
    assert_eq!((&denied["resourceToEffectiveDate"], denied.get("resourceFromAsAt")), (&json!("2026-01-02T00:00:00Z"), None));

    // No policy grants it, and none is to blame.
    assert_eq!((&lines[2]["resource"], by(&lines[2])), (&json!({ "scope": "EU", "code": "p2" }), (Value::Null, Value::Null, Value::Null)));
    // Refused by its answer.
    assert_eq!((&lines[3]["result"], &lines[3]["resource"], by(&lines[3])), (&json!("Denied"), &json!({ "scope": "EU", "code": "p1" }), hidden.clone()));
    // Nothing was asked.
    assert_eq!((&lines[4]["result"], lines[4].get("action"), lines[4].get("application")), (&json!("Denied"), None, None));
    // Refused by an item of its body.
    assert_eq!((&lines[5]["action"], by(&lines[5])), (&json!("default/Update/Portfolio"), hidden));
    for line in &lines {
        assert_eq!((&line["id"], &line["requestId"], &line["timestamp"]), (&line["decisionId"], &line["decisionId"], &line["time"]));
        assert!(line["duration"].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!((line["user"].as_str(), line["userType"].as_str()), (Some("00u1"), Some("Service")), "{line}");
    }
    for body in bodies.iter().filter(|body| body.contains("errorDetails")) {
        assert!(!["reader", "hidden", "first of", "features", "p1"].iter().any(|name| body.contains(name)), "{body}");
    }
}

#[tokio::test]
async fn a_fault_of_the_upstream_is_no_denial() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let upstream = Upstream::start(|_| Reply::Close(whole("<html>"))).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.log.sinks = vec![Sink::File(path.clone())]);
    assert_eq!(Client::connect(door.address).await.get("/api/portfolios").await.status, 502);
    close(door).await;
    let line = &lines(&path)[0];
    assert_eq!((&line["refusal"], &line["result"], &line["action"]), (&json!("UnfilterableResponse"), &json!("Granted"), &json!("default/Execute/Feature")));
}
