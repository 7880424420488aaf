//! The server under doors that are made with the HTTP framework: HTTP/1.1 on plain TCP, with a bound on
//! connections, and a time for heads and bodies to come and for answers to be taken. It knows no route, and
//! reads no request itself.

mod leftover;
mod stream;
mod timely;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::Request;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use leftover::lend;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use stream::ClientStream;
use timely::Timely;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// How long to wait when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long, and for how many bytes, a client is listened to that is sent away.
const FAREWELL: Duration = Duration::from_millis(200);
const FAREWELL_BYTES: u64 = 16 * 1024;
/// How long a connection that is to end waits for a request that may be on its way: one that is closed under it
/// would be lost.
const PARTING: Duration = Duration::from_secs(1);
/// No more clients are sent away in words at once; the next ones are cut off.
const MOST_SENT_AWAY: usize = 256;

/// What clients may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, over all listeners.
    pub connections: usize,
    /// How long a request's head may take to come, and how long a connection may wait for the next one.
    pub head_time: Duration,
    /// How long a body may take to come, from when it is read, and how long a client may take nothing of its answer.
    pub body_time: Duration,
    /// The longest head, in bytes; at least 8192.
    pub head_bytes: usize,
    /// The body of the 503 to who comes beyond that: `application/problem+json`.
    pub overloaded: Bytes,
}

/// A server that its listeners share; a clone is the same one.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    router: Router,
    builder: http1::Builder,
    body_time: Duration,
    places: Arc<Semaphore>,
    farewells: Arc<Semaphore>,
    overloaded: Vec<u8>,
}

impl Server {
    /// A server of these routes.
    #[must_use]
    pub fn new(router: Router, limits: &Limits) -> Self {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.head_time);
        builder.max_header_size(limits.head_bytes).max_buf_size(limits.head_bytes.saturating_mul(2));
        let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let farewells = Arc::new(Semaphore::new(MOST_SENT_AWAY));
        Self(Arc::new(Shared { router, builder, body_time: limits.body_time, places, farewells, overloaded: refusal(&limits.overloaded) }))
    }

    /// Serves on this listener until the future ends; then every connection finishes what it is at. Dropping it
    /// cuts them off.
    pub async fn serve(self, listener: TcpListener, until: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut until = pin!(until);
        loop {
            tokio::select! {
                () = &mut until => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(&mut connections, stream, peer, stopped.clone()),
                    // The connection is gone already, or descriptors are short: neither ends the door.
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        let _ = stop.send(true);
        while connections.join_next().await.is_some() {}
    }

    fn admit(&self, connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr, stopped: watch::Receiver<bool>) {
        let shared = Arc::clone(&self.0);
        match Arc::clone(&shared.places).try_acquire_owned() {
            Ok(place) => drop(connections.spawn(connection(shared, stream, peer, stopped, place))),
            Err(_) => {
                if let Ok(turn) = Arc::clone(&shared.farewells).try_acquire_owned() {
                    connections.spawn(send_away(shared, stream, turn));
                }
            }
        }
    }
}

/// Serves one connection to its end; how it ended concerns its client alone.
async fn connection(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, mut stopped: watch::Receiver<bool>, _place: OwnedSemaphorePermit) {
    // Without it an answer's last segment may wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let (routes, patience) = (TowerToHyperService::new(shared.router.clone()), shared.body_time);
    let is_last = stopped.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let is_last = is_last.clone();
        let is_awaited = request.headers().contains_key(EXPECT);
        let (head, body) = request.into_parts();
        let (body, leftover) = lend(Timely::new(body, patience));
        let mut request = Request::from_parts(head, Body::new(body));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = routes.call(request);
        async move {
            let mut answer = answer.await?;
            // An answer may be made before its request was read, or be the last one: whoever reuses the connection
            // must know.
            if !leftover.is_drained(is_awaited).await || *is_last.borrow() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(shared.builder.serve_connection(TokioIo::new(ClientStream::new(stream, shared.body_time)), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    if tokio::time::timeout(PARTING, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// Says 503 and closes, without reading what is wanted.
async fn send_away(shared: Arc<Shared>, mut stream: TcpStream, _turn: OwnedSemaphorePermit) {
    let farewell = async {
        stream.write_all(&shared.overloaded).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection and lose the answer.
        let mut rest = stream.take(FAREWELL_BYTES);
        let mut sink = [0_u8; 1024];
        while rest.read(&mut sink).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

fn refusal(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests;
