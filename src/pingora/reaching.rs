//! The upstreams as Pingora's peers: whose turn it is, where a name leads, and which of them could not
//! be reached a moment ago. Names are looked up without holding up a thread, and an https upstream
//! always has a name that its certificate is verified against.

use super::{Limits, PingoraError};
use crate::authorize::{Refusal, RefusalName};
use crate::door::Health;
use crate::observe::clock;
use http::HeaderValue;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use rustls::pki_types::ServerName;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a connection may wait for its next call; below what servers usually allow.
const IDLE: Duration = Duration::from_secs(30);
/// How long an upstream that could not be reached is passed over.
const DOWN: Duration = Duration::from_secs(2);

/// An upstream from the configuration.
#[derive(Clone, Debug)]
pub struct UpstreamUrl {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it is spoken to by TLS.
    pub is_tls: bool,
}

/// All upstreams.
pub(super) struct Upstreams {
    all: Vec<Upstream>,
    health: Arc<Health>,
    turn: AtomicUsize,
    limits: Limits,
}

struct Upstream {
    host: String,
    port: u16,
    is_tls: bool,
    authority: HeaderValue,
    down_until: Mutex<Option<Instant>>,
}

/// The upstreams that a call may still try, and which it is at.
#[derive(Debug, Default)]
pub(super) struct Route {
    places: std::vec::IntoIter<usize>,
    at: Option<usize>,
    /// Where the upstream's name leads, from the one that is tried.
    addresses: VecDeque<SocketAddr>,
}

impl Upstreams {
    pub(super) fn new(urls: &[UpstreamUrl], health: Arc<Health>, limits: Limits) -> Result<Self, PingoraError> {
        let all = urls.iter().map(Upstream::new).collect::<Result<_, _>>()?;
        Ok(Self { all, health, turn: AtomicUsize::new(0), limits })
    }

    /// The way of a new call: those that failed a moment ago come last, not never.
    pub(super) fn route(&self) -> Route {
        let now = clock::monotonic();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.all.len();
        let mut places: Vec<usize> = (0..count).map(|place| first.wrapping_add(place) % count).collect();
        places.sort_by_key(|&place| self.health.is_down(place) || self.all.get(place).is_some_and(|upstream| upstream.is_down(now)));
        Route { places: places.into_iter(), at: None, addresses: VecDeque::new() }
    }

    /// The peer that the call is at.
    pub(super) async fn peer(&self, route: &mut Route) -> Result<HttpPeer, Refusal> {
        if route.at.is_none() {
            route.at = route.places.next();
        }
        let upstream = route.at.and_then(|place| self.all.get(place)).ok_or_else(|| unavailable("no upstream is left to try"))?;
        if route.addresses.is_empty() {
            let addresses = timeout(self.limits.upstream_connect_timeout, upstream.addresses()).await;
            route.addresses = addresses.map_err(|_| late("no name in time"))?.map_err(unavailable)?;
        }
        let address = route.addresses.front().ok_or_else(|| unavailable("the name leads nowhere"))?;
        let sni = if upstream.is_tls { upstream.host.clone() } else { String::new() };
        let mut peer = HttpPeer::new(*address, upstream.is_tls, sni);
        let options = &mut peer.options;
        options.connection_timeout = Some(self.limits.upstream_connect_timeout);
        options.total_connection_timeout = Some(self.limits.upstream_connect_timeout);
        options.read_timeout = Some(self.limits.upstream_read_timeout);
        options.write_timeout = Some(self.limits.upstream_read_timeout);
        options.idle_timeout = Some(IDLE);
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::standard();
        Ok(peer)
    }

    /// What the upstream calls itself, for `Host`.
    pub(super) fn authority(&self, route: &Route) -> Option<HeaderValue> {
        self.at(route).map(|upstream| upstream.authority.clone())
    }

    /// Passes over the address that could not be reached, and over the upstream with its last; says
    /// whether another is left.
    pub(super) fn pass_over(&self, route: &mut Route) -> bool {
        route.addresses.pop_front();
        if !route.addresses.is_empty() {
            return true;
        }
        if let Some(upstream) = self.at(route) {
            upstream.set_down(Some(clock::monotonic() + DOWN));
        }
        route.at = route.places.next();
        route.at.is_some()
    }

    /// The upstream was reached.
    pub(super) fn reached(&self, route: &Route) {
        if let Some(upstream) = self.at(route) {
            upstream.set_down(None);
        }
    }

    fn at(&self, route: &Route) -> Option<&Upstream> {
        self.all.get(route.at?)
    }
}

impl Upstream {
    fn new(url: &UpstreamUrl) -> Result<Self, PingoraError> {
        let host = url.host.trim_matches(['[', ']']).to_owned();
        let unusable = || PingoraError::Name(url.host.clone());
        ServerName::try_from(host.as_str()).map_err(|_| unusable())?;
        let name = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let usual = if url.is_tls { 443 } else { 80 };
        let authority = if url.port == usual { name } else { format!("{name}:{}", url.port) };
        let authority = HeaderValue::try_from(authority).map_err(|_| unusable())?;
        Ok(Self { host, port: url.port, is_tls: url.is_tls, authority, down_until: Mutex::new(None) })
    }

    async fn addresses(&self) -> Result<VecDeque<SocketAddr>, String> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(VecDeque::from([SocketAddr::new(address, self.port)]));
        }
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        Ok(found.map_err(|error| format!("the name is not known: {error}"))?.collect())
    }

    fn is_down(&self, now: Instant) -> bool {
        self.down_until.lock().is_ok_and(|until| until.is_some_and(|until| now < until))
    }

    fn set_down(&self, until: Option<Instant>) {
        if let Ok(mut down_until) = self.down_until.lock() {
            *down_until = until;
        }
    }
}

/// 502: the upstream cannot be reached or broke off.
pub(super) fn unavailable(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::UpstreamUnavailable, "The upstream is not available.", reason)
}

/// 504: the upstream took too long.
pub(super) fn late(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::UpstreamTimeout, "The upstream did not answer in time.", reason)
}
