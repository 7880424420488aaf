//! The body of an answer on its way down: bytes that are all here, the upstream's own stream, or a
//! filtered one. A body that breaks off ends in an error, never in an end that looks whole.

use super::exit::Exit;
use super::filtered::Filtered;
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
    Passing(Passing),
    /// What the filter lets through.
    Filtered(Box<Filtered>),
}

/// The upstream's stream with the connection it comes on.
pub(super) struct Passing {
    incoming: Incoming,
    lease: Option<Lease>,
    patience: Patience,
    exit: Exit,
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
        Self::Passing(Passing { incoming, lease: Some(lease), patience: Patience::new(silence), exit })
    }
}

impl Passing {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
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
            Self::Passing(passing) => passing.poll(context),
            Self::Filtered(filtered) => filtered.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes, _) => bytes.is_none(),
            Self::Passing(passing) => passing.lease.is_none() && passing.incoming.is_end_stream(),
            // An end that is known beforehand is a length of zero.
            Self::Unmeasured(..) | Self::Filtered(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passing(passing) => passing.incoming.size_hint(),
            Self::Unmeasured(..) | Self::Filtered(_) => SizeHint::default(),
        }
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
