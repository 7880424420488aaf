//! The call's ending, held by everything that still works on its answer on one thread. When the last
//! holder drops it, the call is counted and recorded.

use super::core::Core;
use crate::authorize::{Admission, DecisionId, Door, Refusal, Stop, Summary};
use crate::door::{Asked, Ending, Seat};
use crate::observe::Outcome;
use crate::snapshot::World;
use http::StatusCode;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// The ending of a call of this door, and its seat, which is free again after it.
#[derive(Clone)]
pub(super) struct Exit(Rc<Held>);

struct Held {
    ending: RefCell<Ending>,
    _seat: Option<Seat>,
}

impl Exit {
    /// A call that has just come, on its seat if there was one.
    pub(super) fn new(core: &Core, decision_id: DecisionId, seat: Option<Seat>) -> Self {
        Self(Rc::new(Held { ending: RefCell::new(Ending::new(&core.wiring, Door::Proxy, decision_id)), _seat: seat }))
    }

    /// The call's id.
    pub(super) fn decision_id(&self) -> DecisionId {
        self.0.ending.borrow().decision_id()
    }

    /// What came of asking, under this world.
    pub(super) fn asked(&self, asked: Asked, world: &Arc<World>) -> Result<Box<Admission>, Refusal> {
        self.0.ending.borrow_mut().asked(asked, world)
    }

    /// The answer goes out.
    pub(super) fn answered(&self, outcome: Outcome, status: StatusCode) {
        self.0.ending.borrow_mut().answered(outcome, status);
    }

    /// A refusal goes out instead.
    pub(super) fn refused(&self, refusal: &Refusal) {
        self.0.ending.borrow_mut().refused(refusal);
    }

    /// The filter stopped after the head was sent.
    pub(super) fn stop(&self, stop: &Stop) {
        self.0.ending.borrow_mut().stopped(stop);
    }

    /// The upstream broke off after the head was sent.
    pub(super) fn fail(&self, reason: &str) {
        self.0.ending.borrow_mut().failed(&super::upstream::unavailable(reason));
    }

    /// What the filter kept and removed.
    pub(super) fn summarize(&self, summary: Summary) {
        self.0.ending.borrow_mut().summarize(summary);
    }
}
