//! The body of an answer on its way down: bytes that are all here, the upstream's own stream, or a
//! filtered one. A body that breaks off ends in an error, never in an end that looks whole.

use super::exit::Exit;
use super::filtered::Filtered;
use super::leaving::Open;
use super::upstream::Lease;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Why a body was cut.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    /// The upstream broke off.
    #[error("the upstream broke off: {0}")]
    Upstream(#[from] hyper::Error),
    /// The upstream went silent.
    #[error("the upstream went silent")]
    Silent,
    /// The client took nothing for too long.
    #[error("the client did not take its answer")]
    NotTaken,
    /// The filter stopped for good.
    #[error("the answer cannot be filtered")]
    Stopped,
}

/// The body of an answer.
pub(super) enum AnswerBody {
    /// All here, or nothing; the exit, if any, is taken when the client has it.
    Whole(Option<Bytes>, #[expect(dead_code, reason = "held for its drop")] Option<Exit>),
    /// All here, and its length is not said.
    Unmeasured(Option<Bytes>, #[expect(dead_code, reason = "held for its drop")] Exit),
    /// The upstream's bytes as they are.
    Passing(Passing, Brake),
    /// What the filter lets through.
    Filtered(Box<Filtered>, Brake),
}

/// The upstream's stream with the connection it comes on.
pub(super) struct Passing {
    incoming: Incoming,
    lease: Option<Lease>,
    patience: Patience,
    exit: Exit,
}

/// Lets what was handed on be sent before a body breaks off: with its error hyper forgets what it did not write
/// yet, the head too, and a client would see no answer at all.
pub(super) struct Brake {
    is_unsent: bool,
    cut: Option<Cut>,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Cut>>>;

impl Brake {
    /// Of a body whose head was just handed on.
    fn new() -> Self {
        Self { is_unsent: true, cut: None }
    }

    /// What comes of a poll: a break, one turn later if something was handed on in this one.
    fn poll(&mut self, context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Polled) -> Polled {
        if let Some(cut) = self.cut.take() {
            return Poll::Ready(Some(Err(cut)));
        }
        let polled = poll(context);
        let was_unsent = std::mem::replace(&mut self.is_unsent, matches!(polled, Poll::Ready(Some(Ok(_)))));
        match polled {
            Poll::Ready(Some(Err(cut))) if was_unsent => {
                self.cut = Some(cut);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => polled,
        }
    }
}

impl AnswerBody {
    /// Bytes that are all here.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes), None)
    }

    /// Bytes that are all here, and what is to be counted when they are gone.
    pub(super) fn last(bytes: Bytes, exit: Exit) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes), Some(exit))
    }

    /// Bytes that are all here, and whose length is not to be said.
    pub(super) fn unmeasured(bytes: Bytes, exit: Exit) -> Self {
        Self::Unmeasured((!bytes.is_empty()).then_some(bytes), exit)
    }

    /// The upstream's body as it is.
    pub(super) fn passing(incoming: Incoming, lease: Lease, silence: Duration, exit: Exit) -> Self {
        if incoming.is_end_stream() {
            lease.give_back();
            return Self::Whole(None, Some(exit));
        }
        Self::Passing(Passing { incoming, lease: Some(lease), patience: Patience::new(silence), exit }, Brake::new())
    }

    /// What a filter lets through.
    pub(super) fn filtered(filtered: Box<Filtered>) -> Self {
        Self::Filtered(filtered, Brake::new())
    }
}

impl Passing {
    fn poll(&mut self, context: &mut Context<'_>) -> Polled {
        if self.lease.is_none() {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
            ready!(self.patience.poll(context));
            return Poll::Ready(Some(Err(self.cut(Cut::Silent))));
        };
        self.patience.renew();
        match frame {
            Some(Ok(frame)) if frame.is_data() => {
                if self.incoming.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            // Trailers end here.
            Some(Ok(_)) | None => {
                self.end();
                Poll::Ready(None)
            }
            Some(Err(error)) => Poll::Ready(Some(Err(self.cut(error.into())))),
        }
    }

    fn cut(&mut self, cut: Cut) -> Cut {
        self.exit.fail(&cut.to_string());
        self.lease = None;
        cut
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Whole(bytes, _) | Self::Unmeasured(bytes, _) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(passing, brake) => brake.poll(context, |context| passing.poll(context)),
            Self::Filtered(filtered, brake) => {
                brake.poll(context, |context| filtered.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes, _) => bytes.is_none(),
            // A break that waits for its turn is no end.
            Self::Passing(passing, brake) => brake.cut.is_none() && passing.lease.is_none() && passing.incoming.is_end_stream(),
            // An end that is known beforehand is a length of zero.
            Self::Unmeasured(..) | Self::Filtered(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passing(passing, _) => passing.incoming.size_hint(),
            Self::Unmeasured(..) | Self::Filtered(..) => SizeHint::default(),
        }
    }
}

/// An answer of HTTP/1.1 as hyper has it; its call is open as long.
pub(super) struct OpenBody {
    body: AnswerBody,
    _open: Open,
}

impl OpenBody {
    pub(super) fn new(body: AnswerBody, open: Open) -> Self {
        Self { body, _open: open }
    }
}

impl Body for OpenBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How long the upstream may be silent. Costs nothing while bytes are at hand.
pub(super) struct Patience {
    silence: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    is_renewed: bool,
}

impl Patience {
    pub(super) fn new(silence: Duration) -> Self {
        Self { silence, sleep: None, is_renewed: false }
    }

    /// There was a sign of life.
    pub(super) fn renew(&mut self) {
        self.is_renewed = true;
    }

    /// Ready when the silence lasted too long.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let silence = self.silence;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(silence)));
        if std::mem::take(&mut self.is_renewed) {
            sleep.as_mut().reset(Instant::now() + silence);
        }
        sleep.as_mut().poll(context)
    }
}
