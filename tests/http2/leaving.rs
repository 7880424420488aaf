//! Clients that were told to go and do not: whatever they acknowledge, who has nothing more to get is not
//! waited for.

use crate::support::door::Doorward;
use crate::support::frames::*;
use crate::support::upstream::{Reply, Upstream, ok, whole};
use crate::support::within;
use doorward::observe::clock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const BRIEF: Duration = Duration::from_millis(600);

/// A name, what is said first, and what again and again.
type Saying = (&'static str, fn() -> Vec<u8>, fn() -> Vec<u8>);

/// What a client says that goes on to hold its place, and what it goes on to say.
const STAYING: [Saying; 7] = [
    ("nothing", Vec::new, Vec::new),
    ("half a head", || frame(HEADERS, END_STREAM, 1, request("GET", "/free")), Vec::new),
    ("half a frame's header", || vec![0, 0], Vec::new),
    ("an answer, then half a frame", || [get(1, "/free"), vec![0, 0, 8, 6]].concat(), Vec::new),
    ("an answer, then nothing", || get(1, "/free"), Vec::new),
    ("pings", Vec::new, || frame(PING, 0, 0, [7; 8])),
    ("settings", Vec::new, || settings_frame(&[])),
];

/// A client that has come and said this. The door's settings are acknowledged before, for an acknowledgement
/// behind half a frame would end the frame, and the connection with it.
async fn comes(address: SocketAddr, said: Vec<u8>) -> Frames {
    let mut client = Frames::connect(address, &[]).await;
    let own = client.until(SETTINGS).await.expect("closed at once");
    assert_eq!(own.flags & ACK, 0);
    client.send(said).await;
    client
}

/// Reads to the end of a connection, and goes on to say this; nothing of our own pings is acknowledged.
async fn stays(mut client: Frames, said: Vec<u8>) {
    within(async {
        loop {
            match tokio::time::timeout(BRIEF / 3, client.next()).await {
                Ok(None) => return,
                Ok(Some(_)) => {}
                Err(_) => drop(client.send(&said).await),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_told_to_go_and_has_nothing_to_get_is_closed_whatever_it_says() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.header_read_timeout = BRIEF);
    let mut staying = Vec::new();
    for (name, first, then) in STAYING {
        let client = comes(door.address, first()).await;
        staying.push((name, tokio::spawn(stays(client, then()))));
    }
    for (name, closed) in staying {
        assert!(closed.await.is_ok(), "{name}");
    }
    door.comes_to("doorward_open_connections", 0.0).await;
}

#[tokio::test]
async fn who_waits_for_an_answer_is_waited_for_after_it_was_told_to_go() {
    let told = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let told = Arc::clone(&told);
        // The head is here, the body is not: the call is open, and no longer keeps its connection from being told.
        move |_| Reply::When(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n".into(), Arc::clone(&told), b"{}".into())
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.header_read_timeout = BRIEF);
    let mut client = Frames::connect(door.address, &[]).await;
    client.send(get(1, "/free")).await;
    assert_eq!(client.fate(1).await, Fate::Answered(200));
    assert!(client.until(GOAWAY).await.is_some());
    tokio::time::sleep(4 * BRIEF).await;
    told.notify_one();
    let data = client.until(DATA).await.expect("the answer is cut");
    assert_eq!(data.payload, b"{}");
    assert!(client.ends().await);
}

#[tokio::test]
async fn who_takes_the_rest_of_an_answer_slowly_is_not_cut() {
    // More than lies between, and no more than one chunk, which is handed over at once.
    let body = "x".repeat(60_000);
    let upstream = Upstream::start(move |_| Reply::Bytes(whole(&body))).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.header_read_timeout = 3 * BRIEF);
    let mut client = Frames::connect(door.address, &[(4, 10_000)]).await;
    client.send(get(1, "/free")).await;
    let mut taken = 0;
    while taken < 60_000 {
        let data = client.until(DATA).await.unwrap_or_else(|| panic!("cut after {taken} bytes"));
        taken += data.payload.len();
        tokio::time::sleep(BRIEF / 3).await;
        let more = u32::try_from(data.payload.len()).unwrap().to_be_bytes();
        client.send([frame(WINDOW_UPDATE, 0, 1, more), frame(WINDOW_UPDATE, 0, 0, more)].concat()).await;
    }
}

#[tokio::test]
async fn stopping_does_not_wait_for_who_never_goes() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut staying = Vec::new();
    for (_, first, then) in STAYING {
        let client = comes(door.address, first()).await;
        staying.push(tokio::spawn(stays(client, then())));
    }
    let came = format!("{}.0", STAYING.len()).parse().unwrap();
    door.comes_to("doorward_open_connections", came).await;
    let began = clock::monotonic();
    door.serving.stop(Duration::from_secs(15)).await;
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    for closed in staying {
        closed.await.unwrap();
    }
}
