//! The filtered body: the upstream's chunks go through the filter as they come, no faster than the
//! client takes them. When the filter needs metadata the stream waits for it. It never passes on a
//! byte that the filter did not write.

use super::body::{Cut, Patience};
use super::core::Core;
use super::exit::Exit;
use super::metadata;
use super::upstream::Lease;
use crate::authorize::{AnswerFilter, Progress, Stop};
use crate::door::MetadataAnswers;
use bytes::Bytes;
use http::HeaderValue;
use http_body::Body;
use hyper::body::Incoming;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Why a filtered body cannot go on.
pub(super) enum Halt {
    /// The filter says so.
    Stop(Stop),
    /// The upstream broke off or went silent.
    Cut(Cut),
}

/// An answer that goes through a filter.
pub(super) struct Filtered {
    core: Rc<Core>,
    filter: Box<AnswerFilter>,
    authorization: Option<HeaderValue>,
    incoming: Incoming,
    lease: Option<Lease>,
    patience: Patience,
    out: Vec<u8>,
    fetching: Option<Pin<Box<dyn Future<Output = MetadataAnswers>>>>,
    phase: Phase,
    exit: Exit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    Ending,
    Ended,
}

impl Filtered {
    pub(super) fn new(core: &Rc<Core>, filter: Box<AnswerFilter>, upstream: (Incoming, Lease), authorization: Option<HeaderValue>, exit: Exit) -> Self {
        let (incoming, lease) = upstream;
        Self {
            patience: Patience::new(core.upstream.read_timeout()),
            core: Rc::clone(core),
            filter,
            authorization,
            incoming,
            lease: Some(lease),
            out: Vec::new(),
            fetching: None,
            phase: Phase::Reading,
            exit,
        }
    }

    /// Filters until there is so much output or the answer has ended; `true` says that it has.
    /// Nothing of it may be sent before this returns (interfaces §6, row "cannot be filtered").
    pub(super) async fn hold(&mut self, least: usize) -> Result<bool, Halt> {
        poll_fn(|context| self.poll_output(context, least)).await
    }

    /// What was put out so far, once the answer has ended.
    pub(super) fn take_output(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.out))
    }

    /// The next bytes for the client. After the head was sent every stop is a cut.
    pub(super) fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        match ready!(self.poll_output(context, 1)) {
            Ok(_) if self.out.is_empty() => Poll::Ready(None),
            Ok(_) => Poll::Ready(Some(Ok(self.take_output()))),
            Err(halt) => {
                self.phase = Phase::Ended;
                self.out.clear();
                self.lease = None;
                Poll::Ready(Some(Err(self.cut(halt))))
            }
        }
    }

    fn poll_output(&mut self, context: &mut Context<'_>, least: usize) -> Poll<Result<bool, Halt>> {
        loop {
            if self.out.len() >= least || self.phase == Phase::Ended {
                return Poll::Ready(Ok(self.phase == Phase::Ended));
            }
            let progress = if let Some(fetching) = &mut self.fetching {
                let answers = ready!(fetching.as_mut().poll(context));
                self.fetching = None;
                for (target, body) in &answers {
                    self.filter.supply(target, body.as_deref());
                }
                self.resume(&[])
            } else {
                match ready!(self.poll_upstream(context)) {
                    Ok(Some(chunk)) => self.resume(&chunk),
                    Ok(None) => {
                        self.phase = Phase::Ending;
                        self.resume(&[])
                    }
                    Err(cut) => return Poll::Ready(Err(self.filter.broke_off().map_or(Halt::Cut(cut), Halt::Stop))),
                }
            };
            match progress {
                Ok(Progress::Ready) if self.phase == Phase::Ending => self.end(),
                Ok(Progress::Ready) => {}
                Ok(Progress::Need(targets)) => {
                    let fetch = metadata::fetch(Rc::clone(&self.core), targets, self.authorization.clone());
                    self.fetching = Some(Box::pin(fetch));
                }
                Err(stop) => return Poll::Ready(Err(Halt::Stop(stop))),
            }
        }
    }

    fn resume(&mut self, chunk: &[u8]) -> Result<Progress, Stop> {
        if self.phase == Phase::Ending {
            self.filter.end(&mut self.out)
        } else {
            self.out.reserve(chunk.len());
            self.filter.write(chunk, &mut self.out)
        }
    }

    /// The upstream's next bytes; `None` at the end. Trailers end here.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Cut>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
                ready!(self.patience.poll(context));
                return Poll::Ready(Err(Cut::Silent));
            };
            self.patience.renew();
            match frame {
                None => return Poll::Ready(Ok(None)),
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        return Poll::Ready(Ok(Some(chunk)));
                    }
                }
            }
        }
    }

    fn cut(&mut self, halt: Halt) -> Cut {
        match halt {
            Halt::Stop(stop) => {
                self.exit.stop(&stop);
                Cut::Stopped
            }
            Halt::Cut(cut) => {
                self.exit.fail(&cut.to_string());
                cut
            }
        }
    }

    fn end(&mut self) {
        self.phase = Phase::Ended;
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Drop for Filtered {
    fn drop(&mut self) {
        self.exit.summarize(self.filter.summary());
    }
}
