//! One connection of a client: TLS, HTTP/1.1 or HTTP/2, their limits and timeouts, and its end.
//! It knows nothing of policies; each request goes to `call`.

use super::body::AnswerBody;
use super::call::{self, Peer};
use super::core::Core;
use super::draining::Guest;
use super::pace::{Pace, PaceWatch, PacedBody};
use super::stream::ClientStream;
use crate::door::framing::Visitor;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// hyper's own limit on header fields, which it keeps on the stack.
const USUAL_HEADER_COUNT: usize = 100;
const STREAMS: u32 = 100;
/// Streams that a client may reset before they were looked at, until it is taken for an attack; and
/// those that may end by errors of its own.
const RESET_STREAMS: usize = 20;
const FAULTY_STREAMS: usize = 100;
/// Of request bodies, in bytes, that may wait here unread, of a stream and of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Of an answer, in bytes, that may wait here for its client.
const SEND_BUFFER: usize = 64 * 1024;
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
        let peer = Rc::new(Peer::new(address, false, Arc::clone(&linger)));
        let mut stream = ClientStream::new(stream, linger, core.limits.client_write_timeout);
        if let Some(Ok(Ok(has_preface))) = guest.unless_asked(timeout(patience, stream.has_preface())).await {
            speak(core, guest, stream, peer, has_preface).await;
        }
        return;
    };
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    if let Some(Ok(Ok(stream))) = guest.unless_asked(timeout(patience, handshake)).await {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let peer = Rc::new(Peer::new(address, true, Arc::clone(&linger)));
        speak(core, guest, ClientStream::new(stream, linger, core.limits.client_write_timeout), peer, is_http2).await;
    }
}

async fn speak<S>(core: &Rc<Core>, guest: Guest<'_>, stream: ClientStream<S>, peer: Rc<Peer>, is_http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    if is_http2 {
        // In a box, for HTTP/1 connections are not to be as large.
        return Box::pin(speak_http2(core, guest, io, peer)).await;
    }
    let service = {
        let core = Rc::clone(core);
        service_fn(move |request: Request<Incoming>| {
            let (core, peer) = (Rc::clone(&core), Rc::clone(&peer));
            // In a box, for a connection keeps the room of its call while it has none.
            async move { Ok::<_, Infallible>(Box::pin(call::answer(core, &peer, request)).await) }
        })
    };
    // hyper itself limits the time between two requests, and the stream the time of an answer.
    finish(guest, http1_builder(core).serve_connection(io, service).with_upgrades(), None).await;
}

async fn speak_http2<S>(core: &Rc<Core>, guest: Guest<'_>, io: TokioIo<ClientStream<S>>, peer: Rc<Peer>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let idle = Idle::after(core.limits.header_read_timeout);
    let pace = Rc::new(Pace::new(core.limits.client_write_timeout));
    let service = {
        let (core, pulse, pace) = (Rc::clone(core), Rc::clone(&idle.pulse), Rc::clone(&pace));
        service_fn(move |request: Request<Incoming>| {
            let (core, peer, busy, pace) = (Rc::clone(&core), Rc::clone(&peer), pulse.beat(), Rc::clone(&pace));
            async move {
                let answer = call::answer(core, &peer, request).await;
                drop(busy);
                Ok::<_, Infallible>(answer.map(|body| pace.keep(body)))
            }
        })
    };
    let watched = Watched { idle, pace: PaceWatch::new(pace) };
    finish(guest, http2_builder(core).serve_connection(io, service), Some(watched)).await;
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
        .max_local_error_reset_streams(FAULTY_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
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
    S: HttpService<Incoming, ResBody = PacedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// What is looked after on an HTTP/2 connection from time to time.
struct Watched {
    idle: Idle,
    pace: PaceWatch,
}

async fn finish<C: Finish>(mut guest: Guest<'_>, connection: C, mut watched: Option<Watched>) {
    let mut connection = pin!(connection);
    let mut is_told = false;
    poll_fn(|context| {
        let is_asked = guest.is_asked_to_leave(context);
        if !is_told && (is_asked || watched.as_mut().is_some_and(|watched| watched.idle.has_come(context))) {
            is_told = true;
            connection.as_mut().finish();
        }
        // It asks for nothing any more, and takes nothing of what it asked for.
        if watched.as_mut().is_some_and(|watched| watched.pace.poll(context).is_ready()) && is_told {
            return Poll::Ready(());
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
    fn new(address: SocketAddr, is_tls: bool, linger: Arc<AtomicBool>) -> Self {
        Self { visitor: Visitor::new(address.ip(), is_tls), linger }
    }
}
