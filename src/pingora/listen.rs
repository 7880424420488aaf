//! Listeners of this door: they count connections, make TLS stand, and hand each stream to Pingora.
//! A connection over the limit is answered 503 at once, without reading what it wants.

use super::serving::Shared;
use super::stream::ClientStream;
use crate::authorize::{Door, RefusalName};
use crate::door::{PARTING, Place, draw_id, farewell, overloaded};
use pingora_core::apps::ServerApp;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long to wait when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Accepts until told to stop; gives the connections that still stand.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let mut shutdown = shared.shutdown.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|is_asked| *is_asked) => return connections,
        };
        match accepted {
            Ok((stream, _)) => {
                let place = Place::take(&shared.connections, &shared.wiring.metrics);
                connections.spawn(admit(Arc::clone(&shared), place, stream));
            }
            // The connection is gone already, or descriptors are short: neither ends the door.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn admit(shared: Arc<Shared>, place: Place, stream: TcpStream) {
    if place.is_beyond(shared.max_connections) {
        send_away(&shared, place, stream).await;
        return;
    }
    // Without it an answer's last segment may wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut shutdown = shared.shutdown.clone();
    let stream = tokio::select! {
        stream = greet(&shared, stream) => stream,
        // What has not begun is not worth waiting for.
        () = parted(&mut shutdown) => None,
    };
    let Some(stream) = stream else { return };
    shared.app.process_new(Box::new(stream), &shared.shutdown).await;
    drop(place);
}

/// Ends some time after the door is told to stop.
async fn parted(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|is_asked| *is_asked).await;
    tokio::time::sleep(PARTING).await;
}

/// The stream once its client has begun to speak; nothing when it does not, or not in time.
async fn greet(shared: &Shared, stream: TcpStream) -> Option<ClientStream> {
    let patience = shared.header_read_timeout;
    if let Some(tls) = &shared.tls {
        let stream = timeout(patience, TlsAcceptor::from(tls.current()).accept(stream)).await.ok()?.ok()?;
        return Some(ClientStream::secure(stream, patience));
    }
    let mut stream = ClientStream::plain(stream, patience);
    stream.look_ahead().await.ok()?;
    Some(stream)
}

/// Says 503 and closes. The place is given up first: who is sent away takes none.
async fn send_away(shared: &Shared, place: Place, stream: TcpStream) {
    drop(place);
    shared.wiring.metrics.door(Door::Proxy).turn_away(RefusalName::Overloaded);
    let Some(id) = draw_id().filter(|_| shared.tls.is_none()) else { return };
    let answer = overloaded(&shared.wiring.world.load(), id);
    farewell(stream, &answer).await;
}
