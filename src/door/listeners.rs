//! Listeners of doors that serve on threads of their own: every thread has its own on the same port,
//! and the kernel spreads connections; and the count of the connections that come by them.

use super::Sockets;
use crate::observe::Metrics;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BACKLOG: i32 = 1024;
/// How long, and how many bytes, a client is listened to that was already answered.
const FAREWELL: Duration = Duration::from_millis(200);
const FAREWELL_BYTES: u64 = 16 * 1024;

/// An address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {source}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    pub source: std::io::Error,
}

/// The listeners of each thread, and the bound addresses.
pub type Bound = (Vec<Vec<TcpListener>>, Vec<SocketAddr>);

/// Listens at each address once per thread: by the sockets that were given for it, or by new ones. With
/// port 0 the first thread's port is everybody's.
///
/// # Errors
/// When an address cannot be bound.
pub fn bind(addresses: &[SocketAddr], threads: NonZeroUsize, sockets: &mut Sockets) -> Result<Bound, ListenError> {
    let mut listeners: Vec<Vec<TcpListener>> = (0..threads.get()).map(|_| Vec::new()).collect();
    let mut bound = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let (of_address, actual) = listen(address, threads, sockets).map_err(|source| ListenError { address, source })?;
        for (of_thread, more) in listeners.iter_mut().zip(of_address) {
            of_thread.extend(more);
        }
        bound.push(actual);
    }
    Ok((listeners, bound))
}

/// The sockets of one address, and the address with its real port.
fn listen(address: SocketAddr, threads: NonZeroUsize, sockets: &mut Sockets) -> std::io::Result<(Vec<Vec<TcpListener>>, SocketAddr)> {
    let (listeners, actual) = match sockets.take(address, threads)? {
        Some(given) => (given, address),
        None => open(address, threads)?,
    };
    for listener in listeners.iter().flatten() {
        sockets.keep(listener)?;
    }
    Ok((listeners, actual))
}

fn open(address: SocketAddr, threads: NonZeroUsize) -> std::io::Result<(Vec<Vec<TcpListener>>, SocketAddr)> {
    probe(address)?;
    let first = listener(address)?;
    let actual = first.local_addr()?;
    let others = (1..threads.get()).map(|_| listener(actual));
    let all = std::iter::once(Ok(first)).chain(others).map(|listener| Ok(vec![listener?]));
    Ok((all.collect::<std::io::Result<_>>()?, actual))
}

/// Fails where another process listens: with the port shared, calls would be spread over both, and over
/// two configurations.
fn probe(address: SocketAddr) -> std::io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    // It never listens: a client that comes in this moment is not taken from the real one.
    socket(address)?.bind(&address.into())
}

fn listener(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Says the last words to a client and closes: it is listened to for a moment, for closing with unread
/// bytes would reset the connection and lose the answer.
pub async fn farewell(mut stream: TcpStream, answer: &[u8]) {
    let said = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        let mut rest = stream.take(FAREWELL_BYTES);
        let mut sink = [0_u8; 1024];
        while rest.read(&mut sink).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(FAREWELL, said).await;
}

/// One of a door's connections, counted from accept to close.
pub struct Place {
    connections: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Place {
    /// Counts a connection.
    #[must_use]
    pub fn take(connections: &Arc<AtomicUsize>, metrics: &Arc<Metrics>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        metrics.open_connections.inc();
        Self { connections: Arc::clone(connections), metrics: Arc::clone(metrics) }
    }

    /// Whether there are more connections than `most`, this one included.
    #[must_use]
    pub fn is_beyond(&self, most: usize) -> bool {
        self.connections.load(Ordering::Relaxed) > most
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.metrics.open_connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_doors_do_not_share_an_address_unawares() {
        let two = NonZeroUsize::new(2).unwrap();
        let bind = |addresses: &[SocketAddr]| bind(addresses, two, &mut Sockets::default());
        let (listeners, addresses) = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        assert_eq!(bind(&addresses).unwrap_err().source.kind(), std::io::ErrorKind::AddrInUse);
        drop(listeners);
        assert!(bind(&addresses).is_ok());
    }
}
