//! What Envoy is told, message by message.

use super::edits::overwriting;
use super::modes::BodySendMode;
use crate::authorize::{DecisionId, Refusal};
use crate::envoy::refuse::{Answer, code};
use crate::snapshot::World;
use envoy_types::pb::envoy::config::core::v3::HeaderMap as Shown;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, GrpcStatus, HeaderMutation, HeadersResponse, HttpTrailers, ImmediateResponse, ProcessingResponse,
    StreamedBodyResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;

/// The request's head goes on with these edits, and further messages come in this mode.
pub(super) fn request_head(edits: HeaderMutation, mode: ProcessingMode) -> ProcessingResponse {
    let reply = Reply::RequestHeaders(HeadersResponse { response: Some(edited(edits)) });
    ProcessingResponse { mode_override: Some(mode), ..of(reply) }
}

/// The request's body was read, and goes on as it is, its head with these edits.
pub(super) fn request_body(edits: HeaderMutation) -> ProcessingResponse {
    of(Reply::RequestBody(BodyResponse { response: Some(edited(edits)) }))
}

/// A piece of the request's body that was not asked for goes on as it is.
pub(super) fn request_piece(body: Vec<u8>, is_last: bool, mode: BodySendMode) -> ProcessingResponse {
    of(Reply::RequestBody(passed(body, is_last, mode)))
}

/// Trailers of a request are dropped.
pub(super) fn request_trailers(trailers: &HttpTrailers) -> ProcessingResponse {
    of(Reply::RequestTrailers(dropped(trailers)))
}

/// The answer's head goes on with these edits.
pub(super) fn answer_head(edits: HeaderMutation) -> ProcessingResponse {
    of(Reply::ResponseHeaders(HeadersResponse { response: Some(edited(edits)) }))
}

/// A piece of the answer goes on as it is.
pub(super) fn answer_piece(body: Vec<u8>, is_last: bool, mode: BodySendMode) -> ProcessingResponse {
    of(Reply::ResponseBody(passed(body, is_last, mode)))
}

/// A piece of the answer is this instead; the head may still be edited where Envoy holds it.
pub(super) fn answer_instead(body: Vec<u8>, is_last: bool, mode: BodySendMode, edits: HeaderMutation) -> ProcessingResponse {
    let response = CommonResponse { body_mutation: Some(mutation(body, is_last, mode)), ..edited(edits) };
    of(Reply::ResponseBody(BodyResponse { response: Some(response) }))
}

/// Trailers of an answer that is not passed on as it is are dropped.
pub(super) fn answer_trailers_dropped(trailers: &HttpTrailers) -> ProcessingResponse {
    of(Reply::ResponseTrailers(dropped(trailers)))
}

/// Trailers of an answer go on as they are.
pub(super) fn answer_trailers() -> ProcessingResponse {
    of(Reply::ResponseTrailers(TrailersResponse::default()))
}

/// The client gets this refusal, and nothing else.
pub(super) fn refusal(world: &World, id: DecisionId, refusal: &Refusal) -> ProcessingResponse {
    let Answer { status, headers, body } = Answer::new(world, id, refusal);
    of(Reply::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: Some(HeaderMutation { set_headers: overwriting(&headers), remove_headers: Vec::new() }),
        body,
        grpc_status: u32::try_from(i32::from(code(refusal.name))).ok().map(|status| GrpcStatus { status }),
        details: refusal.name.as_str().to_owned(),
    }))
}

fn of(reply: Reply) -> ProcessingResponse {
    ProcessingResponse { response: Some(reply), ..ProcessingResponse::default() }
}

fn edited(edits: HeaderMutation) -> CommonResponse {
    let is_empty = edits.set_headers.is_empty() && edits.remove_headers.is_empty();
    CommonResponse { header_mutation: (!is_empty).then_some(edits), ..CommonResponse::default() }
}

/// Where Envoy gives a piece away it wants it back; otherwise it keeps its own.
fn passed(body: Vec<u8>, is_last: bool, mode: BodySendMode) -> BodyResponse {
    let body_mutation = (mode == BodySendMode::FullDuplexStreamed).then(|| mutation(body, is_last, mode));
    BodyResponse { response: Some(CommonResponse { body_mutation, ..CommonResponse::default() }) }
}

fn mutation(body: Vec<u8>, is_last: bool, mode: BodySendMode) -> BodyMutation {
    let mutation = match mode {
        BodySendMode::FullDuplexStreamed => {
            Mutation::StreamedResponse(StreamedBodyResponse { body, end_of_stream: is_last, ..StreamedBodyResponse::default() })
        }
        _ if body.is_empty() => Mutation::ClearBody(true),
        _ => Mutation::Body(body),
    };
    BodyMutation { mutation: Some(mutation) }
}

fn dropped(trailers: &HttpTrailers) -> TrailersResponse {
    let names = |shown: &Shown| shown.headers.iter().map(|header| header.key.clone()).collect();
    let remove_headers = trailers.trailers.as_ref().map(names).unwrap_or_default();
    TrailersResponse { header_mutation: Some(HeaderMutation { set_headers: Vec::new(), remove_headers }) }
}
