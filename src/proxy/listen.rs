//! The connections of a thread's listeners. A connection over the limit is answered 503 at once, without reading what it wants.

use super::connection;
use super::core::Core;
use crate::authorize::{Door, RefusalName};
use crate::door::{Place, farewell, overloaded};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How long to wait when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

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
    let place = Place::take(&core.connections, &core.wiring.metrics);
    if place.is_beyond(core.limits.max_connections) {
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

/// Says 503 and closes. The place is given up first: who is sent away takes none.
async fn send_away(core: Rc<Core>, place: Place, stream: TcpStream) {
    drop(place);
    core.wiring.metrics.door(Door::Proxy).turn_away(RefusalName::Overloaded);
    if core.tls.is_some() {
        return;
    }
    let answer = overloaded(&core.wiring.world.load(), core.ids.next());
    farewell(stream, &answer).await;
}
