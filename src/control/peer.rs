//! From where a caller comes, and whether a network zone stands against it: asked of every call with a
//! token, and before anybody signs in.

use super::identity::{SessionType, Verdict, verdict};
use super::plane::Plane;
use crate::store::State;
use axum::extract::{ConnectInfo, FromRequestParts};
use http::Extensions;
use http::request::Parts;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

/// The address of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

impl Peer {
    /// Who sent a request. Every connection has an address; one that is not known is not in any range but those of everybody.
    pub(super) fn of(request: &Extensions) -> Self {
        Self(request.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip()))
    }

    /// Whether a zone blocks this user (by id) with these roles (`scope/code`).
    pub(super) fn is_blocked(self, plane: &Plane, state: &State, session: SessionType, (user, roles): (&str, &[String])) -> bool {
        if !plane.settings.network_zones || state.network_zones.is_empty() {
            return false;
        }
        match verdict(state, self.0, session, roles) {
            Verdict::Pass => false,
            Verdict::Blocked(zone) => {
                tracing::warn!(address = %self.0, user, zone, "blocked by a network zone");
                true
            }
        }
    }

    /// The same of a user who is about to sign in; one who is not known is refused for that.
    pub(super) fn may_not_sign_in(self, plane: &Plane, state: &State, session: SessionType, user: Option<&str>) -> bool {
        let Some(user) = user.and_then(|id| state.users.find(id)) else { return false };
        let roles: Vec<String> = user.roles.iter().map(|role| format!("{}/{}", role.scope, role.code)).collect();
        self.is_blocked(plane, state, session, (&user.id, &roles))
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::Peer;

    /// A peer on this machine.
    pub(in crate::control) fn local() -> Peer {
        Peer(std::net::Ipv4Addr::LOCALHOST.into())
    }
}
