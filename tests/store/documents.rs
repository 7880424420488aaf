//! What is written is kept, whole or not at all.

use crate::place::{Place, author, names, newest, on_both, put_user, remove_user, set, setting, user, within};
use doorward::store::{Setting, StoreError, User, WriteError};
use jiff::{SignedDuration, Timestamp};

on_both! {
    what_was_acknowledged_is_there_after_reopening
    a_refused_change_leaves_nothing
    a_change_that_panics_leaves_nothing
    a_change_that_changes_nothing_makes_no_number
    only_what_is_published_makes_a_revision
    a_change_is_never_made_before_the_last_revision
    many_documents_are_kept_by_one_change
    logins_follow_their_users_in_any_order
    everybody_who_watches_sees_the_change
    the_schema_is_made_once
    a_database_of_a_newer_version_is_refused
    a_document_that_cannot_be_read_is_named_without_its_content
}

async fn what_was_acknowledged_is_there_after_reopening(place: Place) {
    let store = place.open().await;
    assert_eq!((store.state().sequence, store.state().revision, store.state().revised_at), (0, 0, None));
    set(&store, "a", 1).await;
    put_user(&store, "00u1", "Ada@example.com").await;
    put_user(&store, "00u2", "bob@example.com").await;
    remove_user(&store, "00u2").await;
    let before = store.state();
    assert_eq!((before.sequence, before.revision), (4, 3));
    drop(store);
    let after = place.open().await.state();
    assert_eq!((after.sequence, after.revision, after.revised_at), (before.sequence, before.revision, before.revised_at));
    assert_eq!((names(&after), setting(&after, "a")), (vec!["a".to_owned()], Some(1)));
    assert_eq!(after.users.values().map(|user| (**user).clone()).collect::<Vec<_>>(), [user("00u1", "Ada@example.com")]);
    assert_eq!(after.user_by_login("aDA@example.com").unwrap().id, "00u1");
    assert!(after.user_by_login("bob@example.com").is_none());
}

async fn a_refused_change_leaves_nothing(place: Place) {
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    let before = store.state();
    let refused: Result<(), WriteError<&str>> = store
        .write(&author(), |draft| {
            draft.put(user("00u2", "bob"));
            draft.remove::<User>("00u1");
            assert!(draft.users.has("00u2") && !draft.users.has("00u1"), "a draft is read with its own changes");
            Err("no")
        })
        .await;
    assert!(matches!(refused, Err(WriteError::Refused("no"))), "{refused:?}");
    for state in [store.state(), store.current().await.unwrap()] {
        assert_eq!((state.sequence, state.revision, state.users.len()), (before.sequence, before.revision, 1));
    }
    assert_eq!(store.audit(&newest(10)).await.unwrap().len(), 1);
    drop(store);
    let state = place.open().await.state();
    assert_eq!((state.sequence, state.revision, state.users.len()), (1, 1, 1));
}

async fn a_change_that_panics_leaves_nothing(place: Place) {
    let store = place.open().await;
    let own = std::sync::Arc::clone(&store);
    let panicked = tokio::spawn(async move {
        let written: Result<(), WriteError<()>> = own
            .write(&author(), |draft| {
                draft.put(Setting { name: "a".to_owned(), value: 1.into() });
                panic!("a mistake in an operation")
            })
            .await;
        written
    });
    assert!(within(panicked).await.unwrap_err().is_panic());
    set(&store, "b", 2).await;
    drop(store);
    let state = place.open().await.state();
    assert_eq!((state.sequence, names(&state)), (1, vec!["b".to_owned()]));
}

async fn a_change_that_changes_nothing_makes_no_number(place: Place) {
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    let watch = store.watch();
    put_user(&store, "00u1", "ada").await;
    let nothing: Result<u8, WriteError<()>> = store.write(&author(), |_| Ok(7)).await;
    assert_eq!(nothing.unwrap(), 7);
    let gone: Result<bool, WriteError<()>> = store.write(&author(), |draft| Ok(draft.remove::<User>("00u9"))).await;
    assert!(!gone.unwrap());
    assert_eq!((store.state().sequence, store.state().revision, watch.has_changed().unwrap()), (1, 1, false));
    assert_eq!(store.audit(&newest(10)).await.unwrap().len(), 1);
}

async fn only_what_is_published_makes_a_revision(place: Place) {
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    let revised_at = store.state().revised_at;
    assert!(revised_at.is_some());
    set(&store, "a", 1).await;
    assert_eq!((store.state().sequence, store.state().revision, store.state().revised_at), (2, 1, revised_at));
    put_user(&store, "00u2", "bob").await;
    assert_eq!((store.state().sequence, store.state().revision), (3, 2));
}

async fn a_change_is_never_made_before_the_last_revision(place: Place) {
    fn slow() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn quick() -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_nanos(5_000_000_001)
    }
    let store = place.open_at(quick).await;
    put_user(&store, "00u1", "ada").await;
    let revised_at = store.state().revised_at.unwrap();
    assert_eq!(revised_at, Timestamp::from_second(5).unwrap(), "to the microsecond, as it is kept");
    drop(store);
    let store = place.open_at(slow).await;
    let now: Result<Timestamp, WriteError<()>> = store.write(&author(), |draft| Ok(draft.now())).await;
    assert_eq!(now.unwrap(), revised_at);
    put_user(&store, "00u1", "eve").await;
    assert_eq!(store.state().revised_at, Some(revised_at));
}

async fn many_documents_are_kept_by_one_change(place: Place) {
    const MANY: usize = 4_321;
    let store = place.open().await;
    let written: Result<(), WriteError<()>> = store
        .write(&author(), |draft| {
            for number in 0..MANY {
                draft.put(user(&format!("00u{number:06}"), &format!("user{number}")));
            }
            Ok(())
        })
        .await;
    written.unwrap();
    assert_eq!(store.audit(&newest(10_000)).await.unwrap().len(), MANY);
    drop(store);
    let state = place.open().await.state();
    assert_eq!((state.sequence, state.users.len()), (1, MANY));
    assert_eq!(state.user_by_login("USER4320").unwrap().id, "00u004320");
}

async fn logins_follow_their_users_in_any_order(place: Place) {
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    put_user(&store, "00u2", "bob").await;
    let swapped: Result<(), WriteError<()>> = store
        .write(&author(), |draft| {
            draft.put(user("00u1", "bob"));
            draft.put(user("00u2", "ada"));
            Ok(())
        })
        .await;
    swapped.unwrap();
    for state in [store.state(), {
        drop(store);
        place.open().await.state()
    }] {
        assert_eq!(state.user_by_login("bob").unwrap().id, "00u1");
        assert_eq!(state.user_by_login("ada").unwrap().id, "00u2");
    }
}

async fn everybody_who_watches_sees_the_change(place: Place) {
    let store = place.open().await;
    let mut watch = store.watch();
    set(&store, "a", 1).await;
    within(watch.changed()).await.unwrap();
    assert_eq!(setting(&watch.borrow_and_update(), "a"), Some(1));
    assert!(!watch.has_changed().unwrap());
}

async fn the_schema_is_made_once(place: Place) {
    for round in 0..3 {
        let store = place.open().await;
        assert_eq!(store.state().sequence, round);
        set(&store, "a", i64::try_from(round).unwrap() + 1).await;
    }
}

async fn a_database_of_a_newer_version_is_refused(place: Place) {
    drop(place.open().await);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'of the future', TRUE, '', 1)";
    place.execute(newer).await.unwrap();
    let refused = doorward::store::Store::open(&place.location, doorward::observe::clock::now).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Schema(text) if text.contains("9999")), "{refused}");
}

async fn a_document_that_cannot_be_read_is_named_without_its_content(place: Place) {
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    drop(store);
    place.execute(r#"UPDATE documents SET body = '{"id": 7, "password": "canary"}'"#).await.unwrap();
    let refused = doorward::store::Store::open(&place.location, doorward::observe::clock::now).await.unwrap_err();
    assert_eq!(refused.to_string(), "the document `00u1` of kind `user` cannot be read (line 1, column 8)");
    assert!(!format!("{refused:?} {refused}").contains("canary"));
}
