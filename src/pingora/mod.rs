//! The same door as a Pingora `ProxyHttp`, for those who build their own service on Pingora or prefer
//! its engine. It translates a request into a call, asks `authorize`, and carries bytes; it never
//! decides anything itself, and nothing reaches the upstream without an admission.
//!
//! Calls whose answer is filtered, and those whose body was inspected, are carried by the door itself
//! over Pingora's connections: only so can an answer be held back until the filter has shown that it
//! can read it. All others go through Pingora's own pipeline.

mod answer;
mod call;
mod carrying;
mod framing;
mod listen;
mod presence;
mod reaching;
mod refuse;
mod request;
mod service;
mod serving;
mod stream;

pub use call::Call;
pub use reaching::UpstreamUrl;
pub use service::Doorward;
pub use serving::{Listening, Proxy};

use crate::door::{Health, ListenError, Metadata};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the door is told by the configuration (interfaces §2), whoever serves it.
#[derive(Clone)]
pub struct Settings {
    /// Where calls go; several take turns.
    pub upstreams: Vec<UpstreamUrl>,
    /// The authorities that an https upstream must be signed by, PEM; the machine's own without it.
    pub upstream_ca: Option<PathBuf>,
    /// Limits and timeouts, all finite.
    pub limits: Limits,
    /// What is known of the upstreams: whoever serves the door runs it.
    pub health: Arc<Health>,
    /// Reads metadata from the upstreams.
    pub metadata: Metadata,
}

/// Finite limits and timeouts of the door itself; those of a call stand in the world's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head, of which Pingora reads up to a mebibyte before it is measured.
    pub request_head_bytes: usize,
    /// Bytes of an answer that must be held whole (an HTTP/1.0 client of a filtered answer).
    pub held_answer_bytes: usize,
    /// Time for a request's head, a TLS handshake, and between two requests.
    pub header_read_timeout: Duration,
    /// Time to reach the upstream.
    pub upstream_connect_timeout: Duration,
    /// Time between two signs of life of the upstream, and of a client that sends a body.
    pub upstream_read_timeout: Duration,
    /// Time for a whole request body that is inspected.
    pub request_body_timeout: Duration,
    /// Time for a client to take some of what it is sent.
    pub client_write_timeout: Duration,
    /// Connections of clients at once.
    pub max_connections: usize,
    /// Calls at work at once.
    pub max_in_flight: usize,
}

/// Why the door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PingoraError {
    /// An address could not be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Threads or their runtime could not be started.
    #[error("cannot start the proxy's threads: {0}")]
    Thread(std::io::Error),
    /// The roots that https upstreams are verified against cannot be used.
    #[error("the root certificates cannot be used: {0}")]
    Roots(String),
    /// An upstream has a name that no certificate can have.
    #[error("`{0}` is no name of an upstream")]
    Name(String),
}
