//! The permission to send a call upstream: a value that only `authorize` can make.

use super::answer::Answer;
use super::call::{Call, DecisionId};
use super::etag::Sealing;
use super::inputs::Inputs;
use super::plan::{self, Plan};
use super::record::Record;
use super::refusal::Refusal;
use super::request_headers::{self, RequestEdits};
use super::response_headers;
use crate::api_map::Operation;
use crate::snapshot::World;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// An admitted call: the edits of its request and the plan for its answer. A door hands it, by
/// value, to the function that sends the call upstream, and the answer comes back through it.
pub struct Admission {
    pub(super) decision_id: DecisionId,
    pub(super) world: Arc<World>,
    /// `None` for a call without a subject: anonymous, or only observed.
    pub(super) inputs: Option<Box<Inputs>>,
    pub(super) plan: Plan,
    pub(super) is_head: bool,
    /// Whether the method is one whose answers have validators (RFC 9110 §13.1.2).
    is_get_or_head: bool,
    target: Box<str>,
    record: Option<Record>,
}

impl Admission {
    pub(super) fn new(call: &Call<'_>, inputs: Box<Inputs>, plan: Plan, record: Record) -> Self {
        let plan = if inputs.world.settings.observe_only { Plan::Pass } else { plan };
        Self {
            decision_id: call.decision_id,
            world: Arc::clone(&inputs.world),
            inputs: Some(inputs),
            plan,
            is_head: call.method == "HEAD",
            is_get_or_head: matches!(call.method, "GET" | "HEAD"),
            target: call.target.into(),
            record: Some(record),
        }
    }

    pub(super) fn without_subject(call: &Call<'_>, world: &Arc<World>, record: Record) -> Self {
        Self {
            decision_id: call.decision_id,
            world: Arc::clone(world),
            inputs: None,
            plan: Plan::Pass,
            is_head: call.method == "HEAD",
            is_get_or_head: matches!(call.method, "GET" | "HEAD"),
            target: call.target.into(),
            record: Some(record),
        }
    }

    /// The target that goes upstream: the request's own bytes.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What is written down about the call; it is given once.
    #[must_use]
    pub fn take_record(&mut self) -> Option<Record> {
        self.record.take()
    }

    /// The decision id.
    #[must_use]
    pub fn decision_id(&self) -> DecisionId {
        self.decision_id
    }

    /// Whether the answer must pass through the filter. A door that never sees bodies must refuse then.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.plan != Plan::Pass
    }

    /// For what a validator of a filtered answer is good: this target, under these rights. A read by
    /// another method has none, for its body says what is read.
    pub(super) fn sealing(&self) -> Option<Sealing<'_>> {
        let inputs = self.inputs.as_deref().filter(|_| self.is_get_or_head || !self.reads())?;
        let rights = plan::rights(inputs)?;
        Some(Sealing { secret: self.world.snapshot.secret(), rights, target: &self.target, circumstances: plan::circumstances(inputs)? })
    }

    /// Whether the operation admits a WebSocket upgrade.
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        self.inputs.as_ref().and_then(|inputs| inputs.operation()).is_some_and(|operation| operation.upgrade)
    }

    /// Whether the call reads and changes nothing.
    pub(super) fn reads(&self) -> bool {
        self.inputs.as_ref().and_then(|inputs| inputs.operation()).is_none_or(Operation::reads)
    }

    /// Makes the client's headers the upstream's: lookalikes, hop-by-hop headers and whatever would
    /// bring an answer that cannot be filtered are removed, our own are set (interfaces §6). `Host`
    /// and `X-Forwarded-*` are the door's to set.
    pub fn edit_request(&self, headers: &mut HeaderMap) {
        self.request_edits(headers).apply(headers);
    }

    /// The same, for a door that does not carry the head itself: what is to be changed of it.
    #[must_use]
    pub fn request_edits(&self, headers: &HeaderMap) -> RequestEdits {
        request_headers::edits(self, headers)
    }

    /// Takes the head of the upstream's answer, edits its headers in place for the client, and says
    /// what happens to the body.
    ///
    /// # Errors
    /// 502 for an answer whose head already shows that it cannot be filtered; 404 for the upstream's own,
    /// where a denied item is answered so, too.
    pub fn answer(self: Box<Self>, status: StatusCode, headers: &mut HeaderMap) -> Result<Answer, Refusal> {
        response_headers::edit(&self, status, headers);
        match (self.plan, self.inputs) {
            (Plan::Filter, Some(inputs)) => Answer::filtered(*inputs, self.is_head, status, headers),
            _ => Ok(Answer::Pass),
        }
    }
}
