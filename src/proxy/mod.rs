//! The reverse proxy, on hyper: one thread per core, each with its own runtime, listener and pool
//! of upstream connections. It translates a request into a call, asks `authorize`, and carries
//! bytes; it never decides anything itself, and nothing reaches the upstream without an admission.

mod answer;
mod body;
mod call;
mod connection;
mod core;
mod draining;
mod exit;
mod filtered;
mod framing;
mod leaving;
mod listen;
mod metadata;
mod pace;
mod refuse;
mod stream;
mod upgrade;
mod upstream;

pub use crate::door::{ServerTls, TlsError, client_tls};
pub use upstream::{UpstreamTls, UpstreamUrl};

use crate::door::{Health, ListenError, MetadataCache, MetadataCacheSettings, Seats, Serving, Sockets, Wiring, bind};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// What the proxy is told by the configuration (interfaces §2).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// How many threads serve; each has its own listener, connections and pool.
    pub threads: NonZeroUsize,
    /// Where calls go; several take turns.
    pub upstreams: Vec<UpstreamUrl>,
    /// Certificates to serve with, or plain text.
    pub tls: Option<ServerTls>,
    /// Limits and timeouts, all finite.
    pub limits: Limits,
    /// Metadata that the upstream answered.
    pub metadata_cache: MetadataCacheSettings,
    /// What is known of the upstreams; the first thread finds it out.
    pub health: Arc<Health>,
}

/// Finite limits and timeouts of the door itself; those of a call stand in the world's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head.
    pub request_head_bytes: usize,
    /// Header fields of a request.
    pub header_count: usize,
    /// Bytes of an answer that must be held whole (an HTTP/1.0 client of a filtered answer).
    pub held_answer_bytes: usize,
    /// Time for a request's head, a TLS handshake, and between two requests.
    pub header_read_timeout: Duration,
    /// Time to reach the upstream.
    pub upstream_connect_timeout: Duration,
    /// Time between two signs of life of the upstream.
    pub upstream_read_timeout: Duration,
    /// Time for a whole request body that is inspected.
    pub request_body_timeout: Duration,
    /// Time for a client to take some of what it is sent.
    pub client_write_timeout: Duration,
    /// Connections of clients at once, over all threads.
    pub max_connections: usize,
    /// Calls at work at once, over all threads.
    pub max_in_flight: usize,
}

/// Why the proxy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// An address could not be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A thread or its runtime could not be started.
    #[error("cannot start a proxy thread: {0}")]
    Thread(std::io::Error),
    /// The system gave no randomness for decision ids.
    #[error("no randomness for decision ids")]
    Randomness,
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A proxy whose addresses are bound and that does not serve yet.
#[derive(Debug)]
pub struct Proxy {
    settings: Settings,
    listeners: Vec<Vec<std::net::TcpListener>>,
    addresses: Vec<SocketAddr>,
}

impl Proxy {
    /// Binds every address, once per thread.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn bind(settings: Settings) -> Result<Self, ProxyError> {
        Self::bind_with(settings, &mut Sockets::default())
    }

    /// The same, by the sockets that the process was given where there are some.
    ///
    /// # Errors
    /// As `bind`.
    pub fn bind_with(settings: Settings, sockets: &mut Sockets) -> Result<Self, ProxyError> {
        let (listeners, addresses) = bind(&settings.listen, settings.threads, sockets)?;
        Ok(Self { settings, listeners, addresses })
    }

    /// The addresses that were bound, with their real ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread, its runtime or its random source cannot be made.
    pub fn serve(self, wiring: &Wiring) -> Result<Serving, ProxyError> {
        let (serving, running) = Serving::begin();
        let metadata = Arc::new(MetadataCache::new(self.settings.metadata_cache));
        let seats = Seats::new(self.settings.limits.max_in_flight);
        let turn = Arc::<AtomicUsize>::default();
        let mut probing = Some(Arc::clone(&self.settings.health));
        for listeners in self.listeners {
            let (settings, wiring, running) = (self.settings.clone(), wiring.clone(), running.clone());
            let (metadata, seats, turn, probing) = (Arc::clone(&metadata), seats.clone(), Arc::clone(&turn), probing.take());
            let core = core::Blueprint { settings, wiring, metadata, seats, turn, probing, running };
            core.start(listeners)?;
        }
        Ok(serving)
    }
}
