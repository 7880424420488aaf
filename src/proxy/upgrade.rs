//! A connection that changes its protocol, on operations that say so. Bytes that the client sent
//! before it saw the 101 are not forwarded: the connection ends instead (threats §1).

use super::stream::ClientStream;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::server::TlsStream;

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// What a connection became after its protocol changed. It keeps its place as long as that lasts.
#[derive(Clone, Default)]
pub(super) struct Tunnel(Rc<RefCell<Option<JoinHandle<()>>>>);

impl Tunnel {
    /// Joins the two sides once both have changed. It ends with either of them, or when nothing moved for
    /// as long as `patience`.
    pub(super) fn join(&self, client: OnUpgrade, upstream: OnUpgrade, patience: Duration) {
        let joined = tokio::task::spawn_local(async move {
            let (Ok(upstream), Ok(client)) = (upstream.await, client.await) else { return };
            let Some(client) = without_early_bytes(client) else { return };
            let moved = Rc::new(Cell::new(Instant::now()));
            let (mut client, mut upstream) = (Moving { stream: client, moved: Rc::clone(&moved) }, TokioIo::new(upstream));
            tokio::select! {
                // Either side's end, however it comes, is the end of both.
                _ = copy_bidirectional(&mut client, &mut upstream) => {}
                () = stillness(&moved, patience) => {}
            }
        });
        *self.0.borrow_mut() = Some(joined);
    }

    /// Waits for its end, if there is one.
    pub(super) async fn ended(&self) {
        let joined = self.0.borrow_mut().take();
        if let Some(joined) = joined {
            let _ = joined.await;
        }
    }
}

/// Ends when nothing moved for so long.
async fn stillness(moved: &Cell<Instant>, patience: Duration) {
    loop {
        let end = moved.get() + patience;
        if end <= Instant::now() {
            return;
        }
        sleep_until(end).await;
    }
}

/// A stream that remembers when something last came or went.
struct Moving {
    stream: Box<dyn Duplex>,
    moved: Rc<Cell<Instant>>,
}

impl AsyncRead for Moving {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.moved.set(Instant::now());
        Poll::Ready(read)
    }
}

impl AsyncWrite for Moving {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, buffer));
        self.moved.set(Instant::now());
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
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
