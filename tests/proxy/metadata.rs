//! Metadata that only the upstream knows.

use crate::support::client::Client;
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Seen, Upstream, ok};
use crate::support::world::TOKEN;

fn book(number: usize) -> String {
    format!("{{\"id\":{{\"scope\":\"s\",\"code\":\"{number}\"}}}}")
}

fn books(numbers: impl Iterator<Item = usize>) -> String {
    format!("{{\"values\":[{}]}}", numbers.map(book).collect::<Vec<_>>().join(","))
}

/// Books of even number are of desk EQ; number 4's metadata is not to be had, 6's is too large.
fn library(seen: &Seen) -> Reply {
    let path = seen.line().split(' ').nth(1).unwrap().to_owned();
    let desk = |desk: &str| ok(&format!("{{\"Desk\":[{{\"value\":\"{desk}\"}}]}}"));
    match path.strip_prefix("/metadata/s/") {
        Some("4") => Reply::Bytes(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}".into()),
        Some("6") => ok(&format!("{{\"Desk\":[{{\"value\":\"EQ\"}}],\"x\":[{{\"value\":\"{}\"}}]}}", "x".repeat(70_000))),
        Some(number) => desk(if number.parse::<usize>().unwrap() % 2 == 0 { "EQ" } else { "FI" }),
        None if path == "/api/books" => ok(&books(0..40)),
        None => ok(&book(path.rsplit('/').next().unwrap().parse().unwrap())),
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_what_the_upstream_says_of_each_item() {
    let upstream = Upstream::start(library).await;
    let door = Doorward::before(&upstream);
    let answer = Client::connect(door.address).await.get("/api/books").await;
    assert_eq!((answer.status, answer.text()), (200, books((0..40).step_by(2).filter(|number| ![4, 6].contains(number))).as_str()));
    let reads: Vec<Seen> = upstream.seen().into_iter().filter(|seen| seen.line().contains("/metadata/")).collect();
    assert_eq!(reads.len(), 40);
    for seen in reads {
        assert_eq!(seen.header("authorization"), [format!("Bearer {TOKEN}")]);
        assert_eq!(seen.header("accept-encoding"), ["identity"]);
    }
    // The list's own connection, and a few for the metadata.
    assert!(upstream.connections() <= 12, "{} connections", upstream.connections());
}

#[tokio::test]
async fn a_target_is_judged_by_the_upstreams_metadata_before_it_is_asked() {
    let upstream = Upstream::start(library).await;
    let door = Doorward::before(&upstream);
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/api/books/s/2").await.text(), book(2));
    for denied in ["/api/books/s/3", "/api/books/s/4", "/api/books/s/6"] {
        assert_eq!(client.get(denied).await.problem(), "AccessDenied", "{denied}");
    }
    let asked: Vec<String> = upstream.seen().iter().map(|seen| seen.line().to_owned()).filter(|line| !line.contains("/metadata/")).collect();
    assert_eq!(asked, ["GET /api/books/s/2 HTTP/1.1"]);
}
