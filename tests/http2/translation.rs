//! From HTTP/2 to HTTP/1.1: what would be two requests, or another one, on the other side
//! (threats §1).

use crate::support::door::Doorward;
use crate::support::frames::*;
use crate::support::upstream::{Seen, Upstream, ok};
use crate::support::world::TOKEN;

/// What becomes of these frames on stream 1, and what went up.
async fn sent(frames: &[u8]) -> (Fate, Vec<Seen>) {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Frames::connect(door.address, &[]).await;
    client.send(frames).await;
    let fate = client.fate(1).await;
    (fate, upstream.seen())
}

async fn check_refused(what: &str, frames: &[u8]) {
    let (fate, seen) = sent(frames).await;
    assert!(fate.is_refusal(), "{what}: {fate:?}");
    assert!(seen.is_empty(), "{what} went up as {seen:?}");
}

/// A GET with these behind its own headers.
fn with(headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let more: Vec<u8> = headers.iter().flat_map(|(name, value)| literal(name, value)).collect();
    frame(HEADERS, END_STREAM | END_HEADERS, 1, [request("GET", "/free"), more].concat())
}

/// A GET of these pseudo headers, with the token.
fn of(pseudo: &[(&str, &str)]) -> Vec<u8> {
    let token = format!("Bearer {TOKEN}");
    frame(HEADERS, END_STREAM | END_HEADERS, 1, block(&[pseudo, &[("authorization", token.as_str())]].concat()))
}

#[tokio::test]
async fn a_header_that_would_be_two_is_refused() {
    let odd: &[(&[u8], &[u8])] = &[
        (b"x-a", b"b\r\ndoorward-user: root"),
        (b"x-a", b"b\r\n\r\nGET /free?smuggled HTTP/1.1\r\nhost: a\r\n\r\n"),
        (b"x-a", b"b\nc: d"),
        (b"x-a", b"b\rc: d"),
        (b"x-a", b"b\0"),
        (b"x-a", b" b"),
        (b"x-a", b"b "),
        (b"x-a", b"\tb"),
        (b"x-a", b"b\x7f"),
        (b"x-a\r\nb", b"c"),
        (b"x-a: b\r\ndoorward-user", b"root"),
        (b"x-a\0", b"b"),
        (b"x a", b"b"),
        (b" x-a", b"b"),
        (b"x-a ", b"b"),
        (b"x-a:", b"b"),
        (b"X-A", b"b"),
        (b"", b"b"),
        (b"x\xe9", b"b"),
        (b"transfer-encoding", b"chunked"),
        (b"transfer-encoding", b"identity"),
        (b"connection", b"close"),
        (b"connection", b"authorization"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-connection", b"close"),
        (b"upgrade", b"h2c"),
        (b"te", b"gzip"),
        (b"host", b"elsewhere"),
        (b"host", b""),
        (b"authorization", b"Bearer other"),
        (b"content-length", b"5"),
        (b"content-length", b"+0"),
        (b"content-length", b"0, 0"),
        (b"content-length", b"00"),
        (b"content-length", b"x"),
    ];
    for &(name, value) in odd {
        check_refused(&format!("{:?}", (String::from_utf8_lossy(name), String::from_utf8_lossy(value))), &with(&[(name, value)])).await;
    }
    check_refused("two hosts", &with(&[(b"host", b"api.example"), (b"host", b"api.example")])).await;
    check_refused("two lengths", &with(&[(b"content-length", b"0"), (b"content-length", b"0")])).await;
}

#[tokio::test]
async fn a_request_line_that_would_be_another_is_refused() {
    for path in [
        "",
        "free",
        "*",
        "?x=/free",
        "//free",
        "http://x/free",
        "/fr ee",
        "/free HTTP/1.1\r\nhost: b\r\n\r\nGET /free?smuggled",
        "/free\0",
        "/free\t",
        "/free\r",
        "/x/../free",
        "/fr\u{e9}e",
        "/free\\",
    ] {
        check_refused(&format!("path {path:?}"), &of(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "api.example")])).await;
    }
    for method in ["", "GET /free?x", "GET\r\nx:", "get", "G\0T", "TRACE", "PRI"] {
        check_refused(&format!("method {method:?}"), &of(&[(":method", method), (":scheme", "http"), (":path", "/free"), (":authority", "api.example")])).await;
    }
    for authority in ["", "a b", "a/b", "user@api.example", "a\r\nx: y", "a, b", "a?b", "a#b", "api.example:80:80"] {
        check_refused(&format!("authority {authority:?}"), &of(&[(":method", "GET"), (":scheme", "http"), (":path", "/free"), (":authority", authority)]))
            .await;
    }
    for scheme in ["", "ftp", "http://evil/?", "ht tp", "http\r\nx: y"] {
        check_refused(&format!("scheme {scheme:?}"), &of(&[(":method", "GET"), (":scheme", scheme), (":path", "/free"), (":authority", "api.example")])).await;
    }
}

#[tokio::test]
async fn a_fragment_goes_no_further() {
    let (fate, seen) = sent(&of(&[(":method", "GET"), (":scheme", "http"), (":path", "/free#x"), (":authority", "api.example")])).await;
    // The library cuts it off before anybody looks: what is authorized and what goes up has none.
    assert!(fate.is_refusal() || seen[0].line() == "GET /free HTTP/1.1", "{fate:?} {seen:?}");
}

#[tokio::test]
async fn pseudo_headers_that_are_missing_twice_or_late_are_refused() {
    let (method, scheme, path, authority) = ((":method", "GET"), (":scheme", "http"), (":path", "/free"), (":authority", "api.example"));
    for (what, headers) in [
        ("no method", vec![scheme, path, authority]),
        ("no scheme", vec![method, path, authority]),
        ("no path", vec![method, scheme, authority]),
        ("no authority and no host", vec![method, scheme, path]),
        ("two methods", vec![method, (":method", "POST"), scheme, path, authority]),
        ("two schemes", vec![method, scheme, (":scheme", "https"), path, authority]),
        ("two paths", vec![method, scheme, path, (":path", "/free?smuggled"), authority]),
        ("two authorities", vec![method, scheme, path, authority, (":authority", "elsewhere")]),
        ("a late path", vec![method, scheme, authority, ("x", "y"), path]),
        ("an authority beside another host", vec![method, scheme, path, authority, ("host", "elsewhere")]),
        ("a status", vec![method, scheme, path, authority, (":status", "200")]),
        ("CONNECT", vec![(":method", "CONNECT"), ("x-target", "/free"), authority]),
        ("CONNECT alone", vec![(":method", "CONNECT"), (":authority", "api.example:80")]),
        ("CONNECT, extended", vec![(":method", "CONNECT"), (":protocol", "websocket"), scheme, (":path", "/socket"), authority]),
        ("a protocol beside GET", vec![method, (":protocol", "websocket"), scheme, (":path", "/socket"), authority]),
    ] {
        check_refused(what, &of(&headers)).await;
    }
}

#[tokio::test]
async fn a_host_alone_is_as_good_as_an_authority() {
    let (fate, seen) = sent(&of(&[(":method", "GET"), (":scheme", "http"), (":path", "/free"), ("host", "api.example")])).await;
    assert_eq!((fate, seen[0].header("x-forwarded-host")), (Fate::Answered(200), vec!["api.example".to_owned()]));
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_it_says_is_no_request_to_the_upstream() {
    let sized = |path, length: &str| frame(HEADERS, END_HEADERS, 1, [request("POST", path), literal("content-length", length)].concat());
    let body = b"{\"id\":{\"scope\":\"US\",\"code\":\"a\"}}";
    for path in ["/free", "/api/portfolios"] {
        for (length, flags) in [("31", END_STREAM), ("33", END_STREAM), ("0", END_STREAM), ("1000", END_STREAM), ("032", END_STREAM)] {
            check_refused(&format!("{path} {length}"), &[sized(path, length), frame(DATA, flags, 1, body)].concat()).await;
        }
    }
    let (fate, seen) = sent(&[sized("/api/portfolios", "32"), frame(DATA, END_STREAM, 1, body)].concat()).await;
    assert_eq!((fate, seen[0].body.as_slice()), (Fate::Answered(200), body.as_slice()));
}

#[tokio::test]
async fn trailers_become_nobodys_headers() {
    let trailers = block(&[("doorward-user", "root"), ("authorization", "Bearer other"), ("x-trailer", "1"), ("content-length", "9")]);
    let (fate, seen) = sent(&[post(1, "/free"), frame(DATA, 0, 1, b"abc"), frame(HEADERS, END_STREAM | END_HEADERS, 1, trailers)].concat()).await;
    // What is no trailer may end the stream; what went up has nothing of it.
    assert!(fate == Fate::Answered(200) || seen.is_empty(), "{fate:?}");
    for seen in &seen {
        assert_eq!((seen.body.as_slice(), seen.header("doorward-user")), (b"abc".as_slice(), vec!["00u1".to_owned()]));
        assert!(seen.header("x-trailer").is_empty() && seen.header("authorization").len() == 1, "{}", seen.head);
    }
}

#[tokio::test]
async fn lookalikes_and_forged_forwarding_go_no_further_than_by_http_1() {
    let forged: &[(&[u8], &[u8])] = &[
        (b"doorward-user", b"forged"),
        (b"doorward_user", b"forged"),
        (b"x-forwarded-for", b"forged"),
        (b"x-http-method-override", b"forged"),
        (b"forwarded", b"forged"),
    ];
    let (fate, seen) = sent(&with(forged)).await;
    assert_eq!(fate, Fate::Answered(200));
    assert!(!seen[0].head.contains("forged"), "{}", seen[0].head);
}
