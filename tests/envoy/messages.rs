//! ext_proc by gRPC, without an Envoy between: messages in every order and mode.

use crate::site::Services;
use crate::support::within;
use crate::support::world::{TOKEN, portfolios, visible_portfolios};
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::HeaderSendMode;
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HttpBody, HttpHeaders, HttpTrailers, ImmediateResponse, ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// A call as an Envoy of one's own makes it.
struct Call {
    services: Services,
    sender: Option<mpsc::Sender<ProcessingRequest>>,
    replies: Streaming<ProcessingResponse>,
    protocol: Option<ProtocolConfiguration>,
}

impl Call {
    async fn begin() -> Self {
        Self::in_modes(BodySendMode::None, BodySendMode::None).await
    }

    /// With these body modes in Envoy's configuration.
    async fn in_modes(request: BodySendMode, response: BodySendMode) -> Self {
        Self::over(Services::before("127.0.0.1:9".parse().unwrap()), request, response).await
    }

    /// Of these services.
    async fn over(services: Services, request: BodySendMode, response: BodySendMode) -> Self {
        let mut client = ExternalProcessorClient::connect(format!("http://{}", services.address)).await.unwrap();
        let (sender, messages) = mpsc::channel(16);
        let replies = client.process(ReceiverStream::new(messages)).await.unwrap().into_inner();
        let protocol = ProtocolConfiguration { request_body_mode: request.into(), response_body_mode: response.into(), ..ProtocolConfiguration::default() };
        Self { services, sender: Some(sender), replies, protocol: Some(protocol) }
    }

    async fn say(&mut self, message: Message) {
        let request = ProcessingRequest { request: Some(message), protocol_config: self.protocol.take(), ..ProcessingRequest::default() };
        self.sender.as_ref().unwrap().send(request).await.unwrap();
    }

    async fn reply(&mut self) -> ProcessingResponse {
        within(self.replies.message()).await.unwrap().expect("the messages ended")
    }

    /// The error that the messages end in.
    async fn error(&mut self) -> Status {
        within(self.replies.message()).await.expect_err("no error")
    }

    /// Envoy is done; so are we, cleanly.
    async fn ends_cleanly(&mut self) {
        self.sender = None;
        assert!(within(self.replies.message()).await.unwrap().is_none());
    }

    /// The status and name of the refusal that comes now.
    async fn refusal(&mut self) -> (i32, String) {
        let Some(Reply::ImmediateResponse(ImmediateResponse { status, body, .. })) = self.reply().await.response else { panic!("no refusal") };
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (status.unwrap().code, problem["name"].as_str().unwrap().to_owned())
    }

    /// A request without a body; what Envoy is told of it.
    async fn get(&mut self, path: &str) -> (CommonResponse, ProcessingMode) {
        self.say(Message::RequestHeaders(request("GET", path, &[], true))).await;
        let reply = self.reply().await;
        let Some(Reply::RequestHeaders(headers)) = reply.response else { panic!("{reply:?}") };
        (headers.response.unwrap(), reply.mode_override.unwrap())
    }

    async fn answer_head(&mut self, end_of_stream: bool) {
        let shown = shown(&[(":status", "200"), ("content-type", "application/json"), ("content-length", "5000")]);
        self.say(Message::ResponseHeaders(HttpHeaders { headers: Some(shown), end_of_stream, ..HttpHeaders::default() })).await;
    }

    async fn answer_piece(&mut self, body: &str, end_of_stream: bool) {
        self.say(Message::ResponseBody(HttpBody { body: body.as_bytes().to_vec(), end_of_stream, ..HttpBody::default() })).await;
    }

    async fn told_of_head(&mut self) -> CommonResponse {
        let reply = self.reply().await;
        let Some(Reply::ResponseHeaders(headers)) = reply.response else { panic!("{reply:?}") };
        headers.response.unwrap()
    }

    async fn told_of_piece(&mut self) -> (String, bool) {
        let reply = self.reply().await;
        let Some(Reply::ResponseBody(body)) = reply.response else { panic!("{reply:?}") };
        match body.response.unwrap().body_mutation.unwrap().mutation.unwrap() {
            Mutation::StreamedResponse(streamed) => (String::from_utf8(streamed.body).unwrap(), streamed.end_of_stream),
            Mutation::Body(body) => (String::from_utf8(body).unwrap(), false),
            Mutation::ClearBody(_) => (String::new(), false),
        }
    }
}

fn shown(headers: &[(&str, &str)]) -> HeaderMap {
    let one = |(key, value): &(&str, &str)| HeaderValue { key: (*key).to_owned(), value: String::new(), raw_value: value.as_bytes().to_vec() };
    HeaderMap { headers: headers.iter().map(one).collect() }
}

fn request(method: &str, path: &str, more: &[(&str, &str)], end_of_stream: bool) -> HttpHeaders {
    let bearer = format!("Bearer {TOKEN}");
    let all = [(":method", method), (":path", path), (":authority", "api.example"), (":scheme", "http"), ("authorization", &bearer)];
    HttpHeaders { headers: Some(shown(&[&all[..], more].concat())), end_of_stream, ..HttpHeaders::default() }
}

fn names(response: &CommonResponse) -> (Vec<String>, Vec<String>) {
    let mutation = response.header_mutation.clone().unwrap_or_default();
    let set = mutation.set_headers.into_iter().map(|option| option.header.unwrap().key).collect();
    (set, mutation.remove_headers)
}

fn invalid() -> (i32, String) {
    (400, "InvalidRequest".to_owned())
}

#[tokio::test]
async fn a_call_that_needs_no_filter_costs_no_body() {
    let mut call = Call::begin().await;
    let (head, mode) = call.get("/free").await;
    assert_eq!((mode.request_body_mode, mode.response_body_mode), (BodySendMode::None as i32, BodySendMode::None as i32));
    assert!(names(&head).0.contains(&"doorward-user".to_owned()));
    call.answer_head(false).await;
    let (set, removed) = names(&call.told_of_head().await);
    assert!(set.contains(&"cache-control".to_owned()) && removed.is_empty(), "{set:?} {removed:?}");
    call.ends_cleanly().await;
}

#[tokio::test]
async fn a_filtered_answer_begins_when_it_is_known_that_it_can_be_filtered() {
    let mut call = Call::begin().await;
    let (_, mode) = call.get("/api/portfolios").await;
    assert_eq!(mode.response_body_mode, BodySendMode::FullDuplexStreamed as i32);
    let list = portfolios(1000);
    let (first, last) = list.split_at(20);
    call.answer_head(false).await;
    call.answer_piece(first, false).await;
    call.answer_piece(last, true).await;
    let (_, removed) = names(&call.told_of_head().await);
    assert!(removed.contains(&"content-length".to_owned()));
    let mut seen = String::new();
    loop {
        let (piece, is_last) = call.told_of_piece().await;
        seen.push_str(&piece);
        if is_last {
            break;
        }
    }
    assert_eq!(seen, visible_portfolios(1000));
    call.ends_cleanly().await;
}

#[tokio::test]
async fn trailers_of_a_request_are_asked_for_and_dropped_also_while_it_is_answered() {
    let forged = || Message::RequestTrailers(HttpTrailers { trailers: Some(shown(&[("doorward-user", "root"), ("x-a", "1")])) });
    let mut call = Call::begin().await;
    call.say(Message::RequestHeaders(request("POST", "/free", &[], false))).await;
    let mode = call.reply().await.mode_override.unwrap();
    assert_eq!(mode.request_trailer_mode, HeaderSendMode::Send as i32);
    for is_answered in [false, true] {
        if is_answered {
            call.answer_head(false).await;
            assert!(matches!(call.reply().await.response, Some(Reply::ResponseHeaders(_))));
        }
        call.say(forged()).await;
        let Some(Reply::RequestTrailers(trailers)) = call.reply().await.response else { panic!("no trailers") };
        assert_eq!(trailers.header_mutation.unwrap().remove_headers, ["doorward-user", "x-a"]);
    }
}

#[tokio::test]
async fn trailers_of_a_filtered_answer_are_dropped_and_end_it() {
    let mut call = Call::begin().await;
    call.get("/api/portfolios").await;
    call.answer_head(false).await;
    call.answer_piece(&portfolios(2), false).await;
    call.say(Message::ResponseTrailers(HttpTrailers { trailers: Some(shown(&[("x-total", "2")])) })).await;
    call.told_of_head().await;
    assert_eq!(call.told_of_piece().await, (visible_portfolios(2), false));
    let Some(Reply::ResponseTrailers(trailers)) = call.reply().await.response else { panic!("no trailers") };
    assert_eq!(trailers.header_mutation.unwrap().remove_headers, ["x-total"]);
    call.ends_cleanly().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_filtered_is_refused_before_it_begins_and_cut_after() {
    let mut call = Call::begin().await;
    call.get("/api/portfolios").await;
    call.answer_head(false).await;
    call.answer_piece("<html>", false).await;
    assert_eq!(call.refusal().await, (502, "UnfilterableResponse".to_owned()));

    let mut call = Call::begin().await;
    call.get("/api/portfolios").await;
    call.answer_head(false).await;
    let list = portfolios(2000);
    call.answer_piece(&list[..list.len() - 1], false).await;
    call.told_of_head().await;
    call.told_of_piece().await;
    call.answer_piece("!", false).await;
    call.error().await;
}

#[tokio::test]
async fn an_answer_that_stops_coming_is_never_ended_cleanly() {
    let mut call = Call::begin().await;
    call.get("/api/portfolios").await;
    call.answer_head(false).await;
    call.answer_piece(&portfolios(3)[..60], false).await;
    call.sender = None;
    call.error().await;
}

#[tokio::test]
async fn a_denied_single_item_is_refused_and_the_result_of_a_write_is_an_empty_object() {
    let item = |scope: &str| format!("{{\"id\":{{\"scope\":\"{scope}\",\"code\":\"a\"}}}}");
    let mut call = Call::begin().await;
    call.get("/api/held").await;
    call.answer_head(false).await;
    call.answer_piece(&item("EU"), true).await;
    assert_eq!(call.refusal().await, (403, "AccessDenied".to_owned()));

    let mut call = Call::begin().await;
    call.say(Message::RequestHeaders(request("PUT", "/api/portfolios", &[], false))).await;
    assert_eq!(call.reply().await.mode_override.unwrap().request_body_mode, BodySendMode::Buffered as i32);
    call.say(Message::RequestBody(HttpBody { body: item("US").into_bytes(), end_of_stream: true, ..HttpBody::default() })).await;
    assert!(matches!(call.reply().await.response, Some(Reply::RequestBody(_))));
    call.answer_head(false).await;
    call.answer_piece(&item("EU"), false).await;
    call.answer_piece(" ", true).await;
    assert!(names(&call.told_of_head().await).0.contains(&"content-type".to_owned()));
    assert_eq!(call.told_of_piece().await, ("{}".to_owned(), true));
    call.ends_cleanly().await;
}

#[tokio::test]
async fn the_result_of_a_write_that_may_not_be_seen_is_cut_once_its_head_is_gone() {
    let item = |scope: &str| format!("{{\"id\":{{\"scope\":\"{scope}\",\"code\":\"a\"}}}}");
    let mut call = Call::in_modes(BodySendMode::Buffered, BodySendMode::Streamed).await;
    call.say(Message::RequestHeaders(request("PUT", "/api/portfolios", &[], false))).await;
    call.reply().await;
    call.say(Message::RequestBody(HttpBody { body: item("US").into_bytes(), end_of_stream: true, ..HttpBody::default() })).await;
    call.reply().await;
    call.answer_head(false).await;
    call.told_of_head().await;
    call.answer_piece(&item("EU"), true).await;
    call.error().await;
}

#[tokio::test]
async fn a_body_that_is_inspected_comes_whole_or_the_call_is_refused() {
    let post = |more: &[(&str, &str)]| Message::RequestHeaders(request("POST", "/api/portfolios", more, false));
    let body = |body: &str| Message::RequestBody(HttpBody { body: body.as_bytes().to_vec(), end_of_stream: true, ..HttpBody::default() });
    let large = (413, "BodyTooLarge".to_owned());

    let mut call = Call::begin().await;
    call.say(post(&[("content-length", "9000000")])).await;
    assert_eq!(call.refusal().await, large);

    let mut call = Call::begin().await;
    call.say(post(&[])).await;
    call.reply().await;
    call.say(body(&portfolios(120_000))).await;
    assert_eq!(call.refusal().await, large);

    let mut call = Call::begin().await;
    call.say(post(&[("content-length", "5")])).await;
    call.reply().await;
    call.say(body("{}")).await;
    assert_eq!(call.refusal().await, invalid());

    let mut call = Call::begin().await;
    call.say(post(&[])).await;
    call.reply().await;
    call.answer_head(false).await;
    assert_eq!(call.refusal().await, invalid());

    let mut call = Call::begin().await;
    call.say(post(&[])).await;
    call.reply().await;
    call.say(body("{\"id\":{\"scope\":\"US\",\"code\":\"a\"}}")).await;
    call.reply().await;
    call.say(body("{}")).await;
    assert_eq!(call.refusal().await, invalid());

    for mode in [BodySendMode::Streamed, BodySendMode::BufferedPartial, BodySendMode::FullDuplexStreamed, BodySendMode::Grpc] {
        let mut call = Call::in_modes(mode, BodySendMode::None).await;
        call.say(post(&[])).await;
        assert_eq!(call.refusal().await, (403, "AccessDenied".to_owned()), "{mode:?}");
    }
}

#[tokio::test]
async fn messages_out_of_order_are_refused() {
    let trailers = || Message::RequestTrailers(HttpTrailers::default());
    let answer = || Message::ResponseHeaders(HttpHeaders { headers: Some(shown(&[(":status", "200")])), ..HttpHeaders::default() });
    let piece = || Message::ResponseBody(HttpBody::default());
    for first in [answer(), piece(), trailers(), Message::RequestBody(HttpBody::default()), Message::ResponseTrailers(HttpTrailers::default())] {
        let mut call = Call::begin().await;
        call.say(first).await;
        assert_eq!(call.refusal().await, invalid());
    }
    let behind_the_end = Message::RequestBody(HttpBody { body: b"[]".to_vec(), end_of_stream: true, ..HttpBody::default() });
    for second in [Message::RequestHeaders(request("GET", "/free", &[], true)), behind_the_end, piece(), Message::ResponseTrailers(HttpTrailers::default())] {
        let mut call = Call::begin().await;
        call.get("/free").await;
        call.say(second).await;
        assert_eq!(call.refusal().await, invalid());
    }
    // Once an answer has begun, there is nothing left but a cut.
    for third in [answer(), Message::RequestHeaders(request("GET", "/free", &[], true))] {
        let mut call = Call::begin().await;
        call.get("/free").await;
        call.answer_head(false).await;
        call.told_of_head().await;
        call.say(third).await;
        call.error().await;
    }
    let mut call = Call::begin().await;
    call.get("/api/portfolios").await;
    call.answer_head(false).await;
    call.answer_piece("{\"values\":[]}", true).await;
    call.told_of_head().await;
    call.told_of_piece().await;
    call.answer_piece("[]", true).await;
    call.error().await;
}

#[tokio::test]
async fn an_answer_without_a_call_goes_on_only_if_it_is_envoys_own() {
    for (origin, is_passed) in [(Some("ext_authz_denied"), true), (Some("via_upstream"), false), (Some(""), false), (None, false)] {
        let mut call = Call::begin().await;
        let fields = origin.map(|origin| ("response.code_details".to_owned(), Value { kind: Some(Kind::StringValue(origin.to_owned())) }));
        let attributes = ("envoy.filters.http.ext_proc".to_owned(), Struct { fields: fields.into_iter().collect() });
        let message = Message::ResponseHeaders(HttpHeaders { headers: Some(shown(&[(":status", "403")])), ..HttpHeaders::default() });
        let request = ProcessingRequest { request: Some(message), attributes: [attributes].into(), ..ProcessingRequest::default() };
        call.sender.as_ref().unwrap().send(request).await.unwrap();
        if is_passed {
            assert_eq!(call.told_of_head().await, CommonResponse::default());
            call.ends_cleanly().await;
        } else {
            assert_eq!(call.refusal().await, invalid(), "{origin:?}");
        }
    }
}

#[tokio::test]
async fn odd_heads_are_refused() {
    for odd in [&[(":path", "/free")][..], &[(":method", "GET")], &[(":protocol", "websocket")], &[("authorization", "Bearer b")], &[("upgrade", "websocket")]]
    {
        let mut call = Call::begin().await;
        call.say(Message::RequestHeaders(request("GET", "/free", odd, true))).await;
        assert!([400, 403].contains(&call.refusal().await.0), "{odd:?}");
    }
    for missing in 0..3 {
        let mut call = Call::begin().await;
        let mut head = request("GET", "/free", &[], true);
        head.headers.as_mut().unwrap().headers.remove(missing);
        call.say(Message::RequestHeaders(head)).await;
        assert_eq!(call.refusal().await, invalid());
    }
    for odd in [&[("x-a", "1")][..], &[(":status", "101")], &[(":status", "200"), (":status", "200")]] {
        let mut call = Call::begin().await;
        call.get("/free").await;
        call.say(Message::ResponseHeaders(HttpHeaders { headers: Some(shown(odd)), ..HttpHeaders::default() })).await;
        assert_eq!(call.refusal().await.0, 502, "{odd:?}");
    }
}

#[tokio::test]
async fn an_envoy_that_only_observes_is_told_nothing() {
    let mut call = Call::begin().await;
    let message = Some(Message::RequestHeaders(request("GET", "/free", &[], true)));
    call.sender.as_ref().unwrap().send(ProcessingRequest { request: message, observability_mode: true, ..ProcessingRequest::default() }).await.unwrap();
    assert_eq!(call.refusal().await, invalid());
}

#[tokio::test]
async fn answers_are_filtered_in_the_modes_of_envoys_configuration() {
    let list = portfolios(4);
    let (first, last) = list.split_at(50);

    let mut call = Call::in_modes(BodySendMode::None, BodySendMode::Streamed).await;
    let (_, mode) = call.get("/api/portfolios").await;
    assert_eq!(mode.response_body_mode, BodySendMode::Streamed as i32);
    call.answer_head(false).await;
    call.told_of_head().await;
    call.answer_piece(first, false).await;
    let (mut seen, _) = call.told_of_piece().await;
    call.answer_piece(last, true).await;
    seen.push_str(&call.told_of_piece().await.0);
    assert_eq!(seen, visible_portfolios(4));
    call.ends_cleanly().await;

    for mode in [BodySendMode::Buffered, BodySendMode::BufferedPartial] {
        let mut call = Call::in_modes(BodySendMode::None, mode).await;
        call.get("/api/portfolios").await;
        call.answer_head(false).await;
        call.told_of_head().await;
        call.answer_piece(&list, true).await;
        assert_eq!(call.told_of_piece().await.0, visible_portfolios(4), "{mode:?}");
        call.ends_cleanly().await;

        // A part would go on unseen behind what is said of it.
        let mut call = Call::in_modes(BodySendMode::None, mode).await;
        call.get("/api/portfolios").await;
        call.answer_head(false).await;
        call.told_of_head().await;
        call.answer_piece(&list, false).await;
        assert_eq!(call.refusal().await, (502, "UnfilterableResponse".to_owned()), "{mode:?}");
    }

    let mut call = Call::in_modes(BodySendMode::None, BodySendMode::Grpc).await;
    call.get("/api/portfolios").await;
    call.answer_head(false).await;
    assert_eq!(call.refusal().await, (502, "UnfilterableResponse".to_owned()));
}

#[tokio::test]
async fn a_call_without_a_seat_is_refused_by_both_services() {
    let services = Services::planned("127.0.0.1:9".parse().unwrap(), |plan| plan.settings.limits.max_in_flight = 1);
    let address = format!("http://{}", services.address);
    let mut first = Call::over(services, BodySendMode::None, BodySendMode::None).await;
    first.get("/free").await;
    let mut checks = AuthorizationClient::connect(address.clone()).await.unwrap();
    let denied = checks.check(CheckRequest::default()).await.unwrap().into_inner();
    let Some(HttpResponse::DeniedResponse(denied)) = denied.http_response else { panic!("not denied") };
    assert_eq!((denied.status.unwrap().code, denied.body.contains("Overloaded")), (503, true));
    let mut calls = ExternalProcessorClient::connect(address).await.unwrap();
    let (sender, messages) = mpsc::channel(16);
    sender
        .send(ProcessingRequest { request: Some(Message::RequestHeaders(request("GET", "/free", &[], true))), ..ProcessingRequest::default() })
        .await
        .unwrap();
    let mut replies = calls.process(ReceiverStream::new(messages)).await.unwrap().into_inner();
    let refused = within(replies.message()).await.unwrap().unwrap();
    let Some(Reply::ImmediateResponse(refused)) = refused.response else { panic!("{refused:?}") };
    assert_eq!(refused.status.unwrap().code, 503);
    drop((sender, replies));
    // Its seat is free with its end.
    first.sender = None;
    let free = async {
        loop {
            let answer = checks.check(CheckRequest::default()).await.unwrap().into_inner();
            let Some(HttpResponse::DeniedResponse(denied)) = answer.http_response else { panic!("not denied") };
            if denied.status.unwrap().code != 503 {
                return;
            }
        }
    };
    within(free).await;
    assert!(first.services.metric("doorward_refusals_total{door=\"ext_proc\",name=\"Overloaded\"}") >= 1.0);
}

#[tokio::test]
async fn between_two_messages_there_may_be_any_time() {
    let brief = Duration::from_millis(200);
    let services = Services::planned("127.0.0.1:9".parse().unwrap(), |plan| plan.settings.limits.request_body_timeout = brief);
    let mut call = Call::over(services, BodySendMode::None, BodySendMode::None).await;
    call.get("/free").await;
    tokio::time::sleep(4 * brief).await;
    call.answer_head(true).await;
    call.told_of_head().await;
}
