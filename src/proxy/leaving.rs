//! When a connection is told to finish what it is at and to close. It ends none itself.

use super::pace::PaceWatch;
use crate::door::PARTING;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What a connection ends by.
pub(super) enum Leaving {
    /// HTTP/2: at once when asked, for its client is told first what will still be answered; or when its
    /// place is wanted. Whether its answers are taken is watched.
    Watched { idle: Idle, pace: PaceWatch },
    /// HTTP/1.1: a request may be on its way, and would be lost with a connection that is closed under it.
    Parting(Parting),
}

impl Leaving {
    /// Whether the time has come.
    pub(super) fn has_come(&mut self, is_asked: bool, context: &mut Context<'_>) -> bool {
        match self {
            Self::Watched { idle, .. } => is_asked || idle.has_come(context),
            Self::Parting(parting) => is_asked && parting.has_come(context),
        }
    }

    /// Whether the client takes nothing of what it asked for.
    pub(super) fn is_stuck(&mut self, context: &mut Context<'_>) -> bool {
        match self {
            Self::Watched { pace, .. } => pace.poll(context).is_ready(),
            Self::Parting(_) => false,
        }
    }
}

/// Once it is asked to leave, a connection of HTTP/1.1 says so in its next answer, which is its last. If
/// it is not asked for one in time, it closes without.
pub(super) struct Parting {
    is_begun: Rc<Cell<bool>>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Parting {
    pub(super) fn new(is_begun: Rc<Cell<bool>>) -> Self {
        Self { is_begun, sleep: None }
    }

    fn has_come(&mut self, context: &mut Context<'_>) -> bool {
        self.is_begun.set(true);
        self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(PARTING))).as_mut().poll(context).is_ready()
    }
}

/// The requests of a connection: how many came, and how many still wait for their answer's head.
#[derive(Default)]
pub(super) struct Pulse {
    requests: Cell<u64>,
    waiting: Cell<usize>,
}

/// A request that waits for its answer's head.
pub(super) struct Busy(Rc<Pulse>);

impl Pulse {
    pub(super) fn beat(self: &Rc<Self>) -> Busy {
        self.requests.set(self.requests.get().wrapping_add(1));
        self.waiting.set(self.waiting.get().saturating_add(1));
        Busy(Rc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }
}

/// Tells when an HTTP/2 connection has asked for nothing for so long that its place is wanted. What it
/// was promised before it still gets.
pub(super) struct Idle {
    patience: Duration,
    pub(super) pulse: Rc<Pulse>,
    seen: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    pub(super) fn after(patience: Duration) -> Self {
        Self { patience, pulse: Rc::default(), seen: 0, sleep: None }
    }

    fn has_come(&mut self, context: &mut Context<'_>) -> bool {
        let patience = self.patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        while sleep.as_mut().poll(context).is_ready() {
            let requests = self.pulse.requests.get();
            if requests == self.seen && self.pulse.waiting.get() == 0 {
                return true;
            }
            self.seen = requests;
            sleep.as_mut().reset(Instant::now() + patience);
        }
        false
    }
}
