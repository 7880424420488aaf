//! The connections of a thread's listeners. A connection over the limit is closed at once: an Envoy that gets
//! no answer refuses the call. So is one that does not begin, and one that was told to go and does not.

use super::Limits;
use super::presence::Presence;
use crate::authorize::{Door, RefusalName};
use crate::door::{Place, Running, Wiring};
use crate::observe::Metrics;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::Connected;

/// The preface and the header of the frame behind it.
const BEGINNING: usize = 24 + 9;
/// The longest time that a connection without calls is given to go.
const LAST_MOMENTS: Duration = Duration::from_secs(2);

/// The connections of one listener, as many as there may be.
pub(super) struct Incoming {
    listener: TcpListener,
    metrics: Arc<Metrics>,
    connections: Arc<AtomicUsize>,
    stopped: watch::Receiver<bool>,
    limits: Limits,
}

impl Incoming {
    pub(super) fn new(listener: TcpListener, wiring: &Wiring, running: &Running, limits: &Limits) -> Self {
        let (connections, stopped) = (Arc::clone(&running.connections), running.stopped.clone());
        Self { listener, metrics: Arc::clone(&wiring.metrics), connections, stopped, limits: *limits }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let stream = match ready!(self.listener.poll_accept(context)) {
                Ok((stream, _)) => stream,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            let place = Place::take(&self.connections, &self.metrics);
            if place.is_beyond(self.limits.max_connections) {
                // Which of the services it was for, nobody knows yet.
                self.metrics.door(Door::ExtAuthz).turn_away(RefusalName::Overloaded);
                continue;
            }
            // Without it an answer's last segment may wait for Envoy's acknowledgement.
            let _ = stream.set_nodelay(true);
            let overdue = Overdue::new(self.limits.header_read_timeout, self.stopped.clone());
            return Poll::Ready(Some(Ok(Connection { stream, overdue, _place: place })));
        }
    }
}

/// A connection of an Envoy.
pub(super) struct Connection {
    stream: TcpStream,
    overdue: Overdue,
    _place: Place,
}

impl Connection {
    /// Ends what is waited for on a connection that is not waited for any longer.
    fn unless_overdue<T>(&mut self, done: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if done.is_pending() && self.overdue.has_come(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        done
    }
}

impl Connected for Connection {
    type ConnectInfo = Presence;

    fn connect_info(&self) -> Presence {
        self.overdue.presence.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.overdue.hear(buffer.filled().len().saturating_sub(before));
        self.unless_overdue(read, context)
    }
}

/// Not vectored: h2 then gathers answers of up to a kilobyte, as those of a check are, and sends many at once;
/// otherwise each of over 256 bytes is a write, and its trailers another.
impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.unless_overdue(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_overdue(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Tells when a connection is not waited for any longer: it does not begin, or it was told to go and has no
/// open call, whatever its other end acknowledges. Between, an Envoy may keep it open as it likes.
struct Overdue {
    presence: Presence,
    stopped: watch::Receiver<bool>,
    patience: Duration,
    /// Of the preface and what comes with it, still to be heard.
    unheard: usize,
    sleep: Option<(Phase, Pin<Box<Sleep>>)>,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its beginning.
    Begins,
    /// Its end; so many calls had ended when it was last looked at, and none was open.
    Goes(Option<usize>),
}

impl Overdue {
    fn new(patience: Duration, stopped: watch::Receiver<bool>) -> Self {
        Self { presence: Presence::default(), stopped, patience, unheard: BEGINNING, sleep: None }
    }

    fn hear(&mut self, bytes: usize) {
        self.unheard = self.unheard.saturating_sub(bytes);
    }

    fn has_come(&mut self, context: &mut Context<'_>) -> bool {
        let is_stopped = *self.stopped.borrow();
        if !is_stopped && self.unheard == 0 {
            self.sleep = None;
            return false;
        }
        loop {
            let (phase, mut sleep) = match self.sleep.take() {
                Some((Phase::Begins, sleep)) if !is_stopped => (Phase::Begins, sleep),
                Some((Phase::Goes(ended), sleep)) => (Phase::Goes(ended), sleep),
                _ if is_stopped => (Phase::Goes(self.presence.ended()), Box::pin(sleep(self.patience.min(LAST_MOMENTS)))),
                _ => (Phase::Begins, Box::pin(sleep(self.patience))),
            };
            if sleep.as_mut().poll(context).is_pending() {
                self.sleep = Some((phase, sleep));
                return false;
            }
            let ended = self.presence.ended();
            if phase == Phase::Begins || ended.is_some() && phase == Phase::Goes(ended) {
                return true;
            }
        }
    }
}
