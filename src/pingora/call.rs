//! What Pingora carries along with one call: the facts of its request, its admission on the way to
//! where it is used, and its ending. When it is dropped the call is counted and recorded.

use super::presence::Presence;
use super::reaching::Route;
use crate::authorize::{Admission, Refusal};
use crate::door::framing::Visitor;
use crate::door::{Ending, Seat, Wiring};
use crate::observe::clock;
use crate::snapshot::World;
use http::header::{AUTHORIZATION, EXPECT, HeaderValue};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One call, from its first byte to the end of its answer.
#[derive(Default)]
pub struct Call {
    pub(super) presence: Option<Presence>,
    pub(super) open: Option<Box<Open>>,
}

/// A call that is being answered.
pub(super) struct Open {
    /// The world it is judged by, to its end.
    pub(super) world: Arc<World>,
    pub(super) ending: Ending,
    /// The request's head as it came.
    pub(super) head: RequestHeader,
    pub(super) visitor: Visitor,
    /// The protocol that the connection is to change to.
    pub(super) upgrade: Option<HeaderValue>,
    pub(super) route: Route,
    /// The admission, while Pingora's pipeline has the call.
    pub(super) admission: Option<Box<Admission>>,
    /// What is to be said instead of what Pingora would say.
    pub(super) refusal: Option<Refusal>,
    /// Whether the end of a cut answer is noted already.
    pub(super) is_noted: bool,
    /// Its seat, unless all were taken.
    seat: Option<Seat>,
    started: Instant,
    sent: Option<Instant>,
    waited: Duration,
}

impl Open {
    pub(super) fn new(world: Arc<World>, ending: Ending, session: &Session, route: Route, seat: Option<Seat>) -> Self {
        let address = session.client_addr().and_then(|address| address.as_inet().map(std::net::SocketAddr::ip));
        let is_tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
        Self {
            world,
            ending,
            head: session.req_header().clone(),
            visitor: Visitor::new(address.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()), is_tls),
            upgrade: None,
            route,
            admission: None,
            refusal: None,
            is_noted: false,
            seat,
            started: clock::monotonic(),
            sent: None,
            waited: Duration::ZERO,
        }
    }

    /// Whether there was a seat for it.
    pub(super) fn is_seated(&self) -> bool {
        self.seat.is_some()
    }

    /// The caller's own credential for metadata reads, unless it is not to be passed on.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.head.headers.get(AUTHORIZATION).filter(|_| !self.world.settings.drop_authorization).cloned()
    }

    /// Whether the client waits for our leave before it sends its body.
    pub(super) fn awaits_leave(&self) -> bool {
        self.head.headers.get(EXPECT).is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    }

    /// The call goes up now.
    pub(super) fn goes_up(&mut self) {
        self.sent.get_or_insert_with(clock::monotonic);
    }

    /// The head of its answer is here.
    pub(super) fn came_back(&mut self, wiring: &Wiring) {
        if let Some(sent) = self.sent.take() {
            self.waited = sent.elapsed();
            wiring.metrics.upstream.observe(self.waited.as_secs_f64());
        }
    }

    /// The head of the client's answer goes out.
    pub(super) fn goes_out(&self, wiring: &Wiring) {
        wiring.metrics.added_latency.observe(self.started.elapsed().saturating_sub(self.waited).as_secs_f64());
    }
}
