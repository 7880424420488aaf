//! What is counted and recorded, and what never is.

use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Upstream, ok, whole};
use crate::support::world::{TOKEN, portfolios};
use doorward::observe::{Sink, When};
use serde_json::Value;
use std::path::Path;
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
