//! The one pipeline behind every door: `(&World, &Call, now) → Step`. Read this file first.
//!
//! It follows the life of a call in semantics §9, and nothing is answered by a later step that an
//! earlier one refused. It is synchronous, total and pure: it never fetches, waits, logs or reads a
//! clock. What must be fetched first is asked of the door, which calls `authorize` again with it;
//! until then nothing was sent upstream, and asking again costs no more than the first time.

mod admission;
mod answer;
mod bare;
mod body;
mod call;
mod caller;
mod charset;
mod checks;
mod deciding;
mod decoding;
mod difference;
mod error_body;
mod etag;
mod explained;
mod framing;
mod guard;
mod inputs;
mod judge;
mod needs;
mod plan;
mod query;
mod questions;
mod record;
mod refusal;
mod request_headers;
mod response_headers;
mod revealing;
mod spellings;
mod target;
mod trace;
mod written;

pub use admission::Admission;
pub use answer::{Answer, AnswerFilter, Progress, Stop, Summary};
pub use bare::{Applications, Asking, BareQuestion, RequestHeaders};
pub use call::{Call, DecisionId, Door, Identity, UpstreamMetadata};
pub use caller::Caller;
pub use difference::Difference;
pub use explained::{ExplainedCall, SupposedCall, explain_call};
pub use framing::is_plain_length;
pub use record::{KeptRecord, Record};
pub use refusal::{Challenge, Refusal, RefusalName};
pub use request_headers::{RequestEdits, is_lookalike, nominated};
pub use trace::{Trace, Traced};

use crate::api_map::{Answering, Match, Operation, PathError};
use crate::policy::{Cause, Dates, MetadataOf, Question};
use crate::snapshot::World;
use checks::Checked;
use deciding::{Answered, Deciding};
use inputs::{Headers, Inputs};
use jiff::Timestamp;
use query::Query;
use questions::Asker;
use std::borrow::Cow;
use std::sync::Arc;

/// What comes of one look at a call.
pub enum Step {
    /// The verdict.
    Done(Verdict),
    /// What the door has to bring before there is one.
    Need(Need),
}

/// What a verdict still needs.
#[derive(Debug, PartialEq, Eq)]
pub enum Need {
    /// The whole request body, of at most so many bytes; a longer one is refused with 413.
    Body {
        /// The bound in bytes.
        limit: usize,
    },
    /// The answers to `GET` of these targets at the upstream, with the caller's credentials.
    Metadata(Vec<String>),
}

/// What the door does with the call.
pub enum Verdict {
    /// It goes upstream.
    Admit(Box<Admission>),
    /// It is answered here.
    Refuse(Box<Refused>),
}

/// A refused call: the answer and what is written down about it.
pub struct Refused {
    /// The answer.
    pub refusal: Refusal,
    /// For the log and the metrics.
    pub record: Record,
}

/// Judges a call by one world at one time.
#[must_use]
pub fn authorize(world: &Arc<World>, call: &Call<'_>, now: Timestamp) -> Step {
    authorize_traced(world, call, now, None)
}

/// The same, noting every question that the policies are asked, the answer's included.
#[must_use]
pub fn authorize_traced(world: &Arc<World>, call: &Call<'_>, now: Timestamp, trace: Option<&Arc<Trace>>) -> Step {
    let mut record = Record::new(call, world.snapshot.policies.revision(), now);
    match judge(world, call, now, &mut record, trace) {
        Ok(Judged::Admitted(inputs, plan)) => Step::Done(Verdict::Admit(Box::new(Admission::new(call, inputs, plan, record)))),
        Ok(Judged::Anonymous) => Step::Done(Verdict::Admit(Box::new(Admission::without_subject(call, world, record)))),
        Ok(Judged::Needs(need)) => Step::Need(need),
        Err(refusal) => refuse(world, call, refusal, record),
    }
}

enum Judged {
    Admitted(Box<Inputs>, plan::Plan),
    Anonymous,
    Needs(Need),
}

fn refuse(world: &Arc<World>, call: &Call<'_>, refusal: Refusal, mut record: Record) -> Step {
    record.refuse(&refusal);
    if world.settings.observe_only && !refusal.closes_connection() {
        return Step::Done(Verdict::Admit(Box::new(Admission::without_subject(call, world, record))));
    }
    Step::Done(Verdict::Refuse(Box::new(Refused { refusal, record })))
}

fn judge(world: &Arc<World>, call: &Call<'_>, now: Timestamp, record: &mut Record, trace: Option<&Arc<Trace>>) -> Result<Judged, Refusal> {
    let settings = &world.settings;
    if !world.snapshot.is_in_force(settings.max_staleness, now) {
        return Err(policy_unavailable());
    }
    // Step 1: framing and target.
    framing::check(call, &world.snapshot.policies, settings.limits.header_count)?;
    target::check_method(call.method)?;
    let target = target::read(call.target, settings.limits.target_bytes)?;
    let query = Query::read(target.query)?;
    let route = find_route(world, call.method, &target)?;
    record.route(route.as_ref());
    if route.as_ref().is_some_and(|found| found.operation.answering == Answering::Anonymous) {
        return Ok(Judged::Anonymous);
    }
    // Step 2: subject.
    let caller = Caller::find(call.identity, &world.snapshot.policies, now)?;
    record.user(&caller.user_id);
    // Step 3: route.
    let Match { operation, index, captures } = route.filter(|found| found.operation.answering != Answering::Refused).ok_or_else(not_mapped)?;
    inputs::check_bindings(operation, call.method, &query, call.headers)?;
    let headers = Headers::keep(call.headers, call.authority, inputs::named_headers(&world.snapshot.policies, operation));
    let dates = Dates::Unknown;
    let mut inputs = Inputs {
        world: Arc::clone(world),
        operation: index,
        captures,
        query,
        headers,
        caller,
        effective: dates,
        as_at: dates,
        now,
        trace: trace.cloned(),
    };
    inputs.read_dates(operation);
    ask_policies(call, inputs, operation, record)
}

/// Steps 4 to 6: feature, data at the request, and the plan for the answer.
fn ask_policies(call: &Call<'_>, inputs: Inputs, operation: &Operation, record: &mut Record) -> Result<Judged, Refusal> {
    let asker = Asker::new(&inputs, operation, call.metadata);
    match may_execute(&asker) {
        Ok(by) => record.feature_granted(Answered { by, effective: inputs.effective, as_at: inputs.as_at }),
        Err(question) => return Err(checks::denied(format!("the feature {}/{}", operation.application, operation.feature)).because(question)),
    }
    if !operation.body.is_empty() {
        framing::check_body(call.headers)?;
    }
    match call.body {
        _ if operation.body.is_empty() => {}
        None => return Ok(Judged::Needs(Need::Body { limit: inputs.world.settings.limits.request_body_bytes })),
        Some(body) => framing::check_type(call.headers, body)?,
    }
    match checks::check(&asker, call.body) {
        Checked::Refused(refusal) => Err(refusal),
        Checked::Needs(targets) => Ok(Judged::Needs(Need::Metadata(targets))),
        Checked::Passed => {
            let plan = plan::plan(&asker);
            if call.method == "HEAD" && plan == plan::Plan::Filter && plan::is_single_item_in_doubt(&asker) {
                return Err(checks::unjudged_head(&inputs));
            }
            drop(asker);
            Ok(Judged::Admitted(Box::new(inputs), plan))
        }
    }
}

/// Step 4 (semantics §9): `Execute` on the feature of the operation.
fn may_execute(asker: &Asker<'_>) -> Result<Option<Cause>, Arc<Deciding>> {
    let operation = asker.operation;
    let id = [("scope", Some(Cow::Borrowed(operation.application.as_ref()))), ("code", Some(Cow::Borrowed(operation.feature.as_ref())))];
    let question = Question {
        application: &operation.application,
        action_scope: "default",
        activity: "Execute",
        entity: "Feature",
        id: &id,
        metadata: MetadataOf::Unknown,
        effective: asker.inputs.effective,
        as_at: asker.inputs.as_at,
        policy: None,
    };
    asker.require(&question)
}

/// The operation of a target. An escaped slash is admitted only inside a captured segment of an
/// operation that says so, so a path with one and without such an operation is refused as a target.
fn find_route<'a>(world: &'a World, method: &str, target: &target::Target<'_>) -> Result<Option<Match<'a>>, Refusal> {
    let prefix = world.settings.strip_prefix.as_str();
    let path = match target.path.strip_prefix(prefix) {
        Some(path) if prefix.is_empty() || path.starts_with('/') => path,
        _ => return if target.has_encoded_slash { Err(odd_path(PathError::EncodedSlash)) } else { Ok(None) },
    };
    let found = world.maps.find(method, path).map_err(odd_path)?;
    let is_admitted = found.as_ref().is_some_and(|found| found.operation.encoded_slash);
    if target.has_encoded_slash && !is_admitted {
        return Err(odd_path(PathError::EncodedSlash));
    }
    Ok(found)
}

fn odd_path(error: PathError) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request target is not acceptable.", error.to_string())
}

fn not_mapped() -> Refusal {
    Refusal::new(RefusalName::RouteNotMapped, "This route is not served here.", "no operation of the API map serves this route")
}

fn policy_unavailable() -> Refusal {
    let detail = "No policies are in force at the moment.";
    Refusal::new(RefusalName::PolicyUnavailable, detail, "no snapshot is in force, or it is staler than allowed")
}
