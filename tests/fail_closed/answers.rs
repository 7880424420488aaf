//! Answers that cannot be filtered: 502, or cut where a part was sent (threats §5).

use super::ask;
use crate::support::client::request;
use crate::support::door::Doorward;
use crate::support::http2;
use crate::support::upstream::{Reply, Upstream, ok, said};
use crate::support::within;
use crate::support::world::{authorization, portfolios};
use doorward::snapshot::{DeniedStatus, Limits};

const JSON: &str = "content-type: application/json\r\n";

async fn answering(bytes: Vec<u8>) -> (Upstream, Doorward) {
    let upstream = Upstream::start(move |_| Reply::Bytes(bytes.clone())).await;
    let door = Doorward::before(&upstream);
    (upstream, door)
}

fn list(items: &str) -> Vec<u8> {
    format!("{{\"values\":[{items}]}}").into_bytes()
}

const SECRET: &str = "{\"id\":{\"scope\":\"EU\",\"code\":\"secret\"}}";
const SHOWN: &str = "{\"id\":{\"scope\":\"US\",\"code\":\"visible\"}}";

#[tokio::test]
async fn an_answer_that_is_not_plain_json_is_502_and_shows_nothing() {
    let bom = [b"\xef\xbb\xbf".as_slice(), &list(SHOWN)].concat();
    let utf16: Vec<u8> = String::from_utf8(list(SHOWN)).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = list(&format!("{{\"id\":{{\"scope\":\"US\",\"code\":\"a\"}},\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200)));
    let twice = "{\"id\":{\"scope\":\"US\",\"code\":\"a\",\"scope\":\"EU\"}}";
    let twice_escaped = "{\"id\":{\"scope\":\"US\",\"code\":\"a\",\"\\u0073cope\":\"EU\"}}";
    let twice_above = "{\"id\":{\"scope\":\"US\",\"code\":\"a\"},\"id\":{\"scope\":\"EU\",\"code\":\"a\"}}";
    let values_twice = format!("{{\"values\":[{SHOWN}],\"val\\u0075es\":[{SECRET}]}}");
    for (what, headers, body) in [
        ("a page", "content-type: text/html\r\n", b"<html>secret</html>".to_vec()),
        ("lines", "content-type: application/x-ndjson\r\n", [list(SHOWN), b"\n".to_vec(), list(SECRET)].concat()),
        ("csv", "content-type: text/csv\r\n", b"scope,code\nEU,secret\n".to_vec()),
        ("a mark", JSON, bom),
        ("another charset", "content-type: application/json; charset=utf-16\r\n", list(SHOWN)),
        ("two bytes each", JSON, utf16),
        ("trailing text", JSON, [list(SHOWN), b" secret".to_vec()].concat()),
        ("a second text", JSON, [list(SHOWN), list(SECRET)].concat()),
        ("an end too many", JSON, [list(SHOWN), b"}".to_vec()].concat()),
        ("no end", JSON, list(SHOWN)[..20].to_vec()),
        ("no utf-8", JSON, list("{\"id\":{\"scope\":\"US\",\"code\":\"\u{0}\"}}").iter().map(|byte| if *byte == 0 { 0xff } else { *byte }).collect()),
        ("no number", JSON, list("NaN")),
        ("a comma too many", JSON, list(&format!("{SHOWN},"))),
        ("depth", JSON, deep),
        ("a name twice", JSON, list(twice)),
        ("a name twice, once escaped", JSON, list(twice_escaped)),
        ("a name twice above", JSON, list(twice_above)),
        ("the list twice", JSON, values_twice.into_bytes()),
        ("no list", JSON, b"{\"value\":[]}".to_vec()),
        ("no object", JSON, b"[1]".to_vec()),
    ] {
        let (_upstream, door) = answering(said(headers, &body)).await;
        let answer = ask(&door, request("GET", "/api/portfolios", "")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (502, "UnfilterableResponse"), "{what}");
        assert!(!answer.text().contains("secret") && !answer.text().contains("visible"), "{what}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_part_of_an_answer_is_502() {
    let reply = said("content-range: bytes 0-9/100\r\n", &list(SHOWN));
    let reply = [b"HTTP/1.1 206 Partial Content".as_slice(), &reply["HTTP/1.1 200 OK".len()..]].concat();
    let (_upstream, door) = answering(reply).await;
    let answer = ask(&door, request("GET", "/api/portfolios", "range: bytes=0-9\r\n")).await;
    assert_eq!((answer.status, answer.problem().as_str()), (502, "UnfilterableResponse"));
}

#[tokio::test]
async fn an_item_over_its_limit_is_not_let_through() {
    let large = format!("{{\"id\":{{\"scope\":\"US\",\"code\":\"a\"}},\"x\":\"{}\"}}", "x".repeat(10_000));
    let upstream = Upstream::start(move |_| ok(&format!("{{\"values\":[{large}]}}"))).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        let mut settings = (*plan.world.settings).clone();
        settings.limits = Limits { response_item_bytes: 5_000, ..settings.limits };
        plan.world.settings = settings.into();
    });
    assert_eq!(ask(&door, request("GET", "/api/portfolios", "")).await.problem(), "UnfilterableResponse");
    assert_eq!(ask(&door, request("GET", "/api/held", "")).await.problem(), "UnfilterableResponse");
}

#[tokio::test]
async fn what_turns_bad_after_the_head_was_sent_is_cut_by_either_protocol() {
    let good = portfolios(4000);
    let open = &good[..good.len() - 2];
    let twice = "{\"id\":{\"scope\":\"US\",\"code\":\"a\",\"scope\":\"EU\"}}";
    for (what, body) in [
        ("a late duplicate", format!("{open},{twice}]}}")),
        ("the list twice", format!("{open}],\"values\":[{SECRET}]}}")),
        ("trailing text", format!("{good} secret")),
        ("a second text", format!("{good}{{}}")),
        ("no end", open.to_owned()),
        ("a late number", format!("{open},01]}}")),
        ("late depth", format!("{open},{}{}]}}", "[".repeat(200), "]".repeat(200))),
    ] {
        let (_upstream, door) = answering(said(JSON, body.as_bytes())).await;
        let answer = ask(&door, request("GET", "/api/portfolios", "")).await;
        assert_eq!((answer.status, answer.is_whole), (200, false), "{what}");
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err(), "{what} parses");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("secret") && !text.contains("\"EU\""), "{what}");
        let mut client = http2::connect(door.address).await;
        let response = within(client.send_request(http2::get("/api/portfolios"))).await.unwrap();
        assert!(http2::whole(response).await.is_err(), "{what} looks whole by HTTP/2");
        // An HTTP/1.0 client could not see the cut, so it gets nothing.
        let old = format!("GET /api/portfolios HTTP/1.0\r\nhost: a\r\n{}\r\n", authorization());
        assert_eq!(ask(&door, old).await.problem(), "UnfilterableResponse", "{what}");
    }
}

#[tokio::test]
async fn a_denied_single_item_has_the_status_that_is_configured() {
    for (status, code, name) in [(DeniedStatus::Forbidden, 403, "AccessDenied"), (DeniedStatus::NotFound, 404, "NotFound")] {
        let upstream = Upstream::start(|_| ok(SECRET)).await;
        let door = Doorward::planned(&[upstream.address], |plan| {
            let mut settings = (*plan.world.settings).clone();
            settings.denied_status = status;
            plan.world.settings = settings.into();
        });
        // By what the answer says, and by what the request tells before the upstream is called.
        for target in ["/api/held", "/api/portfolios/EU/secret"] {
            let answer = ask(&door, request("GET", target, "")).await;
            assert_eq!((answer.status, answer.problem().as_str()), (code, name), "{target}");
            assert!(!answer.text().contains("secret") && answer.header("retry-after").is_none(), "{}", answer.head);
        }
        assert_eq!(upstream.seen().len(), 1);
    }
}

#[tokio::test]
async fn the_result_of_a_write_that_may_not_be_seen_is_an_empty_object() {
    let (_upstream, door) = answering(said(JSON, SECRET.as_bytes())).await;
    let head = request("PUT", "/api/portfolios", &format!("content-length: {}\r\n", SHOWN.len()));
    let answer = ask(&door, head + SHOWN).await;
    assert_eq!((answer.status, answer.text(), answer.header("content-length")), (200, "{}", None));
}

#[tokio::test]
async fn an_item_that_was_denied_stays_denied_when_its_answer_breaks_off() {
    let upstream = Upstream::start(|_| Reply::Close(format!("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{}", &SECRET[..SECRET.len() - 1]).into())).await;
    let door = Doorward::before(&upstream);
    let read = ask(&door, request("GET", "/api/held", "")).await;
    assert_eq!((read.status, read.problem().as_str()), (403, "AccessDenied"));
    // The write is done: who is told that it failed does it again.
    let head = request("PUT", "/api/portfolios", &format!("content-length: {}\r\n", SHOWN.len()));
    let written = ask(&door, head + SHOWN).await;
    assert_eq!((written.status, written.text()), (200, "{}"));
}

#[tokio::test]
async fn an_error_of_the_upstream_names_nothing_hidden() {
    for (body, shown) in [
        ("{\"title\":\"not found\",\"secret\":1,\"detail\":\"d\"}", "{\"title\":\"not found\",\"detail\":\"d\"}"),
        ("secret", ""),
        ("[\"secret\"]", ""),
        ("{\"title\":\"x\"} secret", ""),
    ] {
        let reply = format!("HTTP/1.1 404 No secret here\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes();
        let (_upstream, door) = answering(reply).await;
        let answer = ask(&door, request("GET", "/api/portfolios", "")).await;
        assert_eq!((answer.status, answer.text()), (404, shown));
        assert!(!answer.head.contains("secret"), "{}", answer.head);
    }
}
