//! The two databases, spoken to in one way: transactions, documents, logs.

mod log;
mod postgres;
mod rows;
mod sqlite;

pub(super) use log::Log;
pub(super) use postgres::{Ear, Heard};
pub(super) use rows::{Commit, Meta, Row};

use super::error::{StoreError, is_lost};
use super::location::Location;
use super::log::{AuditRow, DecisionRow, EventRow, Span};
use jiff::Timestamp;
use rows::Connection;
use sqlx::pool::PoolConnection;
use std::path::Path;
use std::time::Duration;

/// How long a question may wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer may take, the wait for a connection included.
const ANSWER: Duration = Duration::from_secs(10);

/// Waits for the database, but not for ever.
async fn answered<T>(question: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(ANSWER, question).await;
    Ok(answer.map_err(|_| StoreError::Unreachable("it does not answer".to_owned()))??)
}

/// Does something, and once more when the connection turns out to be lost: only for what may be done twice.
macro_rules! twice {
    ($attempt:expr) => {
        answered(async {
            match $attempt.await {
                Err(error) if is_lost(&error) => $attempt.await,
                done => done,
            }
        })
        .await
    };
}

/// The same for a question on a connection that is lent for it.
macro_rules! ask {
    ($lend:expr, $connection:ident => $question:expr) => {
        twice!(async {
            let mut lent = $lend.await?;
            let mut $connection = lent.connection();
            let answer = $question.await?;
            lent.give_back();
            Ok(answer)
        })
    };
}

/// A database.
pub(super) enum Database {
    Sqlite(sqlite::File),
    Postgres(sqlx::PgPool),
}

/// A connection that is borrowed from its pool.
enum Lent {
    Sqlite(PoolConnection<sqlx::Sqlite>),
    Postgres(postgres::Line),
}

impl Lent {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(lent) => Connection::Sqlite(&mut *lent),
            Self::Postgres(line) => Connection::Postgres(line.connection()),
        }
    }

    /// Gives it back: the answer was read to its end.
    fn give_back(self) {
        if let Self::Postgres(line) = self {
            line.hang_up();
        }
    }
}

/// A transaction; dropped, it is rolled back.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(postgres::Line),
}

impl Transaction {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(transaction) => Connection::Sqlite(&mut *transaction),
            Self::Postgres(line) => Connection::Postgres(line.connection()),
        }
    }

    /// The numbers as the transaction sees them.
    pub(super) async fn meta(&mut self) -> Result<Meta, StoreError> {
        answered(self.connection().meta()).await
    }

    /// Every document that was written or removed after that commit.
    pub(super) async fn rows_after(&mut self, sequence: u64) -> Result<Vec<Row>, StoreError> {
        answered(self.connection().rows_after(sequence)).await
    }

    /// Some of all documents, those behind that kind and key; none when there are no more.
    pub(super) async fn rows_behind(&mut self, kind: &str, key: &str) -> Result<Vec<Row>, StoreError> {
        answered(self.connection().rows_behind(kind, key)).await
    }

    /// Writes and commits. Before the commit itself an error means that nothing was changed.
    pub(super) async fn commit(mut self, commit: &Commit) -> Result<(), StoreError> {
        self.connection().write(commit).await?;
        self.keep().await
    }

    async fn keep(self) -> Result<(), StoreError> {
        let kept = match self {
            // Whatever a disk takes: SQLite always says in the end what became of it.
            Self::Sqlite(transaction) => transaction.commit().await.map_err(StoreError::from),
            Self::Postgres(line) => answered(line.end("COMMIT")).await,
        };
        kept.map_err(|error| StoreError::Uncertain(error.to_string()))
    }

    /// Ends it, and leaves nothing behind.
    pub(super) async fn roll_back(self) {
        let ended = match self {
            Self::Sqlite(transaction) => transaction.rollback().await.map_err(StoreError::from),
            Self::Postgres(line) => answered(line.end("ROLLBACK")).await,
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
        twice!(self.try_begin())
    }

    async fn try_begin(&self) -> Result<(Transaction, Meta), sqlx::Error> {
        let mut transaction = match self {
            Self::Sqlite(file) => Transaction::Sqlite(file.writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Transaction::Postgres(postgres::Line::begin(pool, postgres::BEGIN).await?),
        };
        let meta = transaction.connection().locked_meta().await?;
        Ok((transaction, meta))
    }

    /// Begins to read: the transaction sees one moment.
    pub(super) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        twice!(self.try_snapshot())
    }

    async fn try_snapshot(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(file) => Ok(Transaction::Sqlite(file.readers.begin().await?)),
            Self::Postgres(pool) => Ok(Transaction::Postgres(postgres::Line::begin(pool, postgres::BEGIN_SNAPSHOT).await?)),
        }
    }

    async fn reader(&self) -> Result<Lent, sqlx::Error> {
        match self {
            Self::Sqlite(file) => Ok(Lent::Sqlite(file.readers.acquire().await?)),
            Self::Postgres(pool) => Ok(Lent::Postgres(postgres::Line::open(pool).await?)),
        }
    }

    async fn writer(&self) -> Result<Lent, sqlx::Error> {
        match self {
            Self::Sqlite(file) => Ok(Lent::Sqlite(file.writer.acquire().await?)),
            Self::Postgres(pool) => Ok(Lent::Postgres(postgres::Line::open(pool).await?)),
        }
    }
}

impl Database {
    /// The number of the last commit.
    pub(super) async fn sequence(&self) -> Result<u64, StoreError> {
        Ok(ask!(self.reader(), connection => connection.meta())?.sequence)
    }

    pub(super) async fn append_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        ask!(self.writer(), connection => connection.append_decisions(rows))
    }

    pub(super) async fn append_events(&self, rows: &[EventRow]) -> Result<(), StoreError> {
        ask!(self.writer(), connection => connection.append_events(rows))
    }

    pub(super) async fn decision(&self, id: &str) -> Result<Option<DecisionRow>, StoreError> {
        ask!(self.reader(), connection => connection.decision(id))
    }

    pub(super) async fn decisions(&self, span: &Span) -> Result<Vec<DecisionRow>, StoreError> {
        ask!(self.reader(), connection => connection.decisions(span))
    }

    pub(super) async fn events(&self, span: &Span, user: Option<&str>, is_ascending: bool) -> Result<Vec<EventRow>, StoreError> {
        ask!(self.reader(), connection => connection.events(span, user, is_ascending))
    }

    pub(super) async fn audit(&self, span: &Span) -> Result<Vec<AuditRow>, StoreError> {
        let place = log::place_in_audit(span)?;
        ask!(self.reader(), connection => connection.audit(span, place))
    }

    /// What a document was at that time, from the audit log; none if it was not there.
    pub(super) async fn past(&self, kind: &str, key: &str, at: Timestamp) -> Result<Option<String>, StoreError> {
        ask!(self.reader(), connection => connection.past(kind, key, at))
    }

    /// The same of all documents of a kind, with their keys, in no order.
    pub(super) async fn all_past(&self, kind: &str, at: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        ask!(self.reader(), connection => connection.all_past(kind, at))
    }

    /// Removes some of what a log held before that time; whether there may be more.
    pub(super) async fn prune_log(&self, log: Log, before: Timestamp) -> Result<bool, StoreError> {
        ask!(self.writer(), connection => connection.prune_log(log, before))
    }

    /// The time before which all decisions but so many of the newest were made; none if there are no more than that.
    pub(super) async fn decision_behind(&self, newest: u32) -> Result<Option<Timestamp>, StoreError> {
        ask!(self.reader(), connection => connection.decision_behind(newest))
    }

    /// Forgets documents that were removed before that time.
    pub(super) async fn prune_documents(&self, before: Timestamp) -> Result<(), StoreError> {
        let (mut transaction, _) = self.begin().await?;
        answered(transaction.connection().prune_documents(before)).await?;
        transaction.keep().await
    }

    /// Copies the whole database into a new file.
    pub(super) async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(file) => file.backup(to).await,
            Self::Postgres(_) => Err(StoreError::Backup),
        }
    }
}
