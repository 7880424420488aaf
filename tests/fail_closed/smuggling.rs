//! Every payload of `payloads`, written raw: what is malformed goes nowhere, what is forwarded is what
//! was authorized, and nothing that came behind a request is ever served in its place.

use super::payloads::{MALFORMED_HEADS, MALFORMED_POSTS, ODD_TARGETS, OTHER_ROUTES, PLAIN_TARGETS, READ_BY_PINGORA, RESOLVED};
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::upstream::{Seen, Upstream, ok};
use crate::support::world::authorization;
use std::time::Duration;

const BRIEF: Duration = Duration::from_millis(400);
const SMUGGLED: &str = "/free?smuggled";

/// A door that does not wait long for what never comes.
fn impatient(upstream: &Upstream) -> Doorward {
    Doorward::planned(&[upstream.address], |plan| {
        let limits = &mut plan.settings.limits;
        (limits.header_read_timeout, limits.upstream_read_timeout, limits.request_body_timeout) = (BRIEF, BRIEF, BRIEF);
    })
}

/// Everything that comes back when this is sent with a second request behind it, and what went up.
async fn sent(bytes: &str) -> (String, Vec<Seen>) {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = impatient(&upstream);
    let mut client = Client::connect(door.address).await;
    // Nothing ends the connection but the door.
    client.try_send(format!("{bytes}{}", request("GET", SMUGGLED, "connection: close\r\n"))).await;
    let came = client.bytes(usize::MAX).await;
    (String::from_utf8_lossy(&came).into_owned(), upstream.seen())
}

/// What is wrong with how these bytes were taken, if anything.
async fn taken(bytes: &str) -> Option<String> {
    let (came, seen) = sent(bytes).await;
    let is_excepted = IS_PINGORA && READ_BY_PINGORA.iter().any(|chunks| bytes.ends_with(chunks));
    if is_excepted {
        let is_one = seen.iter().all(|seen| !seen.line().contains(SMUGGLED)) && seen.len() <= 1;
        return (!is_one).then(|| format!("{bytes:?} went up as {seen:?}"));
    }
    // Whatever the library says of what it cannot read, it is no success, and it is said once.
    let is_refused = seen.is_empty() && !came.contains("HTTP/1.1 2") && came.matches("HTTP/1.1 ").count() <= 1;
    (!is_refused).then(|| format!("{bytes:?} went up as {seen:?}, and came back as {came}"))
}

async fn check_refused(payloads: impl Iterator<Item = String>) {
    let mut wrong = Vec::new();
    for bytes in payloads {
        wrong.extend(taken(&bytes).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn post(target: &str, (headers, body): &(&str, &str)) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: api.example\r\n{}{headers}\r\n{body}", authorization())
}

#[tokio::test]
async fn no_post_that_could_end_in_two_places_goes_anywhere() {
    check_refused(MALFORMED_POSTS.iter().map(|payload| post("/free", payload))).await;
    const { assert!(MALFORMED_POSTS.len() + MALFORMED_HEADS.len() >= 72) };
}

#[tokio::test]
async fn no_head_that_could_be_read_in_two_ways_goes_anywhere() {
    check_refused(MALFORMED_HEADS.iter().map(|head| head.replace('$', &authorization()))).await;
}

#[tokio::test]
async fn the_same_to_a_route_whose_body_is_inspected() {
    check_refused(MALFORMED_POSTS.iter().map(|payload| post("/api/portfolios", payload))).await;
}

#[tokio::test]
async fn what_the_library_resolves_is_one_request_and_nothing_behind_it() {
    for (bytes, line, body) in RESOLVED {
        let (came, seen) = sent(&bytes.replace('$', &authorization())).await;
        let up: Vec<_> = seen.iter().filter(|seen| !seen.line().contains(SMUGGLED)).collect();
        if up.is_empty() {
            assert!(!came.starts_with("HTTP/1.1 2"), "{bytes:?}: {came}");
            continue;
        }
        assert_eq!((up.len(), up[0].line(), up[0].body.as_slice()), (1, *line, body.as_bytes()), "{bytes:?}");
        assert!(up[0].header("content-length").len() + up[0].header("transfer-encoding").len() <= 1, "{}", up[0].head);
        // Where both framings were named nothing of the connection is believed any more.
        let is_doubtful = bytes.contains("Content-Length: 4");
        assert!(!(is_doubtful && seen.len() > 1), "{bytes:?}");
    }
}

/// What goes up for a GET of this target, and the first status line.
async fn got(target: &str) -> (String, Vec<Seen>) {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.try_send(request("GET", target, "connection: close\r\n")).await;
    let came = String::from_utf8_lossy(&client.bytes(usize::MAX).await).into_owned();
    (came.lines().next().unwrap_or_default().to_owned(), upstream.seen())
}

#[tokio::test]
async fn no_odd_target_goes_anywhere() {
    for target in ODD_TARGETS {
        let (came, seen) = got(target).await;
        assert!(seen.is_empty(), "{target:?} went up as {seen:?}");
        assert!(came.starts_with("HTTP/1.1 400"), "{target:?}: {came}");
    }
    const { assert!(ODD_TARGETS.len() >= 51) };
}

#[tokio::test]
async fn a_target_that_only_looks_like_a_route_is_another() {
    for target in OTHER_ROUTES {
        let (came, seen) = got(target).await;
        assert!(seen.is_empty() && came.starts_with("HTTP/1.1 403"), "{target:?}: {came} {seen:?}");
    }
}

#[tokio::test]
async fn what_goes_up_is_what_was_authorized_byte_for_byte() {
    for target in PLAIN_TARGETS {
        let (came, seen) = got(target).await;
        let is_forwarded = came.starts_with("HTTP/1.1 200");
        let lines: Vec<_> = seen.iter().map(Seen::line).collect();
        match is_forwarded {
            true => assert_eq!(lines, [format!("GET {target} HTTP/1.1")]),
            // What an engine cannot carry unchanged it does not carry at all.
            false => assert!(lines.is_empty() && IS_PINGORA, "{target:?}: {came} {lines:?}"),
        }
    }
}
