//! What an answer still tells of an item that the caller may not see: its version, that it is there, how
//! many there are of it (threats §5).

use super::ask;
use crate::support::client::{Answer, Client, request};
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Seen, Upstream, ok, said};
use doorward::snapshot::DeniedStatus;

const MINE: &str = "{\"id\":{\"scope\":\"US\",\"code\":\"mine\"}}";
const HIDDEN: &str = "{\"id\":{\"scope\":\"EU\",\"code\":\"hidden\"}}";
const FACTS: &str = "x-version: 17\r\nx-owner: someone\r\n";

/// One item that the caller may see, one that he may not, both of the version 7; nothing else is there.
fn items(seen: &Seen) -> Reply {
    let (line, tag) = (seen.line(), "etag: \"7\"\r\n");
    if seen.header("if-none-match").iter().any(|tags| tags.contains("\"7\"")) {
        return Reply::Bytes(format!("HTTP/1.1 304 Not Modified\r\n{tag}\r\n").into_bytes());
    }
    match () {
        () if line.contains("mine") => Reply::Bytes(said(&format!("{tag}{FACTS}"), MINE.as_bytes())),
        () if line.contains("hidden") => Reply::Bytes(said(&format!("{tag}{FACTS}"), HIDDEN.as_bytes())),
        () => {
            let body = "{\"name\":\"PortfolioNotFound\",\"code\":109,\"detail\":\"There is no such portfolio.\"}";
            let head = "HTTP/1.1 404 Not Found\r\nserver: api\r\nx-version: 0\r\ncontent-type: application/problem+json\r\ncache-control: max-age=9\r\n";
            Reply::Bytes(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
        }
    }
}

fn asking_for(target: &str, tag: &str) -> String {
    request("GET", target, &format!("if-none-match: {tag}\r\n"))
}

#[tokio::test]
async fn no_client_makes_a_tag_by_which_to_ask_for_the_version_of_a_hidden_item() {
    let upstream = Upstream::start(items).await;
    let door = Doorward::before(&upstream);
    let mine = ask(&door, request("GET", "/api/held?mine", "")).await;
    let tag = mine.header("etag").unwrap().to_owned();
    // At its own target it is good, elsewhere and in other words it is not.
    assert_eq!(ask(&door, asking_for("/api/held?mine", &tag)).await.status, 304);
    assert_eq!(ask(&door, asking_for("/api/held?mine&x", &tag)).await.status, 200);
    assert_eq!(ask(&door, asking_for("/api/held?hidden", &tag)).await.problem(), "AccessDenied");
    for guess in ["\"7\"".to_owned(), tag.replace("-s-7\"", "-w-7\""), tag.replace("-s-7\"", "-s-6\"").replace("-s-6\"", "-s-07\"")] {
        let guesses = format!("{guess}, {}", tag.replace("-s-7\"", "-s-6\""));
        assert_eq!(ask(&door, asking_for("/api/held?hidden", &guesses)).await.problem(), "AccessDenied", "{guesses}");
        assert_eq!(ask(&door, asking_for("/api/held?mine", &guesses)).await.status, 200, "{guesses}");
    }
    let came_up: Vec<Vec<String>> = upstream.seen().iter().map(|seen| seen.header("if-none-match")).filter(|tags| !tags.is_empty()).collect();
    assert_eq!(came_up, [["\"7\"".to_owned()]]);
}

#[tokio::test]
async fn a_tag_is_good_at_every_replica_with_the_same_snapshot() {
    let upstream = Upstream::start(items).await;
    let [one, other] = [Doorward::before(&upstream), Doorward::before(&upstream)];
    let first = ask(&one, request("GET", "/api/held?mine", "")).await;
    let tag = first.header("etag").unwrap();
    let second = ask(&other, asking_for("/api/held?mine", tag)).await;
    assert_eq!((second.status, second.header("etag")), (304, Some(tag)));
}

/// An answer without what differs from call to call.
fn alike(answer: &Answer) -> (String, String) {
    let id = answer.header("doorward-decision-id").unwrap();
    let without = |text: &str| text.replace(id, "ID");
    let head: Vec<String> = answer.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:")).map(without).collect();
    (head.join("\n"), without(answer.text()))
}

#[tokio::test]
async fn what_is_not_there_is_answered_like_what_is_hidden_where_that_is_said_to_be_not_found() {
    let upstream = Upstream::start(items).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        let mut settings = (*plan.world.settings).clone();
        settings.denied_status = DeniedStatus::NotFound;
        plan.world.settings = settings.into();
    });
    assert_eq!(ask(&door, request("GET", "/api/held?mine", "")).await.text(), MINE);
    let hidden = ask(&door, request("GET", "/api/held?hidden", "")).await;
    let absent = ask(&door, request("GET", "/api/held?absent", "")).await;
    assert_eq!((hidden.status, hidden.problem().as_str()), (404, "NotFound"));
    assert_eq!(alike(&absent), alike(&hidden));
    // Of an item whose id the request tells, the hidden one was refused before the upstream was called.
    let before = ask(&door, request("GET", "/api/portfolios/EU/hidden", "")).await;
    let absent = ask(&door, request("GET", "/api/portfolios/US/absent", "")).await;
    assert_eq!(alike(&absent), alike(&before));
}

#[tokio::test]
async fn a_head_of_a_single_item_tells_nothing_of_it() {
    let upstream = Upstream::start(items).await;
    for (denied_status, status) in [(DeniedStatus::Forbidden, 403), (DeniedStatus::NotFound, 404)] {
        let door = Doorward::planned(&[upstream.address], |plan| {
            let mut settings = (*plan.world.settings).clone();
            settings.denied_status = denied_status;
            plan.world.settings = settings.into();
        });
        let mut heads = Vec::new();
        for target in ["/api/held?mine", "/api/held?hidden", "/api/held?absent", "/api/portfolios/EU/hidden"] {
            let mut client = Client::connect(door.address).await;
            client.send(request("HEAD", target, "")).await;
            heads.push(alike(&client.head().await));
        }
        assert!(heads.iter().all(|head| *head == heads[0] && head.0.contains(&format!(" {status} "))), "{heads:?}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_head_of_an_item_that_is_a_granted_target_goes_up_and_shows_no_length() {
    let upstream = Upstream::start(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n".into())).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    client.send(request("HEAD", "/api/portfolios/US/mine", "")).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("content-length"), head.header("content-type")), (200, None, Some("application/json")));
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn the_number_of_hidden_rows_is_in_no_white_space() {
    let row = |scope: &str| format!("{{\"id\": {{\"scope\": \"{scope}\"}}}}");
    let list = |scopes: &[&str]| format!("{{\"values\": [ {} ]}}", scopes.iter().map(|scope| row(scope)).collect::<Vec<_>>().join(" , "));
    for scopes in [&["EU", "US", "EU", "EU"][..], &["US", "EU"], &["EU", "EU", "US"], &["US"]] {
        let body = list(scopes);
        let upstream = Upstream::start(move |_| ok(&body)).await;
        let answer = ask(&Doorward::before(&upstream), request("GET", "/api/portfolios", "")).await;
        assert_eq!(answer.text(), list(&["US"]), "{scopes:?}");
    }
}

#[tokio::test]
async fn headers_of_a_filtered_answer_tell_neither_numbers_nor_digests_nor_places() {
    let telling = "X_Total_Count: 4\r\nX-Count: 4\r\nX-WP-Total: 4\r\nPagination: 4\r\nX-Total-Results: 4\r\nX-Content-Length: 4\r\nContent-SHA256: 4\r\n\
                   Unencoded-Digest: 4\r\nServer-Timing: rows;desc=4\r\nOdata-Count: 4\r\nLocation: /4\r\nContent-Location: /4\r\nLast_Modified: 4\r\n";
    let needed = "X-RateLimit-Remaining: 9\r\nX-Request-Id: r1\r\nRetry-After: 3\r\nX-Account-Id: a1\r\n";
    let upstream = Upstream::start(move |seen| {
        let body = if seen.line().starts_with("PUT") { MINE } else { "{\"values\":[]}" };
        Reply::Bytes(said(&format!("{telling}{needed}"), body.as_bytes()))
    })
    .await;
    let door = Doorward::before(&upstream);
    let lines = |text: &'static str| text.lines().filter_map(|line| line.split_once(": "));
    let read = ask(&door, request("GET", "/api/portfolios", "")).await;
    let written = ask(&door, request("PUT", "/api/portfolios", &format!("content-length: {}\r\n", MINE.len())) + MINE).await;
    for (name, value) in lines(needed) {
        assert_eq!((read.header(name), written.header(name)), (Some(value), Some(value)), "{name}");
    }
    for (name, _) in lines(telling) {
        assert_eq!(read.header(name), None, "{}", read.head);
    }
    // Where what was written is to be found is for the writer to know.
    assert_eq!((written.header("location"), written.header("content-location")), (Some("/4"), Some("/4")), "{}", written.head);
}
