//! The statements on the logs.

use super::rows::{CHUNK, Connection, on, time_of};
use crate::store::error::StoreError;
use crate::store::live::Author;
use crate::store::log::{AuditRow, DecisionRow, EventRow, Span};
use jiff::Timestamp;
use sqlx::QueryBuilder;

const DECISION: &str = "SELECT id, at, user_id, application, body FROM decisions WHERE id = $1";
const DECISIONS: &str = "SELECT id, at, user_id, application, body FROM decisions \
    WHERE at >= $1 AND at < $2 AND (at, id) < ($3, $4) ORDER BY at DESC, id DESC LIMIT $5";
const EVENTS_DOWN: &str = "SELECT id, at, user_id, kind, body FROM events \
    WHERE at >= $1 AND at < $2 AND (at, id) < ($3, $4) ORDER BY at DESC, id DESC LIMIT $5";
const EVENTS_UP: &str = "SELECT id, at, user_id, kind, body FROM events \
    WHERE at >= $1 AND at < $2 AND (at, id) > ($3, $4) ORDER BY at, id LIMIT $5";
const EVENTS_OF_USER_DOWN: &str = "SELECT id, at, user_id, kind, body FROM events \
    WHERE at >= $1 AND at < $2 AND (at, id) < ($3, $4) AND user_id = $6 ORDER BY at DESC, id DESC LIMIT $5";
const EVENTS_OF_USER_UP: &str = "SELECT id, at, user_id, kind, body FROM events \
    WHERE at >= $1 AND at < $2 AND (at, id) > ($3, $4) AND user_id = $6 ORDER BY at, id LIMIT $5";
const AUDIT: &str = "SELECT sequence, ordinal, at, user_id, operation, request, kind, key, before, after FROM audit \
    WHERE at >= $1 AND at < $2 AND (sequence, ordinal) < ($3, $4) ORDER BY sequence DESC, ordinal DESC LIMIT $5";
const PAST: &str = "SELECT after FROM audit WHERE kind = $1 AND key = $2 AND at <= $3 ORDER BY at DESC, sequence DESC LIMIT 1";
const ALL_PAST: &str = "SELECT key, after FROM audit AS entry WHERE kind = $1 AND at <= $2 AND after IS NOT NULL AND NOT EXISTS ( \
    SELECT 1 FROM audit AS later WHERE later.kind = entry.kind AND later.key = entry.key AND later.at <= $2 \
    AND (later.at, later.sequence) > (entry.at, entry.sequence))";
const SURPLUS_DECISION: &str = "SELECT at FROM decisions ORDER BY at DESC, id DESC LIMIT 1 OFFSET $1";
const OLD_DECISIONS: &str = "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE at < $1 ORDER BY at LIMIT $2)";
const OLD_EVENTS: &str = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < $1 ORDER BY at LIMIT $2)";

/// A log that is kept for a while.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Log {
    Decisions,
    Events,
}

/// Where a span begins and ends, in the database's terms.
struct Bounds {
    from: i64,
    to: i64,
    behind: (i64, String),
    limit: i64,
}

impl Bounds {
    fn of(span: &Span, is_ascending: bool) -> Self {
        let behind = match &span.before {
            Some((at, id)) => (at.as_microsecond(), id.clone()),
            None => (if is_ascending { i64::MIN } else { i64::MAX }, String::new()),
        };
        let (from, to) = (span.from.map_or(i64::MIN, Timestamp::as_microsecond), span.to.map_or(i64::MAX, Timestamp::as_microsecond));
        Self { from, to, behind, limit: span.limit.into() }
    }
}

type Decision = (String, i64, String, String, String);
type Event = (String, i64, Option<String>, String, String);
type Audit = (i64, i64, i64, String, String, String, String, String, Option<String>, Option<String>);

impl Connection<'_> {
    pub(super) async fn append_decisions(&mut self, rows: &[DecisionRow]) -> Result<(), sqlx::Error> {
        for rows in rows.chunks(CHUNK) {
            on!(self, inner => {
                let mut query = QueryBuilder::new("INSERT INTO decisions (id, at, user_id, application, body) ");
                query.push_values(rows, |mut values, row| {
                    values.push_bind(&*row.id).push_bind(row.at.as_microsecond());
                    values.push_bind(&*row.user).push_bind(&*row.application).push_bind(&*row.body);
                });
                query.push(" ON CONFLICT (id) DO NOTHING").build().persistent(false).execute(&mut **inner).await.map(drop)
            })?;
        }
        Ok(())
    }

    pub(super) async fn append_events(&mut self, rows: &[EventRow]) -> Result<(), sqlx::Error> {
        for rows in rows.chunks(CHUNK) {
            on!(self, inner => {
                let mut query = QueryBuilder::new("INSERT INTO events (id, at, user_id, kind, body) ");
                query.push_values(rows, |mut values, row| {
                    values.push_bind(&*row.id).push_bind(row.at.as_microsecond());
                    values.push_bind(row.user.as_deref()).push_bind(&*row.kind).push_bind(&*row.body);
                });
                query.push(" ON CONFLICT (id) DO NOTHING").build().persistent(false).execute(&mut **inner).await.map(drop)
            })?;
        }
        Ok(())
    }

    pub(super) async fn decision(&mut self, id: &str) -> Result<Option<DecisionRow>, sqlx::Error> {
        let row: Option<Decision> = on!(self, inner => sqlx::query_as(DECISION).bind(id).fetch_optional(&mut **inner).await)?;
        Ok(row.map(decision_of))
    }

    pub(super) async fn decisions(&mut self, span: &Span) -> Result<Vec<DecisionRow>, sqlx::Error> {
        let Bounds { from, to, behind: (at, id), limit } = Bounds::of(span, false);
        let rows: Vec<Decision> =
            on!(self, inner => sqlx::query_as(DECISIONS).bind(from).bind(to).bind(at).bind(id).bind(limit).fetch_all(&mut **inner).await)?;
        Ok(rows.into_iter().map(decision_of).collect())
    }

    pub(super) async fn events(&mut self, span: &Span, user: Option<&str>, is_ascending: bool) -> Result<Vec<EventRow>, sqlx::Error> {
        let Bounds { from, to, behind: (at, id), limit } = Bounds::of(span, is_ascending);
        let statement = match (user, is_ascending) {
            (None, false) => EVENTS_DOWN,
            (None, true) => EVENTS_UP,
            (Some(_), false) => EVENTS_OF_USER_DOWN,
            (Some(_), true) => EVENTS_OF_USER_UP,
        };
        let rows: Vec<Event> = on!(self, inner => {
            let query = sqlx::query_as(statement).bind(from).bind(to).bind(at).bind(id).bind(limit);
            let query = if let Some(user) = user { query.bind(user) } else { query };
            query.fetch_all(&mut **inner).await
        })?;
        Ok(rows.into_iter().map(|(id, at, user, kind, body)| EventRow { id, at: time_of(at), user, kind, body }).collect())
    }

    /// The audit log before that sequence and ordinal.
    pub(super) async fn audit(&mut self, span: &Span, (sequence, ordinal): (i64, i64)) -> Result<Vec<AuditRow>, sqlx::Error> {
        let Bounds { from, to, limit, .. } = Bounds::of(span, false);
        let rows: Vec<Audit> =
            on!(self, inner => sqlx::query_as(AUDIT).bind(from).bind(to).bind(sequence).bind(ordinal).bind(limit).fetch_all(&mut **inner).await)?;
        Ok(rows.into_iter().map(audit_of).collect())
    }

    /// What a document was at that time; none if it was not there.
    pub(super) async fn past(&mut self, kind: &str, key: &str, at: Timestamp) -> Result<Option<String>, sqlx::Error> {
        let at = at.as_microsecond();
        let row: Option<(Option<String>,)> = on!(self, inner => sqlx::query_as(PAST).bind(kind).bind(key).bind(at).fetch_optional(&mut **inner).await)?;
        Ok(row.and_then(|(after,)| after))
    }

    /// What all documents of a kind were at that time, with their keys.
    pub(super) async fn all_past(&mut self, kind: &str, at: Timestamp) -> Result<Vec<(String, String)>, sqlx::Error> {
        on!(self, inner => sqlx::query_as(ALL_PAST).bind(kind).bind(at.as_microsecond()).fetch_all(&mut **inner).await)
    }

    /// The time before which all decisions but so many of the newest were made; of one moment, none stays.
    pub(super) async fn decision_behind(&mut self, newest: u32) -> Result<Option<Timestamp>, sqlx::Error> {
        let at: Option<(i64,)> = on!(self, inner => sqlx::query_as(SURPLUS_DECISION).bind(i64::from(newest)).fetch_optional(&mut **inner).await)?;
        // Times are whole microseconds.
        Ok(at.map(|(at,)| time_of(at.saturating_add(1))))
    }

    /// Removes some of what is older; whether there may be more.
    pub(super) async fn prune_log(&mut self, log: Log, before: Timestamp) -> Result<bool, sqlx::Error> {
        const AT_ONCE: i64 = 5_000;
        let statement = match log {
            Log::Decisions => OLD_DECISIONS,
            Log::Events => OLD_EVENTS,
        };
        let before = before.as_microsecond();
        let removed = on!(self, inner => sqlx::query(statement).bind(before).bind(AT_ONCE).execute(&mut **inner).await.map(|done| done.rows_affected()))?;
        Ok(removed >= AT_ONCE.cast_unsigned())
    }
}

fn decision_of((id, at, user, application, body): Decision) -> DecisionRow {
    DecisionRow { id, at: time_of(at), user, application, body }
}

fn audit_of((sequence, ordinal, at, user, operation, request, kind, key, before, after): Audit) -> AuditRow {
    let ordinal = u32::try_from(ordinal).unwrap_or(u32::MAX);
    AuditRow {
        sequence: sequence.cast_unsigned(),
        ordinal,
        at: time_of(at),
        author: Author { user, operation, request },
        kind,
        key,
        before,
        after,
    }
}

/// The sequence and ordinal that the answer begins behind.
pub(super) fn place_in_audit(span: &Span) -> Result<(i64, i64), StoreError> {
    match &span.before {
        Some((_, place)) => place_of(place).ok_or_else(|| StoreError::Place(place.clone())),
        None => Ok((i64::MAX, 0)),
    }
}

fn place_of(text: &str) -> Option<(i64, i64)> {
    let (sequence, ordinal) = text.split_once('/')?;
    Some((sequence.parse().ok()?, ordinal.parse().ok()?))
}
