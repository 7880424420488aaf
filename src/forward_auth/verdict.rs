//! A call that somebody else carries: who asks, what `authorize` says, and what this door can do of it.

use super::Door;
use super::original::Original;
use crate::authorize::{self, Admission, DecisionId, Refusal, RefusalName};
use crate::door::framing::is_web_socket;
use crate::door::{Arrival, Ending, MetadataAnswers, Supplies, ask};
use crate::observe::Outcome;
use crate::snapshot::World;
use crate::sources::Channel;
use bytes::Bytes;
use http::StatusCode;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue, UPGRADE};
use std::sync::Arc;

/// The headers that go with the call, if it may pass: who asks.
///
/// # Errors
/// What it is refused with; it is noted in `ending`.
pub(super) async fn judge(door: &Door, world: &Arc<World>, original: &Original, ending: &mut Ending) -> Result<HeaderMap, Refusal> {
    let arrival = Arrival {
        door: authorize::Door::ForwardAuth,
        decision_id: ending.decision_id(),
        world,
        now: door.wiring.clock.now(),
        method: &original.method,
        target: &original.target,
        headers: &original.headers,
        authority: None,
        channel: Channel::default(),
    };
    let mut supplies = HeadAlone { door, world, original, body: None };
    let asked = ask(&door.wiring, &arrival, &mut supplies).await;
    let had_body_to_show = supplies.body.is_some();
    let admission = ending.asked(asked, world)?;
    require_possible(&admission, had_body_to_show && !world.settings.observe_only)?;
    refuse_upgrade(&admission, &original.headers)?;
    let mut headers = HeaderMap::with_capacity(4);
    admission.edit_request(&mut headers);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ending.answered(Outcome::Passed, StatusCode::OK);
    Ok(headers)
}

/// A plan that this door cannot carry out is a refusal.
fn require_possible(admission: &Admission, depends_on_body: bool) -> Result<(), Refusal> {
    let refuse = |detail: &'static str, reason: &str| Err(Refusal::new(RefusalName::AccessDenied, detail, reason));
    if depends_on_body {
        return refuse(
            "The body of this request would have to be inspected, which cannot be done here.",
            "the operation has body rules, and this door sees no body",
        );
    }
    if admission.is_filtered() {
        return refuse(
            "The answer to this request would have to be filtered, which cannot be done here.",
            "the answer would be filtered, and this door sees no answer",
        );
    }
    Ok(())
}

/// Refuses a change of protocol but on operations that allow it: nothing that follows it is asked about.
fn refuse_upgrade(admission: &Admission, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut protocols = headers.get_all(UPGRADE).iter();
    let is_possible = match (protocols.next(), protocols.next()) {
        (None, _) => true,
        (Some(protocol), None) => admission.is_upgrade() && is_web_socket(protocol),
        _ => false,
    };
    let reason = "the request wants another protocol, which its operation does not allow";
    is_possible.then_some(()).ok_or_else(|| Refusal::new(RefusalName::AccessDenied, "This operation does not change the protocol.", reason))
}

/// What this door can bring: metadata from the upstream, and no body.
struct HeadAlone<'a> {
    door: &'a Door,
    world: &'a World,
    original: &'a Original,
    /// An empty body, once one was asked for: the rest of the verdict is wanted for the record.
    body: Option<Bytes>,
}

impl Supplies for HeadAlone<'_> {
    fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    async fn read_body(&mut self, _: usize) -> Result<(), Refusal> {
        self.body = Some(Bytes::new());
        Ok(())
    }

    async fn read_metadata(&mut self, targets: Vec<String>) -> MetadataAnswers {
        let authorization = self.original.headers.get(AUTHORIZATION).filter(|_| !self.world.settings.drop_authorization);
        self.door.metadata.read(targets, authorization.cloned()).await
    }
}

/// The ending of a call at this door.
pub(super) fn begin(door: &Door, id: DecisionId) -> Ending {
    Ending::new(&door.wiring, authorize::Door::ForwardAuth, id)
}
