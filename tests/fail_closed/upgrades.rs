//! Changes of protocol, behind which nobody judges any more (threats §1, §5).

use super::ask;
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::within;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

async fn switching(protocol: &'static str) -> Upstream {
    Upstream::start(move |_| Reply::Echo(SWITCHING.replace("websocket", protocol).into())).await
}

#[tokio::test]
async fn no_protocol_changes_where_the_operation_does_not_say_so() {
    let upstream = switching("websocket").await;
    let door = Doorward::before(&upstream);
    // A restricted caller's answer is filtered, which a socket could not be.
    for target in ["/free", "/api/portfolios", "/filtered-socket"] {
        let answer = ask(&door, request("GET", target, "connection: upgrade\r\nupgrade: websocket\r\n")).await;
        assert_eq!(answer.problem(), "UpstreamUnavailable", "{target}");
    }
    assert!(upstream.seen().iter().all(|seen| seen.header("upgrade").is_empty() && seen.header("connection").is_empty()));
}

#[tokio::test]
async fn no_protocol_but_websocket_is_changed_to() {
    let upstream = switching("websocket").await;
    let door = Doorward::before(&upstream);
    for wish in ["upgrade: h2c\r\n", "upgrade: TLS/1.0\r\n", "upgrade: websocket, h2c\r\n", "upgrade: websocket\r\nupgrade: h2c\r\n"] {
        let answer = ask(&door, request("GET", "/socket", &format!("connection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n{wish}"))).await;
        assert_eq!(answer.problem(), "UpstreamUnavailable", "{wish}");
    }
    let answer = ask(&door, request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n") + "ab").await;
    assert_eq!(answer.problem(), "UpstreamUnavailable", "with a body");
    assert!(upstream.seen().iter().all(|seen| seen.header("upgrade").is_empty()), "{:?}", upstream.seen());
    let other = switching("h2c").await;
    let door = Doorward::before(&other);
    let answer = ask(&door, request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\n")).await;
    assert_eq!(answer.problem(), "UpstreamUnavailable", "the upstream chose another");
}

#[tokio::test]
async fn a_changed_protocol_carries_its_decision_id() {
    let upstream = switching("websocket").await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/socket", "connection: upgrade\r\nupgrade: WebSocket\r\n")).await;
    let answer = client.head().await;
    assert_eq!(answer.status, 101);
    assert_eq!(upstream.only().header("doorward-decision-id"), [answer.header("doorward-decision-id").unwrap()]);
}

#[tokio::test]
async fn a_101_brings_nothing_that_belongs_to_the_hop_before() {
    let of_the_hop = "connection: upgrade, x-private\r\nx-private: 1\r\nkeep-alive: timeout=5\r\nproxy-authenticate: Basic\r\nupgrade: websocket\r\n";
    let upstream = Upstream::start(move |_| Reply::Echo(format!("HTTP/1.1 101 Switching Protocols\r\n{of_the_hop}x-kept: 1\r\n\r\n").into())).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\n")).await;
    let answer = client.head().await;
    assert_eq!((answer.status, answer.header("x-kept"), answer.header("upgrade")), (101, Some("1"), Some("websocket")));
    for name in ["x-private", "keep-alive", "proxy-authenticate"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

/// An upstream that changes the protocol as soon as it has a request's head, and keeps what else comes.
async fn hasty() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, taken) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                let mut is_first = true;
                while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                    kept.lock().unwrap().extend_from_slice(&chunk[..count]);
                    if std::mem::take(&mut is_first) {
                        let _ = stream.write_all(SWITCHING.as_bytes()).await;
                    }
                }
            });
        }
    });
    (address, taken)
}

#[tokio::test]
async fn a_101_while_the_body_still_comes_opens_nothing() {
    let (upstream, taken) = hasty().await;
    let door = Doorward::planned(&[upstream], |_| {});
    for (target, headers) in [
        ("/free", "content-length: 10\r\n"),
        ("/free", "transfer-encoding: chunked\r\n"),
        ("/free", "connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 10\r\n"),
        ("/free", "connection: upgrade\r\nupgrade: websocket\r\ntransfer-encoding: chunked\r\n"),
    ] {
        let mut client = Client::connect(door.address).await;
        client.send(request("POST", target, headers)).await;
        let answer = client.answer().await;
        assert_eq!(answer.problem(), "UpstreamUnavailable", "{headers}");
        client.try_send(request("GET", "/free?through-the-tunnel", "")).await;
        client.finish().await;
        client.bytes(usize::MAX).await;
    }
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 10\r\n")).await;
    assert_ne!(client.head().await.status, 101, "with a body that still comes");
    drop(client);
    let taken = String::from_utf8_lossy(&taken.lock().unwrap().clone()).into_owned();
    assert!(!taken.contains("through-the-tunnel") && !taken.to_lowercase().contains("upgrade:"), "{taken}");
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_opens_nothing_even_where_one_may_ask() {
    let (upstream, taken) = hasty().await;
    let door = Doorward::planned(&[upstream], |_| {});
    for headers in ["", "upgrade: websocket\r\n", "connection: upgrade\r\n", "connection: keep-alive\r\nupgrade: websocket\r\n"] {
        let mut client = Client::connect(door.address).await;
        client.send(request("GET", "/socket", headers)).await;
        assert_eq!(client.answer().await.problem(), "UpstreamUnavailable", "{headers}");
        client.try_send("through the tunnel").await;
        client.finish().await;
        client.bytes(usize::MAX).await;
    }
    let taken = String::from_utf8_lossy(&taken.lock().unwrap().clone()).into_owned();
    assert!(!taken.contains("through the tunnel"), "{taken}");
}

#[tokio::test]
async fn a_request_behind_a_wish_that_was_not_granted_is_judged_like_any_other() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    let wish = request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\n");
    client.send(wish + "GET /free?smuggled HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.finish().await;
    within(client.bytes(usize::MAX)).await;
    assert!(upstream.seen().iter().all(|seen| !seen.head.contains("smuggled")), "{:?}", upstream.seen());
}
