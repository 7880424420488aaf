//! One connection of a client: TLS, HTTP/1.1 or HTTP/2, their limits and timeouts, and its end.
//! It knows nothing of policies; each request goes to `call`.

use super::body::OpenBody;
use super::call::{self, Peer};
use super::core::Core;
use super::draining::Guest;
use super::leaving::{Idle, Leaving, Overdue, Parting, Pulse};
use super::pace::{Pace, PaceWatch, PacedBody};
use super::stream::ClientStream;
use super::upgrade::Tunnel;
use crate::authorize::{Door, RefusalName};
use crate::door::framing::Visitor;
use crate::sources::Channel;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, StatusCode};
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
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
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
        let peer = Rc::new(Peer::new(address, Channel::default(), Arc::clone(&linger)));
        let mut stream = ClientStream::new(stream, linger, core.limits.client_write_timeout);
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
        speak(core, guest, ClientStream::new(stream, linger, core.limits.client_write_timeout), peer, is_http2).await;
    }
}

async fn speak<S>(core: &Rc<Core>, mut guest: Guest<'_>, stream: ClientStream<S>, peer: Rc<Peer>, is_http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if is_http2 {
        // In a box, for HTTP/1 connections are not to be as large.
        return Box::pin(speak_http2(core, guest, stream, peer)).await;
    }
    let (is_parting, tunnel, pulse) = (Rc::new(Cell::new(false)), peer.tunnel.clone(), Rc::<Pulse>::default());
    let limits = &core.limits;
    let overdue = Overdue::new(&pulse, stream.written(), limits.header_read_timeout, limits.client_write_timeout);
    let io = TokioIo::new(stream);
    let service = {
        let (core, is_parting) = (Rc::clone(core), Rc::clone(&is_parting));
        service_fn(move |request: Request<Incoming>| {
            let (core, peer, is_parting) = (Rc::clone(&core), Rc::clone(&peer), Rc::clone(&is_parting));
            let open = pulse.open();
            async move {
                // In a box, for a connection keeps the room of its call while it has none.
                let mut answer = Box::pin(call::answer(core, &peer, request)).await;
                if is_parting.get() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer.map(|body| OpenBody::new(body, open)))
            }
        })
    };
    // hyper itself limits the time between two requests, and the stream the time of an answer.
    let leaving = Leaving::Parting { parting: Parting::new(is_parting), overdue };
    if let Some(error) = finish(&mut guest, http1_builder(core).serve_connection(io, service).with_upgrades(), leaving).await {
        count_refused(core, &error);
    }
    tunnel.ended().await;
}

async fn speak_http2<S>(core: &Rc<Core>, mut guest: Guest<'_>, stream: ClientStream<S>, peer: Rc<Peer>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let idle = Idle::after(core.limits.header_read_timeout);
    let pace = Rc::new(Pace::new(core.limits.client_write_timeout));
    let service = {
        let (core, pulse, pace) = (Rc::clone(core), Rc::clone(&idle.pulse), Rc::clone(&pace));
        service_fn(move |request: Request<Incoming>| {
            let (core, peer, pace) = (Rc::clone(&core), Rc::clone(&peer), Rc::clone(&pace));
            let (busy, open) = (pulse.beat(), pulse.open());
            async move {
                let answer = call::answer(core, &peer, request).await;
                drop(busy);
                Ok::<_, Infallible>(answer.map(|body| pace.keep(body, open)))
            }
        })
    };
    let overdue = Overdue::new(&idle.pulse, stream.written(), core.limits.header_read_timeout, core.limits.client_write_timeout);
    let leaving = Leaving::Watched { idle, pace: PaceWatch::new(pace), overdue };
    finish(&mut guest, http2_builder(core).serve_connection(TokioIo::new(stream), service), leaving).await;
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
trait Finish: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S> Finish for http1::UpgradeableConnection<I, S>
where
    S: HttpService<Incoming, ResBody = OpenBody>,
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

/// Serves a connection to its end; what it ended by, if hyper ended it in anger.
async fn finish<C: Finish>(guest: &mut Guest<'_>, connection: C, mut leaving: Leaving) -> Option<hyper::Error> {
    let mut connection = pin!(connection);
    let mut is_told = false;
    poll_fn(|context| {
        let is_asked = guest.is_asked_to_leave(context);
        if !is_told && leaving.has_come(is_asked, context) {
            is_told = true;
            connection.as_mut().finish();
        }
        // It gets nothing any more, or takes nothing of what it asked for.
        if leaving.is_stuck(is_told, is_asked, context) {
            return Poll::Ready(None);
        }
        connection.as_mut().poll(context).map(Result::err)
    })
    .await
}

/// Counts a request that hyper itself refused, for no call was made of it. How else a connection ended
/// concerns its client alone: answers count their own failures.
fn count_refused(core: &Core, error: &hyper::Error) {
    if !error.is_parse() {
        return;
    }
    let name = if error.is_parse_too_large() { RefusalName::HeadTooLarge } else { RefusalName::InvalidRequest };
    core.wiring.metrics.door(Door::Proxy).turn_away(name);
}

impl Peer {
    fn new(address: SocketAddr, channel: Channel, linger: Arc<AtomicBool>) -> Self {
        Self { visitor: Visitor::new(address.ip(), channel.is_https), channel, linger, tunnel: Tunnel::default() }
    }
}
