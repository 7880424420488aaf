//! Clients that send more, or take less, than anybody who wants an answer (threats §1): each ends in
//! the end of its connection, and costs others nothing.

use crate::support::door::Doorward;
use crate::support::frames::*;
use crate::support::http2;
use crate::support::upstream::{Reply, Upstream, ok, whole};
use crate::support::within;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Another client is served.
async fn check_served(door: &Doorward) {
    let mut other = Frames::connect(door.address, &[]).await;
    other.send(get(1, "/free")).await;
    assert_eq!(other.fate(1).await, Fate::Answered(200));
}

/// A client that sends this is told to calm down and closed, little of it goes up, and others are served; the
/// last of its streams that became a call.
async fn ends_its_connection(flood: Vec<u8>) -> u32 {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Frames::connect(door.address, &[]).await;
    client.send(flood).await;
    let gone = client.until(GOAWAY).await.expect("it goes on, or ends without a word");
    let word = |at: usize| u32::from_be_bytes(gone.payload[at..at + 4].try_into().unwrap());
    assert_eq!(word(4), CALM);
    assert!(client.ends().await);
    assert!(upstream.seen().len() < 1000, "{} calls went up", upstream.seen().len());
    check_served(&door).await;
    word(0)
}

#[tokio::test]
async fn streams_that_are_reset_as_soon_as_they_are_opened_end_the_connection() {
    let flood: Vec<u8> =
        (0..20_000_u32).flat_map(|place| [get(place * 2 + 1, "/free"), frame(RST_STREAM, 0, place * 2 + 1, CANCEL.to_be_bytes())].concat()).collect();
    let last = ends_its_connection(flood).await;
    assert!(last < 400, "it ends with stream {last}");
}

/// So many requests that are none.
fn faulty(count: u32) -> Vec<u8> {
    let malformed = [request("GET", "/free"), literal("connection", "close")].concat();
    (0..count).flat_map(|place| frame(HEADERS, END_STREAM | END_HEADERS, place * 2 + 1, &malformed)).collect()
}

#[tokio::test]
async fn streams_that_the_client_makes_end_by_its_faults_end_the_connection() {
    for count in [150, 20_000] {
        assert_eq!(ends_its_connection(faulty(count)).await, 0);
    }
}

#[tokio::test]
async fn some_faults_of_a_client_are_refused_one_by_one() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Frames::connect(door.address, &[]).await;
    client.send([faulty(90), get(181, "/free")].concat()).await;
    assert_eq!(client.fate(181).await, Fate::Answered(200));
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_head_without_an_end_ends_the_connection() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for piece in [literal("x-more", vec![b'x'; 16_000]), vec![]] {
        let mut client = Frames::connect(door.address, &[]).await;
        client.send(frame(HEADERS, END_STREAM, 1, request("GET", "/free"))).await;
        let more = frame(CONTINUATION, 0, 1, &piece);
        let mut sent = 0_usize;
        while client.send(&more).await {
            sent += more.len();
            assert!(sent < 8 << 20, "{sent} bytes were taken");
        }
    }
    assert!(upstream.seen().is_empty());
    check_served(&door).await;
}

#[tokio::test]
async fn a_head_that_unfolds_beyond_its_limit_goes_nowhere() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Frames::connect(door.address, &[]).await;
    // One field of 4,000 bytes in the table, and a byte for each time it is meant.
    let entry = [b"\x40\x01x\x7f\xa1\x1e".to_vec(), vec![b'x'; 4000]].concat();
    let bomb = [request("GET", "/free"), entry, vec![0xbe; 10_000]].concat();
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, bomb)).await;
    let fate = client.fate(1).await;
    assert!(fate.is_refusal(), "{fate:?}");
    assert!(upstream.seen().is_empty());
    check_served(&door).await;
}

#[tokio::test]
async fn a_head_over_its_limits_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for headers in [block(&vec![("x", "1"); 120]), block(&vec![("x-large", "y".repeat(1000).as_str()); 15]).repeat(5)] {
        let mut client = Frames::connect(door.address, &[]).await;
        let whole = [request("GET", "/free"), headers].concat();
        let mut pieces = whole.chunks(16_000).peekable();
        let mut frames = frame(HEADERS, END_STREAM | if whole.len() > 16_000 { 0 } else { END_HEADERS }, 1, pieces.next().unwrap());
        while let Some(piece) = pieces.next() {
            frames.extend(frame(CONTINUATION, if pieces.peek().is_none() { END_HEADERS } else { 0 }, 1, piece));
        }
        client.send(frames).await;
        assert!(matches!(client.fate(1).await, Fate::Answered(431)), "{} bytes", whole.len());
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn who_never_reads_what_it_asks_for_is_closed() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.client_write_timeout = Duration::from_millis(300));
    for question in [settings_frame(&[(3, 1)]), frame(PING, 0, 0, [7; 8])] {
        let mut client = Frames::connect(door.address, &[]).await;
        let flood = question.repeat(4096);
        let mut sent = 0_usize;
        // The answers fill what lies between; then nothing more is read, and in time it is over.
        while client.send(&flood).await {
            sent += flood.len();
            assert!(sent < 1 << 30, "{sent} bytes were taken");
        }
    }
    door.comes_to("doorward_open_connections", 0.0).await;
    check_served(&door).await;
}

#[tokio::test]
async fn more_streams_than_offered_are_turned_away() {
    let (told, asked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let upstream = Upstream::start({
        let (told, asked) = (Arc::clone(&told), Arc::clone(&asked));
        move |_| {
            asked.notify_one();
            Reply::When(vec![], Arc::clone(&told), whole("{}"))
        }
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.max_in_flight = 1000);
    let mut client = Frames::connect(door.address, &[]).await;
    let offered = client.until(SETTINGS).await.unwrap();
    let streams = offered.payload.chunks(6).find(|setting| setting[..2] == [0, 3]).map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()));
    assert_eq!(streams, Some(100));
    client.send((0..101_u32).flat_map(|place| get(place * 2 + 1, "/free")).collect::<Vec<_>>()).await;
    let fate = client.fate(201).await;
    assert!(matches!(fate, Fate::Reset(REFUSED | PROTOCOL) | Fate::GoneAway(PROTOCOL)), "{fate:?}");
    within(asked.notified()).await;
    assert!(upstream.seen().len() <= 100);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_gives_up_its_seat_and_its_upstream() {
    let large = "x".repeat(1 << 20);
    let upstream = Upstream::start(move |seen| if seen.line().contains("large") { ok(&large) } else { ok("{}") }).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.settings.limits.max_in_flight = 1;
        plan.settings.limits.client_write_timeout = Duration::from_secs(2);
    });
    let mut stalled = Frames::connect(door.address, &[(4, 10)]).await;
    stalled.send(get(1, "/free?large")).await;
    assert_eq!(stalled.fate(1).await, Fate::Answered(200));
    let mut other = http2::connect(door.address).await;
    assert_eq!(within(other.send_request(http2::get("/free"))).await.unwrap().status(), 503);
    within(async {
        while other.send_request(http2::get("/free")).await.unwrap().status() != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // It is told when it wants more.
    stalled.send(frame(WINDOW_UPDATE, 0, 1, 1_000_000_u32.to_be_bytes())).await;
    let fate = stalled.fate(1).await;
    assert!(matches!(fate, Fate::Reset(_) | Fate::GoneAway(_) | Fate::Closed), "{fate:?}");
}

#[tokio::test]
async fn a_connection_of_answers_that_nobody_takes_is_closed() {
    let large = "x".repeat(1 << 20);
    let upstream = Upstream::start(move |_| ok(&large)).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.settings.limits.header_read_timeout = Duration::from_millis(500);
        plan.settings.limits.client_write_timeout = Duration::from_secs(1);
    });
    let mut stalled = Frames::connect(door.address, &[(4, 0)]).await;
    stalled.send([get(1, "/free"), get(3, "/free")].concat()).await;
    assert_eq!(stalled.fate(3).await, Fate::Answered(200));
    assert!(stalled.ends().await);
    door.comes_to("doorward_open_connections", 0.0).await;
}
