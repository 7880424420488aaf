//! Several upstreams that are asked whether they are well.

use crate::support::address::reserved;
use crate::support::client::Client;
use crate::support::door::Doorward;
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::within;
use crate::support::world::TOKEN;
use doorward::door::{Health, HealthSettings, Probed};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A door whose upstreams are probed every few milliseconds.
fn door(upstreams: &[SocketAddr], path: Option<&str>) -> Doorward {
    let probed = upstreams.iter().map(|address| Probed { host: address.ip().to_string(), port: address.port(), tls: None }).collect();
    let settings = HealthSettings { path: path.map(Into::into), interval: Duration::from_millis(20), timeout: Duration::from_secs(2) };
    Doorward::planned(upstreams, |plan| plan.settings.health = Arc::new(Health::new(probed, settings)))
}

/// An upstream that is well as long as this says so, and answers calls whatever it says.
async fn moody(is_well: &Arc<AtomicBool>) -> Upstream {
    let is_well = Arc::clone(is_well);
    Upstream::start(move |seen| match seen.line() {
        "GET /health HTTP/1.1" if !is_well.load(Ordering::SeqCst) => Reply::Close(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".into()),
        _ => ok("{}"),
    })
    .await
}

/// How many calls it was asked, probes aside.
fn calls(upstream: &Upstream) -> usize {
    upstream.seen().iter().filter(|seen| seen.line().contains("/free")).count()
}

async fn call(door: &Doorward, count: usize) {
    let mut client = Client::connect(door.address).await;
    for _ in 0..count {
        assert_eq!(client.get("/free").await.status, 200);
    }
}

#[tokio::test]
async fn an_upstream_that_says_it_is_not_well_is_asked_nothing_until_it_is() {
    let moods = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true))];
    let (ill, well) = (moody(&moods[0]).await, moody(&moods[1]).await);
    let door = door(&[ill.address, well.address], Some("/health"));
    door.comes_to("doorward_upstreams_down", 1.0).await;
    let before = calls(&ill);
    call(&door, 8).await;
    assert_eq!((calls(&ill), calls(&well)), (before, 8));
    moods[0].store(true, Ordering::SeqCst);
    door.comes_to("doorward_upstreams_down", 0.0).await;
    call(&door, 8).await;
    assert!(calls(&ill) >= before + 3, "{}", calls(&ill));
}

#[tokio::test]
async fn when_all_are_down_calls_still_try() {
    let mood = Arc::new(AtomicBool::new(false));
    let (one, other) = (moody(&mood).await, moody(&mood).await);
    let door = door(&[one.address, other.address], Some("/health"));
    door.comes_to("doorward_upstreams_down", 2.0).await;
    call(&door, 6).await;
    assert!(calls(&one) >= 2 && calls(&other) >= 2);
}

#[tokio::test]
async fn without_a_path_a_connection_is_enough_and_none_is_down() {
    let nowhere = reserved();
    let well = Upstream::start(|_| ok("{}")).await;
    let door = door(&[nowhere, well.address], None);
    door.comes_to("doorward_upstreams_down", 1.0).await;
    assert!(well.seen().is_empty());
    call(&door, 4).await;
    assert_eq!(calls(&well), 4);
}

#[tokio::test]
async fn a_probe_carries_nothing_of_any_client() {
    let mood = Arc::new(AtomicBool::new(true));
    let (one, other) = (moody(&mood).await, moody(&mood).await);
    let door = door(&[one.address, other.address], Some("/health"));
    call(&door, 4).await;
    within(async {
        while one.seen().iter().filter(|seen| seen.line() == "GET /health HTTP/1.1").count() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for probe in one.seen().iter().filter(|seen| seen.line().contains("/health")) {
        assert!(!probe.head.contains(TOKEN) && probe.header("authorization").is_empty() && probe.header("doorward-user").is_empty(), "{}", probe.head);
        assert_eq!((probe.header("host"), probe.body.len()), (vec![one.address.to_string()], 0));
    }
}
