//! What the operator asks: what was decided, what would be, and by which name he may ask.

use super::support::client::Client;
use super::support::upstream::{Reply, Upstream, ok};
use super::support::within;
use super::support::world::portfolios;
use super::{Site, ask, post, ready};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The record of a decision, once it is written.
async fn remembered(admin: SocketAddr, id: &str) -> Value {
    let path = format!("/decisions/{id}");
    within(async {
        loop {
            let answer = ask(admin, &path).await;
            if answer.status == 200 {
                assert_eq!(answer.header("content-type"), Some("application/json"));
                return serde_json::from_slice(&answer.body).unwrap();
            }
            assert_eq!(answer.status, 404);
        }
    })
    .await
}

/// Runs the program; its exit code and what it prints.
async fn doorward(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(arguments).env("DECISION_TEST_TOKEN", "reader-token");
    let output = within(tokio::task::spawn_blocking(move || command.output())).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_operator_is_shown_the_record_of_a_decision() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    // Remembered although nothing is written anywhere.
    let gateway = ready(site.recording("sink = \"none\"\nwhen = \"denied\"", "")).await;
    let (proxy, admin) = (gateway.listening().proxy[0], gateway.listening().admin[0]);
    let mut client = Client::connect(proxy).await;
    let granted = client.get("/free").await.header("doorward-decision-id").unwrap().to_owned();
    let denied = client.get("/api/portfolios/EU/p1").await.header("doorward-decision-id").unwrap().to_owned();
    let record = remembered(admin, &denied).await;
    assert_eq!((&record["decisionId"], &record["result"], &record["resource"]), (&json!(denied), &json!("Denied"), &json!({ "scope": "EU", "code": "p1" })));
    for unknown in [granted.as_str(), "0", &"0".repeat(32), &"+".repeat(32), "..%2fstatus"] {
        assert_eq!(ask(admin, &format!("/decisions/{unknown}")).await.status, 404, "{unknown}");
    }
    for path in [format!("/decisions/{denied}"), "/explain".to_owned()] {
        assert_eq!(client.get(&path).await.problem(), "RouteNotMapped", "{path}");
    }
}

#[tokio::test]
async fn the_operator_is_told_what_would_come_of_a_call_as_the_command_tells_it() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    let gateway = ready(site.config("")).await;
    let admin = gateway.listening().admin[0];
    let answer = portfolios(2);
    std::fs::write(site.path("answer.json"), &answer).unwrap();
    let (snapshot, map, saved) = (site.path("snapshot.json"), site.path("map.yaml"), site.path("answer.json"));
    let offline = ["explain", "--snapshot", &snapshot, "--api-map", &map, "--user", "00u1", "--now", "2026-11-21T12:00:00Z", "--json"];
    for (method, target, body, upstream) in [
        ("GET", "/api/portfolios/EU/p1", None, None),
        ("GET", "/api/portfolios", None, Some(answer.as_str())),
        ("PUT", "/api/portfolios", Some("{\"id\":{\"scope\":\"US\",\"code\":\"a\"},\"n\":1.10}"), None),
        ("GET", "/api/books/s/2", None, None),
    ] {
        let mut arguments = [&offline[..], &["--method", method, "--target", target, "--header", "x-team: eq"]].concat();
        if let Some(body) = body {
            std::fs::write(site.path("body.json"), body).unwrap();
        }
        let body_file = site.path("body.json");
        arguments.extend(body.iter().flat_map(|_| ["--body", body_file.as_str()]));
        arguments.extend(upstream.iter().flat_map(|_| ["--upstream", saved.as_str()]));
        let (code, told, errors) = doorward(&arguments).await;
        assert_eq!(code, Some(0), "{errors}");
        let json = |text: Option<&str>| text.unwrap_or("null").to_owned();
        let question = format!(
            "{{\"user\":\"00u1\",\"method\":\"{method}\",\"target\":\"{target}\",\"now\":\"2026-11-21T12:00:00Z\",\"headers\":{{\"x-team\":\"eq\"}},\"body\":{},\"upstream\":{}}}",
            json(body),
            json(upstream)
        );
        let explained = post(admin, "/explain", &question).await;
        assert_eq!(explained.status, 200, "{}", explained.text());
        let (online, offline): (Value, Value) = (serde_json::from_slice(&explained.body).unwrap(), serde_json::from_str(&told).unwrap());
        assert_eq!(online, offline, "{method} {target}");
        assert!(!online["questions"].as_array().unwrap().is_empty() && online["operation"].is_string(), "{online}");
    }
    for (wrong, what) in [
        ("{", "EOF"),
        ("{\"user\":\"x\",\"method\":\"GET\",\"target\":\"/\",\"usr\":1}", "usr"),
        ("{\"user\":\"x\",\"method\":\"GET\",\"target\":\"/\",\"now\":\"noon\"}", "noon"),
    ] {
        let answer = post(admin, "/explain", wrong).await;
        assert!(answer.status == 400 && answer.text().contains(what), "{}", answer.text());
    }
}

#[tokio::test]
async fn the_command_says_what_is_recorded_of_a_decision() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    let gateway = ready(site.config("")).await;
    let admin = gateway.listening().admin[0].to_string();
    let denied = Client::connect(gateway.listening().proxy[0]).await.get("/api/portfolios/EU/p1").await;
    let id = denied.header("doorward-decision-id").unwrap();
    let record = remembered(gateway.listening().admin[0], id).await;
    let (code, told, errors) = doorward(&["explain", "--decision", id, "--admin", &admin]).await;
    assert_eq!(code, Some(0), "{errors}");
    for line in [&format!("decision: {id}"), "result: Denied", "user: 00u1 (Service)", "question: default/Read/Portfolio (US)", "refusal: AccessDenied"] {
        let line = line.replace("(US)", "(EU/p1)");
        assert!(told.lines().any(|candidate| candidate == line), "{line} is missing in\n{told}");
    }
    let (_, as_json, _) = doorward(&["explain", "--decision", id, "--admin", &admin, "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&as_json).unwrap(), record);
    let (code, _, errors) = doorward(&["explain", "--decision", &"0".repeat(32), "--admin", &admin]).await;
    assert!(code == Some(1) && errors.contains("knows no decision"), "{errors}");
    drop(gateway);
    let (code, _, errors) = doorward(&["explain", "--decision", id, "--admin", "127.0.0.1:1"]).await;
    assert!(code == Some(1) && errors.contains("cannot ask `127.0.0.1:1`"), "{errors}");
}

#[tokio::test]
async fn the_command_asks_the_control_plane_with_a_token_that_is_not_on_the_command_line() {
    let plane = Upstream::start(|seen| match (seen.header("authorization").first().map(String::as_str), seen.line()) {
        (Some("Bearer reader-token"), "GET /insights/api/access/d-1 HTTP/1.1") => {
            ok("{\"id\":\"d-1\",\"timestamp\":\"2026-11-21T12:00:00Z\",\"application\":\"LUSID\",\"user\":\"ann\",\"result\":\"Denied\"}")
        }
        (Some("Bearer reader-token"), _) => Reply::Close(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into()),
        _ => Reply::Close(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".into()),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token").display().to_string();
    std::fs::write(&token, "reader-token\n").unwrap();
    let control = format!("http://{}/", plane.address);
    for source in [["--token-file", token.as_str()], ["--token-env", "DECISION_TEST_TOKEN"]] {
        let (code, told, errors) = doorward(&[&["explain", "--decision", "d-1", "--control", &control][..], &source].concat()).await;
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(told, "decision: d-1\ntime: 2026-11-21T12:00:00Z\nresult: Denied\nuser: ann\napplication: LUSID\n");
        let (code, _, errors) = doorward(&[&["explain", "--decision", "d-2", "--control", &control][..], &source].concat()).await;
        assert!(code == Some(1) && errors.contains("knows no decision `d-2`"), "{errors}");
    }
    let (code, _, errors) = doorward(&["explain", "--decision", "d-1", "--control", &control]).await;
    assert!(code == Some(1) && errors.contains("does not let this token read decisions"), "{errors}");
    for unusable in [
        &["--decision", "a/b"][..],
        &["--decision", "d-1", "--user", "x"],
        &["--decision", "d-1", "--control", &control, "--admin", "127.0.0.1:1"],
        &["--decision", "d-1", "--token-file", &token],
        &["--user", "x"],
        &["--admin", "127.0.0.1:1"],
    ] {
        assert_eq!(doorward(&[&["explain"], unusable].concat()).await.0, Some(2), "{unusable:?}");
    }
}

#[tokio::test]
async fn a_name_that_somebody_let_point_here_is_told_nothing_of_users() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    let gateway = ready(site.config("")).await;
    let admin = gateway.listening().admin[0];
    let by_name = async |host: &str, path: &str| {
        let mut client = Client::connect(admin).await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        client.answer().await.status
    };
    for path in ["/status", "/decisions/0", "/explain"] {
        assert_eq!(by_name("evil.example:9901", path).await, 421, "{path}");
    }
    for host in [admin.to_string().as_str(), "localhost"] {
        assert_eq!(by_name(host, "/status").await, 200, "{host}");
    }
    // Nothing of users is there, and probes come by all kinds of names.
    assert_eq!(by_name("evil.example", "/healthz").await, 200);
}
