//! The upstream side of one thread. `send` takes the admission by value: without one, nothing of a
//! client's call gets here. Metadata reads are the door's own and carry no body.

mod connect;
mod pool;
mod request_body;

pub(super) use pool::Lease;
pub(super) use request_body::RequestBody;

use super::Limits;
use super::framing;
use crate::authorize::{Admission, Refusal, RefusalName};
use crate::door::Health;
use crate::observe::clock;
use bytes::Bytes;
use connect::Reached;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HOST, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use pool::Peer;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The largest metadata answer that is read; a larger one is unknown.
const METADATA_BYTES: usize = 64 * 1024;
/// How often a call is sent again when a pooled connection turns out to be closed.
const STALE_CONNECTIONS: usize = 3;
/// What must come of a streamed request body, in bytes, between two looks at it.
const LEAST_PROGRESS: u64 = 1024;

/// An upstream from the configuration.
#[derive(Clone, Debug)]
pub struct UpstreamUrl {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How to verify it, when it is spoken to by TLS.
    pub tls: Option<UpstreamTls>,
}

/// TLS towards an upstream.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    /// Roots and versions.
    pub config: Arc<ClientConfig>,
    /// The name its certificate must have.
    pub name: ServerName<'static>,
}

/// The upstreams as one thread sees them.
pub(super) struct Upstream {
    peers: Vec<Rc<Peer>>,
    health: Arc<Health>,
    turn: Arc<AtomicUsize>,
    connect_timeout: Duration,
    read_timeout: Duration,
}

/// An answer's head, with the admission that it must pass and the connection that its body comes on.
pub(super) struct Sent {
    pub(super) admission: Box<Admission>,
    pub(super) response: Response<Incoming>,
    pub(super) lease: Lease,
}

/// Why there is no answer.
enum Fault {
    /// Nothing was written on this connection: the request is here again.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended before a byte of the answer.
    Closed,
    Refused(Refusal),
}

impl Upstream {
    /// `turn` is counted up by all threads, so that calls go round however the connections lie.
    pub(super) fn new(upstreams: &[UpstreamUrl], health: Arc<Health>, turn: Arc<AtomicUsize>, limits: &Limits) -> Self {
        Self {
            health,
            peers: upstreams.iter().enumerate().map(|(place, upstream)| Rc::new(Peer::new(place, upstream))).collect(),
            turn,
            connect_timeout: limits.upstream_connect_timeout,
            read_timeout: limits.upstream_read_timeout,
        }
    }

    /// The time within which the upstream must show a sign of life.
    pub(super) fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    /// Sends an admitted call and waits for the head of its answer.
    pub(super) async fn send(&self, admission: Box<Admission>, mut head: Parts, body: RequestBody) -> Result<Sent, Refusal> {
        let uri = framing::upstream_uri(&head.uri, admission.target());
        head.uri = uri.ok_or_else(|| unavailable("the authorized target is no request target"))?;
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let (response, lease) = self.exchange(Request::from_parts(head, body)).await?;
        Ok(Sent { admission, response, lease })
    }

    /// Reads the metadata at a target: the body of a plain 200, or `None` (semantics §9, "Metadata").
    pub(super) async fn metadata(&self, target: &str, authorization: Option<HeaderValue>) -> Option<Bytes> {
        let mut request = Request::new(RequestBody::Empty);
        *request.uri_mut() = framing::upstream_uri(&Uri::default(), target)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        let (response, lease) = self.exchange(request).await.ok()?;
        if response.status() != StatusCode::OK || response.headers().contains_key(CONTENT_ENCODING) {
            return None;
        }
        let body = Limited::new(response.into_body(), METADATA_BYTES).collect();
        let body = timeout(self.read_timeout, body).await.ok()?.ok()?.to_bytes();
        lease.give_back();
        Some(body)
    }

    /// One request and the head of its answer, again on another connection where that is safe: nothing was
    /// written, or the connection ended without a byte and the request may be repeated. An old connection
    /// was closed before it came, most likely; from a new one a method that changes something is not
    /// repeated, and none goes to the same upstream again.
    async fn exchange(&self, mut request: Request<RequestBody>) -> Result<(Response<Incoming>, Lease), Refusal> {
        let (mut stale, mut failed) = (0, Vec::new());
        loop {
            let may_reuse = stale < STALE_CONNECTIONS;
            let mut lease = self.reach(may_reuse, &failed).await?;
            request.headers_mut().insert(HOST, lease.peer().authority.clone());
            let may_repeat = lease.is_reused() || failed.len().saturating_add(1) < self.peers.len();
            let spare = if may_repeat { spare(&request, lease.is_reused()) } else { None };
            lease.watch(request.body());
            let fault = match self.attempt(&mut lease, request).await {
                Ok(response) => return Ok((response, lease)),
                Err(fault) => fault,
            };
            request = match (fault, spare) {
                (Fault::Refused(refusal), _) => return Err(refusal),
                (Fault::Unsent(request), _) if may_repeat => *request,
                (Fault::Closed, Some(spare)) => spare,
                (Fault::Unsent(_) | Fault::Closed, _) => return Err(unavailable("the upstream closed the connection without an answer")),
            };
            if lease.is_reused() {
                stale += 1;
            } else {
                lease.peer().mark_down(clock::monotonic());
                failed.push(lease.peer().place);
            }
        }
    }

    async fn attempt(&self, lease: &mut Lease, request: Request<RequestBody>) -> Result<Response<Incoming>, Fault> {
        let progress = request.body().progress();
        let mut answer = pin!(lease.try_send(request));
        let mut seen = progress.as_ref().map_or(0, |progress| progress.bytes());
        let mut patience = self.read_timeout;
        let result = loop {
            if let Ok(result) = timeout(patience, answer.as_mut()).await {
                break result;
            }
            // The upstream's time begins with the end of the client's body.
            if let Some(ended_at) = progress.as_ref().and_then(|progress| progress.ended_at()) {
                patience = self.read_timeout.saturating_sub(clock::monotonic().saturating_duration_since(ended_at));
                if patience.is_zero() {
                    return Err(Fault::Refused(late("no answer's head in time")));
                }
                continue;
            }
            // While it still moves the upstream is not late.
            let now = progress.as_ref().map_or(0, |progress| progress.bytes());
            if now.saturating_sub(seen) < LEAST_PROGRESS {
                let is_clients = progress.as_ref().is_some_and(|progress| progress.is_awaited());
                return Err(Fault::Refused(if is_clients { slow_body() } else { late("no answer's head in time") }));
            }
            seen = now;
        };
        result.map_err(|mut error| match error.take_message() {
            Some(request) => Fault::Unsent(Box::new(request)),
            None if progress.is_some_and(|progress| progress.is_broken()) => {
                Fault::Refused(Refusal::new(RefusalName::InvalidRequest, "The request body broke off.", "the client's body broke off"))
            }
            None => {
                let error = error.into_error();
                if error.is_parse() || error.is_user() {
                    return Fault::Refused(unavailable(format!("the upstream's answer is not HTTP: {error}")));
                }
                Fault::Closed
            }
        })
    }

    /// A connection to the upstream whose turn it is, or to the next that can be reached, but to none that
    /// failed this request. Nothing was sent yet, so trying another is safe for every request.
    async fn reach(&self, may_reuse: bool, failed: &[usize]) -> Result<Lease, Refusal> {
        let now = clock::monotonic();
        let count = self.peers.len();
        // With one there are no turns to take.
        let first = if count > 1 { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let in_turn = || (0..count).filter_map(|place| self.peers.get(first.wrapping_add(place) % count)).filter(|peer| !failed.contains(&peer.place));
        // Those that failed a moment ago come last, not never.
        let order = in_turn().filter(|peer| !self.is_down(peer, now)).chain(in_turn().filter(|peer| self.is_down(peer, now)));
        let mut refusal = unavailable("no upstream is configured");
        for peer in order {
            if may_reuse && let Some(lease) = peer.reuse(now, self.connect_timeout).await {
                return Ok(lease);
            }
            match connect::reach(peer, self.connect_timeout).await {
                Reached::Connected(lease) => return Ok(lease),
                Reached::Failed(reason) => refusal = unavailable(reason),
                Reached::Late => refusal = late("no connection in time"),
            }
            peer.mark_down(clock::monotonic());
        }
        Err(refusal)
    }

    /// Whether an upstream is to be tried last.
    fn is_down(&self, peer: &Peer, now: Instant) -> bool {
        peer.is_down(now) || self.health.is_down(peer.place)
    }
}

/// A copy to send again, for a method that may be repeated and a body that is all here.
fn spare(request: &Request<RequestBody>, is_reused: bool) -> Option<Request<RequestBody>> {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let may_repeat = is_safe || is_reused && matches!(*request.method(), Method::PUT | Method::DELETE);
    let body = request.body().replay().filter(|_| may_repeat)?;
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = HeaderMap::clone(request.headers());
    Some(copy)
}

/// 400: the client does not send what it said it would.
fn slow_body() -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request body is incomplete.", "the request body did not come in time")
}

/// 504: the upstream took too long.
fn late(reason: &str) -> Refusal {
    Refusal::new(RefusalName::UpstreamTimeout, "The upstream did not answer in time.", reason)
}

/// 502: the upstream cannot be reached or broke off.
pub(super) fn unavailable(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::UpstreamUnavailable, "The upstream is not available.", reason)
}
