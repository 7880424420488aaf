//! A door that serves on threads of its own, and how it is told to stop.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long a connection of HTTP/1.1 that is to end waits for a request that may be on its way: one that
/// is closed under it would be lost.
pub const PARTING: Duration = Duration::from_secs(1);

/// A door that serves. Dropping it cuts every connection; `stop` lets running answers finish.
#[derive(Debug)]
pub struct Serving {
    stop: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
    connections: Arc<AtomicUsize>,
}

/// What a door's threads share of its running; each holds one until it has ended.
#[derive(Clone)]
pub struct Running {
    /// True once no more is to be accepted; an error once running answers are to be cut.
    pub stopped: watch::Receiver<bool>,
    /// The connections at the moment, over all threads.
    pub connections: Arc<AtomicUsize>,
    _alive: mpsc::Sender<()>,
}

impl Serving {
    /// A door that begins to serve.
    #[must_use]
    pub fn begin() -> (Self, Running) {
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        let connections = Arc::new(AtomicUsize::new(0));
        let running = Running { stopped, connections: Arc::clone(&connections), _alive: alive };
        (Self { stop, ended, connections }, running)
    }

    /// Connections that clients hold open.
    #[must_use]
    pub fn connections(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.connections)
    }

    /// Accepts nothing more, lets running answers finish until the deadline, then cuts the rest.
    pub async fn stop(self, deadline: Duration) {
        self.stop_by(tokio::time::sleep(deadline)).await;
    }

    /// The same; what comes to its end before the future does is not cut.
    pub async fn stop_by(mut self, deadline: impl Future<Output = ()>) {
        self.stop.send_replace(true);
        // Every thread holds a sender; the channel ends with the last of them.
        let is_ended = tokio::select! {
            _ = self.ended.recv() => true,
            () = deadline => false,
        };
        if !is_ended {
            drop(self.stop);
            self.ended.recv().await;
        }
    }
}
