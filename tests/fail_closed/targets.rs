//! Targets that are not plainly what they seem (threats §2).

use super::{ask, closing_status};
use crate::support::client::request;
use crate::support::door::Doorward;
use crate::support::upstream::{Upstream, ok};
use crate::support::world::authorization;

#[tokio::test]
async fn an_odd_target_is_refused_and_never_normalised() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for target in [
        "free",
        "?x=/free",
        "*",
        "http://api.example/free",
        "//free",
        "/free//",
        "/./free",
        "/x/../free",
        "/%2e/free",
        "/x/%2E%2e/free",
        "/fr%2fee",
        "/api%5Cfree",
        "/free\\",
        "/free;x",
        "/free%00",
        "/free%0a",
        "/free%7f",
        "/free%",
        "/free%2",
        "/free%zz",
        "/free%ff",
        "/free%c0%af",
        "/free?x=%",
        "/free?x=%zz",
        "/free?x=%ff",
        "/fr\u{e9}e",
        "/free\t",
        "/free\0",
    ] {
        assert_eq!(closing_status(&door, request("GET", target, "")).await, 400, "{target:?}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[tokio::test]
async fn a_method_that_no_map_may_serve_is_refused_and_any_other_is_its_exact_bytes() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    for method in ["TRACE", "CONNECT"] {
        let target = if method == "CONNECT" { "api.example:80" } else { "/free" };
        assert_eq!(closing_status(&door, request(method, target, "")).await, 400, "{method}");
    }
    for (method, target) in [("get", "/free"), ("PURGE", "/free"), ("OPTIONS", "/free"), ("GET", "/free/"), ("GET", "/Free"), ("DELETE", "/free?_method=GET")] {
        assert_eq!(ask(&door, request(method, target, "")).await.problem(), "RouteNotMapped", "{method} {target}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_parameter_that_feeds_a_date_may_not_come_twice() {
    let upstream = Upstream::start(|_| ok("{\"values\":[]}")).await;
    let door = Doorward::before(&upstream);
    for query in ["effectiveAt=2020-01-01&effectiveAt=2021-01-01", "effectiveAt=2020-01-01&EFFECTIVEAT=2021-01-01", "asAt=2020-01-01&as%41t=2021-01-01"] {
        assert_eq!(closing_status(&door, request("GET", &format!("/api/portfolios?{query}"), "")).await, 400, "{query}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_hidden_value_cannot_be_probed_by_filter_or_order() {
    let upstream = Upstream::start(|_| ok("{\"values\":[]}")).await;
    let door = Doorward::before(&upstream);
    for query in [
        "filter=properties%5BPortfolio/a/cost%5D+gt+5",
        "sortBy=Properties+%5BPortfolio/a/cost%5D",
        "filter=x&filter=propert%69es.x",
        "FILTER=Portfolio/a/cost%20eq%201",
    ] {
        assert_eq!(ask(&door, request("GET", &format!("/api/portfolios?{query}"), "")).await.problem(), "AccessDenied", "{query}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_target_over_its_limit_is_414() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let answer = ask(&door, format!("GET /free?{} HTTP/1.1\r\nhost: a\r\n{}\r\n", "x".repeat(9000), authorization())).await;
    assert_eq!((answer.status, answer.problem().as_str()), (414, "TargetTooLong"));
    assert!(upstream.seen().is_empty());
}
