//! ext_authz by gRPC, without an Envoy between: what Envoy shows is taken to the letter, and what is
//! missing, said twice or cut is refused with an answer of its own, never with an OK.

use crate::site::Services;
use crate::support::within;
use crate::support::world::{TOKEN, portfolios};
use envoy_types::pb::envoy::config::core::v3::address::Address as Place;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{Address, HeaderMap, HeaderValue, HeaderValueOption, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse, OkHttpResponse};
use std::net::SocketAddr;
use tonic::transport::Channel;

/// A caller of one service.
struct Caller {
    services: Services,
    client: AuthorizationClient<Channel>,
}

#[tokio::test]
async fn a_message_over_the_limit_is_no_ok() {
    let mut caller = Caller::new(false).await;
    let request = of(HttpRequest { raw_body: vec![b' '; 10 << 20], ..http("POST", "/free", &[]) });
    assert!(caller.client.check(request).await.is_err());
}

#[tokio::test]
async fn a_connection_over_the_limit_is_closed() {
    let services = Services::planned(nowhere(), |plan| plan.settings.limits.max_connections = 1);
    let address = format!("http://{}", services.address);
    let mut first = AuthorizationClient::connect(address.clone()).await.unwrap();
    assert!(first.check(get("/free", &[])).await.is_ok());
    // Whether the connection or the call is what fails depends on who is quicker.
    let second = async { AuthorizationClient::connect(address).await.ok()?.check(get("/free", &[])).await.ok() };
    assert!(within(second).await.is_none());
    assert!(first.check(get("/free", &[])).await.is_ok());
    let counted = services.metrics.render().unwrap();
    let line = "doorward_refusals_total{door=\"ext_authz\",name=\"Overloaded\"} ";
    assert!(counted.lines().any(|counted| counted.strip_prefix(line).is_some_and(|count| count != "0")), "{counted}");
}

/// Nobody listens here, for nothing of these calls goes upstream.
fn nowhere() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

impl Caller {
    async fn new(ext_proc: bool) -> Self {
        let services = Services::planned(nowhere(), |plan| plan.settings.ext_proc = ext_proc);
        let client = AuthorizationClient::connect(format!("http://{}", services.address)).await.unwrap();
        Self { services, client }
    }

    async fn check(&mut self, request: CheckRequest) -> CheckResponse {
        self.client.check(request).await.unwrap().into_inner()
    }

    /// The status and name of a refusal.
    async fn refusal(&mut self, request: CheckRequest) -> (i32, String) {
        let answer = self.check(request).await;
        assert_ne!(answer.status.unwrap().code, 0);
        let Some(HttpResponse::DeniedResponse(denied)) = answer.http_response else { panic!("not denied") };
        let problem: serde_json::Value = serde_json::from_str(&denied.body).unwrap();
        let status = denied.status.unwrap().code;
        assert_eq!(problem["status"], status);
        let id = value(&denied.headers, "doorward-decision-id").unwrap();
        assert!(problem["instance"].as_str().unwrap().ends_with(&id));
        assert_eq!(value(&denied.headers, "content-type").as_deref(), Some("application/problem+json"));
        (status, problem["name"].as_str().unwrap().to_owned())
    }

    async fn admission(&mut self, request: CheckRequest) -> OkHttpResponse {
        let answer = self.check(request).await;
        assert_eq!(answer.status.clone().unwrap().code, 0, "{answer:?}");
        let Some(HttpResponse::OkResponse(ok)) = answer.http_response else { panic!("not ok") };
        let told = answer.dynamic_metadata.unwrap();
        assert!(["decision_id", "user", "feature", "revision"].iter().all(|name| told.fields.contains_key(*name)));
        ok
    }
}

fn value(headers: &[HeaderValueOption], name: &str) -> Option<String> {
    let mut found = headers.iter().filter_map(|option| option.header.as_ref()).filter(|header| header.key == name);
    let first = found.next().map(|header| header.value.clone());
    assert!(found.next().is_none(), "`{name}` twice");
    first
}

fn header(name: &str, value: impl AsRef<[u8]>) -> HeaderValue {
    HeaderValue { key: name.to_owned(), value: String::new(), raw_value: value.as_ref().to_vec() }
}

fn http(method: &str, path: &str, headers: &[HeaderValue]) -> HttpRequest {
    let all = [
        header(":method", method),
        header(":path", path),
        header(":authority", "api.example"),
        header(":scheme", "http"),
        header("authorization", format!("Bearer {TOKEN}")),
    ];
    HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        host: "api.example".to_owned(),
        scheme: "http".to_owned(),
        protocol: "HTTP/1.1".to_owned(),
        header_map: Some(HeaderMap { headers: [&all[..], headers].concat() }),
        ..HttpRequest::default()
    }
}

fn of(http: HttpRequest) -> CheckRequest {
    let request = Request { http: Some(http), ..Request::default() };
    let address = Address { address: Some(Place::SocketAddress(SocketAddress { address: "192.0.2.7".to_owned(), ..SocketAddress::default() })) };
    let source = Peer { address: Some(address), ..Peer::default() };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), source: Some(source), ..AttributeContext::default() }) }
}

fn get(path: &str, headers: &[HeaderValue]) -> CheckRequest {
    of(http("GET", path, headers))
}

fn invalid() -> (i32, String) {
    (400, "InvalidRequest".to_owned())
}

fn denied() -> (i32, String) {
    (403, "AccessDenied".to_owned())
}

#[tokio::test]
async fn a_check_that_shows_no_request_is_refused() {
    let mut caller = Caller::new(false).await;
    let empty = CheckRequest { attributes: Some(AttributeContext { request: Some(Request::default()), ..AttributeContext::default() }) };
    let no_path = of(HttpRequest { path: String::new(), header_map: None, ..http("GET", "/free", &[]) });
    let no_method = of(HttpRequest { method: String::new(), header_map: None, ..http("GET", "/free", &[]) });
    let no_host = of(HttpRequest { host: String::new(), header_map: None, ..http("GET", "/free", &[]) });
    let no_request = CheckRequest { attributes: Some(AttributeContext::default()) };
    for request in [CheckRequest::default(), no_request, empty, no_path, no_method, no_host] {
        assert_eq!(caller.refusal(request).await, invalid());
    }
    assert_eq!(caller.services.metric("doorward_refusals_total{door=\"ext_authz\",name=\"InvalidRequest\"}"), 6.0);
}

#[tokio::test]
async fn a_head_that_says_two_things_is_refused() {
    let mut caller = Caller::new(false).await;
    for twice in
        [header(":path", "/free"), header(":path", "/other"), header(":method", "GET"), header("authorization", "Bearer other"), header("host", "other")]
    {
        let name = twice.key.clone();
        assert_eq!(caller.refusal(get("/free", &[twice])).await, invalid(), "{name}");
    }
    let mut joined = http("GET", "/free", &[]);
    joined.header_map.as_mut().unwrap().headers[4] = header("authorization", format!("Bearer {TOKEN},Bearer other"));
    assert_eq!(caller.refusal(of(joined)).await, invalid());
    let elsewhere = HttpRequest { host: "other.example".to_owned(), ..http("GET", "/free", &[]) };
    assert_eq!(caller.refusal(of(elsewhere)).await, invalid());
    let differs = HttpRequest { path: "/other".to_owned(), ..http("GET", "/free", &[]) };
    assert_eq!(caller.refusal(of(differs)).await, invalid());
    for (query, fragment) in [("a=b", ""), ("", "a")] {
        let apart = HttpRequest { query: query.to_owned(), fragment: fragment.to_owned(), ..http("GET", "/free", &[]) };
        assert_eq!(caller.refusal(of(apart)).await, invalid());
    }
    let both = HttpRequest { headers: [("x-a".to_owned(), "1".to_owned())].into(), ..http("GET", "/free", &[]) };
    assert_eq!(caller.refusal(of(both)).await, invalid());
}

#[tokio::test]
async fn headers_that_envoy_joined_are_two_where_a_comma_stands() {
    let mut caller = Caller::new(false).await;
    let joined = |authorization: String| {
        let headers = [("authorization".to_owned(), authorization), (":path".to_owned(), "/free".to_owned())].into();
        of(HttpRequest { header_map: None, headers, ..http("GET", "/free", &[]) })
    };
    caller.admission(joined(format!("Bearer {TOKEN}"))).await;
    assert_eq!(caller.refusal(joined(format!("Bearer {TOKEN},Bearer other"))).await, invalid());
}

#[tokio::test]
async fn an_admitted_call_carries_who_calls_and_nothing_that_a_client_said_of_it() {
    let mut caller = Caller::new(false).await;
    let forged = [
        header("doorward-user", "root"),
        header("doorward-roles", "LUSID_SYSTEM/lusid-administrator"),
        header("doorward_user", "root"),
        header("doorward.extra", "root"),
        header("x-forwarded-for", "10.0.0.1"),
        header("x-forwarded-host", "evil.example"),
        header("x-forwarded-prefix", "/evil"),
        header("forwarded", "for=10.0.0.1"),
        header("x-http-method-override", "DELETE"),
        header("x-odd", [0xff, 0xfe]),
        header("te", "trailers"),
    ];
    let ok = caller.admission(get("/free?a=b", &forged)).await;
    let set = |name: &str| value(&ok.headers, name);
    assert_eq!(set("doorward-user").as_deref(), Some("00u1"));
    assert_eq!(set("doorward-roles").as_deref(), Some("default/reader"));
    assert_eq!(set("doorward-decision-id").unwrap().len(), 32);
    assert_eq!(set("x-forwarded-for").as_deref(), Some("192.0.2.7"));
    assert_eq!(set("x-forwarded-host").as_deref(), Some("api.example"));
    let overwrite = HeaderAppendAction::OverwriteIfExistsOrAdd as i32;
    assert!(ok.headers.iter().all(|option| option.append_action == overwrite), "{ok:?}");
    // Envoy removes after it sets: our own names must not stand there.
    let mut removed = ok.headers_to_remove.clone();
    removed.sort();
    assert_eq!(removed, ["doorward.extra", "doorward_user", "forwarded", "x-forwarded-prefix", "x-http-method-override"]);
    let back = |name: &str| value(&ok.response_headers_to_add, name);
    assert_eq!((back("cache-control").as_deref(), back("vary").as_deref()), (Some("private"), Some("Authorization")));
    assert_eq!(back("doorward-decision-id"), set("doorward-decision-id"));
}

#[tokio::test]
async fn an_answer_that_must_be_filtered_is_refused_unless_ext_proc_follows() {
    let mut alone = Caller::new(false).await;
    assert_eq!(alone.refusal(get("/api/portfolios", &[])).await, denied());
    let mut followed = Caller::new(true).await;
    let ok = followed.admission(get("/api/portfolios", &[header("if-none-match", "\"a\""), header("range", "bytes=0-1")])).await;
    // What the filter needs of the request is ext_proc's to edit, from what the client sent.
    assert!(ok.headers_to_remove.is_empty() && value(&ok.headers, "accept-encoding").is_none(), "{ok:?}");
    assert_eq!(value(&ok.headers, "doorward-user").as_deref(), Some("00u1"));
}

#[tokio::test]
async fn an_envoy_that_says_it_stands_alone_is_believed_whatever_the_configuration_says() {
    let mut caller = Caller::new(true).await;
    for (said, is_admitted) in [("follows", true), ("none", false), ("", false)] {
        let mut request = tonic::Request::new(get("/api/portfolios", &[]));
        request.metadata_mut().insert("doorward-ext-proc", said.parse().unwrap());
        let answer = caller.client.check(request).await.unwrap().into_inner();
        assert_eq!(matches!(answer.http_response, Some(HttpResponse::OkResponse(_))), is_admitted, "`{said}`");
    }
}

#[tokio::test]
async fn lengths_that_can_be_read_in_two_ways_and_long_heads_are_refused() {
    let mut caller = Caller::new(false).await;
    for odd in ["010", "+1", "1, 1", ""] {
        assert_eq!(caller.refusal(get("/free", &[header("content-length", odd)])).await, invalid(), "{odd}");
    }
    let long = "a".repeat(70_000);
    assert_eq!(caller.refusal(get("/free", &[header("x-long", &long)])).await, (431, "HeadTooLarge".to_owned()));
}

#[tokio::test]
async fn the_scheme_of_a_request_is_not_what_the_api_is_told_of_its_client() {
    let mut caller = Caller::new(false).await;
    let mut forged = http("GET", "/free", &[header("x-forwarded-proto", "http")]);
    forged.scheme = "javascript".to_owned();
    let answer = caller.admission(of(forged)).await;
    // Envoy's own header stays, so nothing is said of it.
    assert!(value(&answer.headers, "x-forwarded-proto").is_none_or(|value| value == "http"), "{answer:?}");
    assert!(!answer.headers_to_remove.iter().any(|name| name == "x-forwarded-proto"), "{answer:?}");
}

#[tokio::test]
async fn a_refusal_is_the_refusals_own_answer() {
    let mut caller = Caller::new(false).await;
    let mut nobody = http("GET", "/free", &[]);
    nobody.header_map.as_mut().unwrap().headers.truncate(4);
    assert_eq!(caller.refusal(of(nobody.clone())).await, (401, "InvalidIdentityToken".to_owned()));
    let answer = caller.check(of(nobody)).await;
    let Some(HttpResponse::DeniedResponse(refused)) = answer.http_response else { panic!("not denied") };
    assert!(value(&refused.headers, "www-authenticate").unwrap().contains("invalid_token"));
    assert_eq!(caller.refusal(get("/unmapped", &[])).await, (403, "RouteNotMapped".to_owned()));
    assert_eq!(caller.refusal(get("/api/../free", &[])).await, invalid());
    assert_eq!(caller.refusal(get(&format!("/{}", "a".repeat(9000)), &[])).await.0, 414);
    let many: Vec<HeaderValue> = (0..120).map(|number| header(&format!("x-{number}"), "1")).collect();
    assert_eq!(caller.refusal(get("/free", &many)).await.0, 431);
}

#[tokio::test]
async fn a_change_of_protocol_is_refused_where_the_operation_does_not_allow_it() {
    let mut caller = Caller::new(false).await;
    let upgrade = [header("upgrade", "websocket"), header("connection", "upgrade")];
    caller.admission(get("/socket", &upgrade)).await;
    assert_eq!(caller.refusal(get("/free", &upgrade)).await, denied());
}

#[tokio::test]
async fn a_body_is_judged_whole_or_not_at_all() {
    let mut caller = Caller::new(false).await;
    let item = |scope: &str| format!("{{\"id\":{{\"scope\":\"{scope}\",\"code\":\"a\"}}}}");
    let post = |headers: &[HeaderValue], body: &str| {
        let request = http("POST", "/api/portfolios", headers);
        of(HttpRequest { raw_body: body.as_bytes().to_vec(), size: body.len() as i64, ..request })
    };
    let whole = |body: &str| post(&[header("content-length", body.len().to_string()), header("x-envoy-auth-partial-body", "false")], body);
    caller.admission(whole(&item("US"))).await;
    assert_eq!(caller.refusal(whole(&item("EU"))).await, denied());
    assert_eq!(caller.refusal(whole("{")).await, invalid());
    let large = (413, "BodyTooLarge".to_owned());
    assert_eq!(caller.refusal(post(&[header("x-envoy-auth-partial-body", "true")], &item("US"))).await, large);
    assert_eq!(caller.refusal(post(&[header("content-length", "500"), header("x-envoy-auth-partial-body", "false")], &item("US"))).await, large);
    assert_eq!(caller.refusal(whole(&portfolios(120_000))).await, large);
    // A client can say that its body is whole; Envoy did not send it.
    assert_eq!(caller.refusal(post(&[header("transfer-encoding", "chunked"), header("x-envoy-auth-partial-body", "false")], "")).await, denied());
    assert_eq!(caller.refusal(post(&[header("content-length", "2")], "")).await, denied());
}
