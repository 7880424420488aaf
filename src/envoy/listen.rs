//! The connections of a thread's listeners. A connection over the limit is closed at once: an Envoy that gets no answer refuses the call.

use crate::door::{Place, Wiring};
use crate::observe::Metrics;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::Connected;

/// The connections of one listener, as many as there may be.
pub(super) struct Incoming {
    listener: TcpListener,
    metrics: Arc<Metrics>,
    connections: Arc<AtomicUsize>,
    most: usize,
}

impl Incoming {
    pub(super) fn new(listener: TcpListener, wiring: &Wiring, connections: Arc<AtomicUsize>, most: usize) -> Self {
        Self { listener, metrics: Arc::clone(&wiring.metrics), connections, most }
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
            if place.is_beyond(self.most) {
                continue;
            }
            // Without it an answer's last segment may wait for Envoy's acknowledgement.
            let _ = stream.set_nodelay(true);
            return Poll::Ready(Some(Ok(Connection { stream, _place: place })));
        }
    }
}

/// A connection of an Envoy.
pub(super) struct Connection {
    stream: TcpStream,
    _place: Place,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// Not vectored: h2 then gathers answers of up to a kilobyte, as those of a check are, and sends many at once;
/// otherwise each of over 256 bytes is a write, and its trailers another.
impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
