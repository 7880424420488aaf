//! The whole data plane from its configuration, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod support;

use doorward::config::Config;
use doorward::gateway::{Gateway, GatewayError};
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use support::client::{Answer, Client};
use support::engine::ENGINE;
use support::issuer::{AUDIENCE, Key};
use support::upstream::{Reply, Upstream, ok};
use support::within;
use support::world::{TOKEN, api_map, portfolios, snapshot, visible_portfolios};

/// A directory with an API map, and a configuration that leads there.
struct Site {
    directory: tempfile::TempDir,
    upstream: SocketAddr,
}

impl Site {
    fn new(upstream: &Upstream) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("map.yaml"), api_map().to_string()).unwrap();
        Self { directory, upstream: upstream.address }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn publish(&self) {
        // Moved into place, so that it is never read half written.
        std::fs::write(self.path("snapshot.new"), snapshot().to_string()).unwrap();
        std::fs::rename(self.path("snapshot.new"), self.path("snapshot.json")).unwrap();
    }

    fn config(&self, more: &str) -> Config {
        self.recording(&format!("sink = \"file:{}\"\nwhen = \"all\"", self.path("decisions.jsonl")), more)
    }

    fn recording(&self, decisions: &str, more: &str) -> Config {
        let (upstream, map, source) = (self.upstream, self.path("map.yaml"), self.path("snapshot.json"));
        let text = format!(
            "[proxy]\nengine = \"{ENGINE}\"\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{upstream}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [api]\nmaps = [\"{map}\"]\n[snapshot]\nsource = \"file:{source}\"\npoll = \"1s\"\ntoken = \"sidecar\"\n\
             [decisions]\n{decisions}\n{more}"
        );
        Config::parse("doorward.toml", &text, []).unwrap()
    }
}

async fn ask(address: SocketAddr, path: &str) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
    client.answer().await
}

async fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())).await;
    client.answer().await
}

/// A gateway with a snapshot in force.
async fn ready(config: Config) -> Gateway {
    let gateway = Gateway::start(config).await.unwrap();
    within(gateway.ready()).await;
    gateway
}

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
async fn calls_are_judged_as_soon_as_a_snapshot_is_in_force() {
    let upstream = Upstream::start(|seen| if seen.line().contains("/api/") { ok(&portfolios(4)) } else { ok("{}") }).await;
    let site = Site::new(&upstream);
    let gateway = Gateway::start(site.config("")).await.unwrap();
    let (proxy, admin) = (gateway.listening().proxy[0], gateway.listening().admin[0]);
    let mut client = Client::connect(proxy).await;
    assert_eq!(client.get("/free").await.problem(), "PolicyUnavailable");
    assert_eq!(ask(admin, "/healthz").await.status, 200);
    let readiness = ask(admin, "/readyz").await;
    assert_eq!((readiness.status, readiness.text()), (503, "no snapshot is in force\n"));
    site.publish();
    within(gateway.ready()).await;
    assert_eq!(ask(admin, "/readyz").await.status, 200);
    assert_eq!(client.get("/free").await.status, 200);
    assert_eq!(client.get("/api/portfolios").await.text(), visible_portfolios(4));
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn the_age_of_an_issuers_keys_is_measured_and_an_issuer_that_is_asked_vouches_for_its_tokens() {
    let answer = json!({ "active": true, "aud": AUDIENCE, "sub": "00u1", "exp": doorward::observe::clock::now().as_second() + 600 }).to_string();
    let (endpoint, upstream) = (Upstream::start(move |_| ok(&answer)).await, Upstream::start(|_| ok("{}")).await);
    let site = Site::new(&upstream);
    site.publish();
    let keys = site.path("keys.json");
    std::fs::write(&keys, Key::new("one").set()).unwrap();
    let issuers = format!(
        "[[issuers]]\nissuer = 'https://one.example'\naudience = '{AUDIENCE}'\njwks = '{keys}'\n[[issuers]]\nissuer = 'https://two.example'\n\
         audience = '{AUDIENCE}'\nintrospection = {{ endpoint = 'http://{}/i', client_id = 'me', client_secret = 'canary' }}",
        endpoint.address
    );
    let gateway = ready(site.config(&issuers)).await;
    let (proxy, admin) = (gateway.listening().proxy[0], gateway.listening().admin[0]);
    let age = async || {
        let metrics = ask(admin, "/metrics").await;
        let line = metrics.text().lines().find_map(|line| line.strip_prefix("doorward_jwks_age_seconds{issuer=\"https://one.example\"} ")?.parse::<f64>().ok());
        line.unwrap()
    };
    let first = age().await;
    within(async { while age().await <= first {} }).await;
    for _ in 0..2 {
        let mut client = Client::connect(proxy).await;
        client.send("GET /free HTTP/1.1\r\nhost: a\r\nauthorization: Bearer opaque\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200);
    }
    let metrics = ask(admin, "/metrics").await;
    let line = "doorward_introspections_total{issuer=\"https://two.example\",result=\"active\"} 1";
    assert!(metrics.text().lines().any(|candidate| candidate == line), "{}", metrics.text());
    assert_eq!(endpoint.only().header("authorization"), ["Basic bWU6Y2FuYXJ5"]);
}

#[tokio::test]
async fn the_operator_sees_what_runs_and_nothing_of_it_is_on_the_data_port() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    let gateway = Gateway::start(site.config("")).await.unwrap();
    within(gateway.ready()).await;
    let (proxy, admin) = (gateway.listening().proxy[0], gateway.listening().admin[0]);
    let mut client = Client::connect(proxy).await;
    assert_eq!(client.get("/free").await.status, 200);
    let status: serde_json::Value = serde_json::from_slice(&ask(admin, "/status").await.body).unwrap();
    assert_eq!((status["revision"].as_u64(), status["openConnections"].as_u64()), (Some(7), Some(1)));
    assert_eq!(status["listening"]["proxy"][0].as_str(), Some(proxy.to_string().as_str()));
    assert!(status["uptimeSeconds"].as_f64().unwrap() >= 0.0 && status["version"].is_string(), "{status}");
    let metrics = ask(admin, "/metrics").await;
    for line in ["doorward_snapshot_revision 7", "doorward_snapshot_loads_total{result=\"ok\"} 1", "doorward_open_connections 1"] {
        assert!(metrics.text().lines().any(|candidate| candidate == line), "{line} is missing in\n{}", metrics.text());
    }
    for path in ["/healthz", "/readyz", "/metrics", "/status"] {
        assert_eq!(client.get(path).await.problem(), "RouteNotMapped", "{path}");
    }
    for text in [status.to_string(), metrics.text().to_owned(), format!("{gateway:?}")] {
        assert!(!text.contains(TOKEN) && !text.contains("00u1"), "{text}");
    }
}

#[tokio::test]
async fn running_ends_with_its_signal_and_every_record_is_written() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    let gateway = Gateway::start(site.config("")).await.unwrap();
    within(gateway.ready()).await;
    let proxy = gateway.listening().proxy[0];
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(gateway.run(async {
        let _ = stopped.await;
    }));
    let mut client = Client::connect(proxy).await;
    assert_eq!(client.get("/free").await.status, 200);
    stop.send(()).unwrap();
    assert!(client.is_closed().await);
    within(running).await.unwrap();
    let log = std::fs::read_to_string(Path::new(&site.path("decisions.jsonl"))).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn envoys_services_are_opened_and_closed_with_the_rest() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    let gateway = Gateway::start(site.config("[envoy]\nlisten = \"127.0.0.1:0\"\n")).await.unwrap();
    within(gateway.ready()).await;
    let address = gateway.listening().envoy[0];
    let status: Value = serde_json::from_slice(&ask(gateway.listening().admin[0], "/status").await.body).unwrap();
    assert_eq!(status["listening"]["envoy"], json!([address.to_string()]));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(gateway.run(async {
        let _ = stopped.await;
    }));
    let mut client = AuthorizationClient::connect(format!("http://{address}")).await.unwrap();
    // A check that shows nothing is refused, by a service that is there.
    let answer = client.check(CheckRequest::default()).await.unwrap().into_inner();
    assert!(matches!(answer.http_response, Some(HttpResponse::DeniedResponse(_))));
    stop.send(()).unwrap();
    within(running).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_gateway_is_closed() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    let gateway = Gateway::start(site.config("")).await.unwrap();
    let (proxy, admin) = (gateway.listening().proxy[0], gateway.listening().admin[0]);
    let mut client = Client::connect(proxy).await;
    drop(gateway);
    assert!(client.is_closed().await);
    within(async {
        for address in [proxy, admin] {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
}

#[cfg(not(feature = "pingora"))]
#[tokio::test]
async fn an_engine_that_was_not_built_in_is_refused_aloud() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let mut config = Site::new(&upstream).config("");
    config.proxy.engine = doorward::config::Engine::Pingora;
    let error = Gateway::start(config).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(what) if what.contains("`pingora`")), "{error}");
}

#[tokio::test]
async fn a_start_that_cannot_succeed_says_why() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    let error = Gateway::start(site.recording("sink = \"otlp\"", "")).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(_)), "{error}");
    std::fs::write(site.path("map.yaml"), "operations: 7\n").unwrap();
    let error = Gateway::start(site.config("")).await.unwrap_err();
    assert!(matches!(&error, GatewayError::Maps(problems) if !problems.is_empty()), "{error}");
    std::fs::write(site.path("map.yaml"), "operations: [\n").unwrap();
    let error = Gateway::start(site.config("")).await.unwrap_err();
    assert!(matches!(error, GatewayError::Yaml { .. }), "{error}");
    std::fs::remove_file(site.path("map.yaml")).unwrap();
    let error = Gateway::start(site.config("")).await.unwrap_err();
    assert!(matches!(error, GatewayError::File { .. }), "{error}");
    std::fs::write(site.path("map.yaml"), api_map().to_string()).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = site.config("");
    config.admin.listen = vec![taken.local_addr().unwrap()];
    let error = Gateway::start(config).await.unwrap_err();
    assert!(matches!(error, GatewayError::Listen { .. }), "{error}");
}

#[tokio::test]
async fn records_are_posted_to_the_control_plane_and_written_to_every_other_sink() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let plane = Upstream::start(|_| Reply::Close(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".into())).await;
    let site = Site::new(&upstream);
    site.publish();
    let sinks = format!("sink = [\"control\", \"file:{}\"]\nwhen = \"all\"\ncontrol_url = \"http://{}/plane/\"", site.path("decisions.jsonl"), plane.address);
    let gateway = ready(site.recording(&sinks, "")).await;
    let mut client = Client::connect(gateway.listening().proxy[0]).await;
    for target in ["/free", "/unmapped", "/free"] {
        client.get(target).await;
    }
    drop(client);
    within(gateway.run(async {})).await;
    let posted: Vec<Value> = plane.seen().iter().flat_map(|post| serde_json::from_slice::<Vec<Value>>(&post.body).unwrap()).collect();
    let written = std::fs::read_to_string(site.path("decisions.jsonl")).unwrap();
    let written: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((posted.len(), &posted), (3, &written));
    for post in plane.seen() {
        assert_eq!((post.line(), post.header("authorization")), ("POST /plane/decisions HTTP/1.1", vec!["Bearer sidecar".to_owned()]));
    }
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
