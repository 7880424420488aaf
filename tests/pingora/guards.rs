//! What Pingora lets pass, or cannot do by itself (threats §1, §2).

use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Upstream, ok};
use crate::{ask, closing_status};

#[tokio::test]
async fn what_pingora_would_escape_in_a_request_line_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for target in ["/free?x=a b", "/free?x=\u{1}", "/free?x=\u{e9}", "/free?x=\u{7f}"] {
        assert_eq!(closing_status(&door, request("GET", target, "")).await, 400, "{target:?}");
    }
    // On the second request of a connection as on the first.
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/free?x=ab").await.status, 200);
    assert_eq!(client.get("/free?x=a b").await.status, 400);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_head_over_its_limit_is_refused_and_goes_nowhere() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let head = |bytes| request("GET", "/free", &format!("x: {}\r\n", "a".repeat(bytes)));
    assert_eq!(ask(&door, head(60_000)).await.status, 200);
    assert_eq!(closing_status(&door, head(70_000)).await, 431);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_body_longer_than_pingora_remembers_is_inspected_and_goes_up_whole() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let body = format!("{{\"id\":{{\"scope\":\"US\",\"code\":\"a\"}},\"note\":\"{}\"}}", "n".repeat(1 << 20));
    let head = request("POST", "/api/portfolios", &format!("content-length: {}\r\n", body.len()));
    assert_eq!(ask(&door, head + &body).await.status, 200);
    assert_eq!(upstream.only().body, body.as_bytes());
    let hidden = body.replace("US", "XX");
    let head = request("POST", "/api/portfolios", &format!("content-length: {}\r\n", hidden.len()));
    assert_eq!(ask(&door, head + &hidden).await.status, 403);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let upstream = Upstream::start(move |_| Reply::Bytes(answer.into())).await;
    let door = Doorward::before(&upstream);
    let head = request("GET", "/free", "connection: keep-alive\r\n").replace("HTTP/1.1", "HTTP/1.0");
    let answer = ask(&door, head).await;
    assert_eq!((answer.header("transfer-encoding"), answer.text()), (None, "abc"), "{}", answer.head);
}

#[tokio::test]
async fn a_second_request_in_the_same_breath_is_not_read_as_anything() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free", "") + &request("GET", "/free?second", "")).await;
    assert_eq!(client.answer().await.status, 200);
    assert!(client.is_closed().await);
    assert_eq!(upstream.only().line(), "GET /free HTTP/1.1");
}

#[tokio::test]
async fn an_answer_that_was_announced_says_nothing_by_its_announcement() {
    let answer = "HTTP/1.1 103 Early Hints\r\nlink: </hidden>\r\nx-secret: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let upstream = Upstream::start(move |_| Reply::Bytes(answer.into())).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free", "connection: close\r\n")).await;
    let came = String::from_utf8(client.bytes(usize::MAX).await).unwrap().to_lowercase();
    assert!(came.contains("http/1.1 200") && came.ends_with("{}"), "{came}");
    assert!(!came.contains("hidden") && !came.contains("x-secret"), "{came}");
}
