//! Metadata that only the upstream knows.

use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::upstream::{Reply, Seen, Upstream, ok, whole};
use crate::support::within;
use crate::support::world::{TOKEN, snapshot, token_of, world_of};
use doorward::observe::clock;
use doorward::snapshot::World;
use serde_json::json;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

fn book(number: usize) -> String {
    format!("{{\"id\":{{\"scope\":\"s\",\"code\":\"{number}\"}}}}")
}

fn books(numbers: impl Iterator<Item = usize>) -> String {
    format!("{{\"values\":[{}]}}", numbers.map(book).collect::<Vec<_>>().join(","))
}

/// Books of even number are of desk EQ; number 4's metadata is not to be had, 6's is too large.
fn library(seen: &Seen) -> Reply {
    let path = seen.line().split(' ').nth(1).unwrap().to_owned();
    let desk = |desk: &str| ok(&format!("{{\"Desk\":[{{\"value\":\"{desk}\"}}]}}"));
    match path.strip_prefix("/metadata/s/") {
        Some("4") => Reply::Bytes(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}".into()),
        Some("6") => ok(&format!("{{\"Desk\":[{{\"value\":\"EQ\"}}],\"x\":[{{\"value\":\"{}\"}}]}}", "x".repeat(70_000))),
        Some(number) => desk(if number.parse::<usize>().unwrap() % 2 == 0 { "EQ" } else { "FI" }),
        None if path == "/api/books" => ok(&books(0..40)),
        None => ok(&book(path.rsplit('/').next().unwrap().parse().unwrap())),
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_what_the_upstream_says_of_each_item() {
    let upstream = Upstream::start(library).await;
    let door = Doorward::before(&upstream);
    let answer = Client::connect(door.address).await.get("/api/books").await;
    assert_eq!((answer.status, answer.text()), (200, books((0..40).step_by(2).filter(|number| ![4, 6].contains(number))).as_str()));
    let reads: Vec<Seen> = upstream.seen().into_iter().filter(|seen| seen.line().contains("/metadata/")).collect();
    assert_eq!(reads.len(), 40);
    for seen in reads {
        assert_eq!(seen.header("authorization"), [format!("Bearer {TOKEN}")]);
        assert_eq!(seen.header("accept-encoding"), ["identity"]);
    }
    // The list's own connection, and a few for the metadata.
    // The one client of the other engine's door makes a connection for each.
    assert!(IS_PINGORA || upstream.connections() <= 12, "{} connections", upstream.connections());
}

#[tokio::test]
async fn a_target_is_judged_by_the_upstreams_metadata_before_it_is_asked() {
    let upstream = Upstream::start(library).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/api/books/s/2").await.text(), book(2));
    for denied in ["/api/books/s/3", "/api/books/s/4", "/api/books/s/6"] {
        assert_eq!(client.get(denied).await.problem(), "AccessDenied", "{denied}");
    }
    let asked: Vec<String> = upstream.seen().iter().map(|seen| seen.line().to_owned()).filter(|line| !line.contains("/metadata/")).collect();
    assert_eq!(asked, ["GET /api/books/s/2 HTTP/1.1"]);
}

/// What the upstream says of the desk of a book.
fn desk(desk: &str) -> String {
    format!("{{\"Desk\":[{{\"value\":\"{desk}\"}}]}}")
}

fn reads(upstream: &Upstream) -> usize {
    upstream.seen().iter().filter(|seen| seen.line().contains("/metadata/")).count()
}

/// The usual world, with another user of the same role.
fn with_another_reader(token: &str) -> World {
    let mut document = snapshot();
    let mut user = document["users"][0].clone();
    user["id"] = json!("00u2");
    user["login"] = json!("b@b.c");
    document["users"].as_array_mut().unwrap().push(user);
    document["personalAccessTokens"].as_array_mut().unwrap().push(token_of(token, "00u2"));
    world_of(&document)
}

#[tokio::test]
async fn what_the_upstream_says_to_one_caller_is_not_what_it_says_to_another() {
    const ANOTHER: &str = "canary-other-reader";
    let upstream = Upstream::start(|seen| {
        let is_first = seen.header("authorization") == [format!("Bearer {TOKEN}")];
        if seen.line().contains("/metadata/") { ok(&desk(if is_first { "EQ" } else { "FI" })) } else { ok(&book(2)) }
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.world = with_another_reader(ANOTHER));
    let mut client = Client::connect(door.address).await;
    for _ in 0..2 {
        assert_eq!(client.get("/api/books/s/2").await.status, 200);
        client.send(request("GET", "/api/books/s/2", "").replace(TOKEN, ANOTHER)).await;
        assert_eq!(client.answer().await.problem(), "AccessDenied");
    }
    assert_eq!(reads(&upstream), 2);
}

/// Fifty calls that want the same at once; the upstream answers the first read when all wait for it.
async fn fifty_at_once(first: Vec<u8>) -> (Upstream, Vec<u16>) {
    let told = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let (told, is_held) = (Arc::clone(&told), AtomicBool::new(true));
        move |seen| match seen.line().contains("/metadata/") {
            true if is_held.swap(false, Ordering::SeqCst) => Reply::When(Vec::new(), Arc::clone(&told), first.clone()),
            true => Reply::Bytes(first.clone()),
            false => ok(&book(2)),
        }
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.threads = NonZeroUsize::new(4).unwrap());
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let address = door.address;
        calls.spawn(async move { Client::connect(address).await.get("/api/books/s/2").await.status });
    }
    within(async {
        while door.metric("doorward_decision_seconds_count") < 50.0 || reads(&upstream) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    told.notify_one();
    let statuses = within(calls.join_all()).await;
    (upstream, statuses)
}

#[tokio::test]
async fn calls_that_want_the_same_at_once_share_one_read() {
    let (upstream, statuses) = fifty_at_once(whole(&desk("EQ"))).await;
    assert_eq!((statuses, reads(&upstream)), (vec![200; 50], 1));
}

#[tokio::test]
async fn a_read_that_fails_is_shared_too_and_grants_nothing() {
    let (upstream, statuses) = fifty_at_once(b"HTTP/1.1 500 Broken\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    assert_eq!(statuses, vec![403; 50]);
    // A failure is forgotten so soon that a slow machine may see it twice.
    assert!((1..=3).contains(&reads(&upstream)), "{} reads", reads(&upstream));
    assert!(upstream.seen().iter().all(|seen| seen.line().contains("/metadata/")));
}

#[tokio::test]
async fn a_failure_is_soon_forgotten() {
    let is_down = Arc::new(AtomicBool::new(true));
    let upstream = Upstream::start({
        let is_down = Arc::clone(&is_down);
        move |seen| match seen.line().contains("/metadata/") {
            true if is_down.load(Ordering::SeqCst) => Reply::Close(Vec::new()),
            true => ok(&desk("EQ")),
            false => ok(&book(2)),
        }
    })
    .await;
    // A failure is kept no longer because answers are.
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.metadata_cache.ttl = Duration::from_secs(3600));
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/api/books/s/2").await.problem(), "AccessDenied");
    is_down.store(false, Ordering::SeqCst);
    within(async { while client.get("/api/books/s/2").await.status != 200 {} }).await;
}

#[tokio::test]
async fn an_answer_is_never_used_after_its_time() {
    const TTL: Duration = Duration::from_millis(150);
    let is_moved = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::start({
        let is_moved = Arc::clone(&is_moved);
        move |seen| match seen.line().contains("/metadata/") {
            true => ok(&desk(if is_moved.load(Ordering::SeqCst) { "FI" } else { "EQ" })),
            false => ok(&book(2)),
        }
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.metadata_cache.ttl = TTL);
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/api/books/s/2").await.status, 200);
    is_moved.store(true, Ordering::SeqCst);
    let moved = clock::monotonic();
    within(async {
        loop {
            let sent = moved.elapsed();
            if client.get("/api/books/s/2").await.status != 200 {
                break;
            }
            assert!(sent <= TTL, "a call that was sent {sent:?} after the change was judged by what had been before");
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_time_to_live_every_call_reads_for_itself() {
    // For the target, and again for the item of the answer.
    for (ttl, expected) in [(Duration::ZERO, 6), (Duration::from_secs(3600), 1)] {
        let upstream = Upstream::start(library).await;
        let door = Doorward::planned(&[upstream.address], |plan| plan.settings.metadata_cache.ttl = ttl);
        let mut client = Client::connect(door.address).await;
        for _ in 0..3 {
            assert_eq!(client.get("/api/books/s/2").await.status, 200);
        }
        assert_eq!(reads(&upstream), expected, "{ttl:?}");
    }
}
