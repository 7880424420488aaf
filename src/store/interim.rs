//! The store while its databases are being built: in memory only.
#![allow(missing_docs, clippy::unused_async, clippy::missing_errors_doc)]

use super::{Draft, State};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

#[derive(Clone)]
pub enum Location {
    Sqlite(PathBuf),
    Postgres(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub user: String,
    pub operation: String,
    pub request: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
pub struct StoreError;

#[derive(Debug)]
pub enum WriteError<E> {
    Refused(E),
    Store(StoreError),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    pub id: String,
    pub at: Timestamp,
    pub user: String,
    pub application: String,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub id: String,
    pub at: Timestamp,
    pub user: Option<String>,
    pub kind: String,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub sequence: u64,
    pub ordinal: u32,
    pub at: Timestamp,
    pub author: Author,
    pub kind: String,
    pub key: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Span {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub before: Option<(Timestamp, String)>,
    pub limit: u32,
}

pub struct Store {
    clock: fn() -> Timestamp,
    writer: tokio::sync::Mutex<()>,
    states: watch::Sender<Arc<State>>,
    decisions: Mutex<Vec<DecisionRow>>,
    events: Mutex<Vec<EventRow>>,
}

impl Store {
    pub async fn open(_: &Location, clock: fn() -> Timestamp) -> Result<Arc<Self>, StoreError> {
        let (states, _) = watch::channel(Arc::new(State::default()));
        Ok(Arc::new(Self { clock, writer: tokio::sync::Mutex::default(), states, decisions: Mutex::default(), events: Mutex::default() }))
    }

    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.states.borrow())
    }

    pub async fn current(&self) -> Result<Arc<State>, StoreError> {
        Ok(self.state())
    }

    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.states.subscribe()
    }

    pub async fn write<T, E>(&self, _: &Author, change: impl FnOnce(&mut Draft) -> Result<T, E>) -> Result<T, WriteError<E>> {
        let _writer = self.writer.lock().await;
        let base = self.state();
        let mut draft = Draft::new(&base, (self.clock)());
        let done = change(&mut draft).map_err(WriteError::Refused)?;
        if !draft.is_empty() {
            let now = draft.now();
            let (revision, revised_at) = if draft.is_published() { (base.revision + 1, Some(now)) } else { (base.revision, base.revised_at) };
            self.states.send_replace(Arc::new(draft.into_state(base.sequence + 1, revision, revised_at)));
        }
        Ok(done)
    }

    pub async fn run(&self) {
        std::future::pending::<()>().await;
    }

    pub async fn backup(&self, _: &Path) -> Result<(), StoreError> {
        Err(StoreError)
    }

    pub async fn append_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        self.decisions.lock().map_err(|_| StoreError)?.extend_from_slice(rows);
        Ok(())
    }

    pub async fn decision(&self, id: &str) -> Result<Option<DecisionRow>, StoreError> {
        Ok(self.decisions.lock().map_err(|_| StoreError)?.iter().find(|row| row.id == id).cloned())
    }

    pub async fn decisions(&self, span: &Span) -> Result<Vec<DecisionRow>, StoreError> {
        Ok(self.decisions.lock().map_err(|_| StoreError)?.iter().rev().take(span.limit as usize).cloned().collect())
    }

    pub async fn append_events(&self, rows: &[EventRow]) -> Result<(), StoreError> {
        self.events.lock().map_err(|_| StoreError)?.extend_from_slice(rows);
        Ok(())
    }

    pub async fn events(&self, span: &Span, user: Option<&str>, _is_ascending: bool) -> Result<Vec<EventRow>, StoreError> {
        let events = self.events.lock().map_err(|_| StoreError)?;
        Ok(events.iter().rev().filter(|row| user.is_none() || row.user.as_deref() == user).take(span.limit as usize).cloned().collect())
    }

    pub async fn audit(&self, _: &Span) -> Result<Vec<AuditRow>, StoreError> {
        Ok(Vec::new())
    }
}
