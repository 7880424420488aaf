//! What reaches the client: as it is, filtered, or visibly broken.

use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::http2;
use crate::support::upstream::{Reply, Seen, Upstream, ok, whole};
use crate::support::within;
use crate::support::world::{authorization, portfolios, visible_portfolios};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

fn chunked(parts: &[&str]) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for part in parts {
        bytes.extend_from_slice(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes());
    }
    bytes
}

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[tokio::test]
async fn a_small_list_is_filtered_and_names_no_length() {
    let upstream = Upstream::start(|_| ok(&portfolios(4))).await;
    let door = Doorward::before(&upstream);
    let answer = Client::connect(door.address).await.get("/api/portfolios").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), visible_portfolios(4));
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, Some("chunked")));
    assert_eq!(upstream.only().header("accept-encoding"), ["identity"]);
}

#[tokio::test]
async fn a_large_list_is_filtered_as_it_streams() {
    let (list, told) = (portfolios(4000), Arc::new(Notify::new()));
    let (first, rest) = list.split_at(list.len() / 2);
    let reply = (chunked(&[first]), [chunked(&[rest]).split_off(chunked(&[]).len()), LAST_CHUNK.to_vec()].concat());
    let upstream = Upstream::start({
        let told = Arc::clone(&told);
        move |_| Reply::When(reply.0.clone(), Arc::clone(&told), reply.1.clone())
    })
    .await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/api/portfolios", "")).await;
    // The head and the first half come although the upstream has not sent the second.
    let early = client.head().await;
    assert_eq!((early.status, early.header("transfer-encoding")), (200, Some("chunked")));
    told.notify_one();
    let mut body = client.bytes(1).await;
    while !body.ends_with(LAST_CHUNK) {
        body.extend(client.bytes(1).await);
    }
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains("\"p3998\"") && !text.contains("EU"));
}

#[tokio::test]
async fn a_connection_is_used_again_after_every_kind_of_answer() {
    let reply = |seen: &Seen| match seen.line().split_once(' ') {
        Some(("HEAD", _)) => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n".into()),
        _ if seen.line().contains("/api/") => ok(&portfolios(300)),
        _ => ok("{}"),
    };
    let upstream = Upstream::start(reply).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    for _ in 0..3 {
        assert_eq!(client.get("/free").await.text(), "{}");
        assert_eq!(client.get("/api/portfolios").await.text(), visible_portfolios(300));
        client.send(request("HEAD", "/free", "")).await;
        assert_eq!(client.head().await.header("content-length"), Some("2"));
    }
    // Pingora keeps its own connections beside those on which filtered answers come.
    assert_eq!(upstream.connections(), if IS_PINGORA { 2 } else { 1 });
}

#[tokio::test]
async fn an_unfiltered_answer_keeps_its_bytes_and_its_length() {
    let body = "x".repeat(300_000);
    let upstream = Upstream::start({
        let body = body.clone();
        move |_| ok(&body)
    })
    .await;
    let door = Doorward::before(&upstream);
    let answer = Client::connect(door.address).await.get("/free").await;
    assert_eq!(answer.header("content-length"), Some("300000"));
    assert!(answer.is_whole && answer.text() == body);
}

#[tokio::test]
async fn a_small_answer_that_cannot_be_filtered_becomes_a_clean_502() {
    for bad in ["<html>", "{\"values\":[", "", "{\"values\":[!]}"] {
        let upstream = Upstream::start(move |_| Reply::Close(whole(bad))).await;
        let door = Doorward::before(&upstream);
        let answer = Client::connect(door.address).await.get("/api/portfolios").await;
        if bad.is_empty() && answer.status == 200 {
            assert!(answer.body.is_empty());
            continue;
        }
        assert_eq!((answer.status, answer.problem().as_str()), (502, "UnfilterableResponse"), "{bad}");
        door.comes_to("doorward_refusals_total{door=\"proxy\",name=\"UnfilterableResponse\"}", 1.0).await;
        door.comes_to("doorward_requests_total{door=\"proxy\",outcome=\"failed\"}", 1.0).await;
    }
}

#[tokio::test]
async fn a_large_answer_that_turns_bad_is_cut_and_looks_broken() {
    let bad = portfolios(4000).replace("\"p3990\"", "!");
    let upstream = Upstream::start(move |_| ok(&bad)).await;
    let door = Doorward::before(&upstream);
    let answer = Client::connect(door.address).await.get("/api/portfolios").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.is_whole, "the body looks whole");
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_seen_to_break_off() {
    let list = portfolios(4000);
    let half = list[..list.len() / 2].to_owned();
    let told_length = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{half}", list.len()).into_bytes();
    for bytes in [told_length, chunked(&[&half])] {
        let upstream = Upstream::start(move |_| Reply::Close(bytes.clone())).await;
        let door = Doorward::before(&upstream);
        for target in ["/free", "/api/portfolios"] {
            let answer = Client::connect(door.address).await.get(target).await;
            assert_eq!(answer.status, 200, "{target}");
            assert!(!answer.is_whole, "{target} looks whole");
        }
    }
}

#[tokio::test]
async fn a_filtered_answer_for_an_http_1_0_client_is_whole_or_refused() {
    let upstream = Upstream::start(|_| ok(&portfolios(4000))).await;
    let ask = format!("GET /api/portfolios HTTP/1.0\r\nhost: a\r\n{}\r\n", authorization());
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(&ask).await;
    let answer = client.answer().await;
    assert_eq!(answer.header("content-length"), Some(visible_portfolios(4000).len().to_string().as_str()));
    assert!(answer.is_whole && answer.text() == visible_portfolios(4000));
    let narrow = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.held_answer_bytes = 50_000);
    let mut client = Client::connect(narrow.address).await;
    client.send(&ask).await;
    assert_eq!(client.answer().await.problem(), "UnfilterableResponse");
}

#[tokio::test]
async fn a_filtered_head_shows_no_length() {
    let upstream =
        Upstream::start(|seen| if seen.line().starts_with("HEAD") { Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n".into()) } else { ok("{}") })
            .await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("HEAD", "/api/portfolios", "")).await;
    let answer = client.head().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-length"), None, "{}", answer.head);
    assert_eq!(client.get("/free").await.status, 200);
}

#[tokio::test]
async fn interim_answers_are_not_taken_for_the_answer() {
    let upstream = Upstream::start(|_| Reply::Bytes([b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_vec(), whole("{}")].concat())).await;
    let door = Doorward::before(&upstream);
    let answer = Client::connect(door.address).await.get("/free").await;
    assert_eq!((answer.status, answer.text()), (200, "{}"));
}

#[tokio::test]
async fn trailers_of_the_upstream_end_here() {
    let upstream = Upstream::start(|_| Reply::Bytes([chunked(&["{}"]), b"0\r\nx-secret: 1\r\n\r\n".to_vec()].concat())).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free", "te: trailers\r\nconnection: te\r\n") + &request("GET", "/unmapped", "connection: close\r\n")).await;
    let bytes = client.bytes(usize::MAX).await;
    assert!(!String::from_utf8_lossy(&bytes).contains("x-secret"), "{}", String::from_utf8_lossy(&bytes));
}

#[tokio::test]
async fn an_answer_of_an_http_1_0_upstream_is_of_our_own_version_and_a_cut_one_looks_cut() {
    let (list, never) = (portfolios(4000), Arc::new(Notify::new()));
    let old = move |bytes: &[u8]| [b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n", bytes].concat();
    let upstream = Upstream::start(move |seen| match seen.line().contains("whole") {
        true => Reply::Close(old(list.as_bytes())),
        false => Reply::When(old(&list.as_bytes()[..list.len() / 2]), Arc::clone(&never), vec![]),
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.upstream_read_timeout = Duration::from_secs(2));
    let whole = Client::connect(door.address).await.get("/api/portfolios?whole").await;
    assert!(whole.head.starts_with("HTTP/1.1 200") && whole.is_whole && whole.text() == visible_portfolios(4000), "{}", whole.head);
    for target in ["/api/portfolios", "/free"] {
        let cut = Client::connect(door.address).await.get(target).await;
        assert!(cut.head.starts_with("HTTP/1.1 200") && cut.header("transfer-encoding") == Some("chunked"), "{target}: {}", cut.head);
        assert!(!cut.is_whole, "{target}: the body looks whole");
    }
}

#[tokio::test]
async fn a_length_of_the_upstream_beside_chunks_says_nothing() {
    let upstream = Upstream::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n".to_vec();
        Reply::Bytes([head, chunked(&["{\"a\":", "1}"]).split_off(b"HTTP/1.1 200 OK\r\n".len()), LAST_CHUNK.to_vec()].concat())
    })
    .await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    for _ in 0..2 {
        let answer = client.get("/free").await;
        assert_eq!((answer.status, answer.text(), answer.header("content-length")), (200, "{\"a\":1}", None));
    }
    let mut sender = http2::connect(door.address).await;
    let answer = within(sender.send_request(http2::get("/free"))).await.unwrap();
    assert_eq!(answer.headers().get("content-length"), None);
    assert_eq!(http2::whole(answer).await.unwrap(), "{\"a\":1}");
}

#[tokio::test]
async fn an_answer_in_a_transfer_coding_that_cannot_be_passed_on_is_502() {
    for coding in ["gzip, chunked", "identity, chunked", "chunked, chunked", "chunked\r\ntransfer-encoding: chunked", "gzip", "identity"] {
        let body = chunked(&["{}"]).split_off(chunked(&[]).len());
        let reply = [format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n").as_bytes(), &body, LAST_CHUNK].concat();
        let upstream = Upstream::start(move |_| Reply::Close(reply.clone())).await;
        let door = Doorward::before(&upstream);
        for target in ["/free", "/api/portfolios"] {
            let answer = Client::connect(door.address).await.get(target).await;
            assert_eq!((answer.status, answer.problem().as_str()), (502, "UpstreamUnavailable"), "{coding} {target}");
        }
    }
}
