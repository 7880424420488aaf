//! The body of a request on its way up: none, one that was inspected whole, or the client's own
//! stream. Trailers end here (threats §1).

use crate::observe::clock;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A request's body.
pub(in crate::proxy) enum RequestBody {
    Empty,
    Whole(Option<Bytes>),
    Streaming(Incoming, Rc<Progress>),
}

/// How far a streamed body got.
#[derive(Default)]
pub(in crate::proxy) struct Progress {
    bytes: Cell<u64>,
    is_awaited: Cell<bool>,
    ended_at: Cell<Option<Instant>>,
    is_broken: Cell<bool>,
}

impl Progress {
    /// Bytes that came so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Whether the client is waited for.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited.get()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended_at.get().is_some()
    }

    /// When the last of it was handed on.
    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.ended_at.get()
    }

    fn end(&self) {
        self.ended_at.set(self.ended_at.get().or_else(|| Some(clock::monotonic())));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.get()
    }
}

impl RequestBody {
    /// The client's stream, as it comes.
    pub(in crate::proxy) fn streaming(incoming: Incoming) -> Self {
        if incoming.is_end_stream() { Self::Empty } else { Self::Streaming(incoming, Rc::default()) }
    }

    /// A streamed body's progress.
    pub(super) fn progress(&self) -> Option<Rc<Progress>> {
        match self {
            Self::Streaming(_, progress) => Some(Rc::clone(progress)),
            Self::Empty | Self::Whole(_) => None,
        }
    }

    /// The same body again, if it is all here.
    pub(super) fn replay(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Whole(bytes) => Some(Self::Whole(bytes.clone())),
            Self::Streaming(..) => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streaming(incoming, progress) => {
                let frame = Pin::new(&mut *incoming).poll_frame(context);
                progress.is_awaited.set(frame.is_pending());
                match ready!(frame) {
                    Some(Ok(frame)) if frame.is_data() => {
                        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                        progress.bytes.set(progress.bytes.get().saturating_add(length));
                        if incoming.is_end_stream() {
                            progress.end();
                        }
                        Poll::Ready(Some(Ok(frame)))
                    }
                    Some(Ok(_)) | None => {
                        progress.end();
                        Poll::Ready(None)
                    }
                    Some(Err(error)) => {
                        progress.is_broken.set(true);
                        Poll::Ready(Some(Err(error)))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_none(),
            Self::Streaming(incoming, progress) => progress.is_ended() || incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Streaming(incoming, _) => incoming.size_hint(),
        }
    }
}
