//! The door itself, asked as the proxies ask.

use crate::site::Site;
use crate::support::client::Client;
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use crate::support::world::{authorization, snapshot};

async fn upstream() -> Upstream {
    Upstream::start(|seen| if seen.line().contains("/metadata/US/eq") { ok("{\"Desk\":[{\"value\":\"EQ\"}]}") } else { ok("{}") }).await
}

fn traefik(method: &str, target: &str) -> String {
    format!("x-forwarded-method: {method}\r\nx-forwarded-uri: {target}\r\nx-forwarded-host: api.example\r\n{}", authorization())
}

fn nginx(method: &str, target: &str) -> String {
    format!("x-original-method: {method}\r\nx-original-uri: {target}\r\n{}", authorization())
}

#[tokio::test]
async fn a_call_that_may_pass_is_answered_with_who_asks() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    for (path, headers) in [("/auth", traefik("GET", "/free?x=1")), ("/auth", nginx("GET", "/free")), ("/auth/nginx", nginx("POST", "/free"))] {
        let answer = site.ask(path, &headers).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
        assert_eq!((answer.header("doorward-user"), answer.header("doorward-roles")), (Some("00u1"), Some("default/reader")));
        assert_eq!((answer.header("doorward-decision-id").unwrap().len(), answer.header("cache-control")), (32, Some("no-store")));
    }
    let answer = site.ask("/auth/envoy/free?x=1", &authorization()).await;
    assert_eq!((answer.status, answer.header("doorward-user")), (200, Some("00u1")));
    assert!(upstream.seen().is_empty());
    assert_eq!(site.metric("doorward_requests_total{door=\"forward_auth\",outcome=\"passed\"}").await, 4.0);
}

#[tokio::test]
async fn what_this_door_cannot_carry_out_is_refused() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    for (method, target, word) in [("GET", "/api/portfolios", "filtered"), ("POST", "/api/portfolios", "inspected"), ("PUT", "/api/portfolios", "inspected")] {
        let answer = site.ask("/auth", &traefik(method, target)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "AccessDenied"), "{method} {target}");
        assert!(answer.text().contains(word) && answer.header("doorward-user").is_none(), "{answer:?}");
        assert_eq!(site.ask("/auth/nginx", &nginx(method, target)).await.status, 403, "{method} {target}");
    }
    assert_eq!(site.ask("/auth/envoy/api/portfolios", &authorization()).await.status, 403);
}

#[tokio::test]
async fn a_change_of_protocol_is_refused_but_where_the_operation_admits_a_web_socket() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    for (target, protocols, status) in [
        ("/free", "upgrade: websocket\r\n", 403),
        ("/free", "upgrade: h2c\r\n", 403),
        ("/socket", "upgrade: websocket\r\n", 200),
        ("/socket", "upgrade: h2c\r\n", 403),
        ("/socket", "upgrade: websocket\r\nupgrade: h2c\r\n", 403),
    ] {
        let answer = site.ask("/auth", &format!("{}{protocols}", traefik("GET", target))).await;
        assert_eq!(answer.status, status, "{target} {protocols}");
    }
}

#[tokio::test]
async fn every_refusal_has_its_status_and_nginx_gets_one_that_it_can_relay() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    let long = format!("/free?x={}", "a".repeat(9000));
    for (target, status, name) in [
        ("/nowhere", 403, "RouteNotMapped"),
        ("/api/portfolios/EU/p1", 403, "AccessDenied"),
        ("/free/../free", 400, "InvalidRequest"),
        ("//free", 400, "InvalidRequest"),
        ("free", 400, "InvalidRequest"),
        ("http://a/free", 400, "InvalidRequest"),
        (&long, 414, "TargetTooLong"),
    ] {
        let answer = site.ask("/auth", &traefik("GET", target)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, name), "{target}");
        let answer = site.ask("/auth/nginx", &nginx("GET", target)).await;
        assert_eq!((answer.status, answer.header("doorward-error")), (403, Some(name)), "{target}");
        assert_eq!(answer.header("doorward-status"), Some(status.to_string().as_str()));
    }
    let many: String = (0..101).map(|number| format!("x-a{number}: 1\r\n")).collect();
    for (headers, limit) in [(many, "many"), (format!("x-a: {}\r\n", "a".repeat(70_000)), "long")] {
        let answer = site.ask("/auth", &format!("{}{headers}", traefik("GET", "/free"))).await;
        assert_eq!(answer.status, 431, "{limit}");
        let answer = site.ask("/auth/nginx", &format!("{}{headers}", nginx("GET", "/free"))).await;
        assert_eq!((answer.status, answer.header("doorward-status")), (403, Some("431")), "{limit}");
    }
    let nobody = "x-original-method: GET\r\nx-original-uri: /free\r\n";
    for path in ["/auth", "/auth/nginx"] {
        let answer = site.ask(path, nobody).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer error=\"invalid_token\"")));
    }
    assert_eq!(site.metric("doorward_refusals_total{door=\"forward_auth\",name=\"InvalidIdentityToken\"}").await, 2.0);
}

#[tokio::test]
async fn lookalikes_and_calls_that_are_said_twice_are_refused() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    for line in ["doorward-user: admin", "doorward_user: admin", "x_forwarded_for: 1.2.3.4", "forwarded: for=1.2.3.4", "x-http-method-override: PUT"] {
        assert_eq!(site.ask("/auth", &format!("{line}\r\n{}", traefik("GET", "/free"))).await.problem(), "InvalidRequest", "{line}");
        assert_eq!(site.ask("/auth/envoy/free", &format!("{line}\r\n{}", authorization())).await.problem(), "InvalidRequest", "{line}");
    }
    for line in ["x-original-method: GET\r\nx-original-uri: /api/portfolios", "x-forwarded-uri: /free", "x-original-uri: /free", "x-forwarded-host: b"] {
        assert_eq!(site.ask("/auth", &format!("{line}\r\n{}", traefik("GET", "/free"))).await.problem(), "InvalidRequest", "{line}");
    }
    assert_eq!(site.ask("/auth", &authorization()).await.problem(), "InvalidRequest");
    assert_eq!(site.ask("/auth/envoy/free", &traefik("GET", "/free")).await.problem(), "InvalidRequest");
}

#[tokio::test]
async fn a_stranger_is_refused_whatever_it_sends() {
    let upstream = upstream().await;
    let site = Site::with(upstream.address, &snapshot(), "trusted_peers = [\"10.0.0.0/8\", \"::1\"]\n").await;
    for (path, headers) in
        [("/auth", traefik("GET", "/free")), ("/auth", String::new()), ("/auth/nginx", nginx("GET", "/free")), ("/auth/envoy/free", authorization())]
    {
        let answer = site.ask(path, &headers).await;
        assert_eq!((answer.status, answer.header("doorward-user")), (403, None), "{path}");
    }
    let told = site.ask("/auth/nginx", &nginx("GET", "/free")).await;
    assert_eq!((told.header("doorward-status"), told.header("doorward-error")), (Some("403"), Some("AccessDenied")));
}

#[tokio::test]
async fn metadata_of_the_upstream_decides_here_too() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    // The item is one, judged by its path: its answer would not need the filter only if the policies granted every book.
    let answer = site.ask("/auth", &traefik("GET", "/api/books/EU/eq")).await;
    assert_eq!((answer.status, answer.problem().as_str()), (403, "AccessDenied"));
    assert!(answer.text().contains("Access") && upstream.seen().iter().any(|seen| seen.line().starts_with("GET /metadata/EU/eq")), "{:?}", upstream.seen());
}

#[tokio::test]
async fn every_other_path_is_nothing_and_lets_nothing_pass() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    for path in ["/", "/auth/", "/auth/envoy", "/authentic", "/healthz", "/metrics", "/free"] {
        assert_eq!(site.ask(path, &traefik("GET", "/free")).await.problem(), "NotFound", "{path}");
    }
}

#[tokio::test]
async fn a_door_that_only_observes_refuses_no_call_for_its_body() {
    let upstream = upstream().await;
    let observing = Site::with(upstream.address, &snapshot(), "[shadow]\nmode = \"observe\"\n").await;
    for (method, target) in [("POST", "/api/portfolios"), ("GET", "/api/portfolios"), ("GET", "/nowhere")] {
        assert_eq!(observing.ask("/auth", &traefik(method, target)).await.status, 200, "{method} {target}");
    }
    assert_eq!(observing.ask("/auth", &format!("doorward-user: a\r\n{}", traefik("GET", "/free"))).await.status, 400);
}

#[tokio::test]
async fn connections_beyond_the_limit_get_no_answer() {
    let upstream = upstream().await;
    let site = Site::with(upstream.address, &snapshot(), "[proxy.limits]\nmax_connections = 1\n").await;
    let mut first = crate::support::client::Client::connect(site.door()).await;
    let question = format!("GET /auth HTTP/1.1\r\nhost: doorward\r\n{}\r\n", traefik("GET", "/free"));
    first.send(&question).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = crate::support::client::Client::connect(site.door()).await;
    second.try_send(&question).await;
    assert!(second.is_closed().await);
    first.send(&question).await;
    assert_eq!(first.answer().await.status, 200);
}

#[tokio::test]
async fn a_slow_head_ends_its_connection() {
    let upstream = upstream().await;
    let site = Site::with(upstream.address, &snapshot(), "[proxy.limits]\nheader_read_timeout = \"200ms\"\n").await;
    let mut client = crate::support::client::Client::connect(site.door()).await;
    client.send("GET /auth HTTP/1.1\r\n").await;
    let rest = client.bytes(1).await;
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn the_door_stops_in_good_order() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    let mut client = crate::support::client::Client::connect(site.door()).await;
    client.send(format!("GET /auth HTTP/1.1\r\nhost: doorward\r\n{}\r\n", traefik("GET", "/free"))).await;
    assert_eq!(client.answer().await.status, 200);
    crate::support::within(site.gateway.run(async {})).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn nothing_is_answered_while_no_policies_are_in_force() {
    let upstream = upstream().await;
    let site = Site::with(upstream.address, &serde_json::Value::Null, "").await;
    for headers in [traefik("GET", "/free"), format!("doorward-user: a\r\n{}", traefik("GET", "/free")), String::new()] {
        let answer = site.ask("/auth", &headers).await;
        assert_eq!((answer.status, answer.problem().as_str(), answer.header("retry-after")), (503, "PolicyUnavailable", Some("1")), "{headers}");
    }
    let told = site.ask("/auth/nginx", &nginx("GET", "/free")).await;
    assert_eq!((told.status, told.header("doorward-status"), told.header("retry-after")), (403, Some("503"), None));
    let bare = format!("POST /access/v1/evaluation HTTP/1.1\r\nhost: doorward\r\n{}content-length: 0\r\n\r\n", authorization());
    assert_eq!(crate::site::ask(site.door(), &bare).await.problem(), "PolicyUnavailable");
}

#[tokio::test]
async fn a_refused_call_is_recorded_as_what_it_was() {
    let upstream = upstream().await;
    let site = Site::open(upstream.address).await;
    for (method, target, reason) in
        [("GET", "/api/portfolios?limit=1", "would be filtered"), ("POST", "/api/portfolios", "sees no body"), ("GET", "/nowhere", "no operation")]
    {
        let answer = site.ask("/auth", &traefik(method, target)).await;
        let path = format!("/decisions/{}", answer.header("doorward-decision-id").unwrap());
        let record: serde_json::Value = crate::support::within(async {
            loop {
                let shown = site.admin(&path).await;
                if shown.status == 200 {
                    break serde_json::from_slice(&shown.body).unwrap();
                }
            }
        })
        .await;
        let of = |member: &str| record[member].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (of("door"), of("method"), of("path"), of("user")),
            ("forward_auth".into(), method.into(), target.split('?').next().unwrap().into(), "00u1".into())
        );
        assert!(of("reason").contains(reason), "{record}");
    }
}

#[tokio::test]
async fn a_call_without_a_seat_is_told_so_at_once() {
    let upstream = upstream().await;
    let site = Site::with(upstream.address, &snapshot(), "[proxy.limits]\nmax_in_flight = 1").await;
    let mut first = Client::connect(site.door()).await;
    first.send(format!("POST /access/api/me HTTP/1.1\r\nhost: a\r\n{}content-length: 2\r\n\r\n", authorization())).await;
    within(async { while site.ask("/auth", &traefik("GET", "/free")).await.status != 503 {} }).await;
    let answer = site.ask("/auth", &traefik("GET", "/free")).await;
    assert_eq!((answer.status, answer.problem().as_str(), answer.header("retry-after")), (503, "Overloaded", Some("1")));
    let answer = site.ask("/auth/nginx", &nginx("GET", "/free")).await;
    assert_eq!((answer.status, answer.header("doorward-status"), answer.header("doorward-error")), (403, Some("503"), Some("Overloaded")));
    assert_eq!(site.ask("/auth/envoy/free", &authorization()).await.status, 503);
    first.send("{}").await;
    first.answer().await;
    // Its seat is free with its answer.
    within(async { while site.ask("/auth", &traefik("GET", "/free")).await.status != 200 {} }).await;
    assert!(site.metric("doorward_refusals_total{door=\"forward_auth\",name=\"Overloaded\"}").await >= 4.0);
}
