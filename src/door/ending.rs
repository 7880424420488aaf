//! The single exit of a call: counted and recorded once, when its answer is gone, whatever way it
//! went. It changes nothing of the answer.

use super::Wiring;
use super::asking::Asked;
use crate::authorize::{DecisionId, Door, KeptRecord, Record, Refusal, RefusalName, Stop, Summary};
use crate::observe::{LogEntry, Outcome};
use crate::snapshot::World;
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a call's end so far. When it is dropped, the call is counted and recorded.
pub struct Ending {
    wiring: Arc<Wiring>,
    door: Door,
    decision_id: DecisionId,
    deciding: Duration,
    outcome: Outcome,
    status: StatusCode,
    refusal: Option<RefusalName>,
    kept: Option<Box<KeptRecord>>,
    summary: Option<Summary>,
}

impl Ending {
    /// A call that has just come. Until it is known better it has failed: its client went away.
    #[must_use]
    pub fn new(wiring: &Arc<Wiring>, door: Door, decision_id: DecisionId) -> Self {
        Self {
            wiring: Arc::clone(wiring),
            door,
            decision_id,
            deciding: Duration::ZERO,
            outcome: Outcome::Failed,
            status: StatusCode::OK,
            refusal: None,
            kept: None,
            summary: None,
        }
    }

    /// The call's id.
    #[must_use]
    pub fn decision_id(&self) -> DecisionId {
        self.decision_id
    }

    /// Notes what came of asking, under this world; gives the verdict on.
    ///
    /// # Errors
    /// The refusal, if it was one. It is not counted as the answer yet.
    pub fn asked(&mut self, asked: Asked, world: &Arc<World>) -> Result<Box<crate::authorize::Admission>, Refusal> {
        self.deciding += asked.deciding;
        self.keep(asked.record, world);
        asked.verdict
    }

    /// Keeps the record of the decision, made under this world, if anybody is to read it.
    fn keep(&mut self, record: Option<Record>, world: &Arc<World>) {
        if self.wiring.log.is_open() {
            self.kept = record.map(|record| Box::new(KeptRecord::new(record, Arc::clone(world))));
        }
    }

    /// The answer goes out.
    pub fn answered(&mut self, outcome: Outcome, status: StatusCode) {
        self.outcome = outcome;
        self.status = status;
    }

    /// A refusal goes out instead.
    pub fn refused(&mut self, refusal: &Refusal) {
        self.outcome = Outcome::of(refusal.name);
        self.status = refusal.status();
        self.note(refusal);
    }

    /// The filter stopped after the head was sent.
    pub fn stopped(&mut self, stop: &Stop) {
        self.outcome = Outcome::Failed;
        if let Stop::Refuse(refusal) = stop {
            self.note(refusal);
        }
    }

    /// The answer broke off after the head was sent, for this reason.
    pub fn failed(&mut self, reason: &Refusal) {
        self.outcome = Outcome::Failed;
        self.note(reason);
    }

    /// What the filter kept and removed.
    pub fn summarize(&mut self, summary: Summary) {
        self.summary = Some(summary);
    }

    fn note(&mut self, refusal: &Refusal) {
        self.refusal = Some(refusal.name);
        if let Some(kept) = &mut self.kept {
            kept.record.refuse(refusal);
        }
    }

    fn count(&self) {
        let metrics = &self.wiring.metrics;
        let door = metrics.door(self.door);
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

impl Drop for Ending {
    fn drop(&mut self) {
        self.count();
        if !self.wiring.log.wants(self.decision_id, self.outcome) {
            return;
        }
        if let Some(mut kept) = self.kept.take() {
            if let Some(summary) = &self.summary {
                kept.record.summarize(summary);
            }
            self.wiring.log.record(LogEntry { outcome: self.outcome, status: self.status.as_u16(), duration: self.deciding, record: *kept });
        }
    }
}
