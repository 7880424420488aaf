//! A door asks for a verdict: who calls, what `authorize` says, and what it needs first, until there
//! is one. Nothing goes upstream before.

use super::Wiring;
use super::aside::{Judged, LONG_BODY};
use super::kept::Kept;
use super::metadata::MetadataAnswers;
use crate::authorize::{Admission, Call, DecisionId, Door, Identity, Need, Record, Refusal, RefusalName, Step, UpstreamMetadata, Verdict, authorize};
use crate::observe::clock;
use crate::snapshot::World;
use crate::sources::{Channel, Circumstances, Presented};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How often `authorize` may ask for something more before the call is refused.
const ROUNDS: usize = 64;

/// A call as a door received it.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// The door.
    pub door: Door,
    /// The call's id.
    pub decision_id: DecisionId,
    /// The world it is judged by, to its end.
    pub world: &'a Arc<World>,
    /// When it came.
    pub now: Timestamp,
    /// The method's exact bytes.
    pub method: &'a str,
    /// The target's exact bytes.
    pub target: &'a str,
    /// The request's headers as they came.
    pub headers: &'a HeaderMap,
    /// The authority of an absolute or HTTP/2 target.
    pub authority: Option<&'a str>,
    /// What is known of the client's connection; nothing where somebody else holds it.
    pub channel: Channel,
}

impl<'a> Arrival<'a> {
    /// What it says of who sent it.
    fn presented(&self) -> Presented<'a> {
        let &Self { door, method, target, authority, channel, headers, now, .. } = self;
        let call = Some(Circumstances { door, method, target, authority, channel });
        Presented { headers, now, policies: Some(&self.world.snapshot.policies), call }
    }
}

/// What a door can bring when a verdict needs it.
pub trait Supplies {
    /// The whole body of the request, once it was read.
    fn body(&self) -> Option<&Bytes>;

    /// Reads the body whole, of at most `limit` bytes; afterwards `body` gives it.
    ///
    /// # Errors
    /// What the call is refused with: the body is too long, broke off, or cannot be had at this door.
    fn read_body(&mut self, limit: usize) -> impl Future<Output = Result<(), Refusal>>;

    /// Asks the upstream for the metadata at these targets; no body is unknown metadata.
    fn read_metadata(&mut self, targets: Vec<String>) -> impl Future<Output = MetadataAnswers>;
}

/// What came of asking.
pub struct Asked {
    /// The admission, or what to answer instead.
    pub verdict: Result<Box<Admission>, Refusal>,
    /// What is to be written down; nothing where there was no verdict.
    pub record: Option<Record>,
    /// The time that `authorize` took in all.
    pub deciding: Duration,
}

/// Finds out who calls and asks until there is a verdict.
pub async fn ask(wiring: &Wiring, arrival: &Arrival<'_>, supplies: &mut impl Supplies) -> Asked {
    let identity = wiring.tokens.identify(&arrival.presented()).await;
    let mut metadata = UpstreamMetadata::default();
    let mut deciding = Duration::ZERO;
    for _ in 0..ROUNDS {
        let Some((step, known, time)) = judge(wiring, arrival, &identity, supplies.body(), metadata).await else {
            return Asked { verdict: Err(undecided("judging the call broke off")), record: None, deciding };
        };
        metadata = known;
        wiring.metrics.decision.observe(time.as_secs_f64());
        deciding += time;
        match step {
            Step::Done(Verdict::Admit(mut admission)) => {
                note(wiring, arrival, &identity, supplies.body(), metadata);
                let record = admission.take_record();
                return Asked { verdict: Ok(admission), record, deciding };
            }
            Step::Done(Verdict::Refuse(refused)) => {
                note(wiring, arrival, &identity, supplies.body(), metadata);
                return Asked { verdict: Err(refused.refusal), record: Some(refused.record), deciding };
            }
            Step::Need(Need::Body { limit }) => {
                if let Err(refusal) = supplies.read_body(limit).await {
                    return Asked { verdict: Err(refusal), record: None, deciding };
                }
            }
            Step::Need(Need::Metadata(targets)) => {
                for (target, body) in supplies.read_metadata(targets).await {
                    metadata.insert(&target, body.as_deref());
                }
            }
        }
    }
    Asked { verdict: Err(undecided("the call could not be decided")), record: None, deciding }
}

fn undecided(reason: &str) -> Refusal {
    Refusal::new(RefusalName::AccessDenied, "Access is denied.", reason)
}

/// The verdict on what is known so far, or what it needs.
async fn judge(wiring: &Wiring, arrival: &Arrival<'_>, identity: &Identity, body: Option<&Bytes>, metadata: UpstreamMetadata) -> Option<Judged> {
    if body.is_some_and(|body| body.len() > LONG_BODY) {
        return wiring.aside.judge(Kept::of(arrival, identity, body.cloned(), metadata)).await;
    }
    let call = Call {
        door: arrival.door,
        decision_id: arrival.decision_id,
        method: arrival.method,
        target: arrival.target,
        headers: arrival.headers,
        authority: arrival.authority,
        identity,
        body: body.map(Bytes::as_ref),
        metadata: &metadata,
    };
    let before = clock::monotonic();
    let step = authorize(arrival.world, &call, arrival.now);
    Some((step, metadata, before.elapsed()))
}

/// Leaves a decided call to the candidate, where there is one.
fn note(wiring: &Wiring, arrival: &Arrival<'_>, identity: &Identity, body: Option<&Bytes>, metadata: UpstreamMetadata) {
    if let Some(shadow) = &wiring.shadow {
        shadow.note(arrival, identity, body, metadata);
    }
}
