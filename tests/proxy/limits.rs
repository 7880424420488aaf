//! Every key of `[proxy.limits]`, changed in a configuration and felt at the door.

use crate::support::client::{Answer, Client, request};
use crate::support::upstream::{Reply, Upstream, ok, said};
use crate::support::within;
use crate::support::world::{api_map, snapshot};
use doorward::config::Config;
use doorward::gateway::Gateway;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// A running gateway with this limit.
struct Limited {
    _folder: tempfile::TempDir,
    _gateway: Gateway,
    address: SocketAddr,
}

async fn limited(upstream: &str, limit: &str) -> Limited {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("map.yaml"), api_map().to_string()).unwrap();
    std::fs::write(path("snapshot.json"), snapshot().to_string()).unwrap();
    let text = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"{upstream}\"\n[proxy.limits]\n{limit}\n[admin]\nlisten = []\n[api]\nmaps = [\"{}\"]\n\
         [snapshot]\nsource = \"file:{}\"\n[decisions]\nsink = \"none\"\n",
        path("map.yaml"),
        path("snapshot.json")
    );
    let gateway = Gateway::start(Config::parse("doorward.toml", &text, []).unwrap()).await.unwrap();
    within(gateway.ready()).await;
    let address = gateway.listening().proxy[0];
    Limited { _folder: folder, _gateway: gateway, address }
}

async fn before(upstream: &Upstream, limit: &str) -> Limited {
    limited(&format!("http://{}", upstream.address), limit).await
}

async fn ask(door: &Limited, bytes: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::connect(door.address).await;
    client.send(bytes).await;
    client.answer().await
}

/// Asks for a list that the upstream answers with these bytes.
async fn listed(answer: Vec<u8>, limit: &str) -> Answer {
    let upstream = Upstream::start(move |_| Reply::Bytes(answer.clone())).await;
    let door = before(&upstream, limit).await;
    ask(&door, request("GET", "/api/portfolios", "")).await
}

#[tokio::test]
async fn what_a_request_may_measure() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let more: String = (0..8).map(|number| format!("x-{number}: 1\r\n")).collect();
    let body = "{\"id\":{\"scope\":\"US\",\"code\":\"a\"}}";
    let add = request("POST", "/api/portfolios", &format!("content-length: {}\r\n", body.len())) + body;
    for (limit, bytes, status) in [
        ("request_head_bytes = 8192", request("GET", "/free", &format!("x: {}\r\n", "x".repeat(9000))), 431),
        ("request_head_bytes = 1024", request("GET", "/free", &format!("x: {}\r\n", "x".repeat(1024))), 431),
        ("header_count = 6", request("GET", "/free", &more), 431),
        ("target_bytes = 100", request("GET", &format!("/free?{}", "x".repeat(100)), ""), 414),
        ("request_body_bytes = 20", add, 413),
    ] {
        let (usual, tight) = (before(&upstream, "").await, before(&upstream, limit).await);
        assert_eq!((ask(&usual, &bytes).await.status, ask(&tight, &bytes).await.status), (200, status), "{limit}");
    }
    assert_eq!(upstream.seen().len(), 5);
}

#[tokio::test]
async fn what_an_answer_may_measure() {
    let item = format!("{{\"values\":[{{\"id\":{{\"scope\":\"US\",\"code\":\"a\"}},\"note\":\"{}\"}}]}}", "n".repeat(500));
    let deep = "{\"values\":[{\"id\":{\"scope\":\"US\",\"code\":\"a\"},\"deep\":[[[[[[1]]]]]]}]}";
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(format!("{{\"values\":[{}]}}", " ".repeat(2 << 20)).as_bytes()).unwrap();
    let encoded = said("content-type: application/json\r\ncontent-encoding: gzip\r\n", &encoder.finish().unwrap());
    for (usual, limit, answer) in [
        ("", "response_item_bytes = 300", said("", item.as_bytes())),
        ("", "response_depth = 6", said("", deep.as_bytes())),
        ("decoded_ratio = 100000", "decoded_ratio = 2", encoded),
    ] {
        assert_eq!(listed(answer.clone(), usual).await.status, 200, "without {limit}");
        assert_eq!(listed(answer, limit).await.problem(), "UnfilterableResponse", "{limit}");
    }
}

#[tokio::test]
async fn how_long_a_client_may_take() {
    let large = "x".repeat(64 << 20);
    let upstream = Upstream::start(move |_| ok(&large)).await;
    let door = before(&upstream, "header_read_timeout = \"300ms\"").await;
    let mut client = Client::connect(door.address).await;
    client.send("GET /free HTTP/1.1\r\n").await;
    assert!(!String::from_utf8_lossy(&client.bytes(usize::MAX).await).starts_with("HTTP/1.1 2"));
    let door = before(&upstream, "request_body_timeout = \"300ms\"").await;
    assert_eq!(ask(&door, request("POST", "/api/portfolios", "content-length: 10\r\n")).await.status, 400);
    assert!(upstream.seen().is_empty());
    let door = before(&upstream, "client_write_timeout = \"300ms\"\nmax_connections = 1").await;
    let mut stalled = Client::connect(door.address).await;
    stalled.send(request("GET", "/free", "")).await;
    stalled.head().await;
    within(async {
        // Its place is another's before it has read anything.
        while Client::connect(door.address).await.answer_or_end().await.is_some_and(|answer| answer.status == 503) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn how_long_the_upstream_may_take() {
    let silent = Upstream::start(|_| Reply::Silence).await;
    let door = before(&silent, "upstream_read_timeout = \"300ms\"").await;
    assert_eq!(ask(&door, request("GET", "/free", "")).await.problem(), "UpstreamTimeout");
    // It takes connections, and never says who it is.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = limited(&format!("https://{}", mute.local_addr().unwrap()), "upstream_connect_timeout = \"300ms\"").await;
    assert_eq!(ask(&door, request("GET", "/free", "")).await.problem(), "UpstreamTimeout");
}

#[tokio::test]
async fn how_many_there_may_be_at_once() {
    let upstream = Upstream::start(|_| Reply::Silence).await;
    let door = before(&upstream, "max_connections = 1").await;
    let mut first = Client::connect(door.address).await;
    first.send(request("GET", "/free", "")).await;
    within(async {
        while upstream.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(Client::connect(door.address).await.answer().await.problem(), "Overloaded");
    let door = before(&upstream, "max_in_flight = 1").await;
    let mut first = Client::connect(door.address).await;
    first.send(request("GET", "/free", "")).await;
    within(async {
        while upstream.seen().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(ask(&door, request("GET", "/free", "")).await.problem(), "Overloaded");
}
