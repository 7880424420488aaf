//! PostgreSQL goes away, stands still, comes back.

use crate::address::reserved;
use crate::place::{Place, author, names, newest, set, setting, try_set, within};
use crate::postgres::Postgres;
use crate::wire::{Mood, Wire};
use doorward::observe::clock;
use doorward::store::{Location, Setting, Store, StoreError, WriteError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Long enough for a slow machine, and far from hanging.
const FEW_SECONDS: Duration = Duration::from_secs(15);

/// A place, and a store that reaches it over a wire.
async fn wired() -> (Place, Wire, Arc<Store>) {
    let place = Place::postgres().await;
    let Location::Postgres(url) = &place.location else { panic!("PostgreSQL was expected") };
    let (user, rest) = url.split_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let wire = Wire::to(server.to_owned()).await;
    let location = Location::Postgres(format!("{user}@{}/{database}", wire.address));
    let store = within(Store::open(&location, clock::now)).await.unwrap();
    (place, wire, store)
}

async fn timed<T>(future: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let output = within(future).await;
    assert!(begun.elapsed() < FEW_SECONDS, "it took {:?}", begun.elapsed());
    output
}

#[tokio::test]
async fn a_short_interruption_is_not_noticed() {
    let (_place, wire, store) = wired().await;
    set(&store, "a", 1).await;
    for number in 2..5 {
        wire.set(Mood::Cut);
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.set(Mood::Whole);
        assert_eq!(setting(&timed(store.current()).await.unwrap(), "a"), Some(number - 1));
        assert_eq!(timed(store.audit(&newest(10))).await.unwrap().len(), usize::try_from(number - 1).unwrap());
        wire.set(Mood::Cut);
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.set(Mood::Whole);
        timed(set(&store, "a", number)).await;
    }
}

#[tokio::test]
async fn an_outage_fails_requests_within_seconds_and_ends() {
    let (_place, wire, store) = wired().await;
    set(&store, "a", 1).await;
    for outage in [Mood::Cut, Mood::Frozen] {
        wire.set(outage);
        let (read, written, other) = timed(async { tokio::join!(store.current(), try_set(&store, "a", 2), try_set(&store, "b", 2)) }).await;
        assert!(matches!(read, Err(StoreError::Unreachable(_))), "{read:?}");
        for written in [written, other] {
            let nothing_changed = matches!(written, Err(WriteError::Store(StoreError::Unreachable(_) | StoreError::Busy)));
            assert!(nothing_changed, "{written:?}");
        }
        assert_eq!(setting(&store.state(), "a"), Some(1), "what is known is shown");
        wire.set(Mood::Whole);
        assert_eq!(timed(store.current()).await.unwrap().sequence, 1);
    }
    set(&store, "a", 2).await;
    assert_eq!(store.current().await.unwrap().sequence, 2);
}

#[tokio::test]
async fn connections_whose_other_end_is_gone_are_replaced() {
    let (_place, wire, store) = wired().await;
    set(&store, "a", 1).await;
    let read_on_all = async || {
        let reads = (0..10).map(|_| Arc::clone(&store)).map(|store| async move { store.audit(&newest(10)).await });
        within(tokio::task::JoinSet::from_iter(reads).join_all()).await
    };
    assert!(read_on_all().await.iter().all(Result::is_ok));
    // Just used, they are taken for alive, and nothing comes back.
    wire.abandon();
    read_on_all().await;
    assert!(timed(store.audit(&newest(10))).await.is_ok(), "all connections are still waited for");
    assert!(read_on_all().await.iter().all(Result::is_ok));
    // Having lain idle, they are tried before they are used.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    wire.abandon();
    assert_eq!(timed(store.current()).await.unwrap().sequence, 1);
    timed(set(&store, "a", 2)).await;
}

#[tokio::test]
async fn a_commit_without_an_answer_is_an_error_and_then_what_the_database_says() {
    let (_place, wire, store) = wired().await;
    set(&store, "a", 1).await;
    wire.set(Mood::CutAfterCommit);
    let uncertain = timed(try_set(&store, "a", 2)).await;
    assert!(matches!(uncertain, Err(WriteError::Store(StoreError::Uncertain(_)))), "{uncertain:?}");
    assert_eq!(setting(&store.state(), "a"), Some(1), "nothing is shown that is not known to be kept");
    within(wire.reaches(Mood::Cut)).await;
    wire.set(Mood::Whole);
    // The server had it all the same.
    let kept = within(async {
        loop {
            let state = store.current().await.unwrap();
            if setting(&state, "a") == Some(2) {
                break state;
            }
        }
    })
    .await;
    assert_eq!(kept.sequence, 2);
    set(&store, "a", 3).await;
    assert_eq!((store.state().sequence, store.audit(&newest(10)).await.unwrap().len()), (3, 3));
}

#[tokio::test]
async fn a_replica_that_stands_still_in_a_change_does_not_stop_the_others_for_long() {
    let (place, wire, frozen) = wired().await;
    let other = place.open().await;
    let stuck: Result<(), WriteError<()>> = frozen
        .write(&author(), |draft| {
            draft.put(Setting { name: "a".to_owned(), value: 1.into() });
            wire.set(Mood::Frozen);
            Ok(())
        })
        .await;
    assert!(matches!(stuck, Err(WriteError::Store(_))), "{stuck:?}");
    within(async {
        while let Err(error) = try_set(&other, "b", 1).await {
            assert!(matches!(error, WriteError::Store(StoreError::Busy)), "{error:?}");
        }
    })
    .await;
    assert_eq!(names(&other.state()), ["b"], "the change that stood still is rolled back");
}

#[tokio::test]
async fn replicas_hear_of_each_other_again_after_an_outage() {
    let (place, wire, store) = wired().await;
    let other = place.open().await;
    let own = Arc::clone(&store);
    let running = tokio::spawn(async move { own.run().await });
    let mut watch = store.watch();
    for (number, outage) in [(1, Mood::Cut), (2, Mood::Frozen), (3, Mood::Whole)] {
        wire.set(outage);
        set(&other, "a", number).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        wire.set(Mood::Whole);
        within(watch.wait_for(|state| setting(state, "a") == Some(number))).await.unwrap();
    }
    running.abort();
}

#[tokio::test]
async fn a_crash_of_the_server_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let url = tokio::task::spawn_blocking(move || Postgres::start(&path)).await.unwrap();
    let store = within(Store::open(&Location::Postgres(url), clock::now)).await.unwrap();
    for round in 0..3 {
        // The server is set to acknowledge before it writes: the store insists.
        for number in 0..5 {
            set(&store, &format!("{round}-{number}"), number).await;
        }
        let shown = store.state();
        let path = directory.path().to_owned();
        tokio::task::spawn_blocking(move || {
            Postgres::crash(&path);
            Postgres::start(&path)
        })
        .await
        .unwrap();
        let kept = within(async {
            loop {
                if let Ok(state) = store.current().await {
                    break state;
                }
            }
        })
        .await;
        assert_eq!((kept.sequence, names(&kept)), (shown.sequence, names(&shown)));
    }
    drop(store);
    Postgres::crash(directory.path());
}

#[tokio::test]
async fn no_error_holds_the_password() {
    let nobody = reserved();
    let place = Place::postgres().await;
    let Location::Postgres(url) = &place.location else { panic!("PostgreSQL was expected") };
    let urls = [
        format!("postgres://doorward:canary@{nobody}/doorward"),
        "postgres://doorward:canary@127.0.0.1:port/doorward".to_owned(),
        "postgres://doorward:canary@127.0.0.1:5432/doorward?sslmode=odd".to_owned(),
        "postgres://doorward:can%ffary-canary@127.0.0.1:5432/doorward".to_owned(),
        format!("{url}_missing"),
        url.replacen("postgres:canary", "nobody:canary", 1),
    ];
    for url in urls {
        let error = within(Store::open(&Location::Postgres(url.clone()), clock::now)).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("canary"), "{url}: {text}");
    }
    assert!(!format!("{:?}", place.open().await).contains("canary"));
}
