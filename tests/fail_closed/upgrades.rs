//! Changes of protocol, behind which nobody judges any more (threats §1, §5).

use super::ask;
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Upstream};

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
