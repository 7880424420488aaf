//! Forward auth: the door for nginx (`auth_request`), Traefik, Caddy, HAProxy and Envoy's HTTP
//! `ext_authz`, which show the head of a call and carry the call themselves; and for those who ask
//! bare questions, AuthZEN and the caller's own rights. It translates, asks, and translates back.
//!
//! It never sees a body or an answer: a call whose body would have to be inspected, or whose answer
//! would have to be filtered, is refused here (interfaces §10). It believes what a call was only from
//! peers that the configuration trusts.

mod answering;
mod asking;
mod authzen;
mod original;
mod own_rights;
mod questions;
mod serving;
mod verdict;

pub use serving::Serving;

use crate::door::{Metadata, Seats, Wiring};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What the door is told by the configuration (interfaces §2).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose word is taken for what the original call was.
    pub trusted_peers: Vec<IpNet>,
    /// Limits of its connections, all finite.
    pub limits: Limits,
    /// Where callers of AuthZEN find this door, without a slash at its end.
    pub public_url: String,
    /// How many bare questions may come at once.
    pub questions: usize,
    /// Bytes of the body that they come in.
    pub question_bytes: usize,
}

/// Limits of the door's own connections; those of a call stand in the world's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head.
    pub request_head_bytes: usize,
    /// Header fields of the original call.
    pub header_count: usize,
    /// Time for a request's head, and between two requests.
    pub header_read_timeout: Duration,
    /// Connections at once, over all addresses.
    pub max_connections: usize,
    /// Calls and questions at work at once.
    pub max_in_flight: usize,
}

/// The door, shared by all its connections.
pub(crate) struct Door {
    settings: Settings,
    wiring: Arc<Wiring>,
    metadata: Metadata,
    seats: Seats,
}

impl Door {
    /// Whether what this peer says of a call is believed.
    fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.settings.trusted_peers.iter().any(|network| network.contains(&peer))
    }
}

/// Serves on these listeners until it is stopped or dropped.
#[must_use]
pub fn serve(listeners: Vec<TcpListener>, settings: Settings, wiring: Wiring, metadata: Metadata) -> Serving {
    let seats = Seats::new(settings.limits.max_in_flight);
    serving::start(listeners, Arc::new(Door { settings, wiring: Arc::new(wiring), metadata, seats }))
}
