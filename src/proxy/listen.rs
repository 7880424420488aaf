//! Listeners: every thread has its own on the same port, and the kernel spreads connections.
//! A connection over the limit is answered 503 at once, without reading what it wants.

use super::core::Core;
use super::{ProxyError, connection};
use crate::authorize::{Door, RefusalName};
use crate::door::overloaded;
use crate::observe::Outcome;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BACKLOG: i32 = 1024;
/// How long to wait when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long, and how many bytes, an overloaded door listens to a client it has already answered.
const FAREWELL: Duration = Duration::from_millis(200);
const FAREWELL_BYTES: u64 = 16 * 1024;

type Bound = (Vec<Vec<StdListener>>, Vec<SocketAddr>);

/// Binds each address once per thread. With port 0 the first thread's port is everybody's.
pub(super) fn bind(addresses: &[SocketAddr], threads: NonZeroUsize) -> Result<Bound, ProxyError> {
    let mut listeners: Vec<Vec<StdListener>> = (0..threads.get()).map(|_| Vec::new()).collect();
    let mut bound = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let mut actual = address;
        for of_thread in &mut listeners {
            let listener = listener(actual).map_err(|source| ProxyError::Listen { address, source })?;
            actual = listener.local_addr().map_err(|source| ProxyError::Listen { address, source })?;
            of_thread.push(listener);
        }
        bound.push(actual);
    }
    Ok((listeners, bound))
}

fn listener(address: SocketAddr) -> std::io::Result<StdListener> {
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

/// Accepts for ever; the task is aborted at shutdown.
pub(super) async fn accept(core: Rc<Core>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&core, stream, peer),
            // The connection is gone already, or descriptors are short: neither ends the door.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn admit(core: &Rc<Core>, stream: TcpStream, peer: SocketAddr) {
    let place = Place::take(core);
    if core.connections.load(Ordering::Relaxed) > core.limits.max_connections {
        tokio::task::spawn_local(send_away(Rc::clone(core), place, stream));
        return;
    }
    // Without it an answer's last segment may wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let core = Rc::clone(core);
    tokio::task::spawn_local(async move {
        connection::serve(&core, stream, peer).await;
        drop(place);
    });
}

/// One of the door's connections, counted from accept to close.
struct Place(Rc<Core>);

impl Place {
    fn take(core: &Rc<Core>) -> Self {
        core.connections.fetch_add(1, Ordering::Relaxed);
        core.wiring.metrics.open_connections.inc();
        Self(Rc::clone(core))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
        self.0.wiring.metrics.open_connections.dec();
    }
}

/// Says 503 and closes. The place is given up first: who is sent away takes none.
async fn send_away(core: Rc<Core>, place: Place, mut stream: TcpStream) {
    drop(place);
    let door = core.wiring.metrics.door(Door::Proxy);
    door.count(Outcome::Refused);
    door.refuse(RefusalName::Overloaded);
    if core.tls.is_some() {
        return;
    }
    let answer = overloaded(&core.wiring.world.load(), core.ids.next());
    let farewell = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection and lose the answer.
        let mut rest = stream.take(FAREWELL_BYTES);
        let mut sink = [0_u8; 1024];
        while rest.read(&mut sink).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
