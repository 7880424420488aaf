//! Who asks bare questions, and the bodies they come in. Peers need not be trusted here: the bearer
//! token says who asks.

use super::Door;
use crate::authorize::{Applications, Asking, BareQuestion, Caller, Refusal, RefusalName, RequestHeaders};
use crate::json_filter::{Document, Limits, Node};
use crate::policy::{Dates, Interval};
use crate::snapshot::World;
use crate::sources::Presented;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use std::collections::HashSet;
use tokio::time::timeout;

/// The feature that AuthZEN's callers must hold (interfaces §10).
const EVALUATE: [(&str, &str); 2] = [("scope", "Access"), ("code", "access-evaluate")];

/// Brackets that may be open at once in a question; what is in them is read over once for each.
const DEPTH: usize = 32;

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

/// Refuses a text in which a member stands twice: whoever reads the first of two asks another question than
/// who reads the last.
///
/// # Errors
/// 400 for such a text, and for one that is no JSON.
pub(super) fn check_members(body: &[u8]) -> Result<(), Refusal> {
    let document = Document::parse(body, Limits { item_bytes: body.len(), depth: DEPTH }).map_err(|error| unreadable(error.to_string()))?;
    let mut open = vec![document.root()];
    while let Some(node) = open.pop() {
        let mut names = HashSet::new();
        for (name, inside) in node.members() {
            open.extend(Some(inside).filter(may_hold));
            if !names.insert(name.clone()) {
                return Err(unreadable(format!("the member `{name}` stands twice")));
            }
        }
        open.extend(node.elements().filter(may_hold));
    }
    Ok(())
}

/// Whether there may be members in it, or in what is in it.
fn may_hold(node: &Node<'_>) -> bool {
    node.is_object() || node.is_array()
}

/// A question that cannot be read; the reason is for its author.
pub(super) fn unreadable(reason: impl Into<String>) -> Refusal {
    let reason = reason.into();
    Refusal::new(RefusalName::InvalidRequest, format!("The request body is not what this operation takes: {reason}."), reason)
}
