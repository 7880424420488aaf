//! The audit log says who changed what, holds no secret, and cannot be changed.

use crate::place::{Place, author, newest, on_both, put_user, remove_user, set};
use doorward::store::{AuditRow, Author, Credential, Span, StoreError, User, WriteError};
use jiff::{SignedDuration, Timestamp};

on_both! {
    every_change_is_written_down
    no_secret_is_in_the_audit_log
    the_audit_log_cannot_be_changed
    the_numbers_cannot_be_put_back
    the_audit_log_is_read_page_by_page
    a_document_is_told_as_it_was
    all_documents_are_told_as_they_were
    what_is_kept_out_of_the_audit_log_has_no_past
}

async fn every_change_is_written_down(place: Place) {
    let store = place.open().await;
    set(&store, "a", 1).await;
    let eve = Author { user: "00u2".to_owned(), operation: "PutUser".to_owned(), request: "r-2".to_owned() };
    let written: Result<(), WriteError<()>> = store
        .write(&eve, |draft| {
            draft.put(doorward::store::Setting { name: "a".to_owned(), value: 2.into() });
            draft.put(crate::place::user("00u1", "ada"));
            Ok(())
        })
        .await;
    written.unwrap();
    remove_user(&store, "00u1").await;
    let rows = store.audit(&newest(10)).await.unwrap();
    let told = |row: &AuditRow| (row.sequence, row.ordinal, row.author.clone(), row.kind.clone(), row.key.clone(), row.before.is_some(), row.after.is_some());
    let (setting, user) = (("setting".to_owned(), "a".to_owned()), ("user".to_owned(), "00u1".to_owned()));
    let expected = [
        (3, 0, author(), user.0.clone(), user.1.clone(), true, false),
        (2, 1, eve.clone(), user.0, user.1, false, true),
        (2, 0, eve, setting.0.clone(), setting.1.clone(), true, true),
        (1, 0, author(), setting.0, setting.1, false, true),
    ];
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!((rows[2].before.as_deref(), rows[2].after.as_deref()), (Some(r#"{"name":"a","value":1}"#), Some(r#"{"name":"a","value":2}"#)));
    assert_eq!(Some(rows[0].at), store.state().revised_at);
}

async fn no_secret_is_in_the_audit_log(place: Place) {
    let store = place.open().await;
    for password in [Some("canary-1"), Some("canary-2"), None] {
        let written: Result<(), WriteError<()>> = store
            .write(&author(), |draft| {
                draft.put(Credential { user_id: "00u1".to_owned(), password: password.map(str::to_owned), ..Credential::default() });
                Ok(())
            })
            .await;
        written.unwrap();
    }
    assert!(!format!("{store:?}").contains("00u1"), "no document is printed");
    let removed: Result<bool, WriteError<()>> = store.write(&author(), |draft| Ok(draft.remove::<Credential>("00u1"))).await;
    assert!(removed.unwrap());
    let rows = store.audit(&newest(10)).await.unwrap();
    let secret = || Some("(secret)".to_owned());
    let told: Vec<_> = rows.iter().map(|row| (row.before.clone(), row.after.clone())).collect();
    assert_eq!(told, [(secret(), None), (secret(), secret()), (secret(), secret()), (None, secret())]);
    assert!(!format!("{rows:?} {store:?}").contains("canary"));
}

async fn the_audit_log_cannot_be_changed(place: Place) {
    let store = place.open().await;
    set(&store, "a", 1).await;
    set(&store, "a", 2).await;
    let before = store.audit(&newest(10)).await.unwrap();
    drop(store);
    let mut attempts = vec![
        "UPDATE audit SET user_id = 'nobody'",
        "UPDATE audit SET after = NULL WHERE sequence = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE sequence = 2",
        "INSERT INTO audit SELECT sequence, ordinal, at, 'nobody', operation, request, kind, key, before, after FROM audit",
    ];
    attempts.push(match place.location {
        doorward::store::Location::Sqlite(_) => "INSERT OR REPLACE INTO audit VALUES (1, 0, 0, 'nobody', '', '', '', '', NULL, NULL)",
        doorward::store::Location::Postgres(_) => "TRUNCATE audit",
    });
    for attempt in attempts {
        assert!(place.execute(attempt).await.is_err(), "{attempt}");
    }
    assert_eq!(place.open().await.audit(&newest(10)).await.unwrap(), before);
}

async fn the_numbers_cannot_be_put_back(place: Place) {
    let store = place.open().await;
    put_user(&store, "00u1", "ada").await;
    drop(store);
    for attempt in ["UPDATE meta SET sequence = 0", "UPDATE meta SET revision = 0", "DELETE FROM meta", "INSERT INTO meta VALUES (2, 0, 0, NULL, 0)"] {
        assert!(place.execute(attempt).await.is_err(), "{attempt}");
    }
    assert_eq!(place.open().await.state().revision, 1);
}

async fn the_audit_log_is_read_page_by_page(place: Place) {
    let store = place.open().await;
    for number in 0..5 {
        set(&store, "a", number).await;
    }
    let all = store.audit(&newest(10)).await.unwrap();
    assert_eq!(all.iter().map(|row| row.sequence).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    let mut pages = Vec::new();
    let mut span = newest(2);
    loop {
        let page = store.audit(&span).await.unwrap();
        let Some(last) = page.last() else { break };
        span.before = Some(last.place());
        pages.extend(page);
    }
    assert_eq!(pages, all);
    let middle = Span { from: Some(all[3].at), to: Some(all[1].at), ..newest(10) };
    assert_eq!(store.audit(&middle).await.unwrap(), all[2..4]);
    let nowhere = Span { before: Some((all[0].at, "elsewhere".to_owned())), ..newest(10) };
    assert!(matches!(store.audit(&nowhere).await, Err(StoreError::Place(place)) if place == "elsewhere"));
}

/// Ada and eve come, ada is renamed, eve goes, eve comes again; the times of it.
async fn comings_and_goings(store: &doorward::store::Store) -> Vec<Timestamp> {
    put_user(store, "00u1", "ada").await;
    put_user(store, "00u2", "eve").await;
    put_user(store, "00u1", "lovelace").await;
    remove_user(store, "00u2").await;
    put_user(store, "00u2", "eva").await;
    store.audit(&newest(10)).await.unwrap().iter().rev().map(|row| row.at).collect()
}

async fn a_document_is_told_as_it_was(place: Place) {
    let store = place.open().await;
    let at = comings_and_goings(&store).await;
    let login = async |id: &str, at: Timestamp| store.past::<User>(id, at).await.unwrap().map(|user| user.login.clone());
    let instant_before = |at: Timestamp| at - SignedDuration::from_nanos(1);
    assert_eq!(login("00u1", instant_before(at[0])).await, None, "it was not made yet");
    assert_eq!(login("00u1", at[0]).await.as_deref(), Some("ada"));
    assert_eq!(login("00u1", instant_before(at[2])).await.as_deref(), Some("ada"));
    assert_eq!(login("00u1", at[2]).await.as_deref(), Some("lovelace"));
    assert_eq!(login("00u1", Timestamp::MAX).await.as_deref(), Some("lovelace"));
    assert_eq!(login("00u2", instant_before(at[3])).await.as_deref(), Some("eve"));
    assert_eq!(login("00u2", at[3]).await, None, "it is gone");
    assert_eq!(login("00u2", at[4]).await.as_deref(), Some("eva"));
    assert_eq!(login("00u3", Timestamp::MAX).await, None);
    assert_eq!(login("00u1", Timestamp::MIN).await, None);
}

async fn all_documents_are_told_as_they_were(place: Place) {
    let store = place.open().await;
    let at = comings_and_goings(&store).await;
    let mut told = Vec::new();
    for at in at {
        let users = store.all_past::<User>(at).await.unwrap();
        told.push(users.iter().map(|user| user.login.clone()).collect::<Vec<_>>().join(" "));
    }
    assert_eq!(told, ["ada", "ada eve", "lovelace eve", "lovelace", "lovelace eva"]);
    assert!(store.all_past::<User>(Timestamp::UNIX_EPOCH).await.unwrap().is_empty());
}

async fn what_is_kept_out_of_the_audit_log_has_no_past(place: Place) {
    let store = place.open().await;
    let written: Result<(), WriteError<()>> = store
        .write(&author(), |draft| {
            draft.put(Credential { user_id: "00u1".to_owned(), ..Credential::default() });
            Ok(())
        })
        .await;
    written.unwrap();
    assert!(matches!(store.past::<Credential>("00u1", Timestamp::MAX).await, Err(StoreError::Document { .. })));
}
