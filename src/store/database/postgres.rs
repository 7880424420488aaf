//! PostgreSQL: for several replicas, that hear of each other by `LISTEN`.

use super::PATIENCE;
use crate::store::error::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres};
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
    let pool = PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .before_acquire(|connection, seen| Box::pin(async move { Ok(is_alive(connection, seen.idle_for).await) }))
        .connect_with(options)
        .await?;
    sqlx::migrate!("src/store/migrations/postgres").run(&pool).await.map_err(|error| StoreError::Schema(error.to_string()))?;
    Ok(pool)
}

/// How long a connection may have lain idle and still be taken for alive.
const FRESH: Duration = Duration::from_secs(1);

/// Whether a connection out of the pool still has somebody at its other end.
async fn is_alive(connection: &mut PgConnection, idle: Duration) -> bool {
    idle < FRESH || matches!(tokio::time::timeout(FRESH, connection.ping()).await, Ok(Ok(())))
}

/// A connection that goes back to its pool only after its last answer: one that was left in the midst
/// of something is closed, and the server ends what it was doing.
pub(in crate::store) struct Line {
    lent: PoolConnection<Postgres>,
    is_done: bool,
}

impl Line {
    /// A line for questions.
    pub(super) async fn open(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { lent: pool.acquire().await?, is_done: false })
    }

    /// A line in a transaction.
    pub(super) async fn begin(pool: &PgPool, statement: &'static str) -> Result<Self, sqlx::Error> {
        let mut line = Self::open(pool).await?;
        sqlx::raw_sql(statement).execute(line.connection()).await?;
        Ok(line)
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.lent
    }

    /// Ends the transaction by this statement.
    pub(super) async fn end(mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(statement).execute(self.connection()).await?;
        self.hang_up();
        Ok(())
    }

    /// Gives the connection back.
    pub(super) fn hang_up(mut self) {
        self.is_done = true;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.is_done {
            self.lent.close_on_drop();
        }
    }
}

/// What hears of commits.
pub(in crate::store) struct Ear(PgListener);

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Heard {
    /// Somebody committed, under this number.
    Commit(u64),
    /// Nothing for that long.
    Nothing,
    /// The connection was lost; nothing is heard any more.
    Lost,
}

impl Ear {
    /// Listens from now on, on a connection of its own.
    pub(in crate::store) async fn open(pool: &PgPool) -> Result<Self, StoreError> {
        tokio::time::timeout(PATIENCE, Self::open_on_own(pool)).await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    async fn open_on_own(pool: &PgPool) -> Result<Self, StoreError> {
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
            // What is no number of ours may be news all the same.
            Ok(Ok(Some(call))) => Heard::Commit(call.payload().parse().unwrap_or(u64::MAX)),
            Ok(Ok(None) | Err(_)) => Heard::Lost,
            Err(_) => Heard::Nothing,
        }
    }
}
