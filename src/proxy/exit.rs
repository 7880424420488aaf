//! The single exit of a call: counted and recorded once, when its answer is gone, whatever way it
//! went. It changes nothing of the answer.

use super::core::Core;
use crate::authorize::{DecisionId, Door, KeptRecord, Record, Refusal, RefusalName, Stop, Summary};
use crate::observe::{LogEntry, Outcome};
use crate::snapshot::World;
use http::StatusCode;
use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a call's end so far, held by everything that still works on its answer.
/// When the last holder drops it, the call is counted and recorded.
#[derive(Clone)]
pub(super) struct Exit(Rc<RefCell<End>>);

struct End {
    core: Rc<Core>,
    decision_id: DecisionId,
    deciding: Duration,
    outcome: Outcome,
    status: StatusCode,
    refusal: Option<RefusalName>,
    kept: Option<Box<KeptRecord>>,
    summary: Option<Summary>,
}

impl Exit {
    /// A call that has just come. Until it is known better it has failed: its client went away.
    pub(super) fn new(core: &Rc<Core>, decision_id: DecisionId) -> Self {
        Self(Rc::new(RefCell::new(End {
            core: Rc::clone(core),
            decision_id,
            deciding: Duration::ZERO,
            outcome: Outcome::Failed,
            status: StatusCode::OK,
            refusal: None,
            kept: None,
            summary: None,
        })))
    }

    /// The call's id.
    pub(super) fn decision_id(&self) -> DecisionId {
        self.0.borrow().decision_id
    }

    /// A look at the call took so long.
    pub(super) fn looked(&self, time: Duration) {
        self.end().deciding += time;
    }

    /// Keeps the record of the decision, made under this world, if anybody is to read it.
    pub(super) fn keep(&self, record: Option<Record>, world: &Arc<World>) {
        let mut end = self.end();
        if end.core.wiring.log.is_open() {
            end.kept = record.map(|record| Box::new(KeptRecord::new(record, Arc::clone(world))));
        }
    }

    /// The answer goes out.
    pub(super) fn answered(&self, outcome: Outcome, status: StatusCode) {
        let mut end = self.end();
        end.outcome = outcome;
        end.status = status;
    }

    /// A refusal goes out instead.
    pub(super) fn refused(&self, refusal: &Refusal) {
        let mut end = self.end();
        end.outcome = Outcome::of(refusal.name);
        end.status = refusal.status();
        end.note(refusal);
    }

    /// The filter stopped after the head was sent.
    pub(super) fn stop(&self, stop: &Stop) {
        let mut end = self.end();
        end.outcome = Outcome::Failed;
        if let Stop::Refuse(refusal) = stop {
            end.note(refusal);
        }
    }

    /// The upstream broke off after the head was sent.
    pub(super) fn fail(&self, reason: &str) {
        let mut end = self.end();
        end.outcome = Outcome::Failed;
        end.note(&super::upstream::unavailable(reason));
    }

    /// What the filter kept and removed.
    pub(super) fn summarize(&self, summary: Summary) {
        self.end().summary = Some(summary);
    }

    fn end(&self) -> RefMut<'_, End> {
        self.0.borrow_mut()
    }
}

impl End {
    fn note(&mut self, refusal: &Refusal) {
        self.refusal = Some(refusal.name);
        if let Some(kept) = &mut self.kept {
            kept.record.refuse(refusal);
        }
    }

    fn count(&self) {
        let metrics = &self.core.wiring.metrics;
        let door = metrics.door(Door::Proxy);
        door.count(self.outcome);
        if let Some(name) = self.refusal {
            door.refuse(name);
        }
        let Some(summary) = &self.summary else { return };
        for (entity, kept, removed) in &summary.items {
            let verdicts = metrics.items(entity);
            verdicts.kept.inc_by(*kept);
            verdicts.removed.inc_by(*removed);
        }
        metrics.properties.kept.inc_by(summary.properties_kept);
        metrics.properties.removed.inc_by(summary.properties_removed);
        metrics.filter_read.inc_by(summary.bytes_in);
        metrics.filter_written.inc_by(summary.bytes_out);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.count();
        let log = &self.core.wiring.log;
        if !log.wants(self.decision_id, self.outcome) {
            return;
        }
        if let Some(mut kept) = self.kept.take() {
            if let Some(summary) = &self.summary {
                kept.record.summarize(summary);
            }
            log.record(LogEntry { outcome: self.outcome, status: self.status.as_u16(), duration: self.deciding, record: *kept });
        }
    }
}
