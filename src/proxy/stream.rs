//! The client's byte stream as hyper sees it: with the bytes that were read to tell HTTP/2 from
//! HTTP/1, and with a lingering close, so that an early refusal reaches a client that still sends.

use super::body::Patience;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long, and how many bytes, a closing connection still takes in.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 1 << 20;

/// A stream with read-ahead bytes and a lingering close.
pub(super) struct ClientStream<S> {
    inner: S,
    ahead: [u8; 24],
    ahead_start: usize,
    ahead_end: usize,
    linger: Arc<AtomicBool>,
    written: Written,
    lingering: Option<Lingering>,
    patience: Patience,
}

/// What a client was sent, for who watches its connection; clones share it.
#[derive(Clone, Default)]
pub(super) struct Written(Arc<Sent>);

#[derive(Default)]
struct Sent {
    bytes: AtomicU64,
    /// Whether more is there than the client takes at the moment.
    is_blocked: AtomicBool,
}

impl Written {
    /// So many up to now.
    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Whether something waits to be written.
    pub(super) fn is_blocked(&self) -> bool {
        self.0.is_blocked.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, written: &Poll<io::Result<usize>>) {
        self.0.is_blocked.store(written.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(Ok(count)) = written {
            self.0.bytes.fetch_add(*count as u64, Ordering::Relaxed);
        }
    }
}

struct Lingering {
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientStream<S> {
    /// Wraps a stream whose client takes what it is sent within the patience; set the flag to let it
    /// linger when it closes.
    pub(super) fn new(inner: S, linger: Arc<AtomicBool>, patience: Duration) -> Self {
        Self {
            inner,
            ahead: [0; 24],
            ahead_start: 0,
            ahead_end: 0,
            linger,
            written: Written::default(),
            lingering: None,
            patience: Patience::new(patience),
        }
    }

    /// What is written, from now on.
    pub(super) fn written(&self) -> Written {
        self.written.clone()
    }

    /// What came of writing bytes.
    fn sent(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.written.note(&written);
        self.taken(context, written)
    }

    /// What came of writing, or that the client has taken nothing for too long. The kernel asks for more
    /// only when a good part of its buffer is free again, so a byte now and then is not enough.
    fn taken<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.patience.renew();
            return written;
        }
        self.patience.poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Whether the client speaks HTTP/2 by prior knowledge. Reads only as far as the bytes agree
    /// with the preface, and gives them all back.
    pub(super) async fn has_preface(&mut self) -> io::Result<bool> {
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

    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let lingering = self.lingering.get_or_insert_with(|| Lingering { until: Box::pin(tokio::time::sleep(LINGER)), bytes_left: LINGER_BYTES });
        let mut space = [0_u8; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            let is_read = Pin::new(&mut self.inner).poll_read(context, &mut buffer);
            let count = buffer.filled().len();
            match is_read {
                Poll::Ready(Ok(())) if count > 0 && lingering.bytes_left > count => lingering.bytes_left -= count,
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return lingering.until.as_mut().poll(context).map(Ok),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead_start < self.ahead_end {
            let this = &mut *self;
            let ahead = this.ahead.get(this.ahead_start..this.ahead_end).unwrap_or_default();
            let count = ahead.len().min(buffer.remaining());
            buffer.put_slice(ahead.get(..count).unwrap_or_default());
            this.ahead_start += count;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.sent(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.sent(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.taken(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
        }
        if !self.linger.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        self.poll_linger(context)
    }
}
