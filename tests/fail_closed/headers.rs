//! Headers that would make a call somebody else's (threats §3).

use super::{ask, closing_status};
use crate::support::client::request;
use crate::support::door::Doorward;
use crate::support::upstream::{Upstream, ok};
use crate::support::world::{authorization, snapshot, world_of};
use serde_json::json;

#[tokio::test]
async fn a_connection_header_that_nominates_more_than_hops_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for nominated in ["authorization", "close, doorward-user", "x-forwarded-for", "Host", "keep-alive, cookie"] {
        assert_eq!(closing_status(&door, request("GET", "/free", &format!("connection: {nominated}\r\n"))).await, 400, "{nominated}");
    }
    let no_text = [b"GET /free HTTP/1.1\r\nhost: a\r\nconnection: \xff, authorization\r\n", authorization().as_bytes(), b"\r\n"].concat();
    assert_eq!(closing_status(&door, no_text).await, 400, "no text");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn two_credentials_are_none() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for second in ["authorization: Bearer other\r\n", "authorization: Basic eDp4\r\n", "authorization:\r\n"] {
        assert_eq!(closing_status(&door, request("GET", "/free", second)).await, 400, "{second}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_header_that_a_policy_names_says_one_thing() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let mut document = snapshot();
    let team = json!({ "ifRequestHeaderExpression": { "headerName": "x-team", "operator": "EqualsCaseSensitive", "value": "eq" } });
    document["policies"][0]["if"] = json!([team]);
    let door = Doorward::planned(&[upstream.address], |plan| plan.world = world_of(&document));
    assert_eq!(ask(&door, request("GET", "/free", "x-team: eq\r\n")).await.status, 200);
    assert_eq!(closing_status(&door, request("GET", "/free", "x-team: eq\r\nX-Team: fx\r\n")).await, 400);
    for alias in ["x_team: eq\r\n", "x-team: eq\r\nx_team: fx\r\n", "X.Team: fx\r\n"] {
        assert_eq!(closing_status(&door, request("GET", "/free", alias)).await, 400, "{alias}");
    }
    for single in ["", "x-team: fx\r\n", "x-team: eq, fx\r\n"] {
        assert_eq!(ask(&door, request("GET", "/free", single)).await.problem(), "AccessDenied", "{single}");
    }
    // A value that is not UTF-8 passes where nobody asks for it, and is unknown where somebody does.
    let raw = [request("GET", "/free", "").trim_end().as_bytes(), b"\r\nx-team: eq\xff\r\n\r\n"].concat();
    assert_eq!(ask(&door, raw).await.problem(), "AccessDenied");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn lookalikes_never_reach_the_upstream() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let names = [
        "Doorward-User",
        "doorward_user",
        "doorward.user",
        "DOORWARD_ROLES",
        "doorward-anything",
        "x-forwarded-for",
        "x_forwarded_for",
        "x.forwarded-host",
        "X-Forwarded-Port",
        "forwarded",
        "x-http-method-override",
        "x_http_method",
        "X-Method-Override",
        "X-Original-URL",
        "x_rewrite_url",
    ];
    let forged: String = names.iter().map(|name| format!("{name}: forged\r\n")).collect();
    assert_eq!(ask(&door, request("GET", "/free", &forged)).await.status, 200);
    assert!(!upstream.only().head.contains("forged"), "{}", upstream.only().head);
}

#[tokio::test]
async fn nothing_of_the_request_asks_for_a_part_or_a_coding_of_a_filtered_answer() {
    let upstream = Upstream::start(|_| ok("{\"values\":[]}")).await;
    let door = Doorward::before(&upstream);
    let wishes = "range: bytes=0-5\r\nif-range: \"x\"\r\nif-none-match: \"x\"\r\nif-none-match: *\r\nif-modified-since: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
                  if-unmodified-since: Sat, 21 Nov 2026 12:00:00 GMT\r\naccept-encoding: gzip, br\r\nte: gzip\r\n";
    assert_eq!(ask(&door, request("GET", "/api/portfolios", wishes)).await.status, 200);
    let seen = upstream.only();
    for name in ["range", "if-range", "if-none-match", "if-modified-since", "if-unmodified-since", "te"] {
        assert!(seen.header(name).is_empty(), "{}", seen.head);
    }
    assert_eq!(seen.header("accept-encoding"), ["identity"]);
}

#[tokio::test]
async fn the_conditions_of_a_write_are_not_taken_from_it() {
    let body = "{\"id\":{\"scope\":\"US\",\"code\":\"a\"}}";
    let upstream = Upstream::start(move |_| ok(body)).await;
    let door = Doorward::before(&upstream);
    let since = "Sat, 21 Nov 2026 12:00:00 GMT";
    let head = request(
        "PUT",
        "/api/portfolios",
        &format!("if-none-match: *\r\nif-match: \"x\"\r\nif-unmodified-since: {since}\r\nrange: bytes=0-5\r\ncontent-length: {}\r\n", body.len()),
    );
    assert_eq!(ask(&door, head + body).await.status, 200);
    let seen = upstream.only();
    assert_eq!((seen.header("if-none-match"), seen.header("if-match")), (vec!["*".to_owned()], vec!["\"x\"".to_owned()]));
    assert_eq!((seen.header("if-unmodified-since"), seen.header("range")), (vec![since.to_owned()], vec![]));
}

#[tokio::test]
async fn trailers_of_a_request_end_here() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let chunks = "3\r\nabc\r\n0\r\ndoorward-user: root\r\nauthorization: Bearer other\r\n\r\n";
    assert_eq!(ask(&door, request("POST", "/free", "transfer-encoding: chunked\r\ntrailer: doorward-user\r\n") + chunks).await.status, 200);
    let seen = upstream.only();
    assert_eq!((seen.body.as_slice(), seen.header("trailer").len()), (b"abc".as_slice(), 0));
    assert_eq!(seen.header("doorward-user"), ["00u1"]);
}
