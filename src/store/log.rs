//! What is written down and never changed: decisions, events of the identity log, and the audit log
//! of every change.

use super::error::StoreError;
use super::live::{Author, Store};
use jiff::Timestamp;

/// A decision that a door made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// Its id; unique.
    pub id: String,
    /// When it was made, to the microsecond.
    pub at: Timestamp,
    /// The user's id.
    pub user: String,
    /// The application.
    pub application: String,
    /// The record, as JSON.
    pub body: String,
}

/// Something that happened to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its id; unique.
    pub id: String,
    /// When it happened, to the microsecond.
    pub at: Timestamp,
    /// The user's id, where it is known.
    pub user: Option<String>,
    /// What happened.
    pub kind: String,
    /// The record, as JSON.
    pub body: String,
}

/// What one change made of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The number of the change.
    pub sequence: u64,
    /// The place among what the change wrote, from 0.
    pub ordinal: u32,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: Author,
    /// The kind of the document.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// What it was, as JSON; `(secret)` where that is not for the log.
    pub before: Option<String>,
    /// What it is, in the same way.
    pub after: Option<String>,
}

impl AuditRow {
    /// What [`Span::before`] takes to go on behind this row.
    #[must_use]
    pub fn place(&self) -> (Timestamp, String) {
        (self.at, format!("{}/{}", self.sequence, self.ordinal))
    }
}

/// Which rows of a log are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From then on.
    pub from: Option<Timestamp>,
    /// Until then, exclusively.
    pub to: Option<Timestamp>,
    /// Only what stands behind this row in the order that is asked for: its time and its id.
    pub before: Option<(Timestamp, String)>,
    /// No more than that.
    pub limit: u32,
}

impl Store {
    /// Writes decisions down. Of two with the same id the first stays: it may be sent again.
    ///
    /// # Errors
    /// When the database fails; some of the rows may have been written.
    pub async fn append_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        self.database().append_decisions(rows).await
    }

    /// The decision with that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn decision(&self, id: &str) -> Result<Option<DecisionRow>, StoreError> {
        self.database().decision(id).await
    }

    /// Decisions, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn decisions(&self, span: &Span) -> Result<Vec<DecisionRow>, StoreError> {
        self.database().decisions(span).await
    }

    /// Writes events of the identity log down. Of two with the same id the first stays.
    ///
    /// # Errors
    /// When the database fails; some of the rows may have been written.
    pub async fn append_events(&self, rows: &[EventRow]) -> Result<(), StoreError> {
        self.database().append_events(rows).await
    }

    /// Events of the identity log, of one user or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events(&self, span: &Span, user: Option<&str>, is_ascending: bool) -> Result<Vec<EventRow>, StoreError> {
        self.database().events(span, user, is_ascending).await
    }

    /// The audit log, newest first.
    ///
    /// # Errors
    /// When the database fails, or when the span goes on from what is no [`AuditRow::place`].
    pub async fn audit(&self, span: &Span) -> Result<Vec<AuditRow>, StoreError> {
        self.database().audit(span).await
    }
}
