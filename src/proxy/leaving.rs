//! When a connection is told to finish what it is at and to close, and when one that was told is not
//! waited for any longer. It ends none itself.

use super::pace::PaceWatch;
use super::stream::Written;
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
    /// place is wanted. Whether its answers are taken is watched, and that it goes when it was told.
    Watched { idle: Idle, pace: PaceWatch, overdue: Overdue },
    /// HTTP/1.1: a request may be on its way, and would be lost with a connection that is closed under it.
    /// Half of one is not waited for.
    Parting { parting: Parting, overdue: Overdue },
}

impl Leaving {
    /// Whether the time has come.
    pub(super) fn has_come(&mut self, is_asked: bool, context: &mut Context<'_>) -> bool {
        match self {
            Self::Watched { idle, .. } => is_asked || idle.has_come(context),
            Self::Parting { parting, .. } => is_asked && parting.has_come(context),
        }
    }

    /// Whether the client takes nothing of what it asked for; or, once it `is_told`, has nothing more to get
    /// and does not go. When all connections are asked to leave it has less time for that.
    pub(super) fn is_stuck(&mut self, is_told: bool, is_asked: bool, context: &mut Context<'_>) -> bool {
        match self {
            Self::Watched { pace, overdue, .. } => {
                let takes_nothing = pace.poll(context).is_ready();
                is_told && (takes_nothing || overdue.has_come(is_asked, context))
            }
            Self::Parting { overdue, .. } => is_told && overdue.has_come(is_asked, context),
        }
    }
}

/// The longest time that a connection without calls is given to go when all are to.
const LAST_MOMENTS: Duration = Duration::from_secs(4);
/// Who takes so many bytes in that time is still taking an answer.
const LEAST_TAKEN: u64 = 1024;

/// Tells when a connection that was told to go is not waited for any longer, whatever its client acknowledges
/// or says: it has no open call, and takes next to nothing of what was written for it.
pub(super) struct Overdue {
    patience: Duration,
    /// How long a client may be at the rest of its answers.
    of_takers: Duration,
    pulse: Rc<Pulse>,
    written: Written,
    seen: (u64, u64),
    takes_until: Option<Instant>,
    is_pressed: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Overdue {
    /// Of a connection with these calls and bytes; `patience` is the time between two requests, and `of_takers`
    /// the time for a client to take an answer's rest.
    pub(super) fn new(pulse: &Rc<Pulse>, written: Written, patience: Duration, of_takers: Duration) -> Self {
        let pulse = Rc::clone(pulse);
        Self { patience, of_takers, pulse, written, seen: (0, 0), takes_until: None, is_pressed: false, sleep: None }
    }

    /// `is_pressed`: all connections are to go.
    fn has_come(&mut self, is_pressed: bool, context: &mut Context<'_>) -> bool {
        let patience = if is_pressed { self.patience.min(LAST_MOMENTS) } else { self.patience };
        let Some(mut sleep) = self.sleep.take().filter(|_| is_pressed == self.is_pressed) else {
            self.is_pressed = is_pressed;
            self.seen = (self.pulse.ended.get(), self.written.bytes());
            self.sleep = Some(Box::pin(tokio::time::sleep(patience)));
            return self.has_come(is_pressed, context);
        };
        while sleep.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if self.is_idle(now) {
                return true;
            }
            sleep.as_mut().reset(now + patience);
        }
        self.sleep = Some(sleep);
        false
    }

    /// Whether nothing was open or taken since the last look. The kernel takes on more only when a good part of
    /// what it has is gone, so a slow client may take nothing for a while and have more to get.
    fn is_idle(&mut self, now: Instant) -> bool {
        let (ended, written) = (self.pulse.ended.get(), self.written.bytes());
        let (before, written_before) = std::mem::replace(&mut self.seen, (ended, written));
        if self.pulse.open.get() > 0 || ended != before {
            self.takes_until = None;
            return false;
        }
        let until = *self.takes_until.get_or_insert(now + self.of_takers);
        let is_taking = self.written.is_blocked() || written.saturating_sub(written_before) >= LEAST_TAKEN;
        !is_taking || now >= until
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

/// The requests of a connection: how many came, how many still wait for their answer's head, how many
/// are open to their answer's end, and how many have ended.
#[derive(Default)]
pub(super) struct Pulse {
    requests: Cell<u64>,
    waiting: Cell<usize>,
    open: Cell<usize>,
    ended: Cell<u64>,
}

/// A call from its request to its answer's end, or to where it breaks off.
pub(super) struct Open(Rc<Pulse>);

/// A request that waits for its answer's head.
pub(super) struct Busy(Rc<Pulse>);

impl Pulse {
    pub(super) fn beat(self: &Rc<Self>) -> Busy {
        self.requests.set(self.requests.get().wrapping_add(1));
        self.waiting.set(self.waiting.get().saturating_add(1));
        Busy(Rc::clone(self))
    }

    pub(super) fn open(self: &Rc<Self>) -> Open {
        self.open.set(self.open.get().saturating_add(1));
        Open(Rc::clone(self))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
        self.0.ended.set(self.0.ended.get().wrapping_add(1));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;
    use tokio::time::pause;

    const HEAD: Duration = Duration::from_secs(10);
    const TAKERS: Duration = Duration::from_secs(60);

    /// After how many whole seconds a connection is not waited for.
    async fn waited(written: &Written, is_pressed: bool) -> u64 {
        let mut overdue = Overdue::new(&Rc::default(), written.clone(), HEAD, TAKERS);
        let began = Instant::now();
        poll_fn(|context| if overdue.has_come(is_pressed, context) { Poll::Ready(()) } else { Poll::Pending }).await;
        began.elapsed().as_secs()
    }

    #[tokio::test]
    async fn who_has_nothing_to_get_is_pressed_when_all_are_to_go() {
        pause();
        assert_eq!(waited(&Written::default(), true).await, LAST_MOMENTS.as_secs());
        assert_eq!(waited(&Written::default(), false).await, HEAD.as_secs());
    }

    #[tokio::test]
    async fn who_takes_what_is_there_only_now_and_then_has_the_time_of_those_who_take() {
        pause();
        let written = Written::default();
        written.note(&Poll::Pending);
        assert_eq!(waited(&written, true).await, (LAST_MOMENTS + TAKERS).as_secs());
        written.note(&Poll::Ready(Ok(1)));
        assert_eq!(waited(&written, true).await, LAST_MOMENTS.as_secs());
    }
}
