//! More calls than there are seats, and clients that send or take slowly.

use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::upstream::{Reply, Upstream, ok, whole};
use crate::support::within;
use doorward::observe::clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

#[tokio::test]
async fn a_call_without_a_seat_is_503_at_once_and_nothing_of_it_is_asked() {
    let (asked, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let upstream = Upstream::start({
        let (asked, told) = (Arc::clone(&asked), Arc::clone(&told));
        move |_| {
            asked.notify_one();
            Reply::When(vec![], Arc::clone(&told), whole("{}"))
        }
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.max_in_flight = 1);
    let mut first = Client::connect(door.address).await;
    first.send(request("GET", "/free", "")).await;
    within(asked.notified()).await;
    for head in [
        request("GET", "/free", ""),
        request("GET", "free", ""),
        "GET /free HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        request("POST", "/free", "content-length: 10\r\n"),
    ] {
        let mut second = Client::connect(door.address).await;
        second.send(&head).await;
        let answer = second.answer().await;
        assert_eq!((answer.status, answer.problem().as_str(), answer.header("retry-after")), (503, "Overloaded", Some("1")), "{head}");
    }
    told.notify_one();
    assert_eq!(first.answer().await.status, 200);
    told.notify_one();
    // Its seat is free with the end of its answer, and refusals kept none.
    assert_eq!(first.get("/free").await.status, 200);
    assert_eq!(upstream.seen().len(), 2);
    door.comes_to("doorward_refusals_total{door=\"proxy\",name=\"Overloaded\"}", 4.0).await;
}

/// Sends a byte at a time until the answer comes, which is 400 and the connection's last.
async fn is_cut_while_it_drips(client: &mut Client) {
    let answer = within(async {
        loop {
            client.try_send(" ").await;
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(10), client.head()).await {
                return answer;
            }
        }
    })
    .await;
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
}

#[tokio::test]
async fn a_body_to_be_inspected_that_comes_a_byte_at_a_time_is_cut() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.request_body_timeout = Duration::from_millis(300));
    let mut client = Client::connect(door.address).await;
    client.send(request("POST", "/api/portfolios", "content-length: 100000\r\n")).await;
    is_cut_while_it_drips(&mut client).await;
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_body_that_streams_a_byte_at_a_time_gives_up_its_upstream() {
    if IS_PINGORA {
        // It measures the time between two chunks alone.
        return;
    }
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.upstream_read_timeout = Duration::from_millis(200));
    let mut client = Client::connect(door.address).await;
    client.send(request("POST", "/free", "content-length: 100000\r\n")).await;
    is_cut_while_it_drips(&mut client).await;
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_gives_up_its_seat() {
    let large = "x".repeat(64 << 20);
    let upstream = Upstream::start(move |seen| if seen.line().contains("large") { ok(&large) } else { ok("{}") }).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.settings.limits.max_in_flight = 1;
        plan.settings.limits.client_write_timeout = Duration::from_secs(2);
    });
    let mut stalled = Client::connect(door.address).await;
    stalled.send(request("GET", "/free?large", "")).await;
    assert_eq!(stalled.head().await.status, 200);
    let mut other = Client::connect(door.address).await;
    assert_eq!(other.get("/free").await.status, 503);
    within(async {
        loop {
            let mut other = Client::connect(door.address).await;
            if other.get("/free").await.status == 200 {
                return;
            }
        }
    })
    .await;
    assert!(stalled.bytes(usize::MAX).await.len() < 64 << 20);
}

#[tokio::test]
async fn a_tunnel_keeps_its_place_and_ends_when_nothing_moves() {
    // Pingora carries tunnels by its own rules.
    if IS_PINGORA {
        return;
    }
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let upstream = Upstream::start(move |seen| if seen.line().contains("/socket") { Reply::Echo(switching.into()) } else { ok("{}") }).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.settings.limits.max_connections = 1;
        plan.settings.limits.upstream_read_timeout = Duration::from_secs(2);
    });
    let mut tunnel = Client::connect(door.address).await;
    tunnel.send(request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\n")).await;
    assert_eq!(tunnel.head().await.status, 101);
    tunnel.send("ping").await;
    assert_eq!(tunnel.bytes(4).await, b"ping");
    let mut beside = Client::connect(door.address).await;
    assert_eq!(beside.answer().await.status, 503);
    assert!(tunnel.is_closed().await);
    within(async {
        loop {
            let mut after = Client::connect(door.address).await;
            after.try_send(request("GET", "/free", "")).await;
            if after.answer_or_end().await.is_some_and(|answer| answer.status == 200) {
                return;
            }
        }
    })
    .await;
}

/// How long the longest of the small calls took that were asked while a large body was judged, and how long that
/// took, in seconds; all on one thread.
async fn beside_a_large_body(door: &Doorward) -> (f64, f64) {
    let body = format!("{{\"id\":{{\"scope\":\"US\",\"code\":\"x\"}},\"x\":[{}{{}}]}}", "{},".repeat(2_700_000));
    let (mut large, mut small) = (Client::connect(door.address).await, Client::connect(door.address).await);
    let before = door.metric("doorward_decision_seconds_sum");
    large.send(request("POST", "/api/portfolios", &format!("content-length: {}\r\n", body.len())) + &body).await;
    let mut longest = Duration::ZERO;
    let mut judged = std::pin::pin!(large.answer());
    loop {
        let began = clock::monotonic();
        let answered = tokio::select! {
            answer = &mut judged => answer,
            answer = small.get("/free") => {
                assert_eq!(answer.status, 200);
                longest = longest.max(began.elapsed());
                continue;
            }
        };
        assert_eq!(answered.status, 200);
        // One that was stuck until now counts, too.
        return (longest.max(began.elapsed()).as_secs_f64(), door.metric("doorward_decision_seconds_sum") - before);
    }
}

#[tokio::test]
async fn who_sends_a_body_of_millions_of_items_holds_nobody_else_up() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut seen = Vec::new();
    // The machine may be at something else for a moment, but not each time.
    for _ in 0..5 {
        let (longest, judging) = beside_a_large_body(&door).await;
        if longest < judging / 2.0 {
            return;
        }
        seen.push((longest, judging));
    }
    panic!("calls were held up, in seconds, while a body was judged, in seconds: {seen:?}");
}
