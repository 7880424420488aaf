//! The door's listeners and connections: HTTP/1.1, how many at once, how long a head may take, and
//! their end. It knows nothing of calls; each request goes to `answering`.

use super::Door;
use super::answering;
use crate::authorize::{self, RefusalName};
use crate::door::PARTING;
use http::Request;
use http::header::{CONNECTION, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// How long to wait when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// The least that hyper accepts as a buffer.
const LEAST_BUFFER: usize = 8192;
/// What asking proxies may add to the headers of a call, and room above the call's own limits: what is
/// beyond those is refused in words that `/auth/nginx` can relay too.
const ADDED_HEADERS: usize = 64;

/// A door that serves. Dropping it cuts every connection; `stop` lets running answers finish.
pub struct Serving {
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

impl Serving {
    /// Accepts nothing more, lets running answers finish until the deadline, then cuts the rest.
    pub async fn stop(self, deadline: Duration) {
        self.stop_by(tokio::time::sleep(deadline)).await;
    }

    /// The same; what comes to its end before the future does is not cut.
    pub async fn stop_by(mut self, deadline: impl Future<Output = ()>) {
        self.stop.send_replace(true);
        let finished = async { while self.listeners.join_next().await.is_some() {} };
        tokio::select! {
            () = finished => {}
            // What has not finished by then is cut off.
            () = deadline => {}
        }
    }
}

/// Accepts on every listener.
pub(super) fn start(listeners: Vec<TcpListener>, door: Arc<Door>) -> Serving {
    let (stop, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(door.settings.limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let entrance = Entrance { door: Arc::clone(&door), places: Arc::clone(&places), stopped: stopped.clone() };
        accepting.spawn(entrance.accept(listener));
    }
    Serving { stop, listeners: accepting }
}

/// Where connections come in.
struct Entrance {
    door: Arc<Door>,
    places: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl Entrance {
    async fn accept(mut self, listener: TcpListener) {
        // Its connections end with it.
        let mut connections = JoinSet::new();
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopped) => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer, &mut connections),
                    // The connection is gone already, or descriptors are short: neither ends the door.
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            // Closed at once: a proxy that gets no answer lets nothing through.
            self.door.wiring.metrics.door(authorize::Door::ForwardAuth).turn_away(RefusalName::Overloaded);
            return;
        };
        // Without it an answer's last segment may wait for the peer's acknowledgement.
        let _ = stream.set_nodelay(true);
        connections.spawn(speak(Arc::clone(&self.door), stream, peer.ip(), place, self.stopped.clone()));
    }
}

/// Serves a connection to its end. Errors end the connection and concern nobody else.
async fn speak(door: Arc<Door>, stream: TcpStream, peer: IpAddr, place: OwnedSemaphorePermit, mut stopped: watch::Receiver<bool>) {
    let builder = builder(&door);
    let parting = stopped.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (door, parting) = (Arc::clone(&door), parting.clone());
        async move {
            let mut answer = answering::answer(&door, peer, request).await;
            if *parting.borrow() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => {}
        () = told_to_stop(&mut stopped) => {
            if tokio::time::timeout(PARTING, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
    drop(place);
}

/// Ends when the door is told to stop, or is gone.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn builder(door: &Door) -> http1::Builder {
    let limits = &door.settings.limits;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_header_size(limits.request_head_bytes.saturating_mul(2))
        .max_buf_size(limits.request_head_bytes.saturating_mul(4).max(LEAST_BUFFER))
        // More than a call may have, so that the refusal is ours and has a body.
        .max_headers(limits.header_count.saturating_mul(2).saturating_add(ADDED_HEADERS));
    builder
}
