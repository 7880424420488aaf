//! The client's byte stream as Pingora sees it, with what Pingora lacks: a deadline for a request's
//! head, a watch over the request line, a look ahead for HTTP/2, and a lingering close, so that an
//! early refusal reaches a client that still sends. It changes no byte.

use super::presence::Watch;
use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID, UniqueIDType,
};
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, timeout};
use tokio_rustls::server::TlsStream;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long, and how many bytes, a closing connection still takes in.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: u64 = 1 << 20;

/// What carries the bytes: TCP, or TLS over it.
trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for S {}

/// A client's stream.
pub(super) struct ClientStream {
    inner: Box<dyn Duplex>,
    watch: Arc<Watch>,
    ahead: [u8; 24],
    ahead_start: usize,
    ahead_end: usize,
    is_http2: bool,
    is_looked_at: bool,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    descriptor: RawFd,
    socket: Arc<SocketDigest>,
    tls: Option<Arc<SslDigest>>,
}

impl ClientStream {
    /// A stream without TLS, whose heads may take so long.
    pub(super) fn plain(stream: TcpStream, patience: Duration) -> Self {
        let descriptor = stream.as_raw_fd();
        Self::new(Box::new(stream), descriptor, None, false, patience)
    }

    /// A stream whose TLS stands.
    pub(super) fn secure(stream: TlsStream<TcpStream>, patience: Duration) -> Self {
        let (tcp, tls) = stream.get_ref();
        let descriptor = tcp.as_raw_fd();
        let is_http2 = tls.alpn_protocol() == Some(b"h2");
        let digest = SslDigest::new("", "", None, None, Vec::new());
        Self::new(Box::new(stream), descriptor, Some(Arc::new(digest)), is_http2, patience)
    }

    fn new(inner: Box<dyn Duplex>, descriptor: RawFd, tls: Option<Arc<SslDigest>>, is_http2: bool, patience: Duration) -> Self {
        Self {
            inner,
            watch: Arc::default(),
            ahead: [0; 24],
            ahead_start: 0,
            ahead_end: 0,
            is_http2,
            is_looked_at: false,
            patience,
            deadline: None,
            descriptor,
            socket: Arc::new(SocketDigest::from_raw_fd(descriptor)),
            tls,
        }
    }

    /// What it knows of the request that it reads.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// Waits for the first bytes of a stream without TLS, and finds out what they speak.
    ///
    /// # Errors
    /// When they do not come, or not in time.
    pub(super) async fn look_ahead(&mut self) -> io::Result<()> {
        if !self.is_looked_at {
            self.is_http2 = timeout(self.patience, self.has_preface()).await??;
            self.is_looked_at = true;
        }
        Ok(())
    }

    /// Whether the client speaks HTTP/2 by prior knowledge. Reads only as far as the bytes agree
    /// with the preface, and keeps them all.
    async fn has_preface(&mut self) -> io::Result<bool> {
        while let Some(free) = self.ahead.get_mut(self.ahead_end..).filter(|free| !free.is_empty()) {
            let count = self.inner.read(free).await?;
            if count == 0 {
                return Ok(false);
            }
            self.ahead_end += count;
            if self.ahead.get(..self.ahead_end) != PREFACE.get(..self.ahead_end) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An error once a head took too long. Of HTTP/2 Pingora itself keeps the time.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_http2 || self.watch.is_answering() {
            self.deadline = None;
            return Poll::Pending;
        }
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ahead_start < this.ahead_end {
            let ahead = this.ahead.get(this.ahead_start..this.ahead_end).unwrap_or_default();
            let count = ahead.len().min(buffer.remaining());
            let taken = ahead.get(..count).unwrap_or_default();
            buffer.put_slice(taken);
            this.watch.notice(taken);
            this.ahead_start += count;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(context, buffer) {
            Poll::Pending => this.poll_deadline(context),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                if !this.is_http2 {
                    this.watch.notice(buffer.filled().get(before..).unwrap_or_default());
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        let _ = self.inner.shutdown().await;
        // Closing with unread bytes would reset the connection and lose the answer.
        let farewell = async {
            let mut rest = (&mut self.inner).take(LINGER_BYTES);
            let mut sink = [0_u8; 4096];
            while rest.read(&mut sink).await.is_ok_and(|count| count > 0) {}
        };
        let _ = timeout(LINGER, farewell).await;
    }
}

#[async_trait]
impl Peek for ClientStream {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.look_ahead().await?;
        if self.is_http2 && buffer.len() == PREFACE.len() {
            buffer.copy_from_slice(PREFACE);
        }
        Ok(true)
    }
}

impl Ssl for ClientStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.tls.clone()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        (self.tls.is_some() && self.is_http2).then_some(ALPN::H2)
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        self.descriptor
    }
}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.socket))
    }
}

impl fmt::Debug for ClientStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientStream")
    }
}
