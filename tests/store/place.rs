//! Where a test keeps its documents, and what it writes there.

use crate::postgres::Postgres;
use doorward::observe::clock;
use doorward::store::{Author, Location, ScopedId, Setting, Span, State, Store, StoreError, User, UserKind, UserStatus, WriteError};
use jiff::Timestamp;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A database of its own.
pub(crate) struct Place {
    pub(crate) location: Location,
    _directory: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { location: Location::Sqlite(directory.path().join("doorward.db")), _directory: Some(directory) }
    }

    pub(crate) async fn postgres() -> Self {
        Self { location: Location::Postgres(Postgres::database().await), _directory: None }
    }

    pub(crate) async fn open(&self) -> Arc<Store> {
        self.open_at(clock::now).await
    }

    pub(crate) async fn open_at(&self, clock: fn() -> Timestamp) -> Arc<Store> {
        within(async {
            loop {
                match Store::open(&self.location, clock).await {
                    // A program that another test starts right now holds all that is open until it runs.
                    Err(StoreError::Occupied(_)) => tokio::task::yield_now().await,
                    opened => return opened.unwrap(),
                }
            }
        })
        .await
    }

    /// Does something to the database behind the store's back.
    pub(crate) async fn execute(&self, statements: &str) -> Result<(), sqlx::Error> {
        use sqlx::Connection;
        let statements = sqlx::AssertSqlSafe(statements.to_owned());
        match &self.location {
            Location::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(statements).execute(&mut connection).await.map(drop)
            }
            Location::Postgres(url) => {
                let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql(statements).execute(&mut connection).await.map(drop)
            }
        }
    }
}

/// Writes every test for both databases.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::place::Place::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::place::Place::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// Waits for something that must happen; a test that waits this long has failed.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("nothing happened in time")
}

pub(crate) fn author() -> Author {
    Author { user: "00u1".to_owned(), operation: "PutSetting".to_owned(), request: "r-1".to_owned() }
}

/// Writes a setting, which is not published.
pub(crate) async fn set(store: &Store, name: &str, value: i64) {
    try_set(store, name, value).await.unwrap();
}

pub(crate) async fn try_set(store: &Store, name: &str, value: i64) -> Result<(), WriteError<()>> {
    store
        .write(&author(), |draft| {
            draft.put(Setting { name: name.to_owned(), value: value.into() });
            Ok(())
        })
        .await
}

/// What a setting is set to.
pub(crate) fn setting(state: &State, name: &str) -> Option<i64> {
    state.settings.find(name).and_then(|setting| setting.value.as_i64())
}

/// Writes a user, who is published.
pub(crate) async fn put_user(store: &Store, id: &str, login: &str) {
    let user = user(id, login);
    let written: Result<(), WriteError<()>> = store
        .write(&author(), |draft| {
            draft.put(user);
            Ok(())
        })
        .await;
    written.unwrap();
}

pub(crate) async fn remove_user(store: &Store, id: &str) {
    let removed: Result<bool, WriteError<()>> = store.write(&author(), |draft| Ok(draft.remove::<User>(id))).await;
    assert!(removed.unwrap(), "{id} was not there");
}

pub(crate) fn user(id: &str, login: &str) -> User {
    User {
        id: id.to_owned(),
        login: login.to_owned(),
        email_address: login.to_owned(),
        second_email_address: None,
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
        kind: UserKind::Personal,
        status: UserStatus::Active,
        user_expiry: None,
        roles: vec![ScopedId::new("default", "reader")],
        alternative_user_ids: std::collections::BTreeMap::new(),
        created: Timestamp::UNIX_EPOCH,
        last_updated: Timestamp::UNIX_EPOCH,
    }
}

/// So many rows of a log, of any time.
pub(crate) fn newest(limit: u32) -> Span {
    Span { limit, ..Span::default() }
}

/// The names of the settings.
pub(crate) fn names(state: &State) -> Vec<String> {
    state.settings.iter().map(|(name, _)| name.to_owned()).collect()
}
