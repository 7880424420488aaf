//! One call, from the request's head to its answer's: who asks, what `authorize` says, what it
//! needs first, and the admitted call on its way up. It decides nothing itself.

use super::answer::{self, Caller};
use super::body::AnswerBody;
use super::core::Core;
use super::exit::Exit;
use super::refuse;
use super::upgrade::Tunnel;
use super::upstream::RequestBody;
use super::{framing, metadata};
use crate::authorize::{Admission, DecisionId, Door, Refusal, RefusalName};
use crate::door::framing::Visitor;
use crate::door::{self, Arrival, MetadataAnswers, Supplies, ask, too_busy};
use crate::observe::clock;
use crate::snapshot::World;
use crate::sources::Channel;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, EXPECT, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Version};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use jiff::Timestamp;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// What is read of a refused request's body, at most, so that the connection can serve the next.
const DRAINED_BYTES: u64 = 64 * 1024;
const DRAINED_WITHIN: Duration = Duration::from_millis(500);

/// The client's end of a connection.
pub(super) struct Peer {
    pub(super) visitor: Visitor,
    /// What tokens that are bound to their sender are compared with.
    pub(super) channel: Channel,
    /// Set when an answer leaves while its request is still coming.
    pub(super) linger: Arc<AtomicBool>,
    /// What the connection becomes by a change of protocol.
    pub(super) tunnel: Tunnel,
}

/// The facts of one call.
struct Arrived<'a> {
    core: &'a Rc<Core>,
    peer: &'a Peer,
    world: Arc<World>,
    decision_id: DecisionId,
    now: Timestamp,
    started: Instant,
}

/// The request's body: on the wire, or read whole because `authorize` asked for it.
enum Received {
    Coming(Incoming),
    Whole(Bytes),
}

/// Answers one request.
pub(super) async fn answer(core: Rc<Core>, peer: &Peer, request: Request<Incoming>) -> Response<AnswerBody> {
    let started = clock::monotonic();
    let arrived = Arrived { core: &core, peer, world: core.wiring.world.load(), decision_id: core.ids.next(), now: core.wiring.clock.now(), started };
    let (version, id) = (request.version(), arrived.decision_id);
    let (head, incoming) = request.into_parts();
    let is_head = version == Version::HTTP_2 && head.method == Method::HEAD;
    let received = Received::Coming(incoming);
    let seat = core.seats.take();
    let is_seated = seat.is_some();
    let exit = Exit::new(&core, id, seat);
    // Without a seat nothing is read and nobody is asked.
    let answered = if is_seated { arrived.answer(head, received, &exit).await } else { Err((too_busy(), !received.is_empty())) };
    let (refusal, is_last) = match answered {
        Ok(response) => return response,
        Err(refused) => refused,
    };
    if is_last || refusal.closes_connection() {
        peer.linger.store(true, Ordering::Relaxed);
    }
    exit.refused(&refusal);
    let response = refuse::answer(&arrived.world, id, &refusal, version, is_last);
    // By HTTP/1.1 hyper leaves the body of an answer to HEAD out; by HTTP/2 it would send it.
    if is_head { response.map(|_| AnswerBody::whole(Bytes::new())) } else { response }
}

impl Arrived<'_> {
    /// The client's answer; or what it is refused with, and whether something of the request may still come.
    async fn answer(&self, head: Parts, mut received: Received, exit: &Exit) -> Result<Response<AnswerBody>, (Refusal, bool)> {
        match self.admit(&head, &mut received, exit).await {
            Ok(admission) => self.carry(admission, head, received, exit).await.map_err(|refusal| (refusal, false)),
            Err(refusal) => Err((refusal, !drained(&head, received).await)),
        }
    }

    /// Asks for a verdict, with what it needs.
    async fn admit(&self, head: &Parts, received: &mut Received, exit: &Exit) -> Result<Box<Admission>, Refusal> {
        let target = framing::target(&head.uri, head.version);
        let arrival = Arrival {
            door: Door::Proxy,
            decision_id: self.decision_id,
            world: &self.world,
            now: self.now,
            method: head.method.as_str(),
            target: &target,
            headers: &head.headers,
            authority: head.uri.authority().map(http::uri::Authority::as_str),
            channel: self.peer.channel,
        };
        let mut upstairs = Upstairs { arrived: self, head, received };
        exit.asked(ask(&self.core.wiring, &arrival, &mut upstairs).await, &self.world)
    }

    /// The caller's own credential for metadata reads, unless it is not to be passed on.
    fn authorization(&self, head: &Parts) -> Option<HeaderValue> {
        head.headers.get(AUTHORIZATION).filter(|_| !self.world.settings.drop_authorization).cloned()
    }

    /// Sends the admitted call up and turns its answer into the client's.
    async fn carry(&self, admission: Box<Admission>, mut head: Parts, received: Received, exit: &Exit) -> Result<Response<AnswerBody>, Refusal> {
        let version = head.version;
        let authorization = self.authorization(&head);
        let is_free = admission.is_upgrade() && !admission.is_filtered() && received.is_empty();
        let upgrade = if is_free { door::framing::upgrade_asked(&head) } else { None };
        let on_upgrade = upgrade.as_ref().and_then(|_| head.extensions.remove::<OnUpgrade>()).map(|client| (client, self.peer.tunnel.clone()));
        let host = framing::host(&head.headers, &head.uri);
        let body = received.into_body();
        admission.edit_request(&mut head.headers);
        door::framing::dress_request(&mut head.headers, &self.peer.visitor, host, upgrade, version);
        framing::frame_request(&mut head.headers, &head.method, body.is_end_stream(), body.size_hint().exact());
        let before = clock::monotonic();
        let sent = self.core.upstream.send(admission, head, body).await?;
        let waited = before.elapsed();
        let metrics = &self.core.wiring.metrics;
        metrics.upstream.observe(waited.as_secs_f64());
        let caller = Caller { version, authorization, on_upgrade };
        let response = answer::translate(self.core, sent, caller, exit).await;
        metrics.added_latency.observe(self.started.elapsed().saturating_sub(waited).as_secs_f64());
        response
    }
}

/// What this door can bring: the body from the client, metadata from the upstream.
struct Upstairs<'a, 'b> {
    arrived: &'a Arrived<'a>,
    head: &'a Parts,
    received: &'b mut Received,
}

impl Supplies for Upstairs<'_, '_> {
    fn body(&self) -> Option<&Bytes> {
        self.received.whole()
    }

    async fn read_body(&mut self, limit: usize) -> Result<(), Refusal> {
        let patience = self.arrived.core.limits.request_body_timeout;
        // A deadline for the whole: who sends a byte now and then gets no further by it.
        let read = timeout(patience, self.received.read(limit)).await;
        read.unwrap_or_else(|_| Err(incomplete("the request body did not come in time")))
    }

    async fn read_metadata(&mut self, targets: Vec<String>) -> MetadataAnswers {
        metadata::fetch(Rc::clone(self.arrived.core), targets, self.arrived.authorization(self.head)).await
    }
}

impl Received {
    fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Coming(_) => None,
            Self::Whole(bytes) => Some(bytes),
        }
    }

    /// Reads the body whole: it is complete and within the limit before anything is decided on it.
    async fn read(&mut self, limit: usize) -> Result<(), Refusal> {
        let Self::Coming(incoming) = self else { return Ok(()) };
        if incoming.size_hint().lower() > limit as u64 {
            return Err(Refusal::body_too_large(limit));
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| incomplete(format!("the request body broke off: {error}")))?;
            // Request trailers are dropped.
            let Ok(chunk) = frame.into_data() else { continue };
            if whole.len() + chunk.len() > limit {
                return Err(Refusal::body_too_large(limit));
            }
            whole.extend_from_slice(&chunk);
        }
        *self = Self::Whole(whole.freeze());
        Ok(())
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Coming(incoming) => incoming.is_end_stream(),
            Self::Whole(bytes) => bytes.is_empty(),
        }
    }

    fn into_body(self) -> RequestBody {
        match self {
            Self::Coming(incoming) => RequestBody::streaming(incoming),
            Self::Whole(bytes) if bytes.is_empty() => RequestBody::Empty,
            Self::Whole(bytes) => RequestBody::Whole(Some(bytes)),
        }
    }
}

fn incomplete(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request body is incomplete.", reason)
}

/// Whether a refused request was taken in to its end, so that its connection can serve the next.
/// A body that is large, or waits for our leave to come, is not read.
async fn drained(head: &Parts, received: Received) -> bool {
    let Received::Coming(mut incoming) = received else { return true };
    if incoming.is_end_stream() {
        return true;
    }
    let is_small = incoming.size_hint().upper().is_some_and(|length| length <= DRAINED_BYTES);
    if !is_small || head.headers.contains_key(EXPECT) {
        return false;
    }
    let to_its_end = async {
        while let Some(frame) = incoming.frame().await {
            if frame.is_err() {
                return false;
            }
        }
        true
    };
    timeout(DRAINED_WITHIN, to_its_end).await.unwrap_or(false)
}
