//! The two databases, spoken to in one way: transactions, documents, logs.

mod log;
mod postgres;
mod rows;
mod sqlite;

pub(super) use log::Log;
pub(super) use postgres::{Ear, Heard};
pub(super) use rows::{Commit, Meta, Row};

use super::error::{StoreError, is_unreachable};
use super::location::Location;
use super::log::{AuditRow, DecisionRow, EventRow, Span};
use jiff::Timestamp;
use rows::Connection;
use sqlx::pool::PoolConnection;
use std::path::Path;
use std::time::Duration;

/// How long a question may wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer may take that is neither a load nor a backup.
const ANSWER: Duration = Duration::from_secs(15);

/// A database.
#[derive(Debug)]
pub(super) enum Database {
    Sqlite(sqlite::File),
    Postgres(sqlx::PgPool),
}

/// A connection that is borrowed from its pool.
enum Lent {
    Sqlite(PoolConnection<sqlx::Sqlite>),
    Postgres(PoolConnection<sqlx::Postgres>),
}

impl Lent {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(lent) => Connection::Sqlite(&mut *lent),
            Self::Postgres(lent) => Connection::Postgres(&mut *lent),
        }
    }
}

/// A transaction; dropped, it is rolled back.
#[derive(Debug)]
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Transaction {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(transaction) => Connection::Sqlite(&mut *transaction),
            Self::Postgres(transaction) => Connection::Postgres(&mut *transaction),
        }
    }

    /// The numbers as the transaction sees them.
    pub(super) async fn meta(&mut self) -> Result<Meta, StoreError> {
        Ok(self.connection().meta().await?)
    }

    /// Every document that was written or removed after that commit.
    pub(super) async fn rows_after(&mut self, sequence: u64) -> Result<Vec<Row>, StoreError> {
        Ok(self.connection().rows_after(sequence).await?)
    }

    /// Some of all documents, those behind that kind and key; none when there are no more.
    pub(super) async fn rows_behind(&mut self, kind: &str, key: &str) -> Result<Vec<Row>, StoreError> {
        Ok(self.connection().rows_behind(kind, key).await?)
    }

    /// Writes and commits. Before the commit itself an error means that nothing was changed.
    pub(super) async fn commit(mut self, commit: &Commit) -> Result<(), StoreError> {
        let written = tokio::time::timeout(ANSWER, async { self.connection().write(commit).await }).await;
        written.map_err(|_| no_answer())??;
        let committed = match self {
            Self::Sqlite(transaction) => tokio::time::timeout(ANSWER, transaction.commit()).await,
            Self::Postgres(transaction) => tokio::time::timeout(ANSWER, transaction.commit()).await,
        };
        match committed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StoreError::Uncertain(error.to_string())),
            Err(_) => Err(StoreError::Uncertain(no_answer().to_string())),
        }
    }

    /// Ends it, and leaves nothing behind.
    pub(super) async fn roll_back(self) {
        let ended = match self {
            Self::Sqlite(transaction) => transaction.rollback().await,
            Self::Postgres(transaction) => transaction.rollback().await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a transaction ended with its connection");
        }
    }
}

impl Database {
    /// Opens a database, and brings its schema up to date.
    pub(super) async fn open(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => Ok(Self::Sqlite(sqlite::File::open(path).await?)),
            Location::Postgres(url) => Ok(Self::Postgres(postgres::open(url).await?)),
        }
    }

    /// Opens a database as it is, beside whoever has it open, to be read.
    pub(super) async fn look_at(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => Ok(Self::Sqlite(sqlite::File::look_at(path).await?)),
            Location::Postgres(_) => Err(StoreError::Backup),
        }
    }

    /// Whether others may have written without this process knowing.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Begins to write: there is no other writer until the transaction ends.
    pub(super) async fn begin(&self) -> Result<(Transaction, Meta), StoreError> {
        match self.try_begin().await {
            Err(error) if is_unreachable(&error) => Ok(self.try_begin().await?),
            begun => Ok(begun?),
        }
    }

    async fn try_begin(&self) -> Result<(Transaction, Meta), sqlx::Error> {
        let mut transaction = match self {
            Self::Sqlite(file) => Transaction::Sqlite(file.writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin_with(postgres::BEGIN).await?),
        };
        let meta = transaction.connection().locked_meta().await?;
        Ok((transaction, meta))
    }

    /// Begins to read: the transaction sees one moment.
    pub(super) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        match self.try_snapshot().await {
            Err(error) if is_unreachable(&error) => Ok(self.try_snapshot().await?),
            begun => Ok(begun?),
        }
    }

    async fn try_snapshot(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(file) => Ok(Transaction::Sqlite(file.readers.begin().await?)),
            Self::Postgres(pool) => Ok(Transaction::Postgres(pool.begin_with(postgres::BEGIN_SNAPSHOT).await?)),
        }
    }

    async fn reader(&self) -> Result<Lent, sqlx::Error> {
        match self {
            Self::Sqlite(file) => Ok(Lent::Sqlite(file.readers.acquire().await?)),
            Self::Postgres(pool) => Ok(Lent::Postgres(pool.acquire().await?)),
        }
    }

    async fn writer(&self) -> Result<Lent, sqlx::Error> {
        match self {
            Self::Sqlite(file) => Ok(Lent::Sqlite(file.writer.acquire().await?)),
            Self::Postgres(pool) => Ok(Lent::Postgres(pool.acquire().await?)),
        }
    }
}

fn no_answer() -> StoreError {
    StoreError::Unreachable("it does not answer".to_owned())
}

/// Does something on a connection, and once more on another when the first one turns out to be lost:
/// only for what may be done twice.
macro_rules! twice {
    ($lend:expr, $connection:ident => $question:expr) => {{
        let mut attempts = 0;
        loop {
            attempts += 1;
            let asked = tokio::time::timeout(ANSWER, async {
                let mut lent = $lend.await?;
                let mut $connection = lent.connection();
                $question.await
            });
            match asked.await {
                Ok(Err(error)) if attempts < 2 && is_unreachable(&error) => {}
                Ok(answer) => break answer.map_err(StoreError::from),
                Err(_) => break Err(no_answer()),
            }
        }
    }};
}

impl Database {
    /// The number of the last commit.
    pub(super) async fn sequence(&self) -> Result<u64, StoreError> {
        Ok(twice!(self.reader(), connection => connection.meta())?.sequence)
    }

    pub(super) async fn append_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        twice!(self.writer(), connection => connection.append_decisions(rows))
    }

    pub(super) async fn append_events(&self, rows: &[EventRow]) -> Result<(), StoreError> {
        twice!(self.writer(), connection => connection.append_events(rows))
    }

    pub(super) async fn decision(&self, id: &str) -> Result<Option<DecisionRow>, StoreError> {
        twice!(self.reader(), connection => connection.decision(id))
    }

    pub(super) async fn decisions(&self, span: &Span) -> Result<Vec<DecisionRow>, StoreError> {
        twice!(self.reader(), connection => connection.decisions(span))
    }

    pub(super) async fn events(&self, span: &Span, user: Option<&str>, is_ascending: bool) -> Result<Vec<EventRow>, StoreError> {
        twice!(self.reader(), connection => connection.events(span, user, is_ascending))
    }

    pub(super) async fn audit(&self, span: &Span) -> Result<Vec<AuditRow>, StoreError> {
        let place = log::place_in_audit(span)?;
        twice!(self.reader(), connection => connection.audit(span, place))
    }

    /// Removes some of what a log held before that time; whether there may be more.
    pub(super) async fn prune_log(&self, log: Log, before: Timestamp) -> Result<bool, StoreError> {
        twice!(self.writer(), connection => connection.prune_log(log, before))
    }

    /// Forgets documents that were removed before that time.
    pub(super) async fn prune_documents(&self, before: Timestamp) -> Result<(), StoreError> {
        let (mut transaction, _) = self.begin().await?;
        transaction.connection().prune_documents(before).await?;
        match transaction {
            Transaction::Sqlite(transaction) => transaction.commit().await?,
            Transaction::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// Copies the whole database into a new file.
    pub(super) async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(file) => file.backup(to).await,
            Self::Postgres(_) => Err(StoreError::Backup),
        }
    }
}
