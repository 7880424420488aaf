//! New connections to an upstream: TCP, TLS where configured, HTTP/1.1. Each is driven by one local
//! task for as long as it lives.

use super::pool::{Lease, Peer};
use super::request_body::RequestBody;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The largest head of an answer, and how far hyper reads ahead.
const BUFFER: usize = 256 * 1024;

/// What came of an attempt.
pub(super) enum Reached {
    Connected(Lease),
    Failed(String),
    Late,
}

/// Connects within the timeout.
pub(super) async fn reach(peer: &Rc<Peer>, patience: Duration) -> Reached {
    match timeout(patience, connect(peer)).await {
        Ok(Ok(sender)) => {
            peer.mark_up();
            Reached::Connected(peer.lease(sender))
        }
        Ok(Err(reason)) => Reached::Failed(reason),
        Err(_) => Reached::Late,
    }
}

async fn connect(peer: &Peer) -> Result<SendRequest<RequestBody>, String> {
    let place = || format!("`{}:{}`", peer.host, peer.port);
    let stream = TcpStream::connect((peer.host.as_str(), peer.port)).await;
    let stream = stream.map_err(|error| format!("cannot connect to {}: {error}", place()))?;
    // Small requests must not wait for acknowledgements.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &peer.tls else {
        return shake_hands(stream).await;
    };
    let stream = TlsConnector::from(tls.config.clone()).connect(tls.name.clone(), stream).await;
    shake_hands(stream.map_err(|error| format!("no TLS with {}: {error}", place()))?).await
}

async fn shake_hands<S>(stream: S) -> Result<SendRequest<RequestBody>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| error.to_string())?;
    tokio::task::spawn_local(async move {
        // Its errors reach whoever waits for an answer on it.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}
