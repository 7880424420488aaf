//! What reaches the upstream, and what does not.

use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::world::authorization;
use doorward::snapshot::Settings;
use std::sync::Arc;

#[tokio::test]
async fn an_allowed_call_passes_with_our_identity_headers() {
    let upstream = Upstream::start(|_| ok("{\"free\":true}")).await;
    let door = Doorward::before(&upstream);
    let answer = Client::connect(door.address).await.get("/free?a=%20b").await;
    assert_eq!((answer.status, answer.text()), (200, "{\"free\":true}"));
    let seen = upstream.only();
    assert_eq!(seen.line(), "GET /free?a=%20b HTTP/1.1");
    assert_eq!(seen.header("doorward-user"), ["00u1"]);
    assert_eq!(seen.header("doorward-decision-id"), [answer.header("doorward-decision-id").unwrap()]);
    assert_eq!(seen.header("host"), [upstream.address.to_string()]);
    assert_eq!(seen.header("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.header("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.header("x-forwarded-host"), ["api.example"]);
}

#[tokio::test]
async fn a_prefix_is_no_part_of_the_route_and_goes_upstream_as_it_came() {
    let upstream = Upstream::start(|_| ok("{\"id\":{\"scope\":\"US\",\"code\":\"p1\"}}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.world.settings = Arc::new(Settings { strip_prefix: "/gw".to_owned(), ..Settings::default() });
    });
    let mut client = Client::connect(door.address).await;
    let passing = ["/gw/free?a=%20b", "/gw/api/portfolios/US/p1"];
    for target in passing {
        assert_eq!(client.get(target).await.status, 200, "{target}");
    }
    for (target, name) in [
        // Judged by the segments behind the prefix.
        ("/gw/api/portfolios/EU/p1", "AccessDenied"),
        ("/free", "RouteNotMapped"),
        ("/gwx/free", "RouteNotMapped"),
        ("/g/free", "RouteNotMapped"),
        ("/GW/free", "RouteNotMapped"),
        ("/gw", "RouteNotMapped"),
        ("/gw/", "RouteNotMapped"),
        ("/gw?/free", "RouteNotMapped"),
        // It is taken away once, and only where the path begins.
        ("/gw/gw/free", "RouteNotMapped"),
        ("/free/gw", "RouteNotMapped"),
        ("/gw/fr%2fee", "InvalidRequest"),
        ("/gw%2ffree", "InvalidRequest"),
        ("/gwx/fr%2fee", "InvalidRequest"),
    ] {
        assert_eq!(Client::connect(door.address).await.get(target).await.problem(), name, "{target}");
    }
    let seen = upstream.seen();
    assert_eq!(seen.iter().map(|seen| seen.line().to_owned()).collect::<Vec<_>>(), passing.map(|target| format!("GET {target} HTTP/1.1")));
}

#[tokio::test]
async fn forged_identity_and_forwarding_headers_never_reach_the_upstream() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let forged = "doorward-user: root\r\ndoorward_user: root\r\nx-forwarded-for: 1.2.3.4\r\nx-forwarded-host: evil\r\nx-forwarded-proto: https\r\nforwarded: for=1.2.3.4\r\n";
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free", forged)).await;
    assert_eq!(client.answer().await.status, 200);
    let seen = upstream.only();
    assert_eq!(seen.header("doorward-user"), ["00u1"]);
    assert!(seen.header("doorward_user").is_empty() && seen.header("forwarded").is_empty(), "{}", seen.head);
    assert_eq!(seen.header("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.header("x-forwarded-host"), ["api.example"]);
    assert_eq!(seen.header("x-forwarded-proto"), ["http"]);
}

#[tokio::test]
async fn hop_by_hop_headers_end_here_both_ways() {
    let upstream = Upstream::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nconnection: x-private\r\nx-private: 1\r\nkeep-alive: timeout=5\r\nproxy-authenticate: Basic\r\nx-kept: 1\r\n";
        Reply::Bytes(format!("{head}content-length: 2\r\n\r\n{{}}").into_bytes())
    })
    .await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    let hops = "connection: keep-alive, te\r\nkeep-alive: timeout=5\r\nte: trailers\r\nproxy-authorization: Basic x\r\nx-kept: 2\r\n";
    client.send(request("GET", "/free", hops)).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("x-kept")), (200, Some("1")));
    for name in ["x-private", "keep-alive", "proxy-authenticate"] {
        assert_eq!(answer.header(name), None, "{}", answer.head);
    }
    // Pingora says of each connection what becomes of it.
    assert_eq!(answer.header("connection"), IS_PINGORA.then_some("keep-alive"), "{}", answer.head);
    let seen = upstream.only();
    assert_eq!(seen.header("x-kept"), ["2"]);
    for name in ["connection", "keep-alive", "te", "proxy-authorization"] {
        assert!(seen.header(name).is_empty(), "{}", seen.head);
    }
}

#[tokio::test]
async fn a_refused_call_never_reaches_the_upstream() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send("GET /free HTTP/1.1\r\nhost: api.example\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (401, "InvalidIdentityToken"));
    assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
    // The connection serves on.
    let answer = client.get("/unmapped").await;
    assert_eq!((answer.status, answer.problem().as_str()), (403, "RouteNotMapped"));
    assert_eq!(answer.header("retry-after"), None);
    assert!(answer.header("cache-control").unwrap().contains("private"));
    assert_eq!(answer.header("server"), None);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_target_that_is_not_in_origin_form_is_refused_and_the_connection_closed() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for target in ["free", "http://api.example/free", "*"] {
        let mut client = Client::connect(door.address).await;
        client.send(request("GET", target, "") + &request("GET", "/free", "")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400, "{target}");
        assert_eq!(answer.header("connection"), Some("close"), "{target}");
        assert!(client.is_closed().await, "{target}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn two_hosts_are_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free", "host: other.example\r\n")).await;
    let answer = client.answer().await;
    // Pingora refuses it itself, without a body.
    assert!(answer.status == 400 && (IS_PINGORA || answer.problem() == "InvalidRequest"), "{answer:?}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_body_to_be_inspected_is_read_whole_before_anything_is_sent() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    let (allowed, denied) = ("{\"id\":{\"scope\":\"US\",\"code\":\"a\"}}", "{\"id\":{\"scope\":\"EU\",\"code\":\"a\"}}");
    let chunked = format!("{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n", 5, &allowed[..5], allowed.len() - 5, &allowed[5..]);
    client.send(request("POST", "/api/portfolios", "transfer-encoding: chunked\r\n") + &chunked).await;
    assert_eq!(client.answer().await.status, 200);
    let seen = upstream.only();
    assert_eq!(seen.body, allowed.as_bytes());
    assert_eq!(seen.header("content-length"), [allowed.len().to_string()]);
    assert!(!seen.head.contains("x-trailer"));
    client.send(request("POST", "/api/portfolios", &format!("content-length: {}\r\n", denied.len())) + denied).await;
    assert_eq!(client.answer().await.problem(), "AccessDenied");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        let mut settings = (*plan.world.settings).clone();
        settings.limits.request_body_bytes = 100;
        plan.world.settings = settings.into();
    });
    let mut told = Client::connect(door.address).await;
    told.send(request("POST", "/api/portfolios", "content-length: 101\r\nexpect: 100-continue\r\n")).await;
    assert_eq!(told.answer().await.problem(), "BodyTooLarge");
    // Its length is not told, and it keeps coming: the answer gets through all the same.
    let mut untold = Client::connect(door.address).await;
    untold.send(request("POST", "/api/portfolios", "transfer-encoding: chunked\r\n")).await;
    untold.try_send(format!("40000\r\n{}\r\n", "x".repeat(0x40000))).await;
    let answer = untold.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "BodyTooLarge"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_streamed_body_goes_up_as_it_comes() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("POST", "/free", "content-length: 10\r\nexpect: 100-continue\r\n")).await;
    assert_eq!(client.head().await.status, 100);
    client.send("0123456789").await;
    assert_eq!(client.answer().await.status, 200);
    client.send(request("POST", "/free", "transfer-encoding: chunked\r\n") + "3;ext=1\r\nabc\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.send(request("POST", "/free", "")).await;
    assert_eq!(client.answer().await.status, 200);
    // A body of unknown length on a GET is a body all the same.
    client.send(request("GET", "/free", "transfer-encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    let seen = upstream.seen();
    assert_eq!(seen.iter().map(|seen| seen.body.as_slice()).collect::<Vec<_>>(), [b"0123456789".as_slice(), b"abc", b"", b"abc"]);
    assert_eq!(seen[0].header("content-length"), ["10"]);
    assert!(seen[0].header("expect").is_empty());
    assert_eq!(seen[1].header("transfer-encoding"), ["chunked"]);
    assert_eq!(seen[2].header("content-length"), ["0"]);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    if IS_PINGORA {
        // It closes the connection instead.
        return;
    }
    let upstream = Upstream::start(|seen| ok(seen.line())).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free?one", "") + &request("GET", "/unmapped", "") + &request("GET", "/free?two", "")).await;
    assert_eq!(client.answer().await.text(), "GET /free?one HTTP/1.1");
    assert_eq!(client.answer().await.status, 403);
    assert_eq!(client.answer().await.text(), "GET /free?two HTTP/1.1");
}

#[tokio::test]
async fn a_refusal_before_the_body_never_reads_the_body_as_a_request() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    let inner = request("GET", "/free?smuggled", "");
    client.send(format!("{}{inner}", request("POST", "/unmapped", &format!("content-length: {}\r\n", inner.len())))).await;
    assert_eq!(client.answer().await.status, 403);
    // Drained: the next request is answered, and it is the one after the body.
    assert_eq!(client.get("/free?next").await.status, 200);
    assert_eq!(upstream.only().line(), "GET /free?next HTTP/1.1");
    // Too large to drain: the connection ends.
    client.send(request("POST", "/unmapped", "content-length: 10000000\r\n")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (403, Some("close")));
    client.try_send(inner).await;
    assert!(client.is_closed().await);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_protocol_changes_only_where_the_operation_says_so() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let upstream = Upstream::start(move |_| Reply::Echo(switching.into())).await;
    let door = Doorward::before(&upstream);
    let asking = "connection: upgrade\r\nupgrade: websocket\r\n";
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/socket", asking)).await;
    let answer = client.head().await;
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")));
    client.send("to and fro").await;
    assert_eq!(client.bytes(10).await, b"to and fro");
    // Elsewhere the wish does not go up, and an upstream that changes all the same is at fault.
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/free", asking)).await;
    assert_eq!(client.answer().await.problem(), "UpstreamUnavailable");
    let seen = upstream.seen();
    assert_eq!(seen[0].header("upgrade"), ["websocket"]);
    assert!(seen[1].header("upgrade").is_empty(), "{}", seen[1].head);
    assert!(seen[1].header("connection").is_empty(), "{}", seen[1].head);
}

#[tokio::test]
async fn bytes_sent_before_the_101_are_not_forwarded() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let upstream = Upstream::start(move |_| Reply::Echo(switching.into())).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\n") + "GET /smuggled HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.head().await.status, if IS_PINGORA { 400 } else { 101 });
    // The tunnel is not opened: nothing that comes later goes through it either.
    client.try_send("later").await;
    let came = client.bytes(usize::MAX).await;
    let came = String::from_utf8_lossy(&came);
    assert!(!came.contains("smuggled") && !came.contains("later"), "{came}");
}

#[tokio::test]
async fn the_traces_of_the_client_continue() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    client.send(format!("GET /free HTTP/1.1\r\nhost: a\r\n{}traceparent: {trace}\r\n\r\n", authorization())).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(upstream.only().header("traceparent"), [trace]);
}
