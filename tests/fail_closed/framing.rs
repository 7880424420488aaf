//! Requests that two parties could cut in two ways (threats §1).

use super::closing_status;
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::http2;
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use crate::support::world::authorization;

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for headers in [
        "content-length: 1\r\ncontent-length: 2\r\n",
        "content-length: 1, 2\r\n",
        "content-length: +1\r\n",
        "content-length: -1\r\n",
        "content-length: 0x1\r\n",
        "content-length: \r\n",
        "content-length : 1\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity\r\n",
        "x: a\r\n b\r\n",
        "x: a\rb\r\n",
        "x: \0\r\n",
        "x\0: 1\r\n",
        "host: api.example\r\n",
        ": nameless\r\n",
    ] {
        assert_eq!(closing_status(&door, request("POST", "/free", headers) + "x").await, 400, "{headers:?}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[tokio::test]
async fn a_host_that_is_missing_or_none_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for host in [
        "",
        "host:\r\n",
        "host: a/b\r\n",
        "host: a@b\r\n",
        "host: a, b\r\n",
        "host: a:x\r\n",
        "host: a:99999\r\n",
        "host: a:80:80\r\n",
        "host: :80\r\n",
        "host: [::1\r\n",
        "host: ::1\r\n",
        "host: [a]\r\n",
    ] {
        for version in ["1.0", "1.1"] {
            let head = format!("GET /free HTTP/{version}\r\n{host}{}\r\n", authorization());
            assert_eq!(closing_status(&door, head).await, 400, "{host:?}");
        }
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_transfer_encoding_in_http_1_0_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let head = format!("POST /free HTTP/1.0\r\nhost: a\r\n{}transfer-encoding: chunked\r\n\r\n0\r\n\r\n", authorization());
    assert_eq!(closing_status(&door, head).await, 400);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_believed_and_ends_the_connection() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let head = request("POST", "/free", "content-length: 4\r\ntransfer-encoding: chunked\r\n");
    let smuggled = request("GET", "/free?smuggled", "");
    let mut client = Client::connect(door.address).await;
    client.try_send(format!("{head}3\r\nabc\r\n0\r\n\r\n{smuggled}")).await;
    let status = client.answer().await.status;
    assert!(client.is_closed().await);
    let seen = upstream.seen();
    assert!(status == 400 && seen.is_empty() || status == 200 && seen.len() == 1 && seen[0].body == b"abc", "{status} {seen:?}");
}

#[tokio::test]
async fn a_length_that_is_not_plain_digits_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for length in ["010", "00", "00000000000000000001", "1, 1", "1 1", "1;", "18446744073709551616"] {
        let head = request("POST", "/free", &format!("content-length: {length}\r\n"));
        assert_eq!(closing_status(&door, head + "0123456789").await, 400, "{length}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn framing_is_written_anew() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for (framing, sent, lengths, codings, body) in [
        ("content-length: \t10\t \r\n", "0123456789", vec!["10"], vec![], "0123456789"),
        ("", "", vec!["0"], vec![], ""),
        ("content-length: 0\r\n", "", vec!["0"], vec![], ""),
        ("Transfer-Encoding: ChUNKed\r\n", "00A;as=\"it is\"\r\n0123456789\r\n0\r\n\r\n", vec![], vec!["chunked"], "0123456789"),
    ] {
        let mut client = Client::connect(door.address).await;
        client.send(request("POST", "/free", framing) + sent).await;
        assert_eq!(client.answer().await.status, 200, "{framing:?}");
        let seen = upstream.seen().pop().unwrap();
        assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (owned(&lengths), owned(&codings)), "{framing:?}");
        assert_eq!(seen.body, body.as_bytes(), "{framing:?}");
    }
    assert_eq!(upstream.seen().len(), 4);
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn a_body_to_be_inspected_is_whole_before_anything_goes_up() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for body in ["5\r\n{\"id\"\r\ng\r\n", "5\r\n{\"id\"", "ffffffffffffffffff\r\n{}", "2\r\n{}0\r\n\r\n", "-1\r\n{}\r\n0\r\n\r\n"] {
        let mut client = Client::connect(door.address).await;
        client.try_send(request("POST", "/api/portfolios", "transfer-encoding: chunked\r\n") + body).await;
        client.finish().await;
        let came = client.bytes(usize::MAX).await;
        assert!(!came.starts_with(b"HTTP/1.1 2"), "{body:?}: {}", String::from_utf8_lossy(&came));
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[tokio::test]
async fn a_body_to_be_inspected_is_one_text_to_everybody() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let body = "{\"id\":{\"scope\":\"US\",\"code\":\"a\"}}";
    for (headers, status) in [
        ("content-type: application/json; charset=utf-8\r\ncontent-encoding: identity\r\n", 200),
        ("content-type: application/json; charset=utf-7\r\n", 400),
        ("content-type: application/json; charset=\"UTF-16LE\"\r\n", 400),
        ("content-encoding: br\r\n", 400),
        ("content-encoding: identity\r\ncontent-encoding: gzip\r\n", 400),
    ] {
        let head = request("POST", "/api/portfolios", &format!("{headers}content-length: {}\r\n", body.len()));
        assert_eq!(super::ask(&door, head + body).await.status, status, "{headers:?}");
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_is_awaited_with_100_continue_lets_no_body_in() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let smuggled = request("GET", "/free?smuggled", "");
    for (head, status) in [
        (request("POST", "/unmapped", &format!("expect: 100-continue\r\ncontent-length: {}\r\n", smuggled.len())), 403),
        (format!("POST /free HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n", smuggled.len()), 401),
        (request("POST", "/api/portfolios", "expect: 100-continue\r\ncontent-length: 100000000\r\n"), 413),
    ] {
        let mut client = Client::connect(door.address).await;
        client.try_send(head).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
        client.try_send(&smuggled).await;
        assert!(client.is_closed().await);
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_large_or_endless_body_of_a_refused_call_is_not_read() {
    if IS_PINGORA {
        // It reads what is left by its own rules.
        return;
    }
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for (framing, body, is_read) in [
        ("content-length: 65536\r\n", "x".repeat(65_536), true),
        ("content-length: 65537\r\n", "x".repeat(65_537), false),
        ("transfer-encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n".to_owned(), false),
    ] {
        let mut client = Client::connect(door.address).await;
        client.try_send(request("POST", "/unmapped", framing) + &body).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection") == Some("close")), (403, !is_read), "{framing}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn http2_is_held_to_the_same() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = http2::connect(door.address).await;
    for (name, value) in [("host", "elsewhere"), ("host", ""), ("connection", "authorization"), ("authorization", "Bearer other")] {
        let mut request = http2::get("/free");
        request.headers_mut().append(name, value.parse().unwrap());
        if name == "connection" {
            // The client's library leaves it out; nothing nominated reaches anybody.
            continue;
        }
        assert_eq!(within(client.send_request(request)).await.unwrap().status(), 400, "{name}: {value}");
    }
    assert!(upstream.seen().is_empty());
}
