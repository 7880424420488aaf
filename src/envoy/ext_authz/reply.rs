//! The answer to a check: OK with the edits of the request, or the refusal's own answer.

use super::request::Received;
use crate::authorize::{Admission, DecisionId, Refusal, RequestEdits, is_lookalike};
use crate::door::{Asked, DECISION_ID, id_value};
use crate::envoy::edits::{Edits, Values, option, overwriting};
use crate::envoy::refuse::{Answer, code};
use crate::snapshot::World;
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use envoy_types::pb::google::rpc;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderName, HeaderValue};

/// Rebuilt for the upstream from what Envoy knows of its client.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// OK. Where ext_proc follows, it makes all other edits, from the same headers.
pub(super) fn admitted(admission: &Admission, received: &Received, ext_proc: bool, told: Struct) -> CheckResponse {
    let mut edits = admission.request_edits(&received.head.headers);
    forward(&mut edits, received);
    let edits = Edits::of_request(&edits, Values::Text, |name| !ext_proc || is_lookalike(name.as_str()));
    let ok = OkHttpResponse {
        headers: edits.set,
        headers_to_remove: edits.removed,
        response_headers_to_add: if ext_proc { Vec::new() } else { for_the_client(admission.decision_id()) },
        ..OkHttpResponse::default()
    };
    CheckResponse { status: Some(rpc::Status::default()), dynamic_metadata: Some(told), http_response: Some(HttpResponse::OkResponse(ok)) }
}

/// A refusal with its own status, headers and body.
pub(super) fn refused(world: &World, id: DecisionId, refusal: &Refusal) -> CheckResponse {
    let Answer { status, headers, body } = Answer::new(world, id, refusal);
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: overwriting(&headers, Values::Text),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let status = rpc::Status { code: code(refusal.name).into(), message: refusal.name.as_str().to_owned(), details: Vec::new() };
    CheckResponse { status: Some(status), dynamic_metadata: None, http_response: Some(HttpResponse::DeniedResponse(denied)) }
}

/// What later filters and Envoy's access log may know of the decision.
pub(super) fn told(asked: &Asked, world: &World) -> Struct {
    let mut told = Struct::default();
    let mut say = |name: &str, kind: Kind| told.fields.insert(name.to_owned(), Value { kind: Some(kind) });
    if let Ok(admission) = &asked.verdict {
        say("decision_id", Kind::StringValue(admission.decision_id().to_string()));
    }
    if let Some(record) = &asked.record {
        // A revision counts from 1; as a double it is exact for as long as anybody publishes.
        #[expect(clippy::cast_precision_loss, reason = "the field knows no other number")]
        say("revision", Kind::NumberValue(record.revision as f64));
        if let Some(user) = &record.user {
            say("user", Kind::StringValue(user.to_string()));
        }
        if let Some(operation) = record.operation(world) {
            say("feature", Kind::StringValue(format!("{}/{}", operation.application, operation.feature)));
        }
    }
    told
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
fn for_the_client(id: DecisionId) -> Vec<HeaderValueOption> {
    let (private, authorization) = (HeaderValue::from_static("private"), HeaderValue::from_static("Authorization"));
    let all = [
        option(&DECISION_ID, &id_value(id), Values::Text, HeaderAppendAction::OverwriteIfExistsOrAdd),
        option(&CACHE_CONTROL, &private, Values::Text, HeaderAppendAction::AppendIfExistsOrAdd),
        option(&VARY, &authorization, Values::Text, HeaderAppendAction::AppendIfExistsOrAdd),
    ];
    all.into_iter().flatten().collect()
}
