//! One connection of a client: TLS, HTTP/1.1 or HTTP/2, their limits and timeouts, and its end.
//! It knows nothing of policies; each request goes to `call`.

use super::body::AnswerBody;
use super::call::{self, Peer};
use super::core::Core;
use super::draining::Guest;
use super::stream::ClientStream;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
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
        let peer = Rc::new(Peer::new(address, false, Arc::clone(&linger)));
        let mut stream = ClientStream::new(stream, linger);
        if let Some(Ok(Ok(has_preface))) = guest.unless_asked(timeout(patience, stream.has_preface())).await {
            speak(core, guest, stream, peer, has_preface).await;
        }
        return;
    };
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    if let Some(Ok(Ok(stream))) = guest.unless_asked(timeout(patience, handshake)).await {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let peer = Rc::new(Peer::new(address, true, Arc::clone(&linger)));
        speak(core, guest, ClientStream::new(stream, linger), peer, is_http2).await;
    }
}

async fn speak<S>(core: &Rc<Core>, guest: Guest<'_>, stream: ClientStream<S>, peer: Rc<Peer>, is_http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = {
        let core = Rc::clone(core);
        service_fn(move |request: Request<Incoming>| {
            let (core, peer) = (Rc::clone(&core), Rc::clone(&peer));
            async move { Ok::<_, Infallible>(call::answer(core, &peer, request).await) }
        })
    };
    let io = TokioIo::new(stream);
    if is_http2 {
        finish(guest, http2_builder(core).serve_connection(io, service)).await;
    } else {
        finish(guest, http1_builder(core).serve_connection(io, service).with_upgrades()).await;
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

async fn finish<C: Finish>(mut guest: Guest<'_>, connection: C) {
    let mut connection = pin!(connection);
    let mut is_told = false;
    poll_fn(|context| {
        if guest.is_asked_to_leave(context) && !is_told {
            is_told = true;
            connection.as_mut().finish();
        }
        // How a connection ended concerns its client alone: answers count their own failures.
        connection.as_mut().poll(context).map(drop)
    })
    .await;
}

impl Peer {
    fn new(address: SocketAddr, is_tls: bool, linger: Arc<AtomicBool>) -> Self {
        // An address is always a valid value.
        let text = HeaderValue::try_from(address.ip().to_canonical().to_string());
        Self {
            address: text.unwrap_or(HeaderValue::from_static("unknown")),
            scheme: HeaderValue::from_static(if is_tls { "https" } else { "http" }),
            linger,
        }
    }
}
