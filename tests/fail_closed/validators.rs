//! Headers that would speak of what the client does not get, or let it be stored for others.

use super::ask;
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Seen, Upstream, ok, said};
use crate::support::world::{authorization, loaded, portfolios, snapshot, visible_portfolios};
use serde_json::json;

const TAG: &str = "\"hash-of-all\"";

/// Answers 304 to its own tag, and the list otherwise.
fn conditional(seen: &Seen) -> Reply {
    if seen.header("if-none-match").iter().any(|tags| tags.contains(TAG)) {
        return Reply::Bytes(format!("HTTP/1.1 304 Not Modified\r\netag: {TAG}\r\n\r\n").into_bytes());
    }
    Reply::Bytes(said(&format!("etag: {TAG}\r\n"), portfolios(4).as_bytes()))
}

#[tokio::test]
async fn a_validator_is_bound_to_the_rights_and_comes_back_only_with_them() {
    let upstream = Upstream::start(conditional).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    let first = client.get("/api/portfolios").await;
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("W/\"") && tag != TAG, "{tag}");
    client.send(request("GET", "/api/portfolios", &format!("if-none-match: {tag}\r\n"))).await;
    let second = client.answer().await;
    assert_eq!((second.status, second.header("etag"), second.header("content-length")), (304, Some(tag.as_str()), None));
    assert!(second.header("doorward-decision-id").is_some());
    // The upstream's own tag says nothing about what this caller may see.
    client.send(request("GET", "/api/portfolios", &format!("if-none-match: {TAG}, *\r\n"))).await;
    assert_eq!(client.answer().await.text(), visible_portfolios(4));
    // Nor may a read be made to fail by a guess of it.
    client.send(request("GET", "/api/portfolios", &format!("if-match: {TAG}\r\n"))).await;
    assert_eq!(client.answer().await.text(), visible_portfolios(4));
    assert!(upstream.seen().last().unwrap().header("if-match").is_empty());
    // With other rights the same tag brings an answer.
    let mut other = snapshot();
    other["revision"] = json!(8);
    other["policies"][1]["selectors"][0]["idSelectorDefinition"]["identifier"]["scope"] = json!("EU");
    door.world.publish(loaded(&other));
    client.send(request("GET", "/api/portfolios", &format!("if-none-match: {tag}\r\n"))).await;
    let third = client.answer().await;
    assert_eq!(third.status, 200);
    assert!(!third.text().contains("US") && third.header("etag").is_some_and(|other| other != tag));
    let sent: Vec<Vec<String>> = upstream.seen().iter().map(|seen| seen.header("if-none-match")).collect();
    assert_eq!(sent, [vec![], vec![TAG.to_owned()], vec![], vec![], vec![]]);
}

#[tokio::test]
async fn rights_that_change_with_time_have_no_validator() {
    let upstream = Upstream::start(conditional).await;
    let mut document = snapshot();
    let week = json!({ "effectiveDateRelative": { "date": "Now", "adjustment": -7, "unit": "Day", "relativeToDateTime": "AfterOrOn" } });
    document["policies"][1]["for"] = json!([week]);
    let door = Doorward::planned(&[upstream.address], |plan| plan.world = crate::support::world::world_of(&document));
    let answer = ask(&door, request("GET", "/api/portfolios", "")).await;
    assert_eq!((answer.status, answer.header("etag")), (200, None));
}

#[tokio::test]
async fn nothing_is_said_of_a_body_that_the_client_does_not_get() {
    let all = "content-md5: x\r\ndigest: x\r\ncontent-digest: x\r\nrepr-digest: x\r\naccept-ranges: bytes\r\nlast-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
               x-total-count: 4\r\ntotal-count: 4\r\nx-total: 4\r\nx-total-pages: 1\r\nx-pagination: {}\r\nlink: </next>; rel=next\r\ntrailer: x-sum\r\n";
    let upstream = Upstream::start(move |_| Reply::Bytes(said(all, portfolios(4).as_bytes()))).await;
    let door = Doorward::before(&upstream);
    let answer = ask(&door, request("GET", "/api/portfolios", "")).await;
    let named = all.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    for name in named.chain(["content-length"]) {
        assert_eq!(answer.header(name), None, "{}", answer.head);
    }
    assert_eq!((answer.header("transfer-encoding"), answer.text()), (Some("chunked"), visible_portfolios(4).as_str()));
}

#[tokio::test]
async fn a_head_shows_no_length_and_leaves_the_connection_whole() {
    let upstream = Upstream::start(|seen| {
        if seen.line().starts_with("HEAD") {
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 999\r\n\r\n".into())
        } else {
            ok(&portfolios(4))
        }
    })
    .await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    for _ in 0..2 {
        client.send(request("HEAD", "/api/portfolios", "")).await;
        let answer = client.head().await;
        // A GET has neither: its body is decoded and shortened.
        assert_eq!((answer.status, answer.header("content-length"), answer.header("content-encoding")), (200, None, None), "{}", answer.head);
        assert_eq!(client.get("/api/portfolios").await.text(), visible_portfolios(4));
    }
}

#[tokio::test]
async fn statuses_without_a_body_have_none() {
    for status in ["204 No Content", "304 Not Modified"] {
        let upstream = Upstream::start(move |_| Reply::Bytes(format!("HTTP/1.1 {status}\r\n\r\n").into_bytes())).await;
        let door = Doorward::before(&upstream);
        let mut client = Client::connect(door.address).await;
        for _ in 0..2 {
            let answer = client.get("/api/portfolios").await;
            assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, None), "{}", answer.head);
            assert!(status.starts_with(&answer.status.to_string()));
        }
    }
}

#[tokio::test]
async fn trailers_of_a_filtered_answer_end_here() {
    let list = portfolios(4);
    let reply = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n{:x}\r\n{list}\r\n0\r\nx-sum: secret\r\n\r\n", list.len());
    let upstream = Upstream::start(move |_| Reply::Bytes(reply.clone().into_bytes())).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/api/portfolios", "te: trailers\r\nconnection: te, close\r\n")).await;
    let came = String::from_utf8(client.bytes(usize::MAX).await).unwrap();
    assert!(came.ends_with("0\r\n\r\n") && !came.contains("x-sum"), "{came}");
}

#[tokio::test]
async fn no_answer_may_be_stored_for_others() {
    let shared = "cache-control: public, s-maxage=60, max-age=5\r\ncache-control: no-transform\r\nvary: accept\r\n\
                  cdn-cache-control: public, max-age=600\r\nx-cdn-cache-control: max-age=600\r\nsurrogate-control: max-age=600\r\nx-accel-expires: 600\r\n";
    let upstream = Upstream::start(move |_| Reply::Bytes(said(shared, b"{\"values\":[]}"))).await;
    let door = Doorward::before(&upstream);
    for target in ["/free", "/api/portfolios"] {
        let answer = ask(&door, request("GET", target, "")).await;
        assert_eq!(answer.header("cache-control"), Some("private, max-age=5, no-transform"), "{target}");
        assert!(answer.head.to_ascii_lowercase().contains("vary: authorization"), "{}", answer.head);
        for name in ["cdn-cache-control", "x-cdn-cache-control", "surrogate-control", "x-accel-expires"] {
            assert_eq!(answer.header(name), None, "{target}: {}", answer.head);
        }
    }
    let refused = ask(&door, request("GET", "/unmapped", "")).await;
    assert!(refused.header("cache-control").unwrap().contains("private") && refused.header("vary") == Some("Authorization"), "{}", refused.head);
}

#[tokio::test]
async fn every_answer_carries_its_decision_id() {
    let upstream = Upstream::start(|seen| if seen.line().contains("held") { ok("<html>") } else { ok("{\"values\":[]}") }).await;
    let door = Doorward::before(&upstream);
    let many: String = (0..97).map(|number| format!("x-{number}: 1\r\n")).collect();
    let few = Doorward::planned(&[upstream.address], |plan| {
        let mut settings = (*plan.world.settings).clone();
        settings.limits.header_count = 10;
        plan.world.settings = settings.into();
        plan.settings.limits.max_connections = 1;
    });
    for (door, bytes, status) in [
        (&door, request("GET", "/free", ""), 200),
        (&door, request("GET", "/api/portfolios", ""), 200),
        (&door, request("GET", "free", ""), 400),
        (&door, format!("GET /free HTTP/1.1\r\n{}\r\n", authorization()), 400),
        (&door, "GET /free HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 401),
        (&door, request("GET", "/unmapped", ""), 403),
        (&door, request("POST", "/api/portfolios", "content-length: 100000000\r\n"), 413),
        (&door, request("GET", &format!("/free?{}", "x".repeat(9000)), ""), 414),
        (&few, request("GET", "/free", &many), 431),
        (&door, request("GET", "/api/held", ""), 502),
    ] {
        let answer = ask(door, bytes).await;
        assert_eq!(answer.status, status, "{}", answer.head);
        let id = answer.header("doorward-decision-id").unwrap_or_else(|| panic!("no id in {}", answer.head));
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        if status != 200 {
            answer.problem();
        }
    }
    let _first = Client::connect(few.address).await;
    let mut second = Client::connect(few.address).await;
    let answer = second.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "Overloaded"));
}
