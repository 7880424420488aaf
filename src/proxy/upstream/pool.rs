//! Connections to one upstream, kept by one thread: the most recently used first, so that the
//! surplus ages out. A connection comes back only when its answer, and the request, were complete.

use super::UpstreamUrl;
use super::request_body::{Progress, RequestBody};
use super::{UpstreamTls, clock};
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::SendRequest;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a connection may wait for its next call; below what servers usually allow.
const IDLE: Duration = Duration::from_secs(30);
/// How many may wait, per thread and upstream.
const IDLE_CONNECTIONS: usize = 256;
/// How long an upstream that could not be reached is passed over.
const DOWN: Duration = Duration::from_secs(2);

/// One upstream.
pub(in crate::proxy) struct Peer {
    /// Its place in the configuration.
    pub(super) place: usize,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<UpstreamTls>,
    /// Its own name, sent as `Host`.
    pub(super) authority: HeaderValue,
    idle: RefCell<VecDeque<Idle>>,
    down_until: Cell<Option<Instant>>,
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// The use of one connection for one call. Dropped, it closes the connection; given back, it waits
/// for the next call.
pub(in crate::proxy) struct Lease {
    sender: SendRequest<RequestBody>,
    peer: Rc<Peer>,
    is_reused: bool,
    upload: Option<Rc<Progress>>,
}

impl Peer {
    pub(super) fn new(place: usize, upstream: &UpstreamUrl) -> Self {
        let UpstreamUrl { host, port, tls } = upstream;
        let usual = if tls.is_some() { 443 } else { 80 };
        let name = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
        let authority = if *port == usual { name } else { format!("{name}:{port}") };
        Self {
            place,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: *port,
            tls: tls.clone(),
            // A host that is no header value cannot be reached either.
            authority: HeaderValue::try_from(authority).unwrap_or(HeaderValue::from_static("invalid")),
            idle: RefCell::default(),
            down_until: Cell::new(None),
        }
    }

    /// Whether it could not be reached a moment ago.
    pub(super) fn is_down(&self, now: Instant) -> bool {
        self.down_until.get().is_some_and(|until| now < until)
    }

    /// Passes it over for a moment.
    pub(super) fn mark_down(&self, now: Instant) {
        self.down_until.set(Some(now + DOWN));
    }

    /// It was reached.
    pub(super) fn mark_up(&self) {
        self.down_until.set(None);
    }

    /// A waiting connection that is still open.
    pub(super) async fn reuse(self: &Rc<Self>, now: Instant, patience: Duration) -> Option<Lease> {
        loop {
            let mut idle = self.idle.borrow_mut().pop_back()?;
            if idle.sender.is_closed() || now.saturating_duration_since(idle.since) > IDLE {
                continue;
            }
            // Its task may not yet have seen the end of the last exchange.
            if idle.sender.is_ready() || matches!(timeout(patience, idle.sender.ready()).await, Ok(Ok(()))) {
                return Some(Lease { sender: idle.sender, peer: Rc::clone(self), is_reused: true, upload: None });
            }
        }
    }

    pub(super) fn lease(self: &Rc<Self>, sender: SendRequest<RequestBody>) -> Lease {
        Lease { sender, peer: Rc::clone(self), is_reused: false, upload: None }
    }
}

impl Lease {
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Remembers the request's body: before its end the connection is not given back.
    pub(super) fn watch(&mut self, body: &RequestBody) {
        self.upload = body.progress();
    }

    pub(super) fn try_send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + use<> {
        self.sender.try_send_request(request)
    }

    /// The answer is complete: the connection may carry another call.
    pub(in crate::proxy) fn give_back(self) {
        let is_uploaded = self.upload.is_none_or(|upload| upload.is_ended());
        if self.sender.is_closed() || !is_uploaded {
            return;
        }
        let mut waiting = self.peer.idle.borrow_mut();
        if waiting.len() >= IDLE_CONNECTIONS {
            waiting.pop_front();
        }
        let now = clock::monotonic();
        while waiting.front().is_some_and(|idle| now.saturating_duration_since(idle.since) > IDLE) {
            waiting.pop_front();
        }
        waiting.push_back(Idle { sender: self.sender, since: now });
    }
}
