//! The store: the newest state in memory, and the database it stands in.

use super::database::{Database, Meta, Transaction};
use super::error::StoreError;
use super::location::Location;
use super::state::State;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, watch};

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The user's id.
    pub user: String,
    /// The `operationId`.
    pub operation: String,
    /// The id of the request.
    pub request: String,
}

/// Everything that the control plane remembers. What it acknowledged is on disk; what it shows was
/// committed; its numbers never repeat and never go back.
#[derive(Debug)]
pub struct Store(pub(super) Arc<Shared>);

/// What the store and its unfinished commits share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) database: Database,
    pub(super) clock: fn() -> Timestamp,
    /// The newest state that is known here.
    states: watch::Sender<Arc<State>>,
    /// Whose turn it is to write.
    pub(super) turn: Arc<Mutex<()>>,
    /// Held while news are read, so that they are read once.
    reading: Mutex<()>,
    /// The database may hold a commit that the state does not show.
    pub(super) is_uncertain: AtomicBool,
}

impl Store {
    /// Opens the database, or makes it, brings its schema up to date, and reads everything.
    ///
    /// # Errors
    /// When the database cannot be reached, is in use by another process (SQLite), was written by
    /// a newer version, or holds what cannot be read.
    pub async fn open(location: &Location, clock: fn() -> Timestamp) -> Result<Arc<Self>, StoreError> {
        let database = Database::open(location).await?;
        let shared = Shared {
            database,
            clock,
            states: watch::Sender::new(Arc::default()),
            turn: Arc::default(),
            reading: Mutex::default(),
            is_uncertain: AtomicBool::new(false),
        };
        let mut transaction = shared.database.snapshot().await?;
        let meta = transaction.meta().await?;
        let state = everything(&mut transaction, &meta).await?;
        transaction.roll_back().await;
        shared.publish(Arc::new(state));
        Ok(Arc::new(Self(Arc::new(shared))))
    }

    /// The newest state that is known here, at once.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.0.state()
    }

    /// The newest state there is, whichever replica made it.
    ///
    /// # Errors
    /// When the database, which may be shared with others, does not answer.
    pub async fn current(&self) -> Result<Arc<State>, StoreError> {
        let shared = &self.0;
        let is_behind =
            shared.is_uncertain.load(Ordering::Acquire) || (shared.database.is_shared() && shared.database.sequence().await? != shared.state().sequence);
        if is_behind { shared.refresh().await } else { Ok(shared.state()) }
    }

    /// Every new state, this replica's and others'; of several in a short time the last.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.0.states.subscribe()
    }

    /// Copies a database of SQLite, as it is at one moment, into a new file that only its owner reads.
    ///
    /// # Errors
    /// When the file is there already or cannot be written, and for PostgreSQL.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.0.database.backup(to).await
    }

    /// The same of a database that another process may have open.
    ///
    /// # Errors
    /// When there is no such database, and as [`Self::backup`].
    pub async fn copy(location: &Location, to: &Path) -> Result<(), StoreError> {
        Database::look_at(location).await?.backup(to).await
    }

    pub(super) fn database(&self) -> &Database {
        &self.0.database
    }
}

impl Shared {
    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.states.borrow())
    }

    /// Shows this state, unless a newer one is shown.
    pub(super) fn publish(&self, state: Arc<State>) {
        let mut state = state;
        // The former state leaves the closure, for it may be large: it is freed when nobody waits for it.
        self.states.send_if_modified(|shown| {
            let is_newer = state.sequence > shown.sequence;
            if is_newer {
                std::mem::swap(shown, &mut state);
            }
            is_newer
        });
    }

    /// Reads what is new in the database, and shows it.
    pub(super) async fn refresh(&self) -> Result<Arc<State>, StoreError> {
        let _alone = self.reading.lock().await;
        // Taken back before the reading: a commit that becomes uncertain meanwhile is not overlooked.
        let was_uncertain = self.is_uncertain.swap(false, Ordering::AcqRel);
        let state = self.read_news().await;
        if state.is_err() && was_uncertain {
            self.is_uncertain.store(true, Ordering::Release);
        }
        let state = state?;
        self.publish(Arc::clone(&state));
        Ok(state)
    }

    async fn read_news(&self) -> Result<Arc<State>, StoreError> {
        let mut transaction = self.database.snapshot().await?;
        let meta = transaction.meta().await?;
        let state = self.caught_up(&mut transaction, &meta).await?;
        transaction.roll_back().await;
        Ok(state)
    }

    /// The state as the transaction sees it.
    pub(super) async fn caught_up(&self, transaction: &mut Transaction, meta: &Meta) -> Result<Arc<State>, StoreError> {
        let known = self.state();
        if known.sequence == meta.sequence {
            return Ok(known);
        }
        if known.sequence < meta.pruned_to || known.sequence > meta.sequence {
            return Ok(Arc::new(everything(transaction, meta).await?));
        }
        let mut state = State::clone(&known);
        for row in transaction.rows_after(known.sequence).await? {
            take_over(&mut state, &row.kind, &row.key, row.body.as_deref())?;
        }
        Ok(Arc::new(numbered(state, meta)))
    }
}

/// All documents, read anew.
async fn everything(transaction: &mut Transaction, meta: &Meta) -> Result<State, StoreError> {
    let mut state = State::default();
    let (mut kind, mut key) = (String::new(), String::new());
    loop {
        let rows = transaction.rows_behind(&kind, &key).await?;
        for row in &rows {
            take_over(&mut state, &row.kind, &row.key, row.body.as_deref())?;
        }
        let Some(last) = rows.into_iter().next_back() else { break };
        (kind, key) = (last.kind, last.key);
    }
    Ok(numbered(state, meta))
}

fn take_over(state: &mut State, kind: &str, key: &str, body: Option<&str>) -> Result<(), StoreError> {
    state.take_over(kind, key, body).map_err(|error| StoreError::document(kind, key, &error))
}

fn numbered(state: State, meta: &Meta) -> State {
    State { sequence: meta.sequence, revision: meta.revision, revised_at: meta.revised_at, ..state }
}
