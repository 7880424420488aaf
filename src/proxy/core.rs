//! One thread of the proxy: its runtime, and what its connections share without locks.
//! Nothing here is shared with another thread but counters, caches and the world.

use super::draining::Draining;
use super::upstream::Upstream;
use super::{Limits, ProxyError, ServerTls, Settings, listen};
use crate::door::{Health, Ids, MetadataCache, Running, Seats, Wiring};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

/// What a thread needs to begin.
pub(super) struct Blueprint {
    pub(super) settings: Settings,
    pub(super) wiring: Wiring,
    pub(super) metadata: Arc<MetadataCache>,
    pub(super) seats: Seats,
    /// Which upstream is next.
    pub(super) turn: Arc<AtomicUsize>,
    /// One thread probes the upstreams for all.
    pub(super) probing: Option<Arc<Health>>,
    pub(super) running: Running,
}

/// What the connections of one thread share.
pub(super) struct Core {
    /// Its own: every call holds it.
    pub(super) wiring: Arc<Wiring>,
    pub(super) limits: Limits,
    pub(super) tls: Option<ServerTls>,
    pub(super) upstream: Upstream,
    pub(super) metadata: Arc<MetadataCache>,
    pub(super) seats: Seats,
    pub(super) ids: Ids,
    pub(super) draining: Draining,
    pub(super) connections: Arc<AtomicUsize>,
}

impl Blueprint {
    /// Starts the thread.
    pub(super) fn start(self, listeners: Vec<std::net::TcpListener>) -> Result<(), ProxyError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProxyError::Thread)?;
        let seed = Ids::seed().ok_or(ProxyError::Randomness)?;
        let listeners = {
            let _inside = runtime.enter();
            listeners.into_iter().map(TcpListener::from_std).collect::<Result<Vec<_>, _>>().map_err(ProxyError::Thread)?
        };
        let running = self.running.clone();
        let serve = move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, self.run(seed, listeners));
            // Whatever still runs ends here, and its records are written, before the thread counts as ended.
            drop(tasks);
            drop(running);
        };
        std::thread::Builder::new().name("proxy".into()).spawn(serve).map_err(ProxyError::Thread)?;
        Ok(())
    }

    /// Serves until told to stop and the last connection is gone, or until the sender of the stop
    /// signal is dropped: then whatever still runs is dropped with the thread's tasks.
    async fn run(self, seed: [u64; 4], listeners: Vec<TcpListener>) {
        let Self { settings, wiring, metadata, seats, turn, probing, running } = self;
        let mut stopped = running.stopped.clone();
        if let Some(health) = probing {
            tokio::task::spawn_local(health.run(Arc::clone(&wiring.metrics)));
        }
        let core = Rc::new(Core {
            upstream: Upstream::new(&settings.upstreams, settings.health, turn, &settings.limits),
            metadata,
            seats,
            wiring: Arc::new(wiring),
            limits: settings.limits,
            tls: settings.tls,
            ids: Ids::new(seed),
            draining: Draining::default(),
            connections: Arc::clone(&running.connections),
        });
        let accepting: Vec<_> = listeners.into_iter().map(|listener| tokio::task::spawn_local(listen::accept(Rc::clone(&core), listener))).collect();
        let is_graceful = stopped.wait_for(|stop| *stop).await.is_ok();
        for task in accepting {
            task.abort();
        }
        if is_graceful {
            core.draining.begin();
            tokio::select! {
                () = core.draining.emptied() => {}
                // An error: the sender is gone, the deadline has passed.
                _ = stopped.changed() => {}
            }
        }
    }
}
