//! Upstreams that are down, slow, several, or close what is kept open.

use crate::support::address::reserved;
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::upstream::{Reply, Upstream, ok, whole};
use crate::support::within;
use std::time::Duration;

#[tokio::test]
async fn an_upstream_that_is_down_is_502() {
    let door = Doorward::planned(&[reserved()], |_| {});
    let mut client = Client::connect(door.address).await;
    for _ in 0..2 {
        let answer = client.get("/free").await;
        assert_eq!((answer.status, answer.problem().as_str()), (502, "UpstreamUnavailable"));
        if IS_PINGORA {
            // It closes the connection after a failure.
            client = Client::connect(door.address).await;
        }
    }
}

#[tokio::test]
async fn an_upstream_that_is_silent_is_504() {
    let upstream = Upstream::start(|_| Reply::Silence).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.upstream_read_timeout = Duration::from_millis(100));
    let answer = Client::connect(door.address).await.get("/free").await;
    assert_eq!((answer.status, answer.problem().as_str()), (504, "UpstreamTimeout"));
}

#[tokio::test]
async fn an_upstream_that_goes_silent_in_the_middle_is_cut() {
    let half = [b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec(), vec![b'x'; 500]].concat();
    let upstream = Upstream::start(move |_| Reply::When(half.clone(), std::sync::Arc::default(), vec![])).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.upstream_read_timeout = Duration::from_secs(1));
    let answer = Client::connect(door.address).await.get("/free").await;
    assert_eq!((answer.status, answer.is_whole), (200, false));
}

#[tokio::test]
async fn an_upstream_that_does_not_speak_http_is_502() {
    for bytes in ["SSH-2.0-OpenSSH\r\n\r\n", "", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"] {
        let upstream = Upstream::start(move |_| Reply::Close(bytes.into())).await;
        let door = Doorward::before(&upstream);
        let answer = Client::connect(door.address).await.get("/free").await;
        assert_eq!((answer.status, answer.problem().as_str()), (502, "UpstreamUnavailable"), "{bytes}");
    }
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_not_noticed_by_the_client() {
    let upstream = Upstream::start(|_| Reply::Close(whole("{}"))).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    for _ in 0..5 {
        assert_eq!(client.get("/free").await.status, 200);
    }
    assert_eq!(upstream.seen().len(), 5);
    client.send(request("POST", "/free", "content-length: 2\r\n") + "{}").await;
    assert_eq!(client.answer().await.status, 200);
}

/// Answers the first request of a connection, and closes on the second.
fn once(seen: &crate::support::upstream::Seen) -> Reply {
    if seen.place == 0 { ok("{}") } else { Reply::Close(vec![]) }
}

#[tokio::test]
async fn a_stale_connection_is_tried_again_only_where_that_is_safe() {
    let upstream = Upstream::start(once).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/free").await.status, 200);
    // Repeatable: sent again on a new connection.
    assert_eq!(client.get("/free").await.status, 200);
    assert_eq!(upstream.seen().len(), 3);
    // Not repeatable: it may have been done.
    client.send(request("POST", "/free", "content-length: 2\r\n") + "{}").await;
    assert_eq!(client.answer().await.problem(), "UpstreamUnavailable");
    assert_eq!(upstream.seen().len(), 4);
}

#[tokio::test]
async fn several_upstreams_take_turns_and_one_that_is_down_is_passed_over() {
    let (one, other) = (Upstream::start(|_| ok("1")).await, Upstream::start(|_| ok("2")).await);
    let door = Doorward::planned(&[one.address, reserved(), other.address], |_| {});
    let mut client = Client::connect(door.address).await;
    for _ in 0..9 {
        assert_eq!(client.get("/free").await.status, 200);
    }
    assert!(one.seen().len() >= 3 && other.seen().len() >= 3);
    assert_eq!(one.seen()[0].header("host"), [one.address.to_string()]);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_upstream_connection_along() {
    let told = std::sync::Arc::new(tokio::sync::Notify::new());
    let upstream = Upstream::start({
        let told = std::sync::Arc::clone(&told);
        move |seen| {
            if seen.line().contains("slow") {
                told.notify_one();
                return Reply::Silence;
            }
            ok("{}")
        }
    })
    .await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free?slow", "")).await;
    within(told.notified()).await;
    drop(client);
    // The next call gets a connection of its own, not the one with an answer outstanding.
    assert_eq!(Client::connect(door.address).await.get("/free").await.status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_call_that_may_be_repeated_goes_to_another_upstream_when_the_first_says_nothing() {
    let (mute, well) = (Upstream::start(|_| Reply::Close(vec![])).await, Upstream::start(|_| ok("{}")).await);
    for (method, body) in [("GET", ""), ("PUT", "{}")] {
        let door = Doorward::planned(&[mute.address, well.address], |_| {});
        let mut client = Client::connect(door.address).await;
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        client.send(request(method, "/free", &length) + body).await;
        let answer = client.answer().await;
        // A body that streams is gone: it cannot be sent again.
        let expected = if body.is_empty() { 200 } else { 502 };
        assert!(answer.status == expected || IS_PINGORA && answer.status == 502, "{method}: {}", answer.status);
    }
}

#[tokio::test]
async fn a_call_that_changes_something_and_was_sent_is_repeated_nowhere_and_none_at_the_same_upstream() {
    for method in ["GET", "PUT"] {
        let (one, other) = (Upstream::start(|_| Reply::Close(vec![])).await, Upstream::start(|_| Reply::Close(vec![])).await);
        let door = Doorward::planned(&[one.address, other.address], |_| {});
        for call in 1..=3 {
            let mut client = Client::connect(door.address).await;
            client.send(request(method, "/free", "")).await;
            assert_eq!(client.answer().await.status, 502);
            let (one, other) = (one.seen().len(), other.seen().len());
            let repeated = if method == "GET" && !IS_PINGORA { (call, call) } else { (one.min(call), call - one.min(call)) };
            assert_eq!((one, other), repeated, "{method}");
        }
    }
}

#[tokio::test]
async fn the_upstreams_time_begins_with_the_end_of_the_clients_body() {
    const TIME: Duration = Duration::from_secs(4);
    let (come, told) = (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
    let upstream = Upstream::start({
        let (come, told) = (std::sync::Arc::clone(&come), std::sync::Arc::clone(&told));
        move |_| {
            come.notify_one();
            Reply::When(vec![], std::sync::Arc::clone(&told), whole("{}"))
        }
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.upstream_read_timeout = TIME);
    let mut client = Client::connect(door.address).await;
    client.send(request("POST", "/free", "content-length: 2\r\n")).await;
    tokio::time::sleep(TIME * 7 / 10).await;
    client.send("{}").await;
    within(come.notified()).await;
    tokio::time::sleep(TIME * 7 / 10).await;
    told.notify_one();
    assert_eq!(client.answer().await.status, 200);
    // It is not endless.
    client.send(request("POST", "/free", "content-length: 2\r\n") + "{}").await;
    assert_eq!(client.answer().await.status, 504);
}

#[tokio::test]
async fn a_call_that_may_not_be_repeated_is_never_sent_twice() {
    let (mute, other) = (Upstream::start(|_| Reply::Close(vec![])).await, Upstream::start(|_| Reply::Close(vec![])).await);
    let door = Doorward::planned(&[mute.address, other.address], |_| {});
    let body = "{\"id\":{\"scope\":\"US\",\"code\":\"a\"}}";
    let mut sent = 0;
    for target in ["/free", "/api/portfolios"] {
        for body in [body, ""] {
            let mut client = Client::connect(door.address).await;
            client.send(request("POST", target, &format!("content-length: {}\r\n", body.len())) + body).await;
            assert!(client.answer().await.status >= 400);
            let seen = mute.seen().len() + other.seen().len();
            assert!(seen <= sent + 1, "sent {} times", seen - sent);
            sent = seen;
        }
    }
    assert!(sent >= 3);
}

#[tokio::test]
async fn a_post_goes_to_another_upstream_when_the_first_cannot_be_reached() {
    let well = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[reserved(), well.address], |_| {});
    for _ in 0..2 {
        let mut client = Client::connect(door.address).await;
        client.send(request("POST", "/free", "content-length: 2\r\n") + "{}").await;
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(well.seen().len(), 2);
}

#[tokio::test]
async fn calls_go_round_the_upstreams_however_their_connections_lie() {
    let [one, other] = [Upstream::start(|_| ok("{}")).await, Upstream::start(|_| ok("{}")).await];
    let door = Doorward::planned(&[one.address, other.address], |plan| plan.settings.threads = 2.try_into().unwrap());
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let mut client = Client::connect(door.address).await;
        assert_eq!(client.get("/free").await.status, 200);
        first.push(one.seen().len());
        last.push(other.seen().len());
    }
    let alternates = |seen: &[usize]| seen.chunks(2).enumerate().all(|(round, pair)| pair[1] == round + 1);
    assert!(alternates(&first) && alternates(&last), "{first:?} {last:?}");
}
