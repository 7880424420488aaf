//! The statements on documents and numbers: the same text for both databases, but for the lock.

use super::answered;
use crate::store::error::StoreError;
use crate::store::live::Author;
use jiff::Timestamp;
use sqlx::{PgConnection, QueryBuilder, SqliteConnection};

/// A connection to either database, in a transaction or not.
pub(super) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// Runs the same statement on either database.
macro_rules! on {
    ($connection:expr, $inner:ident => $body:expr) => {
        match $connection {
            Connection::Sqlite($inner) => $body,
            Connection::Postgres($inner) => $body,
        }
    };
}
pub(super) use on;

/// What was committed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Meta {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) revision: u64,
    pub(in crate::store) revised_at: Option<Timestamp>,
    /// Who knows less than this must read everything: tombstones up to there may be gone.
    pub(in crate::store) pruned_to: u64,
}

/// A document as it is kept.
#[derive(Debug)]
pub(in crate::store) struct Row {
    pub(in crate::store) kind: String,
    pub(in crate::store) key: String,
    /// `None` = it is gone.
    pub(in crate::store) body: Option<String>,
}

/// All that one commit writes.
#[derive(Debug)]
pub(in crate::store) struct Commit {
    pub(in crate::store) meta: Meta,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) author: Author,
    pub(in crate::store) rows: Vec<Row>,
    /// What the audit log says of each row: before and after.
    pub(in crate::store) audit: Vec<(Option<String>, Option<String>)>,
}

/// Rows in one statement; far from what both databases allow for parameters.
pub(super) const CHUNK: usize = 500;

/// Documents that are read at once.
const PAGE: i64 = 2_000;

const META: &str = "SELECT sequence, revision, revised_at, pruned_to FROM meta WHERE id = 1";
const META_LOCKED: &str = "SELECT sequence, revision, revised_at, pruned_to FROM meta WHERE id = 1 FOR UPDATE";
const SET_META: &str = "UPDATE meta SET sequence = $1, revision = $2, revised_at = $3, pruned_to = $4 WHERE id = 1";
const AFTER: &str = "SELECT kind, key, body FROM documents WHERE sequence > $1 ORDER BY sequence";
const PAGE_OF_ALL: &str = "SELECT kind, key, body FROM documents WHERE body IS NOT NULL AND (kind, key) > ($1, $2) ORDER BY kind, key LIMIT $3";
const NOTIFY: &str = "SELECT pg_notify('doorward', $1)";
const LAST_GONE: &str = "SELECT MAX(sequence) FROM documents WHERE body IS NULL AND changed_at < $1";
const REMOVE_GONE: &str = "DELETE FROM documents WHERE body IS NULL AND changed_at < $1";
const PRUNED_TO: &str = "UPDATE meta SET pruned_to = $1 WHERE id = 1 AND pruned_to < $1";

impl Connection<'_> {
    /// The numbers, as they are.
    pub(in crate::store) async fn meta(&mut self) -> Result<Meta, sqlx::Error> {
        let numbers = on!(self, inner => sqlx::query_as(META).fetch_one(&mut **inner).await)?;
        Ok(meta_of(numbers))
    }

    /// The numbers, held until the transaction ends. SQLite's transactions that write are alone anyway.
    pub(super) async fn locked_meta(&mut self) -> Result<Meta, sqlx::Error> {
        let numbers = match self {
            Self::Sqlite(inner) => sqlx::query_as(META).fetch_one(&mut **inner).await?,
            Self::Postgres(inner) => sqlx::query_as(META_LOCKED).fetch_one(&mut **inner).await?,
        };
        Ok(meta_of(numbers))
    }

    /// Every document that was written or removed after that commit.
    pub(in crate::store) async fn rows_after(&mut self, sequence: u64) -> Result<Vec<Row>, sqlx::Error> {
        let rows: Vec<(String, String, Option<String>)> = on!(self, inner => sqlx::query_as(AFTER).bind(sequence.cast_signed()).fetch_all(&mut **inner).await)?;
        Ok(rows.into_iter().map(Row::of).collect())
    }

    /// Some of all documents: those behind that kind and key; none when there are no more.
    pub(in crate::store) async fn rows_behind(&mut self, kind: &str, key: &str) -> Result<Vec<Row>, sqlx::Error> {
        let rows: Vec<(String, String, Option<String>)> =
            on!(self, inner => sqlx::query_as(PAGE_OF_ALL).bind(kind).bind(key).bind(PAGE).fetch_all(&mut **inner).await)?;
        Ok(rows.into_iter().map(Row::of).collect())
    }

    /// Writes a commit, all but the committing; as long as the database goes on answering, it may be large.
    pub(super) async fn write(&mut self, commit: &Commit) -> Result<(), StoreError> {
        for rows in commit.rows.chunks(CHUNK) {
            answered(self.write_rows(commit, rows)).await?;
        }
        let ordinals: Vec<i64> = (0..).take(commit.rows.len()).collect();
        let entries: Vec<Entry<'_>> = ordinals.into_iter().zip(&commit.rows).zip(&commit.audit).collect();
        for entries in entries.chunks(CHUNK) {
            answered(self.write_audit(commit, entries)).await?;
        }
        answered(self.write_meta(commit.meta)).await?;
        answered(self.call_out(commit.meta.sequence)).await
    }

    /// Lets replicas know, once it is committed.
    async fn call_out(&mut self, sequence: u64) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(inner) => sqlx::query(NOTIFY).bind(sequence.to_string()).execute(&mut **inner).await.map(drop),
        }
    }

    async fn write_meta(&mut self, meta: Meta) -> Result<(), sqlx::Error> {
        let (sequence, revision, pruned_to) = (meta.sequence.cast_signed(), meta.revision.cast_signed(), meta.pruned_to.cast_signed());
        let revised_at = meta.revised_at.map(Timestamp::as_microsecond);
        on!(self, inner => {
            sqlx::query(SET_META).bind(sequence).bind(revision).bind(revised_at).bind(pruned_to).execute(&mut **inner).await.map(drop)
        })
    }

    async fn write_rows(&mut self, commit: &Commit, rows: &[Row]) -> Result<(), sqlx::Error> {
        let (sequence, at) = (commit.meta.sequence.cast_signed(), commit.at.as_microsecond());
        on!(self, inner => {
            let mut query = QueryBuilder::new("INSERT INTO documents (kind, key, body, sequence, changed_at) ");
            query.push_values(rows, |mut values, row| {
                values.push_bind(&*row.kind).push_bind(&*row.key).push_bind(row.body.as_deref()).push_bind(sequence).push_bind(at);
            });
            query.push(" ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, sequence = excluded.sequence, changed_at = excluded.changed_at");
            query.build().persistent(false).execute(&mut **inner).await.map(drop)
        })
    }

    async fn write_audit(&mut self, commit: &Commit, entries: &[Entry<'_>]) -> Result<(), sqlx::Error> {
        let (sequence, at, author) = (commit.meta.sequence.cast_signed(), commit.at.as_microsecond(), &commit.author);
        on!(self, inner => {
            let mut query = QueryBuilder::new("INSERT INTO audit (sequence, ordinal, at, user_id, operation, request, kind, key, before, after) ");
            query.push_values(entries, |mut values, ((ordinal, row), (before, after))| {
                values.push_bind(sequence).push_bind(*ordinal).push_bind(at);
                values.push_bind(&*author.user).push_bind(&*author.operation).push_bind(&*author.request);
                values.push_bind(&*row.kind).push_bind(&*row.key).push_bind(before.as_deref()).push_bind(after.as_deref());
            });
            query.build().persistent(false).execute(&mut **inner).await.map(drop)
        })
    }

    /// Forgets documents that were removed before that time; the numbers must be locked.
    pub(super) async fn prune_documents(&mut self, before: Timestamp) -> Result<(), sqlx::Error> {
        let before = before.as_microsecond();
        let last: Option<i64> = on!(self, inner => sqlx::query_scalar(LAST_GONE).bind(before).fetch_one(&mut **inner).await)?;
        let Some(last) = last else { return Ok(()) };
        on!(self, inner => sqlx::query(PRUNED_TO).bind(last).execute(&mut **inner).await.map(drop))?;
        on!(self, inner => sqlx::query(REMOVE_GONE).bind(before).execute(&mut **inner).await.map(drop))
    }
}

/// A row of the audit log: its ordinal, the document, and what became of it.
type Entry<'r> = ((i64, &'r Row), &'r (Option<String>, Option<String>));

impl Row {
    fn of((kind, key, body): (String, String, Option<String>)) -> Self {
        Self { kind, key, body }
    }
}

fn meta_of((sequence, revision, revised_at, pruned_to): (i64, i64, Option<i64>, i64)) -> Meta {
    let revised_at = revised_at.map(time_of);
    // None of the numbers is negative: the tables see to it.
    Meta { sequence: sequence.cast_unsigned(), revision: revision.cast_unsigned(), revised_at, pruned_to: pruned_to.cast_unsigned() }
}

/// The time of a number in the database; one that was never written by us is cut to the end of time.
pub(super) fn time_of(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(if microseconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
