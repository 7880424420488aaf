//! Limits, timeouts and the end of connections.

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
async fn a_slow_head_is_cut() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.header_read_timeout = Duration::from_millis(100));
    for start in ["", "G", "PRI * HTT", "GET /free HTTP/1.1\r\nhost: a\r\nx: "] {
        let mut client = Client::connect(door.address).await;
        client.send(start).await;
        let rest = client.bytes(usize::MAX).await;
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{start}");
    }
}

#[tokio::test]
async fn a_head_over_its_limits_is_431_and_a_target_over_its_limit_414() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let many: String = (0..120).map(|number| format!("x-{number}: 1\r\n")).collect();
    for (head, status) in [(request("GET", "/free", &many), 431), (request("GET", "/free", &format!("x-large: {}\r\n", "x".repeat(70_000))), 431)] {
        let mut client = Client::connect(door.address).await;
        client.try_send(head).await;
        assert_eq!(client.answer().await.status, status);
    }
    let few = Doorward::planned(&[upstream.address], |plan| {
        let mut settings = (*plan.world.settings).clone();
        settings.limits.header_count = 10;
        plan.world.settings = settings.into();
        plan.settings.limits.header_count = 10;
    });
    let mut client = Client::connect(few.address).await;
    client.send(request("GET", "/free", &many)).await;
    assert_eq!(client.answer().await.status, 431);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn what_is_refused_before_it_is_a_call_is_counted_too() {
    if IS_PINGORA {
        // It tells nobody of what it could not read.
        return;
    }
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let many: String = (0..120).map(|number| format!("x-{number}: 1\r\n")).collect();
    for (head, status) in [
        (request("GET", "/free", &many), 431),
        (request("GET", "/free", &format!("x-large: {}\r\n", "x".repeat(70_000))), 431),
        (request("GET", "/free", "x y: 1\r\n"), 400),
        ("GET /free HTTP/9.9\r\nhost: a\r\n\r\n".into(), 400),
    ] {
        let mut client = Client::connect(door.address).await;
        client.try_send(head).await;
        assert_eq!(client.answer().await.status, status);
    }
    door.comes_to("doorward_refusals_total{door=\"proxy\",name=\"HeadTooLarge\"}", 2.0).await;
    door.comes_to("doorward_refusals_total{door=\"proxy\",name=\"InvalidRequest\"}", 2.0).await;
    door.comes_to("doorward_requests_total{door=\"proxy\",outcome=\"refused\"}", 4.0).await;
    // Who leaves, or says nothing, asked for nothing.
    drop(Client::connect(door.address).await);
    let mut half = Client::connect(door.address).await;
    half.send("GET /fr").await;
    drop(half);
    door.comes_to("doorward_open_connections", 0.0).await;
    assert_eq!(door.metric("doorward_requests_total{door=\"proxy\",outcome=\"refused\"}"), 4.0);
}

#[tokio::test]
async fn stopping_does_not_wait_for_half_a_head_and_waits_for_an_answer_that_stands_still() {
    if IS_PINGORA {
        // It has a deadline of its own.
        return;
    }
    let told = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let told = Arc::clone(&told);
        move |_| Reply::When(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab".into(), Arc::clone(&told), b"cd".into())
    })
    .await;
    let door = Doorward::before(&upstream);
    let mut halves = Vec::new();
    for half in ["G", "GET /free HTTP/1.1\r\nhost: a\r\nx: "] {
        let mut client = Client::connect(door.address).await;
        client.send(half).await;
        halves.push(client);
    }
    let mut waiting = Client::connect(door.address).await;
    waiting.send(request("GET", "/free", "")).await;
    let mut answer = waiting.head().await;
    let stopped = tokio::spawn(door.serving.stop(Duration::from_secs(20)));
    // Long before the time for a head is over, which is ten seconds.
    let began = clock::monotonic();
    for mut half in halves {
        half.bytes(usize::MAX).await;
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    told.notify_one();
    waiting.rest(&mut answer).await;
    assert!(answer.is_whole && answer.text() == "abcd", "{answer:?}");
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn a_connection_over_the_limit_is_answered_503_at_once() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.max_connections = 1);
    let mut first = Client::connect(door.address).await;
    assert_eq!(first.get("/free").await.status, 200);
    let mut second = Client::connect(door.address).await;
    let answer = second.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "Overloaded"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(second.is_closed().await);
    assert_eq!(first.get("/free").await.status, 200);
    // The place is free again once the first has left.
    drop(first);
    let status = within(async {
        loop {
            let mut next = Client::connect(door.address).await;
            next.try_send(request("GET", "/free", "")).await;
            let status = next.answer().await.status;
            if status != 503 {
                return status;
            }
        }
    })
    .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn framing_that_two_parties_could_read_differently_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for headers in ["content-length: 1\r\ncontent-length: 2\r\n", "transfer-encoding: xchunked\r\n", "content-length: +1\r\n", "x: a\r\n b\r\n"] {
        let mut client = Client::connect(door.address).await;
        client.send(request("POST", "/free", headers) + "x").await;
        assert_eq!(client.answer().await.status, 400, "{headers}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn stopping_finishes_running_answers_and_accepts_nothing_more() {
    let (began, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let upstream = Upstream::start({
        let (began, told) = (Arc::clone(&began), Arc::clone(&told));
        move |_| {
            began.notify_one();
            Reply::When(vec![], Arc::clone(&told), whole("{\"late\":true}"))
        }
    })
    .await;
    let door = Doorward::before(&upstream);
    let (address, serving) = (door.address, door.serving);
    let mut idle = Client::connect(address).await;
    let mut client = Client::connect(address).await;
    client.send(request("GET", "/free", "")).await;
    within(began.notified()).await;
    let stopping = tokio::spawn(serving.stop(Duration::from_secs(15)));
    // A connection without a request is let go.
    assert!(idle.is_closed().await);
    told.notify_one();
    assert_eq!(client.answer().await.text(), "{\"late\":true}");
    assert!(client.is_closed().await);
    within(stopping).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_beyond_its_deadline() {
    let began = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let began = Arc::clone(&began);
        move |_| {
            began.notify_one();
            Reply::Silence
        }
    })
    .await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free", "")).await;
    within(began.notified()).await;
    within(door.serving.stop(Duration::from_millis(50))).await;
    assert!(client.is_closed().await);
}
