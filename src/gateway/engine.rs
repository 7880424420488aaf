//! What carries the proxy's bytes: one of two engines behind one face.

use super::{GatewayError, settings};
use crate::config::{self, Engine};
use crate::door::{ServerTls, Serving, Sockets, Wiring};
#[cfg(feature = "pingora")]
use crate::pingora as pingora_door;
use crate::proxy;
use std::net::SocketAddr;

/// A proxy whose addresses are bound.
pub(super) enum Bound {
    /// By hyper.
    Hyper(Box<proxy::Proxy>),
    /// By Pingora.
    #[cfg(feature = "pingora")]
    Pingora(Box<pingora_door::Proxy>),
}

impl Bound {
    /// Binds the addresses of the section with the engine that it names.
    ///
    /// # Errors
    /// When an address cannot be bound, or the section asks for what the engine does not have.
    pub(super) fn new(section: &config::Proxy, tls: Option<ServerTls>, sockets: &mut Sockets) -> Result<Self, GatewayError> {
        match section.engine {
            Engine::Hyper => Ok(Self::Hyper(Box::new(proxy::Proxy::bind_with(settings::proxy(section, tls)?, sockets)?))),
            #[cfg(feature = "pingora")]
            Engine::Pingora => {
                let (listening, settings) = (settings::pingora_listening(section, tls), settings::pingora_settings(section)?);
                Ok(Self::Pingora(Box::new(pingora_door::Proxy::bind_with(listening, settings, sockets)?)))
            }
            #[cfg(not(feature = "pingora"))]
            Engine::Pingora => Err(GatewayError::Unavailable(settings::NO_PINGORA)),
        }
    }

    /// The addresses that were bound.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        match self {
            Self::Hyper(proxy) => proxy.addresses(),
            #[cfg(feature = "pingora")]
            Self::Pingora(proxy) => proxy.addresses(),
        }
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When they cannot be started.
    pub(super) fn serve(self, wiring: &Wiring) -> Result<Serving, GatewayError> {
        Ok(match self {
            Self::Hyper(proxy) => proxy.serve(wiring)?,
            #[cfg(feature = "pingora")]
            Self::Pingora(proxy) => proxy.serve(wiring)?,
        })
    }
}
