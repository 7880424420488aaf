//! Without policies that may judge, everything is 503.

use super::ask;
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::http2;
use crate::support::upstream::{Reply, Upstream, ok, whole};
use crate::support::within;
use crate::support::world::{loaded, snapshot, world};
use doorward::observe::clock::{self, WallClock};
use doorward::snapshot::{Settings, Snapshot, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

#[tokio::test]
async fn revision_0_answers_nobody() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.world = World { snapshot: Arc::<Snapshot>::default(), ..world() });
    let mut client = Client::connect(door.address).await;
    for head in [request("GET", "/free", ""), request("GET", "free", ""), "GET /unmapped HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()] {
        let answer = ask(&door, head).await;
        assert_eq!((answer.status, answer.problem().as_str(), answer.header("retry-after")), (503, "PolicyUnavailable", Some("1")));
    }
    door.world.publish(loaded(&snapshot()));
    assert_eq!(client.get("/free").await.status, 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn an_http2_connection_that_asks_for_nothing_gives_up_its_place_and_one_that_waits_does_not() {
    let (asked, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let upstream = Upstream::start({
        let (asked, told) = (Arc::clone(&asked), Arc::clone(&told));
        move |_| {
            asked.notify_one();
            Reply::When(vec![], Arc::clone(&told), whole("{}"))
        }
    })
    .await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.header_read_timeout = Duration::from_millis(500));
    let mut waiting = http2::connect(door.address).await;
    let answer = tokio::spawn(waiting.send_request(http2::get("/free")));
    within(asked.notified()).await;
    // Two that came later are gone one after the other: the first has waited longer than it may idle.
    for _ in 0..2 {
        let idle = http2::connect(door.address).await;
        within(async {
            while !idle.is_closed() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    told.notify_one();
    assert_eq!(within(answer).await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_snapshot_staler_than_allowed_answers_nobody_until_it_is_confirmed() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let later = Arc::new(AtomicI64::new(0));
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.world.settings = Arc::new(Settings { max_staleness: Some(Duration::from_secs(60)), ..Settings::default() });
        let later = Arc::clone(&later);
        plan.clock = WallClock::showing(move || clock::now() + Duration::from_secs(later.load(Ordering::SeqCst).unsigned_abs()));
    });
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/free").await.status, 200);
    later.store(3600, Ordering::SeqCst);
    let answer = client.get("/free").await;
    assert_eq!((answer.status, answer.problem().as_str(), answer.header("retry-after")), (503, "PolicyUnavailable", Some("1")));
    door.world.confirm(clock::now() + Duration::from_secs(3600));
    assert_eq!(client.get("/free").await.status, 200);
    assert_eq!(upstream.seen().len(), 2);
}
