//! HTTP/2 with prior knowledge.

use crate::support::client::Client;
use crate::support::door::Doorward;
use crate::support::http2::{connect, get, whole};
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::within;
use crate::support::world::{TOKEN, portfolios, visible_portfolios};
use http::Request;
use http_body_util::Full;

#[tokio::test]
async fn calls_pass_are_filtered_and_refused() {
    let upstream = Upstream::start(|seen| if seen.line().contains("/api/") { ok(&portfolios(3000)) } else { ok("{}") }).await;
    let door = Doorward::before(&upstream);
    let mut client = connect(door.address).await;
    let response = within(client.send_request(get("/free?x"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("doorward-decision-id"));
    assert_eq!(whole(response).await.unwrap(), "{}");
    let response = within(client.send_request(get("/api/portfolios"))).await.unwrap();
    assert_eq!(whole(response).await.unwrap(), visible_portfolios(3000));
    let response = within(client.send_request(get("/unmapped"))).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()), (403, "application/problem+json"));
    let seen = upstream.seen();
    assert_eq!(seen[0].line(), "GET /free?x HTTP/1.1");
    assert_eq!(seen[0].header("x-forwarded-host"), ["api.example"]);
}

#[tokio::test]
async fn many_calls_at_once_share_a_connection() {
    let upstream = Upstream::start(|seen| ok(seen.line())).await;
    let door = Doorward::before(&upstream);
    let client = connect(door.address).await;
    let calls = (0..50).map(|number| {
        let mut client = client.clone();
        tokio::spawn(async move {
            let response = client.send_request(get(&format!("/free?{number}"))).await.unwrap();
            assert_eq!(whole(response).await.unwrap(), format!("GET /free?{number} HTTP/1.1"));
        })
    });
    for call in calls.collect::<Vec<_>>() {
        within(call).await.unwrap();
    }
    assert_eq!(upstream.seen().len(), 50);
}

#[tokio::test]
async fn a_body_goes_up_and_cookies_are_joined() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = connect(door.address).await;
    let request = Request::post("http://api.example/free").header("authorization", format!("Bearer {TOKEN}"));
    let request = request.header("cookie", "a=1").header("cookie", "b=2").body(Full::from("0123456789")).unwrap();
    assert_eq!(within(client.send_request(request)).await.unwrap().status(), 200);
    let seen = upstream.only();
    assert_eq!(seen.body, b"0123456789");
    assert_eq!(seen.header("cookie"), ["a=1; b=2"]);
}

#[tokio::test]
async fn an_answer_that_turns_bad_resets_the_stream_and_only_the_stream() {
    let bad = portfolios(4000).replace("\"p3990\"", "!");
    let upstream = Upstream::start(move |seen| if seen.line().contains("/api/") { ok(&bad) } else { ok("{}") }).await;
    let door = Doorward::before(&upstream);
    let mut client = connect(door.address).await;
    let response = within(client.send_request(get("/api/portfolios"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(whole(response).await.is_err(), "the body looks whole");
    assert_eq!(within(client.send_request(get("/free"))).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_upstream_that_breaks_off_resets_the_stream() {
    let half = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{}", "x".repeat(50_000));
    let upstream = Upstream::start(move |_| Reply::Close(half.clone().into_bytes())).await;
    let door = Doorward::before(&upstream);
    let mut client = connect(door.address).await;
    let response = within(client.send_request(get("/free"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(whole(response).await.is_err(), "the body looks whole");
}

#[tokio::test]
async fn the_answer_to_a_head_has_no_body_whoever_makes_it() {
    let upstream = Upstream::start(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n".into())).await;
    let door = Doorward::before(&upstream);
    let mut client = connect(door.address).await;
    for (target, status) in [("/unmapped", 403), ("/free", 200), ("/api/portfolios", 200)] {
        let mut request = get(target);
        *request.method_mut() = http::Method::HEAD;
        let response = within(client.send_request(request)).await.unwrap();
        assert_eq!(response.status(), status, "{target}");
        assert_eq!(whole(response).await.unwrap(), "", "{target}");
    }
}

#[tokio::test]
async fn stopping_lets_an_http2_connection_go() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = connect(door.address).await;
    assert_eq!(within(client.send_request(get("/free"))).await.unwrap().status(), 200);
    within(door.serving.stop(std::time::Duration::from_secs(15))).await;
    assert!(within(client.ready()).await.is_err() || client.is_closed());
}

#[tokio::test]
async fn what_only_begins_like_a_preface_is_http_1() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    for part in ["P", "RI", " /free HTTP/1.1\r\nhost: a\r\n\r\n"] {
        client.send(part).await;
    }
    assert!(client.answer().await.status >= 400);
    assert!(upstream.seen().is_empty());
}
