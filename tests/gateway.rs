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
use std::net::SocketAddr;
use std::path::Path;
use support::client::{Answer, Client};
use support::upstream::{Upstream, ok};
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
        let (upstream, map, source, log) = (self.upstream, self.path("map.yaml"), self.path("snapshot.json"), self.path("decisions.jsonl"));
        let text = format!(
            "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{upstream}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [api]\nmaps = [\"{map}\"]\n[snapshot]\nsource = \"file:{source}\"\npoll = \"1s\"\n\
             [decisions]\nsink = \"file:{log}\"\nwhen = \"all\"\n{more}"
        );
        Config::parse("doorward.toml", &text, []).unwrap()
    }
}

async fn ask(address: SocketAddr, path: &str) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
    client.answer().await
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

#[tokio::test]
async fn a_start_that_cannot_succeed_says_why() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(&upstream);
    let error = Gateway::start(site.config("[envoy]\nlisten = \"127.0.0.1:0\"\n")).await.unwrap_err();
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
