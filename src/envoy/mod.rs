//! Envoy's services: external authorization (ext_authz v3) and external processing (ext_proc v3), by
//! gRPC. Envoy carries the bytes; here its messages become calls, `authorize` judges them, and what
//! it says becomes Envoy's messages again. It decides nothing itself, and what it cannot read, or
//! Envoy cannot carry out, is a refusal.

mod arriving;
mod core;
mod ext_authz;
mod ext_proc;
mod head;
mod listen;
mod presence;
mod refuse;

use crate::door::{ListenError, Metadata, Seats, Serving, Sockets, Wiring, bind};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// What the services are told by the configuration (interfaces §2).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// How many threads serve; each has its own listener and connections.
    pub threads: NonZeroUsize,
    /// Whether ext_proc follows ext_authz in Envoy's filter chain. Without it a call whose answer must
    /// be filtered is refused by ext_authz.
    pub ext_proc: bool,
    /// Limits, all finite.
    pub limits: Limits,
}

/// Finite limits of the door itself; those of a call stand in the world's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head; a message may be so much longer than the body in it.
    pub request_head_bytes: usize,
    /// Bytes of a request body that is inspected.
    pub request_body_bytes: usize,
    /// Time for a connection to begin.
    pub header_read_timeout: Duration,
    /// Time for a message to come whole.
    pub request_body_timeout: Duration,
    /// Connections of Envoys at once, over all threads.
    pub max_connections: usize,
    /// Calls at work at once, of both services together, over all threads.
    pub max_in_flight: usize,
}

/// Why the services could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EnvoyError {
    /// An address could not be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A thread or its runtime could not be started.
    #[error("cannot start a thread for Envoy: {0}")]
    Thread(std::io::Error),
}

/// Services whose addresses are bound and that do not serve yet.
#[derive(Debug)]
pub struct Envoy {
    settings: Settings,
    listeners: Vec<Vec<std::net::TcpListener>>,
    addresses: Vec<SocketAddr>,
}

impl Envoy {
    /// Binds every address, once per thread.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn bind(settings: Settings) -> Result<Self, EnvoyError> {
        Self::bind_with(settings, &mut Sockets::default())
    }

    /// The same, by the sockets that the process was given where there are some.
    ///
    /// # Errors
    /// As `bind`.
    pub fn bind_with(settings: Settings, sockets: &mut Sockets) -> Result<Self, EnvoyError> {
        let (listeners, addresses) = bind(&settings.listen, settings.threads, sockets)?;
        Ok(Self { settings, listeners, addresses })
    }

    /// The addresses that were bound, with their real ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts the threads; metadata that a verdict or a filter needs is read by `metadata`.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn serve(self, wiring: &Wiring, metadata: &Metadata) -> Result<Serving, EnvoyError> {
        let (serving, running) = Serving::begin();
        let seats = Seats::new(self.settings.limits.max_in_flight);
        for listeners in self.listeners {
            let core = core::Blueprint {
                settings: self.settings.clone(),
                shared: core::Shared {
                    wiring: Arc::new(wiring.clone()),
                    metadata: metadata.clone(),
                    seats: seats.clone(),
                    ext_proc: self.settings.ext_proc,
                    head_bytes: self.settings.limits.request_head_bytes,
                },
                running: running.clone(),
            };
            core.start(listeners)?;
        }
        Ok(serving)
    }
}
