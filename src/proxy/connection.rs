//! One connection of a client: TLS, HTTP/1.1 or HTTP/2, their limits and timeouts, and its end.
//! It knows nothing of policies; each request goes to `call`.

use super::body::AnswerBody;
use super::call::{self, Peer};
use super::core::Core;
use super::draining::Guest;
use super::stream::ClientStream;
use crate::door::framing::Visitor;
use crate::sources::Channel;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Context;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// hyper's own limit on header fields, which it keeps on the stack.
const USUAL_HEADER_COUNT: usize = 100;
const STREAMS: u32 = 100;
/// Streams that a client may reset before it is taken for an attack.
const RESET_STREAMS: usize = 20;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// The least that hyper accepts as a buffer.
const LEAST_BUFFER: usize = 8192;

/// Serves a connection to its end. Errors end the connection and concern nobody else.
pub(super) async fn serve(core: &Rc<Core>, stream: TcpStream, address: SocketAddr) {
    let linger = Arc::new(AtomicBool::new(false));
    let mut guest = core.draining.enter();
    let patience = core.limits.header_read_timeout;
    let Some(tls) = &core.tls else {
        let peer = Rc::new(Peer::new(address, Channel::default(), Arc::clone(&linger)));
        let mut stream = ClientStream::new(stream, linger);
        if let Some(Ok(Ok(has_preface))) = guest.unless_asked(timeout(patience, stream.has_preface())).await {
            speak(core, guest, stream, peer, has_preface).await;
        }
        return;
    };
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    if let Some(Ok(Ok(stream))) = guest.unless_asked(timeout(patience, handshake)).await {
        let session = stream.get_ref().1;
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let channel = Channel {
            is_https: true,
            certificate: session.peer_certificates().and_then(<[_]>::first).map(|shown| Sha256::digest(shown).into()),
        };
        let peer = Rc::new(Peer::new(address, channel, Arc::clone(&linger)));
        speak(core, guest, ClientStream::new(stream, linger), peer, is_http2).await;
    }
}

async fn speak<S>(core: &Rc<Core>, guest: Guest<'_>, stream: ClientStream<S>, peer: Rc<Peer>, is_http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let idle = Idle::after(core.limits.header_read_timeout);
    let service = {
        let (core, pulse) = (Rc::clone(core), Rc::clone(&idle.pulse));
        service_fn(move |request: Request<Incoming>| {
            let (core, peer, busy) = (Rc::clone(&core), Rc::clone(&peer), pulse.beat());
            async move {
                let answer = call::answer(core, &peer, request).await;
                drop(busy);
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let io = TokioIo::new(stream);
    if is_http2 {
        finish(guest, http2_builder(core).serve_connection(io, service), Some(idle)).await;
    } else {
        // hyper itself limits the time between two requests.
        finish(guest, http1_builder(core).serve_connection(io, service).with_upgrades(), None).await;
    }
}

fn http1_builder(core: &Core) -> http1::Builder {
    let limits = &core.limits;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_header_size(limits.request_head_bytes)
        .max_buf_size(limits.request_head_bytes.saturating_mul(2).max(LEAST_BUFFER));
    if limits.header_count != USUAL_HEADER_COUNT {
        // One more than allowed, so that the refusal is ours and has a body.
        builder.max_headers(limits.header_count.saturating_add(1));
    }
    builder
}

fn http2_builder(core: &Core) -> http2::Builder<LocalTasks> {
    let mut builder = http2::Builder::new(LocalTasks);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_header_list_size(u32::try_from(core.limits.request_head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}

/// Runs hyper's tasks on the thread they belong to.
#[derive(Clone, Copy)]
struct LocalTasks;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// A connection that can be told to finish what it is at and close.
trait Finish: Future {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S> Finish for http1::UpgradeableConnection<I, S>
where
    S: HttpService<Incoming, ResBody = AnswerBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Finish for http2::Connection<I, S, LocalTasks>
where
    S: HttpService<Incoming, ResBody = AnswerBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

async fn finish<C: Finish>(mut guest: Guest<'_>, connection: C, mut idle: Option<Idle>) {
    let mut connection = pin!(connection);
    let mut is_told = false;
    poll_fn(|context| {
        let is_asked = guest.is_asked_to_leave(context);
        if !is_told && (is_asked || idle.as_mut().is_some_and(|idle| idle.has_come(context))) {
            is_told = true;
            connection.as_mut().finish();
        }
        // How a connection ended concerns its client alone: answers count their own failures.
        connection.as_mut().poll(context).map(drop)
    })
    .await;
}

/// The requests of a connection: how many came, and how many still wait for their answer's head.
#[derive(Default)]
struct Pulse {
    requests: Cell<u64>,
    waiting: Cell<usize>,
}

/// A request that waits for its answer's head.
struct Busy(Rc<Pulse>);

impl Pulse {
    fn beat(self: &Rc<Self>) -> Busy {
        self.requests.set(self.requests.get().wrapping_add(1));
        self.waiting.set(self.waiting.get().saturating_add(1));
        Busy(Rc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }
}

/// Tells when an HTTP/2 connection has asked for nothing for so long that its place is wanted. What it
/// was promised before it still gets.
struct Idle {
    patience: Duration,
    pulse: Rc<Pulse>,
    seen: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn after(patience: Duration) -> Self {
        Self { patience, pulse: Rc::default(), seen: 0, sleep: None }
    }

    fn has_come(&mut self, context: &mut Context<'_>) -> bool {
        let patience = self.patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        while sleep.as_mut().poll(context).is_ready() {
            let requests = self.pulse.requests.get();
            if requests == self.seen && self.pulse.waiting.get() == 0 {
                return true;
            }
            self.seen = requests;
            sleep.as_mut().reset(Instant::now() + patience);
        }
        false
    }
}

impl Peer {
    fn new(address: SocketAddr, channel: Channel, linger: Arc<AtomicBool>) -> Self {
        Self { visitor: Visitor::new(address.ip(), channel.is_https), channel, linger }
    }
}
