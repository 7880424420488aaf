//! What the store does on its own: it listens for other replicas, and forgets what is old.

use super::database::{Database, Ear, Heard, Log};
use super::error::StoreError;
use super::live::{Shared, Store};
use jiff::SignedDuration;
use std::time::Duration;

/// How often the database is asked for news that nobody called out.
const POLL: Duration = Duration::from_secs(5);

/// How long it waits after the connection was lost, so as not to beset a database that is starting.
const PAUSE: Duration = Duration::from_millis(500);

/// How often it forgets.
const PRUNING: Duration = Duration::from_secs(3_600);

/// How long it is remembered that a document was removed; a replica that slept longer reads everything.
const TOMBSTONES: SignedDuration = SignedDuration::from_hours(24);

/// How long decisions are kept.
const DECISIONS: SignedDuration = SignedDuration::from_hours(31 * 24);

/// How many of them are kept: calls that are refused without end shall not fill the disk.
const MOST_DECISIONS: u32 = 5_000_000;

/// How long the identity log is kept.
const EVENTS: SignedDuration = SignedDuration::from_hours(92 * 24);

impl Store {
    /// Shows what other replicas write, soon after they have written it, and forgets what is old:
    /// removed documents after a day, decisions after a month or when there are five million, the identity log after three. It never returns.
    pub async fn run(&self) {
        tokio::join!(self.0.follow(), self.0.forget());
    }
}

impl Shared {
    async fn follow(&self) {
        loop {
            match &self.database {
                Database::Sqlite(_) => tokio::time::sleep(POLL).await,
                Database::Postgres(pool) => match Ear::open(pool).await {
                    Ok(ear) => self.listen(ear).await,
                    Err(error) => tracing::warn!(%error, "other replicas are not heard; the database is asked every few seconds"),
                },
            }
            let is_asked = self.database.is_shared() || self.is_in_doubt();
            if is_asked && !self.look().await {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Follows what is heard until the connection is lost.
    async fn listen(&self, mut ear: Ear) {
        // What was committed before it listened.
        self.look().await;
        loop {
            let known = self.state().sequence;
            match ear.hear(POLL).await {
                Heard::Commit(sequence) => {
                    // One's own commits are heard too.
                    if sequence > self.state().sequence {
                        self.look().await;
                    }
                }
                Heard::Nothing => {
                    // News that was not heard: the connection is only half alive.
                    if !self.look().await || self.state().sequence != known {
                        return;
                    }
                }
                Heard::Lost => return,
            }
        }
    }

    /// Reads what is new; whether the database answered.
    async fn look(&self) -> bool {
        let looked = self.refresh().await;
        if let Err(error) = &looked {
            tracing::warn!(%error, "the database does not say what is new");
        }
        looked.is_ok()
    }

    async fn forget(&self) {
        loop {
            if let Err(error) = self.prune().await {
                tracing::warn!(%error, "what is old could not be forgotten; it will be tried again");
            }
            tokio::time::sleep(PRUNING).await;
        }
    }

    /// Forgets what is old by the clock.
    pub(super) async fn prune(&self) -> Result<(), StoreError> {
        let now = (self.clock)();
        let Ok(tombstones) = now.checked_sub(TOMBSTONES) else { return Ok(()) };
        self.database.prune_documents(tombstones).await?;
        for (log, kept) in [(Log::Decisions, DECISIONS), (Log::Events, EVENTS)] {
            let Ok(before) = now.checked_sub(kept) else { continue };
            while self.database.prune_log(log, before).await? {}
        }
        self.prune_decisions(MOST_DECISIONS).await
    }

    /// Forgets the oldest decisions beyond so many.
    async fn prune_decisions(&self, most: u32) -> Result<(), StoreError> {
        let Some(before) = self.database.decision_behind(most).await? else { return Ok(()) };
        while self.database.prune_log(Log::Decisions, before).await? {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::{DecisionRow, Location, Span, Store};
    use jiff::Timestamp;

    #[tokio::test]
    async fn the_newest_decisions_stay_when_there_are_too_many() {
        let store = Store::open(&Location::Sqlite(":memory:".into()), crate::observe::clock::now).await.unwrap();
        let row = |second: i64| {
            let at = Timestamp::from_second(1_795_000_000 + second).unwrap();
            DecisionRow { id: second.to_string(), at, user: String::new(), application: String::new(), body: "{}".to_owned() }
        };
        store.append_decisions(&(0..10).map(row).collect::<Vec<_>>()).await.unwrap();
        for (most, kept) in [(10, 10), (4, 4), (4, 4)] {
            store.0.prune_decisions(most).await.unwrap();
            let ids: Vec<_> = store.decisions(&Span { limit: 100, ..Span::default() }).await.unwrap().into_iter().map(|row| row.id).collect();
            assert_eq!((ids.len(), &*ids[0]), (kept, "9"));
        }
    }
}
