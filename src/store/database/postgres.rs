//! PostgreSQL: for several replicas, that hear of each other by `LISTEN`.

use super::PATIENCE;
use crate::store::error::StoreError;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};
use std::time::Duration;

/// Begins to write. A replica that stands still in the midst of it must not stop all others for long,
/// and an acknowledged commit is on disk, whatever the server is set to.
pub(super) const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '4s'; SET LOCAL idle_in_transaction_session_timeout = '10s'; \
    SET LOCAL synchronous_commit = on";

/// Begins to read: every statement sees the same moment.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Connects, and brings the schema up to date; replicas that start together take turns in it.
pub(super) async fn open(url: &str) -> Result<PgPool, StoreError> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("doorward").disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(10).acquire_timeout(PATIENCE).connect_with(options).await?;
    sqlx::migrate!("src/store/migrations/postgres").run(&pool).await.map_err(|error| StoreError::Schema(error.to_string()))?;
    Ok(pool)
}

/// What hears of commits.
pub(in crate::store) struct Ear(PgListener);

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Heard {
    /// Somebody committed.
    Commit,
    /// Nothing for that long.
    Nothing,
    /// The connection was lost; nothing is heard any more.
    Lost,
}

impl Ear {
    /// Listens from now on, on a connection of its own.
    pub(in crate::store) async fn open(pool: &PgPool) -> Result<Self, StoreError> {
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
        let own = own.connect_with((*pool.connect_options()).clone()).await?;
        let mut listener = PgListener::connect_with(&own).await?;
        // What was missed must be read after it listens again: the caller opens another ear.
        listener.eager_reconnect(false);
        listener.ignore_pool_close_event(true);
        listener.listen("doorward").await?;
        Ok(Self(listener))
    }

    /// Waits for the next commit, for no longer than that.
    pub(in crate::store) async fn hear(&mut self, patience: Duration) -> Heard {
        match tokio::time::timeout(patience, self.0.try_recv()).await {
            Ok(Ok(Some(_))) => Heard::Commit,
            Ok(Ok(None) | Err(_)) => Heard::Lost,
            Err(_) => Heard::Nothing,
        }
    }
}
