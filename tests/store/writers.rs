//! Many writers at once.

use crate::place::{Place, author, names, newest, on_both, set, setting, user, within};
use doorward::store::{Setting, Store, WriteError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

on_both! {
    writers_at_the_same_time_lose_nothing_and_repeat_no_revision
    a_writer_who_goes_away_leaves_no_doubt
    readers_wait_for_no_writer
}

/// Counts one up, and publishes a user with the number; the revision that this makes.
async fn count(store: &Store) -> u64 {
    let counted: Result<u64, WriteError<()>> = store
        .write(&author(), |draft| {
            let next = setting(draft, "count").unwrap_or(0) + 1;
            draft.put(Setting { name: "count".to_owned(), value: next.into() });
            draft.put(user(&format!("00u{next}"), &format!("user{next}")));
            Ok(draft.revision + 1)
        })
        .await;
    counted.unwrap()
}

/// Lets writers count on these stores of one database, all at once; every revision that they made.
pub(crate) async fn count_at_once(stores: &[Arc<Store>], writers: usize, rounds: usize) -> BTreeSet<u64> {
    let mut counting = tokio::task::JoinSet::new();
    for store in stores.iter().cycle().take(writers).map(Arc::clone) {
        counting.spawn(async move {
            let mut revisions = Vec::new();
            for _ in 0..rounds {
                let revision = count(&store).await;
                assert!(store.state().revision >= revision, "what was acknowledged is shown");
                revisions.push(revision);
            }
            revisions
        });
    }
    let revisions: Vec<u64> = within(counting.join_all()).await.into_iter().flatten().collect();
    let distinct: BTreeSet<u64> = revisions.iter().copied().collect();
    assert_eq!(distinct.len(), revisions.len(), "a revision was made twice");
    distinct
}

async fn writers_at_the_same_time_lose_nothing_and_repeat_no_revision(place: Place) {
    let store = place.open().await;
    let revisions = count_at_once(&[Arc::clone(&store)], 8, 10).await;
    assert_eq!(revisions, (1..=80).collect());
    let state = store.current().await.unwrap();
    assert_eq!((setting(&state, "count"), state.users.len(), state.sequence, state.revision), (Some(80), 80, 80, 80));
    assert_eq!(store.audit(&newest(1_000)).await.unwrap().len(), 160);
}

async fn a_writer_who_goes_away_leaves_no_doubt(place: Place) {
    let store = place.open().await;
    for round in 0..60_u64 {
        let own = Arc::clone(&store);
        let name = format!("{round:03}");
        let writing = tokio::spawn(async move { set(&own, &name, 1).await });
        tokio::time::sleep(Duration::from_micros(round * 150)).await;
        writing.abort();
        let _ = writing.await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        // The audit log is read from the database: it is never ahead of what is shown for long.
        let kept = async || store.audit(&newest(1)).await.unwrap().first().map_or(0, |row| row.sequence);
        let same = async {
            while kept().await != store.state().sequence {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), same).await.expect("a change was kept and is not shown");
    }
    set(&store, "last", 1).await;
    let shown = store.state();
    assert_eq!(shown.sequence, u64::try_from(shown.settings.len()).unwrap());
    drop(store);
    let kept = place.open().await.state();
    assert_eq!((kept.sequence, names(&kept)), (shown.sequence, names(&shown)));
}

async fn readers_wait_for_no_writer(place: Place) {
    let store = place.open().await;
    set(&store, "a", 1).await;
    let own = Arc::clone(&store);
    let (held, is_held) = std::sync::mpsc::channel::<()>();
    let (go, going) = std::sync::mpsc::channel::<()>();
    // On a thread of its own, for it stands still in the midst of a change.
    let writing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let written: Result<(), WriteError<()>> = runtime.block_on(own.write(&author(), |draft| {
            held.send(()).unwrap();
            going.recv().unwrap();
            draft.put(Setting { name: "a".to_owned(), value: 2.into() });
            Ok(())
        }));
        written.unwrap();
    });
    tokio::task::spawn_blocking(move || is_held.recv().unwrap()).await.unwrap();
    assert_eq!(setting(&within(store.current()).await.unwrap(), "a"), Some(1));
    assert_eq!(within(store.audit(&newest(10))).await.unwrap().len(), 1);
    go.send(()).unwrap();
    tokio::task::spawn_blocking(move || writing.join().unwrap()).await.unwrap();
    assert_eq!(setting(&store.state(), "a"), Some(2));
}
