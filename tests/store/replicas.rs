//! Several processes on one database of PostgreSQL.

use crate::place::{Place, put_user, remove_user, set, setting, within};
use crate::writers::count_at_once;
use doorward::observe::clock;
use doorward::store::Store;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

fn run(store: &Arc<Store>) -> JoinHandle<()> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.run().await })
}

/// Waits until a replica shows that, without asking it to look.
async fn shows(store: &Store, name: &str, value: i64) {
    let mut watch = store.watch();
    within(watch.wait_for(|state| setting(state, name) == Some(value))).await.unwrap();
}

async fn listeners(place: &Place) -> i64 {
    let doorward::store::Location::Postgres(url) = &place.location else { panic!("PostgreSQL was expected") };
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let count = "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap()
}

async fn listening(place: &Place, expected: i64) {
    within(async {
        while listeners(place).await != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn writers_of_two_replicas_lose_nothing_and_repeat_no_revision() {
    let place = Place::postgres().await;
    let stores = [place.open().await, place.open().await];
    let running = [run(&stores[0]), run(&stores[1])];
    let watching = stores.each_ref().map(|store| {
        let mut watch = store.watch();
        tokio::spawn(async move {
            let mut revision = 0;
            while revision < 80 {
                let shown = watch.wait_for(|state| state.revision != revision).await.unwrap().revision;
                assert!(shown > revision, "revision {shown} was shown after {revision}");
                revision = shown;
            }
        })
    });
    let revisions = count_at_once(&stores, 8, 10).await;
    assert_eq!(revisions, (1..=80).collect());
    for watching in watching {
        within(watching).await.unwrap();
    }
    running.iter().for_each(JoinHandle::abort);
    for store in &stores {
        let state = store.current().await.unwrap();
        assert_eq!((setting(&state, "count"), state.users.len(), state.revision), (Some(80), 80, 80));
    }
}

#[tokio::test]
async fn replicas_that_start_together_make_one_schema() {
    let place = Place::postgres().await;
    let (one, other) = tokio::join!(place.open(), place.open());
    set(&one, "a", 1).await;
    assert_eq!(setting(&other.current().await.unwrap(), "a"), Some(1));
}

#[tokio::test]
async fn what_another_replica_wrote_is_current_at_once() {
    let place = Place::postgres().await;
    let (one, other) = (place.open().await, place.open().await);
    for number in 0..10 {
        set(&one, "a", number).await;
        assert_eq!(setting(&other.current().await.unwrap(), "a"), Some(number));
        put_user(&other, "00u1", &format!("user{number}")).await;
        assert!(one.current().await.unwrap().user_by_login(&format!("user{number}")).is_some());
    }
    remove_user(&one, "00u1").await;
    assert!(other.current().await.unwrap().users.is_empty());
    assert_eq!((one.state().revision, one.state().revised_at), (other.state().revision, other.state().revised_at));
}

#[tokio::test]
async fn a_change_is_made_on_what_another_replica_wrote() {
    let place = Place::postgres().await;
    let (one, other) = (place.open().await, place.open().await);
    put_user(&one, "00u1", "ada").await;
    let refused: Result<(), doorward::store::WriteError<usize>> = other.write(&crate::place::author(), |draft| Err(draft.users.len())).await;
    assert!(matches!(refused, Err(doorward::store::WriteError::Refused(1))), "{refused:?}");
    assert_eq!(other.state().users.len(), 1, "what others committed is shown, whatever becomes of the change");
}

#[tokio::test]
async fn logins_follow_their_users_over_replicas() {
    let place = Place::postgres().await;
    let (one, other) = (place.open().await, place.open().await);
    put_user(&one, "00u1", "ada").await;
    put_user(&one, "00u2", "bob").await;
    other.current().await.unwrap();
    // The login goes over to another user, and its former owner is written last.
    put_user(&one, "00u1", "eve").await;
    put_user(&one, "00u2", "ada").await;
    put_user(&one, "00u1", "eva").await;
    let state = other.current().await.unwrap();
    let owners = ["ada", "eva", "eve", "bob"].map(|login| state.user_by_login(login).map(|user| user.id.clone()));
    assert_eq!(owners, [Some("00u2".to_owned()), Some("00u1".to_owned()), None, None]);
}

#[tokio::test]
async fn replicas_hear_of_each_other_without_asking() {
    let place = Place::postgres().await;
    let (one, other) = (place.open().await, place.open().await);
    let running = [run(&one), run(&other)];
    listening(&place, 2).await;
    for number in 0..5 {
        let begun = Instant::now();
        set(&one, "a", number).await;
        shows(&other, "a", number).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "it was not heard, only found");
    }
    running.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn what_was_written_while_nobody_listened_is_read_at_once() {
    let place = Place::postgres().await;
    let (one, other) = (place.open().await, place.open().await);
    let running = run(&other);
    listening(&place, 1).await;
    for number in 0..3 {
        // In one transaction: the connection ends, and what follows is called out to nobody.
        place.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()").await.unwrap();
        let begun = Instant::now();
        set(&one, "a", number).await;
        shows(&other, "a", number).await;
        assert!(begun.elapsed() < Duration::from_secs(4), "it waited for the next poll");
        listening(&place, 1).await;
    }
    running.abort();
}

#[tokio::test]
async fn a_replica_that_slept_while_tombstones_were_pruned_reads_everything() {
    fn long_ago() -> Timestamp {
        clock::now() - SignedDuration::from_hours(25)
    }
    let place = Place::postgres().await;
    let (asleep, awake) = (place.open().await, place.open_at(long_ago).await);
    put_user(&awake, "00u1", "ada").await;
    put_user(&awake, "00u2", "bob").await;
    assert_eq!(asleep.current().await.unwrap().users.len(), 2);
    remove_user(&awake, "00u1").await;
    let pruning = place.open().await;
    let running = run(&pruning);
    within(async {
        while place.execute("DO $$ BEGIN ASSERT (SELECT COUNT(*) FROM documents WHERE body IS NULL) = 0; END $$").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    running.abort();
    let state = asleep.current().await.unwrap();
    assert_eq!((state.sequence, state.users.iter().map(|(id, _)| id).collect::<Vec<_>>()), (3, vec!["00u2"]));
    assert!(state.user_by_login("ada").is_none());
    // Who knew of the removal reads only what is new.
    set(&awake, "a", 1).await;
    assert_eq!(setting(&asleep.current().await.unwrap(), "a"), Some(1));
}

#[tokio::test]
async fn fresh_tombstones_are_kept() {
    let place = Place::postgres().await;
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    remove_user(&store, "00u1").await;
    let running = run(&store);
    listening(&place, 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    place.execute("DO $$ BEGIN ASSERT (SELECT COUNT(*) FROM documents WHERE body IS NULL) = 1; END $$").await.unwrap();
    running.abort();
}

#[tokio::test]
async fn a_database_that_was_put_back_goes_on_under_numbers_that_nobody_has_seen() {
    let place = Place::postgres().await;
    let (one, other) = (place.open().await, place.open().await);
    put_user(&one, "00u1", "ada").await;
    assert_eq!(other.current().await.unwrap().revision, 1);
    put_user(&one, "00u2", "bob").await;
    put_user(&one, "00u3", "eve").await;
    // As after a failover to a server that had not heard of the last two commits.
    let put_back = "BEGIN; DROP TRIGGER meta_never_goes_back ON meta; DROP TRIGGER audit_is_not_changed ON audit; \
        DELETE FROM documents WHERE sequence > 1; DELETE FROM audit WHERE sequence > 1; UPDATE meta SET sequence = 1, revision = 1; COMMIT";
    place.execute(put_back).await.unwrap();
    assert_eq!(other.current().await.unwrap().revision, 1, "this one knows no better");
    let healed = one.current().await.unwrap();
    assert!(healed.revision > 3 && healed.sequence > 3, "{} {}", healed.revision, healed.sequence);
    assert_eq!(healed.users.len(), 1, "the database's documents count");
    let state = other.current().await.unwrap();
    assert_eq!((state.sequence, state.revision, state.users.len()), (healed.sequence, healed.revision, 1));
    put_user(&other, "00u2", "bob").await;
    assert_eq!((one.current().await.unwrap().revision, one.state().users.len()), (healed.revision + 1, 2));
}

#[tokio::test]
async fn a_change_heals_a_database_that_was_put_back() {
    let place = Place::postgres().await;
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    put_user(&store, "00u2", "bob").await;
    let put_back = "BEGIN; DROP TRIGGER meta_never_goes_back ON meta; DROP TRIGGER audit_is_not_changed ON audit; \
        DELETE FROM documents WHERE sequence > 1; DELETE FROM audit WHERE sequence > 1; UPDATE meta SET sequence = 1, revision = 1; COMMIT";
    place.execute(put_back).await.unwrap();
    put_user(&store, "00u3", "eve").await;
    assert!(store.state().revision > 2 && store.state().users.len() == 2, "{} {}", store.state().revision, store.state().users.len());
}
