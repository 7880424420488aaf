//! Writing: one change at a time, over all replicas, kept whole or not at all.

use super::database::{Commit, Meta, Row, Transaction};
use super::draft::{Change, Draft};
use super::error::{StoreError, WriteError};
use super::live::{Author, Shared, Store, caught_up};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// How long a change may wait for its turn and for the database, together.
const PATIENCE: Duration = Duration::from_secs(6);

/// What the audit log says of a content that is kept out of it.
const SECRET: &str = "(secret)";

impl Store {
    /// Makes a change on top of the newest state there is, and keeps it: when this returns `Ok`, it
    /// is on disk and shown. A change that changes nothing makes no new number.
    ///
    /// The closure is run once, alone over all replicas: PostgreSQL ends it after ten seconds. When the caller
    /// goes away while the change is committed, the change is made all the same.
    ///
    /// # Errors
    /// What the closure refuses with, and then nothing of it remains; or that the store failed,
    /// where only [`StoreError::Uncertain`] leaves open whether the change was kept.
    pub async fn write<T, E>(&self, author: &Author, change: impl FnOnce(&mut Draft) -> Result<T, E>) -> Result<T, WriteError<E>> {
        let shared = &self.0;
        let (turn, mut transaction, meta) = shared.begin().await?;
        let base = caught_up(shared.state(), &mut transaction, &meta).await?;
        // Committed by others: it is true, whatever becomes of the change.
        shared.publish(Arc::clone(&base));
        let mut draft = Draft::new(&base, shared.now(base.revised_at));
        let outcome = change(&mut draft);
        if outcome.is_err() || draft.is_empty() {
            transaction.roll_back().await;
            return outcome.map_err(WriteError::Refused);
        }
        let pending = Pending { shared: Arc::clone(shared), transaction, commit: commit_of(&draft, &meta, author), draft, _turn: turn };
        // On its own, so that a caller that goes away leaves no doubt behind.
        let kept = tokio::spawn(pending.keep()).await;
        kept.map_err(|error| StoreError::Uncertain(error.to_string()))??;
        outcome.map_err(WriteError::Refused)
    }
}

impl Shared {
    /// Waits for its turn here and over all replicas.
    async fn begin(&self) -> Result<(OwnedMutexGuard<()>, Transaction, Meta), StoreError> {
        loop {
            let begun = tokio::time::timeout(PATIENCE, async {
                let turn = Arc::clone(&self.turn).lock_owned().await;
                let (transaction, meta) = self.database.begin().await?;
                Ok::<_, StoreError>((turn, transaction, meta))
            });
            let (turn, transaction, meta) = begun.await.map_err(|_| StoreError::Busy)??;
            if self.state().sequence <= meta.sequence {
                return Ok((turn, transaction, meta));
            }
            // The database was put back to an earlier time.
            transaction.roll_back().await;
            drop(turn);
            self.refresh().await?;
        }
    }
}

/// A change that is made and not yet kept.
struct Pending {
    shared: Arc<Shared>,
    transaction: Transaction,
    commit: Commit,
    draft: Draft,
    /// Nobody else writes before this one is shown.
    _turn: OwnedMutexGuard<()>,
}

impl Pending {
    async fn keep(self) -> Result<(), StoreError> {
        let kept = self.transaction.commit(&self.commit).await;
        if matches!(kept, Err(StoreError::Uncertain(_))) {
            self.shared.doubt();
        }
        kept?;
        let Meta { sequence, revision, revised_at, .. } = self.commit.meta;
        self.shared.publish(Arc::new(self.draft.into_state(sequence, revision, revised_at)));
        Ok(())
    }
}

fn commit_of(draft: &Draft, meta: &Meta, author: &Author) -> Commit {
    let mut meta = Meta { sequence: meta.sequence + 1, ..*meta };
    if draft.is_published() {
        meta.revision += 1;
        meta.revised_at = Some(draft.now());
    }
    let changes = draft.changes().map(|(kind, key, change)| {
        let row = Row { kind: kind.to_owned(), key: key.to_owned(), body: change.after.clone() };
        (row, (audited(change, change.before.as_ref()), audited(change, change.after.as_ref())))
    });
    let (rows, audit) = changes.unzip();
    Commit { meta, at: draft.now(), author: author.clone(), rows, audit }
}

fn audited(change: &Change, content: Option<&String>) -> Option<String> {
    content.map(|content| if change.is_secret { SECRET.to_owned() } else { content.clone() })
}
