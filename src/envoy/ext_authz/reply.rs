//! The answer to a check: OK with the edits of the request, or the refusal's own answer. Every number is
//! that of the field in Envoy's messages.

use super::request::Received;
use super::written::Written;
use crate::authorize::{Admission, DecisionId, Refusal, RequestEdits, is_lookalike};
use crate::door::{Asked, DECISION_ID};
use crate::envoy::head::OF_ENVOY;
use crate::envoy::refuse::{Answer, code};
use crate::snapshot::World;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderName, HeaderValue};

/// Fields of a `CheckResponse`.
const STATUS: u8 = 1;
const DENIED: u8 = 2;
const OK: u8 = 3;
const DYNAMIC_METADATA: u8 = 4;

/// What an `OkHttpResponse` and a `DeniedHttpResponse` set, the one in the request, the other in its answer.
const HEADERS: u8 = 2;

/// What becomes of the values that a header had.
#[derive(Clone, Copy)]
enum Append {
    /// They stay.
    Beside = 0,
    /// They go.
    Instead = 2,
}

/// Rebuilt for the upstream from what Envoy knows of its client.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// OK. Where ext_proc follows, it makes all other edits, from the same headers.
pub(super) fn admitted(admission: &Admission, received: &Received, ext_proc: bool, told: &Written) -> Written {
    let mut edits = admission.request_edits(&received.head.headers);
    forward(&mut edits, received);
    let is_ours = |name: &HeaderName| !OF_ENVOY.contains(name) && (!ext_proc || is_lookalike(name.as_str()));
    let mut answer = Written::with_capacity(1024);
    answer.message(STATUS, |_| ());
    answer.message(OK, |ok| {
        edit(ok, &edits, is_ours);
        if !ext_proc {
            for_the_client(ok, admission.decision_id());
        }
    });
    answer.bytes(DYNAMIC_METADATA, told.as_ref());
    answer
}

/// Edits of the request, but for the headers that are not ours. Envoy takes text: what is none is taken away.
fn edit(ok: &mut Written, edits: &RequestEdits, is_ours: impl Fn(&HeaderName) -> bool) {
    const REMOVED: u8 = 5;
    for name in edits.removed.iter().filter(|name| is_ours(name)) {
        ok.bytes(REMOVED, name.as_ref());
    }
    for of_one in edits.set.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((name, _)) = of_one.first().filter(|(name, _)| is_ours(name)) else { continue };
        if of_one.iter().any(|(_, value)| std::str::from_utf8(value.as_bytes()).is_err()) {
            ok.bytes(REMOVED, name.as_ref());
            continue;
        }
        for (place, (_, value)) in of_one.iter().enumerate() {
            set(ok, HEADERS, name, value, if place == 0 { Append::Instead } else { Append::Beside });
        }
    }
}

/// A `HeaderValueOption`.
fn set(message: &mut Written, field: u8, name: &HeaderName, value: &HeaderValue, append: Append) {
    message.message(field, |option| {
        option.message(1, |header| {
            header.bytes(1, name.as_ref());
            header.bytes(2, value.as_bytes());
        });
        option.number(3, append as usize);
    });
}

/// A refusal with its own status, headers and body.
pub(super) fn refused(world: &World, id: DecisionId, refusal: &Refusal) -> Written {
    let Answer { status, headers, body } = Answer::new(world, id, refusal);
    let mut answer = Written::with_capacity(1024);
    answer.message(STATUS, |status| {
        status.number(1, code(refusal.name) as usize);
        status.bytes(2, refusal.name.as_str().as_bytes());
    });
    answer.message(DENIED, |denied| {
        denied.message(1, |http| http.number(1, status.into()));
        for (name, value) in &headers {
            set(denied, HEADERS, name, value, Append::Instead);
        }
        denied.bytes(3, &body);
    });
    answer
}

/// What later filters and Envoy's access log may know of the decision: the content of a `Struct`.
pub(super) fn told(asked: &Asked, world: &World) -> Written {
    let mut told = Written::with_capacity(256);
    if let Ok(admission) = &asked.verdict {
        say_text(&mut told, "decision_id", &[admission.decision_id().header_value().as_bytes()]);
    }
    if let Some(record) = &asked.record {
        // A revision counts from 1; as a double it is exact for as long as anybody publishes.
        #[expect(clippy::cast_precision_loss, reason = "the field knows no other number")]
        say(&mut told, "revision", |value| value.double(2, record.revision as f64));
        if let Some(user) = &record.user {
            say_text(&mut told, "user", &[user.as_bytes()]);
        }
        if let Some(operation) = record.operation(world) {
            say_text(&mut told, "feature", &[operation.application.as_bytes(), b"/", operation.feature.as_bytes()]);
        }
    }
    told
}

/// An entry of a `Struct`.
fn say(told: &mut Written, name: &str, value: impl FnOnce(&mut Written)) {
    told.message(1, |entry| {
        entry.bytes(1, name.as_bytes());
        entry.message(2, value);
    });
}

fn say_text(told: &mut Written, name: &str, parts: &[&[u8]]) {
    say(told, name, |value| value.bytes_of(3, parts));
}

/// `X-Forwarded-For`, `-Host` and `-Proto` as Envoy knows them, not as the client says. The last is Envoy's
/// own header; the scheme of an HTTP/2 request is the client's word.
fn forward(edits: &mut RequestEdits, received: &Received) {
    let text = |value: &String| HeaderValue::try_from(value).ok();
    let mut protocols = received.head.headers.get_all(FORWARDED_PROTO).iter();
    let protocol = protocols.next().filter(|_| protocols.next().is_none()).cloned();
    let known = [(FORWARDED_FOR, received.client.as_ref().and_then(text)), (FORWARDED_PROTO, protocol), (FORWARDED_HOST, text(&received.head.authority))];
    for (name, value) in known {
        if let Some(value) = value {
            edits.set(name, value);
        }
    }
}

/// Headers of the client's answer. Envoy can add, and not take away: what the upstream says of caching
/// stays beside `private`, which shared caches obey whatever else is said.
fn for_the_client(ok: &mut Written, id: DecisionId) {
    const OF_THE_ANSWER: u8 = 6;
    set(ok, OF_THE_ANSWER, &DECISION_ID, &id.header_value(), Append::Instead);
    set(ok, OF_THE_ANSWER, &CACHE_CONTROL, &HeaderValue::from_static("private"), Append::Beside);
    set(ok, OF_THE_ANSWER, &VARY, &HeaderValue::from_static("Authorization"), Append::Beside);
}
