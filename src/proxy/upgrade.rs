//! A connection that changes its protocol, on operations that say so. Bytes that the client sent
//! before it saw the 101 are not forwarded: the connection ends instead (threats §1).

use super::stream::ClientStream;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// Joins the two sides once both have changed.
pub(super) fn join(client: OnUpgrade, upstream: OnUpgrade) {
    tokio::task::spawn_local(async move {
        let (Ok(upstream), Ok(client)) = (upstream.await, client.await) else { return };
        let Some(mut client) = without_early_bytes(client) else { return };
        // Either side's end, however it comes, is the end of both.
        let _ = copy_bidirectional(&mut client, &mut TokioIo::new(upstream)).await;
    });
}

/// The client's stream, unless something was sent on it too early.
fn without_early_bytes(client: Upgraded) -> Option<Box<dyn Duplex>> {
    match client.downcast::<TokioIo<ClientStream<TcpStream>>>() {
        Ok(parts) => parts.read_buf.is_empty().then(|| Box::new(parts.io.into_inner()) as Box<dyn Duplex>),
        Err(client) => {
            let parts = client.downcast::<TokioIo<ClientStream<TlsStream<TcpStream>>>>().ok()?;
            parts.read_buf.is_empty().then(|| Box::new(parts.io.into_inner()) as Box<dyn Duplex>)
        }
    }
}
