//! The operator's door keeps nobody who says too little, or too much.

use super::Site;
use super::support::client::Client;
use super::support::upstream::{Upstream, ok};
use super::support::within;
use doorward::gateway::Gateway;
use std::net::SocketAddr;
use tokio::net::TcpStream;

const HASTY: &str = "[proxy.limits]\nheader_read_timeout = \"1s\"\nrequest_body_timeout = \"1s\"\nrequest_head_bytes = 9000";

async fn open(upstream: &Upstream, more: &str) -> (Site, Gateway, SocketAddr) {
    let site = Site::new(upstream);
    let gateway = Gateway::start(site.config(more)).await.unwrap();
    let address = gateway.listening().admin[0];
    (site, gateway, address)
}

#[tokio::test]
async fn who_does_not_go_on_at_the_operators_door_is_not_waited_for() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (_site, _gateway, address) = open(&upstream, HASTY).await;
    let head = "POST /explain HTTP/1.1\r\nhost: localhost\r\n";
    for said in [
        "",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\n",
        &format!("{head}content-length: 100\r\n\r\n{{"),
        &format!("{head}transfer-encoding: chunked\r\n\r\n"),
    ] {
        let mut client = Client::connect(address).await;
        client.try_send(said).await;
        let answer = String::from_utf8(client.bytes(usize::MAX).await).unwrap();
        assert!(!answer.contains(" 200 "), "{said:?}: {answer}");
    }
    let mut kept = Client::connect(address).await;
    kept.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(kept.answer().await.status, 200);
    assert!(kept.is_closed().await);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_at_the_operators_door() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (_site, _gateway, address) = open(&upstream, HASTY).await;
    let mut client = Client::connect(address).await;
    client.try_send(format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(9000))).await;
    assert_eq!(client.answer().await.status, 431);
}

#[tokio::test]
async fn more_connections_than_an_operator_needs_are_turned_away() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (_site, _gateway, address) = open(&upstream, "").await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    let mut beyond = Client::connect(address).await;
    assert_eq!(beyond.answer().await.status, 503);
    assert!(beyond.is_closed().await);
    held.clear();
    within(async {
        loop {
            let mut next = Client::connect(address).await;
            next.try_send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
            if next.answer().await.status == 200 {
                return;
            }
        }
    })
    .await;
}
