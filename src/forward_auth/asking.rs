//! Who asks bare questions, and the bodies they come in. Peers need not be trusted here: the bearer
//! token says who asks.

use super::Door;
use crate::authorize::{Applications, Asking, BareQuestion, Caller, Refusal, RefusalName, RequestHeaders};
use crate::policy::{Dates, Interval};
use crate::snapshot::World;
use crate::sources::Presented;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::time::timeout;

/// The feature that AuthZEN's callers must hold (interfaces §10).
const EVALUATE: [(&str, &str); 2] = [("scope", "Access"), ("code", "access-evaluate")];

/// The user that asks.
///
/// # Errors
/// 401 without an acceptable token, 403 for a user that the snapshot does not have, 503 while no
/// policies are in force.
pub(super) async fn caller(door: &Door, world: &World, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Refusal> {
    require_in_force(world, now)?;
    let identity = door.wiring.tokens.identify(&Presented { policies: Some(&world.snapshot.policies), ..Presented::by(headers, now) }).await;
    Caller::find(&identity, &world.snapshot.policies, now)
}

/// # Errors
/// 503 while no policies are in force; nothing is answered before that is known.
pub(super) fn require_in_force(world: &World, now: Timestamp) -> Result<(), Refusal> {
    match world.snapshot.is_in_force(world.settings.max_staleness, now) {
        true => Ok(()),
        false => Err(Refusal::new(
            RefusalName::PolicyUnavailable,
            "No policies are in force at the moment.",
            "no snapshot is in force, or it is staler than allowed",
        )),
    }
}

/// # Errors
/// 403 for a caller that may not ask about others.
pub(super) fn require_evaluator(world: &World, caller: &Caller, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal> {
    let policies = &world.snapshot.policies;
    let dates = Dates::Between(Interval::at(now));
    let question = BareQuestion { scope: "default", activity: "Execute", entity: "Feature", id: &EVALUATE, metadata: None, effective: dates, as_at: dates };
    let asking = Asking { policies, caller, is_token_known: true, headers: &RequestHeaders(headers), now };
    match asking.may(&question, &Applications::of(policies, &["Access"])) {
        true => Ok(()),
        false => Err(Refusal::new(RefusalName::AccessDenied, "Access to this resource is denied.", "the feature Access/access-evaluate")),
    }
}

/// The whole body.
///
/// # Errors
/// 413 for one that is too long, 400 for one that does not come in time or breaks off.
pub(super) async fn body(door: &Door, body: Incoming) -> Result<Bytes, Refusal> {
    let limit = door.settings.question_bytes;
    let incomplete = |reason: String| Refusal::new(RefusalName::InvalidRequest, "The request body is incomplete.", reason);
    let read = timeout(door.settings.limits.header_read_timeout, Limited::new(body, limit).collect()).await;
    match read {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::body_too_large(limit)),
        Ok(Err(error)) => Err(incomplete(format!("the body broke off: {error}"))),
        Err(_) => Err(incomplete("the body did not come in time".to_owned())),
    }
}

/// A question that cannot be read; the sentence is for its author.
pub(super) fn unreadable(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request body is not what this operation takes.", reason)
}
