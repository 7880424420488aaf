//! The operator's listeners and the limits of their connections. It knows no route.

use super::{Admin, router};
use crate::http_server::{self, Server};
use axum::body::Bytes;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections at once: an operator, his probes and what gathers his metrics need a few.
const CONNECTIONS: usize = 256;
/// The least that the server takes as a limit of heads.
const LEAST_HEAD: usize = 8192;
/// What is said to who comes beyond.
const OVERLOADED: &[u8] = br#"{"name":"Overloaded","title":"Overloaded","status":503,"detail":"There are too many connections."}"#;

/// Limits of the operator's connections, all finite.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Time for a request's head, and between two requests.
    pub head_time: Duration,
    /// Time for a question's body to come, and for some of an answer to be taken.
    pub body_time: Duration,
}

/// A door that serves. Dropping it cuts every connection.
pub struct Serving {
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

/// Serves on these listeners.
#[must_use]
pub fn serve(listeners: Vec<TcpListener>, admin: &Admin, limits: &Limits) -> Serving {
    let Limits { head_bytes, head_time, body_time } = *limits;
    let limits = http_server::Limits {
        connections: CONNECTIONS,
        head_time,
        body_time,
        head_bytes: head_bytes.max(LEAST_HEAD),
        overloaded: Bytes::from_static(OVERLOADED),
    };
    let server = Server::new(router(admin.clone()), &limits);
    let (stop, stopped) = watch::channel(false);
    let mut serving = JoinSet::new();
    for listener in listeners {
        let mut stopped = stopped.clone();
        serving.spawn(server.clone().serve(listener, async move { drop(stopped.wait_for(|stopped| *stopped).await) }));
    }
    Serving { stop, listeners: serving }
}

impl Serving {
    /// Accepts nothing more; who was let in is answered still.
    pub fn close(&self) {
        self.stop.send_replace(true);
    }

    /// Cuts what is left, and waits until it is gone.
    pub async fn end(mut self) {
        self.listeners.shutdown().await;
    }
}
