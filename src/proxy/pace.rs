//! Answers that their client does not take. On an HTTP/2 connection one answer may stand still by
//! flow control while the connection lives; such an answer lets go of its upstream after a while,
//! and is reset when its client wants more of it. It never touches an answer that waits for the
//! upstream: that has a time of its own.

use super::body::{AnswerBody, Cut};
use super::leaving::Open;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// So many entries are kept before those of answers that have ended are looked for.
const ENTRIES: usize = 128;

/// The answers of one connection.
pub(super) struct Pace {
    patience: Duration,
    answers: RefCell<Vec<Weak<RefCell<Held>>>>,
}

/// An answer of the connection, as hyper has it; its call is open as long.
pub(super) struct PacedBody {
    held: Rc<RefCell<Held>>,
    _open: Open,
}

struct Held {
    /// Nothing once it was let go.
    body: Option<AnswerBody>,
    /// Since when it has been waiting for its client.
    since: Option<Instant>,
}

/// Looks at the answers of a connection from time to time.
pub(super) struct PaceWatch {
    pace: Rc<Pace>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Every answer is to be taken on within this time.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, answers: RefCell::default() }
    }

    /// Keeps an eye on an answer.
    pub(super) fn keep(&self, body: AnswerBody, open: Open) -> PacedBody {
        let held = Rc::new(RefCell::new(Held { body: Some(body), since: Some(Instant::now()) }));
        let mut answers = self.answers.borrow_mut();
        if answers.len() >= ENTRIES {
            answers.retain(|answer| answer.strong_count() > 0);
        }
        answers.push(Rc::downgrade(&held));
        PacedBody { held, _open: open }
    }

    /// Lets go of what no client takes; says whether nothing but such answers is left.
    fn let_go(&self) -> bool {
        let now = Instant::now();
        let mut answers = self.answers.borrow_mut();
        answers.retain(|answer| answer.strong_count() > 0);
        let all = answers.iter().filter_map(Weak::upgrade);
        let gone = all.filter(|held| held.borrow_mut().is_let_go(now, self.patience)).count();
        gone > 0 && gone == answers.len()
    }
}

impl Held {
    fn is_let_go(&mut self, now: Instant, patience: Duration) -> bool {
        if self.since.is_some_and(|since| now.saturating_duration_since(since) >= patience) {
            self.body = None;
        }
        self.body.is_none()
    }
}

impl PaceWatch {
    pub(super) fn new(pace: Rc<Pace>) -> Self {
        Self { pace, sleep: None }
    }

    /// Ready each time when nothing but answers that nobody takes was left.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let patience = self.pace.patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(patience)));
        loop {
            ready!(sleep.as_mut().poll(context));
            sleep.as_mut().reset(Instant::now() + patience);
            if self.pace.let_go() {
                return Poll::Ready(());
            }
        }
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let mut held = self.held.borrow_mut();
        let Some(body) = &mut held.body else { return Poll::Ready(Some(Err(Cut::NotTaken))) };
        let frame = Pin::new(body).poll_frame(context);
        held.since = frame.is_ready().then(Instant::now);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.held.borrow().body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.held.borrow().body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
