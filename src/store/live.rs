//! The store: the newest state in memory, and the database it stands in.

use super::database::{Commit, Database, Meta, Transaction};
use super::error::StoreError;
use super::location::Location;
use super::state::State;
use jiff::Timestamp;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Mutex, watch};

/// Farther than replicas can be apart.
const LEAP: u64 = 100_000;

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
/// committed; its numbers never repeat and never go back. `Debug` prints numbers, and no document.
pub struct Store(pub(super) Arc<Shared>);

/// What the store and its unfinished commits share.
pub(super) struct Shared {
    pub(super) database: Database,
    pub(super) clock: fn() -> Timestamp,
    /// The newest state that is known here.
    states: watch::Sender<Arc<State>>,
    /// Whose turn it is to write.
    pub(super) turn: Arc<Mutex<()>>,
    /// Held while news are read, so that they are read once.
    reading: Mutex<()>,
    /// Commits of which it is not known whether the database keeps them, and the state does not show them.
    doubts: AtomicU64,
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
            doubts: AtomicU64::new(0),
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
        let is_behind = shared.is_in_doubt() || (shared.database.is_shared() && shared.database.sequence().await? != shared.state().sequence);
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

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        formatter.debug_struct("Store").field("sequence", &state.sequence).field("revision", &state.revision).finish_non_exhaustive()
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
        let doubts = self.doubts.load(Ordering::Acquire);
        let state = self.read_news().await?;
        self.publish(Arc::clone(&state));
        // A doubt that arose meanwhile remains.
        let _ = self.doubts.compare_exchange(doubts, 0, Ordering::AcqRel, Ordering::Relaxed);
        Ok(state)
    }

    /// Notes that a commit got no answer.
    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the database may hold a commit that the state does not show.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubts.load(Ordering::Acquire) != 0
    }

    async fn read_news(&self) -> Result<Arc<State>, StoreError> {
        loop {
            // Taken before the transaction begins: it is never ahead of what the transaction sees.
            let known = self.state();
            let mut transaction = self.database.snapshot().await?;
            let meta = transaction.meta().await?;
            let is_put_back = known.sequence > meta.sequence;
            let state = if is_put_back { known } else { caught_up(known, &mut transaction, &meta).await? };
            transaction.roll_back().await;
            if !is_put_back {
                return Ok(state);
            }
            self.leap().await?;
        }
    }

    /// Goes on with a database that was put back to an earlier time, by a failover that lost the
    /// last commits or from a backup: what it holds counts, under numbers that nobody has seen.
    async fn leap(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let (transaction, meta) = self.database.begin().await?;
        let known = self.state();
        if known.sequence <= meta.sequence {
            // Another replica was quicker.
            transaction.roll_back().await;
            return Ok(());
        }
        tracing::error!(
            known = known.sequence,
            found = meta.sequence,
            "the database was put back to an earlier time; changes that it had acknowledged are lost"
        );
        let (sequence, revision) = (known.sequence + LEAP, known.revision.max(meta.revision) + LEAP);
        let at = self.now(known.revised_at.max(meta.revised_at));
        // Everybody reads everything anew.
        let meta = Meta { sequence, revision, revised_at: Some(at), pruned_to: sequence };
        let author = Author { user: "doorward".to_owned(), operation: "Leap".to_owned(), request: String::new() };
        transaction.commit(&Commit { meta, at, author, rows: Vec::new(), audit: Vec::new() }).await
    }

    /// The time of a change: what the clock shows, in the database's unit, but never before the last
    /// revision, for revisions are told by their times too.
    pub(super) fn now(&self, revised_at: Option<Timestamp>) -> Timestamp {
        let shown = (self.clock)();
        let now = Timestamp::from_microsecond(shown.as_microsecond()).unwrap_or(shown);
        revised_at.map_or(now, |revised_at| now.max(revised_at))
    }
}

/// What is known, brought up to what the transaction sees.
pub(super) async fn caught_up(known: Arc<State>, transaction: &mut Transaction, meta: &Meta) -> Result<Arc<State>, StoreError> {
    if known.sequence == meta.sequence {
        return Ok(known);
    }
    if known.sequence < meta.pruned_to {
        return Ok(Arc::new(everything(transaction, meta).await?));
    }
    let mut state = State::clone(&known);
    for row in transaction.rows_after(known.sequence).await? {
        take_over(&mut state, &row.kind, &row.key, row.body.as_deref())?;
    }
    Ok(Arc::new(numbered(state, meta)))
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

#[cfg(test)]
mod tests {
    use super::{Location, State, Store};
    use crate::observe::clock;
    use sqlx::Connection;
    use std::sync::Arc;

    #[tokio::test]
    async fn what_was_read_late_is_not_shown_over_what_is_newer() {
        let store = Store::open(&Location::Sqlite(":memory:".into()), clock::now).await.unwrap();
        for (sequence, shown) in [(2, 2), (1, 2), (2, 2), (3, 3)] {
            store.0.publish(Arc::new(State { sequence, ..State::default() }));
            assert_eq!(store.state().sequence, shown);
        }
    }

    #[tokio::test]
    async fn after_a_commit_without_an_answer_the_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("doorward.db");
        let store = Store::open(&Location::Sqlite(path.clone()), clock::now).await.unwrap();
        let mut behind = sqlx::SqliteConnection::connect_with(&sqlx::sqlite::SqliteConnectOptions::new().filename(&path)).await.unwrap();
        let commit = r#"INSERT INTO documents VALUES ('setting', 'a', '{"name":"a","value":1}', 1, 0); UPDATE meta SET sequence = 1"#;
        sqlx::raw_sql(commit).execute(&mut behind).await.unwrap();
        assert_eq!(store.current().await.unwrap().sequence, 0, "nobody else writes to a file");
        store.0.doubt();
        let state = store.current().await.unwrap();
        assert_eq!((state.sequence, state.settings.has("a")), (1, true));
        assert!(!store.0.is_in_doubt());
    }
}
