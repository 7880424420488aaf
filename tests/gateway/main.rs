//! The whole data plane from its configuration, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod asking;
mod operators;
#[path = "../support/mod.rs"]
mod support;

use doorward::config::Config;
use doorward::gateway::{Gateway, GatewayError};
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use support::address::reserved;
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
async fn keys_that_never_came_are_as_old_as_the_process() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    site.publish();
    let issuer = format!("[[issuers]]\nissuer = 'https://one.example'\naudience = '{AUDIENCE}'\njwks = 'http://{}/keys'", reserved());
    let gateway = ready(site.config(&issuer)).await;
    let admin = gateway.listening().admin[0];
    let first = keys_age(admin).await;
    within(async { while keys_age(admin).await <= first {} }).await;
}

/// How old the metrics say that the keys of the first issuer are, in seconds.
async fn keys_age(admin: SocketAddr) -> f64 {
    let metrics = ask(admin, "/metrics").await;
    let line = metrics.text().lines().find_map(|line| line.strip_prefix("doorward_jwks_age_seconds{issuer=\"https://one.example\"} ")?.parse::<f64>().ok());
    line.unwrap()
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
    let first = keys_age(admin).await;
    within(async { while keys_age(admin).await <= first {} }).await;
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
