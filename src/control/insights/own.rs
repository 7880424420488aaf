//! The control plane's own decisions: whom its judge refused. Noting one never waits and never slows
//! a call; they are written many at once, and not more of them than the store can bear: what is too
//! much is dropped and counted.

use super::log::Log;
use crate::observe::clock;
use crate::store::{DecisionRow, Store};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How many may wait to be written.
const QUEUE: usize = 1024;
/// How long they gather, and how many are written then: strangers who are refused without end shall not
/// fill the disk.
const GATHER: Duration = Duration::from_millis(250);
const WRITTEN: usize = 50;

/// The entrance; a clone is the same one.
#[derive(Clone, Debug)]
pub(in crate::control) struct OwnDecisions {
    queue: mpsc::Sender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

/// The task behind it.
#[derive(Debug)]
pub(in crate::control) struct OwnWriter {
    queue: mpsc::Receiver<Vec<u8>>,
    dropped: Arc<AtomicU64>,
    store: Arc<Store>,
}

impl OwnDecisions {
    /// An entrance, and the task that writes what comes in.
    pub(in crate::control) fn new(store: Arc<Store>) -> (Self, OwnWriter) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        (Self { queue: sender, dropped: Arc::clone(&dropped) }, OwnWriter { queue, dropped, store })
    }

    /// Notes a decision: a record of `authorize` as it is written.
    pub(in crate::control) fn note(&self, record: &impl Serialize) {
        let is_noted = serde_json::to_vec(record).is_ok_and(|bytes| self.queue.try_send(bytes).is_ok());
        if !is_noted {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl OwnWriter {
    /// Runs until every entrance is gone, and what came in is written.
    pub(in crate::control) async fn run(mut self) {
        let mut gathered = Vec::with_capacity(WRITTEN);
        while self.queue.recv_many(&mut gathered, WRITTEN).await > 0 {
            let rows: Vec<DecisionRow> = gathered.drain(..).filter_map(|bytes| self.row(&bytes)).collect();
            if let Err(error) = self.store.append_decisions(&rows).await {
                tracing::warn!(%error, decisions = rows.len(), "decisions could not be written");
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                tracing::warn!(dropped, "decisions came faster than they may be written");
            }
            if !self.queue.is_closed() {
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    fn row(&self, bytes: &[u8]) -> Option<DecisionRow> {
        let log = serde_json::from_slice::<Log>(bytes).ok();
        let row = log.and_then(|log| log.kept(clock::now()).ok());
        if row.is_none() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::plane::empty;
    use serde_json::json;

    #[tokio::test]
    async fn what_was_noted_is_written() {
        let plane = empty().await;
        let (own, writer) = OwnDecisions::new(Arc::clone(&plane.store));
        let writing = tokio::spawn(writer.run());
        own.note(&json!({"id": "one", "user": "00u1"}));
        own.note(&json!({"user": "without an id"}));
        drop(own);
        writing.await.unwrap();
        assert_eq!(plane.store.decision("one").await.unwrap().unwrap().user, "00u1");
    }

    #[tokio::test]
    async fn noting_never_waits_for_a_writer_that_does_not_come_along() {
        let plane = empty().await;
        let (own, writer) = OwnDecisions::new(Arc::clone(&plane.store));
        let started = clock::monotonic();
        for index in 0..QUEUE + 7 {
            own.note(&json!({"id": index.to_string()}));
        }
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(own.dropped.load(Ordering::Relaxed), 7);
        drop(own);
        writer.run().await;
        assert!(plane.store.decision(&(QUEUE - 1).to_string()).await.unwrap().is_some());
        assert!(plane.store.decision(&QUEUE.to_string()).await.unwrap().is_none());
    }
}
