//! Listeners: every thread has its own on the same port, and the kernel spreads connections. A
//! connection over the limit is closed at once: an Envoy that gets no answer refuses the call.

use super::EnvoyError;
use crate::door::Wiring;
use crate::observe::Metrics;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::Connected;

const BACKLOG: i32 = 1024;

type Bound = (Vec<Vec<StdListener>>, Vec<SocketAddr>);

/// Binds each address once per thread. With port 0 the first thread's port is everybody's.
pub(super) fn bind(addresses: &[SocketAddr], threads: NonZeroUsize) -> Result<Bound, EnvoyError> {
    let mut listeners: Vec<Vec<StdListener>> = (0..threads.get()).map(|_| Vec::new()).collect();
    let mut bound = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let mut actual = address;
        for of_thread in &mut listeners {
            let listener = listener(actual).map_err(|source| EnvoyError::Listen { address, source })?;
            actual = listener.local_addr().map_err(|source| EnvoyError::Listen { address, source })?;
            of_thread.push(listener);
        }
        bound.push(actual);
    }
    Ok((listeners, bound))
}

fn listener(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

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
            if self.connections.load(Ordering::Relaxed) > self.most {
                continue;
            }
            // Without it an answer's last segment may wait for Envoy's acknowledgement.
            let _ = stream.set_nodelay(true);
            return Poll::Ready(Some(Ok(Connection { stream, _place: place })));
        }
    }
}

/// One of the door's connections, counted from accept to close.
struct Place {
    connections: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Place {
    fn take(connections: &Arc<AtomicUsize>, metrics: &Arc<Metrics>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        metrics.open_connections.inc();
        Self { connections: Arc::clone(connections), metrics: Arc::clone(metrics) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.metrics.open_connections.dec();
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

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffers: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
