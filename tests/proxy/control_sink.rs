//! Decision records on their way to the control plane.

use crate::support::client::Client;
use crate::support::door::Doorward;
use crate::support::record::refused;
use crate::support::upstream::{Reply, Seen, Upstream, ok};
use crate::support::within;
use crate::support::world::world;
use doorward::http_client::{Authorities, HttpClient};
use doorward::observe::{DecisionLog, Labels, LogSettings, Metrics, OnFull, PostSettings, Sink, When};
use http::HeaderValue;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn control(address: SocketAddr) -> Sink {
    Sink::Control(PostSettings {
        client: HttpClient::new(Authorities::Native).unwrap(),
        url: format!("http://{address}/decisions").parse().unwrap(),
        authorization: Some(HeaderValue::from_static("Bearer sidecar")),
    })
}

fn accepted() -> Reply {
    Reply::Close(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".into())
}

fn status(status: u16) -> Reply {
    Reply::Close(format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n").into_bytes())
}

fn records(post: &Seen) -> Vec<Value> {
    serde_json::from_slice(&post.body).unwrap()
}

/// Writes so many records to the control plane alone; back when the log is closed.
async fn written(address: SocketAddr, count: u128, path_length: usize) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new(&Labels::default()).unwrap());
    let settings = LogSettings { sinks: vec![control(address)], when: When::All, on_full: OnFull::Block };
    let log = DecisionLog::open(&settings, Arc::clone(&metrics)).unwrap();
    let writing = tokio::task::spawn_blocking(move || {
        let world = Arc::new(world());
        (0..count).for_each(|id| log.record(refused(&world, id, path_length)));
        drop(log);
    });
    within(writing).await.unwrap();
    metrics
}

#[tokio::test]
async fn every_record_is_posted_in_batches_of_bounded_size() {
    for (count, path_length) in [(1200, 5), (300, 4000)] {
        let plane = Upstream::start(|_| accepted()).await;
        let metrics = written(plane.address, count, path_length).await;
        let posts = plane.seen();
        let ids: Vec<String> = posts.iter().flat_map(records).map(|record| record["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids, (0..count).map(|id| format!("{id:032x}")).collect::<Vec<_>>());
        for post in &posts {
            assert!(records(post).len() <= 500 && post.body.len() <= 256 * 1024, "{} bytes", post.body.len());
            assert_eq!(
                (post.line(), post.header("authorization"), post.header("content-type")),
                ("POST /decisions HTTP/1.1", vec!["Bearer sidecar".to_owned()], vec!["application/json".to_owned()])
            );
        }
        assert_eq!((metrics.log_written.get(), metrics.log_dropped.get(), metrics.log_failed.get()), (u64::try_from(count).unwrap(), 0, 0));
    }
}

#[tokio::test]
async fn a_batch_is_posted_again_when_the_control_plane_comes_back() {
    let attempts = AtomicUsize::new(0);
    let plane = Upstream::start(move |_| if attempts.fetch_add(1, Ordering::SeqCst) < 2 { status(503) } else { accepted() }).await;
    let metrics = written(plane.address, 3, 5).await;
    let posts = plane.seen();
    assert_eq!((posts.len(), metrics.log_written.get(), metrics.log_dropped.get()), (3, 3, 0));
    assert!(posts.iter().all(|post| post.body == posts[0].body));
}

#[tokio::test]
async fn what_the_control_plane_does_not_understand_is_not_posted_again() {
    let plane = Upstream::start(|_| status(400)).await;
    let metrics = written(plane.address, 3, 5).await;
    assert_eq!((plane.seen().len(), metrics.log_failed.get(), metrics.log_written.get()), (1, 3, 0));
}

#[tokio::test]
async fn a_stuck_control_plane_keeps_neither_calls_nor_lines_nor_the_end_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let (upstream, plane) = (Upstream::start(|_| ok("{}")).await, Upstream::start(|_| Reply::Silence).await);
    let door = Doorward::planned(&[upstream.address], |plan| plan.log.sinks = vec![control(plane.address), Sink::File(path.clone())]);
    let mut client = Client::connect(door.address).await;
    for _ in 0..20 {
        assert_eq!(client.get("/free").await.status, 200);
    }
    drop(client);
    within(async {
        while std::fs::read_to_string(&path).unwrap().lines().count() < 20 || plane.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let Doorward { serving, metrics, wiring, .. } = door;
    drop(wiring);
    within(serving.stop(Duration::from_secs(10))).await;
    assert_eq!((metrics.log_written.get(), metrics.log_dropped.get()), (20, 20));
}

#[tokio::test]
async fn what_the_control_plane_cannot_take_in_time_is_dropped_and_counted() {
    let plane = Upstream::start(|_| Reply::Silence).await;
    let metrics = written(plane.address, 20_000, 5).await;
    // The queue was full long before the end, and the log's end waits for nobody.
    assert_eq!((metrics.log_dropped.get(), metrics.log_written.get(), metrics.log_failed.get()), (20_000, 0, 0));
}
