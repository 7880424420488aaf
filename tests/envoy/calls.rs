//! Calls through a real Envoy: what reaches the API, and what reaches the client.

use crate::site::{EnvoyProcess, Services};
use crate::support::client::{Client, request};
use crate::support::http2;
use crate::support::upstream::{Reply, Upstream, ok, said};
use crate::support::within;
use crate::support::world::{TOKEN, portfolios, visible_portfolios};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Envoy, the services and the API, as they are shipped.
struct Site {
    upstream: Upstream,
    services: Services,
    envoy: EnvoyProcess,
}

impl Site {
    async fn new(config: &str, body: &'static str) -> Self {
        let upstream = Upstream::start(move |_| ok(body)).await;
        let services = Services::planned(upstream.address, |plan| plan.settings.ext_proc = config == "envoy.yaml");
        let envoy = EnvoyProcess::start(config, services.address, upstream.address).await;
        Self { upstream, services, envoy }
    }

    async fn client(&self) -> Client {
        Client::connect(self.envoy.address).await
    }
}

const FORGED: &str = "doorward-user: root\r\ndoorward-roles: root\r\ndoorward_user: root\r\ndoorward.user: root\r\nx-forwarded-for: 10.9.8.7\r\n\
                      x-forwarded-host: evil.example\r\nforwarded: for=10.9.8.7\r\nx-http-method-override: DELETE\r\nx-original-url: /admin\r\n\
                      proxy-authorization: Basic root\r\n";

#[tokio::test]
async fn what_a_client_says_of_itself_never_reaches_the_api() {
    for config in ["envoy.yaml", "ext_authz.yaml"] {
        let site = Site::new(config, "{}").await;
        let mut client = site.client().await;
        client.send(request("GET", "/free?a=%20b", FORGED)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (200, "{}"), "{config}");
        let seen = site.upstream.only();
        assert_eq!(seen.line(), "GET /free?a=%20b HTTP/1.1");
        assert!(!seen.head.contains("root") && !seen.head.contains("10.9.8.7") && !seen.head.contains("evil"), "{config}: {}", seen.head);
        assert!(!seen.head.to_ascii_lowercase().contains("override") && !seen.head.contains("/admin"), "{config}: {}", seen.head);
        assert_eq!(seen.header("doorward-user"), ["00u1"]);
        assert_eq!(seen.header("doorward-roles"), ["default/reader"]);
        assert_eq!(seen.header("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(seen.header("x-forwarded-host"), ["api.example"]);
        assert_eq!(seen.header("doorward-decision-id").len(), 1);
        assert_eq!(answer.header("doorward-decision-id").unwrap(), seen.header("doorward-decision-id")[0], "{config}");
        assert!(answer.head.contains("private") && answer.head.contains("Authorization"), "{config}: {}", answer.head);
    }
}

#[tokio::test]
async fn an_answer_is_filtered_where_ext_proc_follows_and_refused_where_it_does_not() {
    let list: &'static str = Box::leak(portfolios(3000).into_boxed_str());
    let site = Site::new("envoy.yaml", list).await;
    let answer = site.client().await.get("/api/portfolios").await;
    assert_eq!((answer.status, answer.is_whole), (200, true));
    assert_eq!(answer.text(), visible_portfolios(3000));
    assert_eq!(answer.header("content-length"), None, "{}", answer.head);
    assert_eq!(site.upstream.only().header("accept-encoding"), ["identity"]);
    within(async {
        while site.services.metric("doorward_requests_total{door=\"ext_proc\",outcome=\"filtered\"}") < 1.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(site.services.metric("doorward_requests_total{door=\"ext_authz\",outcome=\"passed\"}"), 1.0);

    let site = Site::new("ext_authz.yaml", list).await;
    let answer = site.client().await.get("/api/portfolios").await;
    assert_eq!((answer.status, answer.problem().as_str()), (403, "AccessDenied"));
    assert!(site.upstream.seen().is_empty());
}

#[tokio::test]
async fn what_cannot_be_filtered_is_a_502_before_and_a_cut_after_the_head() {
    let site = Site::new("envoy.yaml", "<html>").await;
    let answer = site.client().await.get("/api/portfolios").await;
    assert_eq!((answer.status, answer.problem().as_str()), (502, "UnfilterableResponse"));

    let broken: &'static str = Box::leak((portfolios(3000) + "!").into_boxed_str());
    let site = Site::new("envoy.yaml", broken).await;
    let answer = site.client().await.get("/api/portfolios").await;
    assert!(answer.status == 502 || !answer.is_whole, "{}", answer.head);
    assert!(!String::from_utf8_lossy(&answer.body).contains("\"EU\""));
}

#[tokio::test]
async fn bodies_are_inspected_and_long_ones_pass_where_they_are_not() {
    let item = |scope: &str| format!("{{\"id\":{{\"scope\":\"{scope}\",\"code\":\"a\"}}}}");
    for config in ["envoy.yaml", "ext_authz.yaml"] {
        let site = Site::new(config, "{}").await;
        let mut client = site.client().await;
        let post = |target: &str, body: &str| request("POST", target, &format!("content-length: {}\r\n", body.len())) + body;
        client.send(post("/api/portfolios", &item("US"))).await;
        assert_eq!(client.answer().await.status, 200, "{config}");
        assert_eq!(site.upstream.only().body, item("US").into_bytes());
        let chunked = request("POST", "/api/portfolios", "transfer-encoding: chunked\r\n") + &format!("{:x}\r\n{}\r\n0\r\n\r\n", item("EU").len(), item("EU"));
        for refused in [post("/api/portfolios", &item("EU")), chunked] {
            let mut client = site.client().await;
            client.send(refused).await;
            assert_eq!(client.answer().await.problem(), "AccessDenied", "{config}");
        }
        let long = format!("{}{}", item("US"), " ".repeat(9 << 20));
        let mut client = site.client().await;
        client.try_send(post("/api/portfolios", &long)).await;
        assert_eq!(client.answer().await.status, 413, "{config}");
        assert_eq!(site.upstream.seen().len(), 1, "{config}");
        let mut client = site.client().await;
        client.try_send(post("/free", &long)).await;
        assert_eq!(client.answer().await.status, 200, "{config}");
        assert_eq!(site.upstream.seen()[1].body.len(), long.len(), "{config}");
    }
}

#[tokio::test]
async fn bodies_of_http2_are_inspected_beyond_the_window_of_a_stream() {
    let item = |scope: &str| format!("{{\"id\":{{\"scope\":\"{scope}\",\"code\":\"a\"}},\"x\":\"{}\"}}", "x".repeat(1 << 20));
    for config in ["envoy.yaml", "ext_authz.yaml"] {
        let site = Site::new(config, "{}").await;
        let mut sender = http2::connect(site.envoy.address).await;
        for (scope, status) in [("US", 200), ("EU", 403)] {
            let request = Request::post("http://api.example/api/portfolios").header("authorization", format!("Bearer {TOKEN}"));
            let response = within(sender.send_request(request.body(Full::from(item(scope))).unwrap())).await.unwrap();
            assert_eq!(response.status(), status, "{config}: {scope}");
        }
        assert_eq!(site.upstream.only().body, item("US").into_bytes(), "{config}");
    }
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_or_is_late_is_said_by_name() {
    let upstream = Upstream::start(|_| Reply::Silence).await;
    let services = Services::before(upstream.address);
    let envoy = EnvoyProcess::changed("envoy.yaml", services.address, upstream.address, &[("timeout: 60s", "timeout: 0.3s")]).await;
    // The answer to an unrestricted caller is Envoy's own.
    for (target, is_ours) in [("/free", false), ("/api/portfolios", true)] {
        let answer = Client::connect(envoy.address).await.get(target).await;
        assert_eq!(answer.status, 504, "{target}");
        assert!(!is_ours || answer.problem() == "UpstreamTimeout", "{answer:?}");
    }
    upstream.kill().await;
    for (target, statuses) in [("/free", 502..=503), ("/api/portfolios", 502..=502)] {
        let answer = Client::connect(envoy.address).await.get(target).await;
        assert!(statuses.contains(&answer.status), "{target}: {answer:?}");
        assert!(target == "/free" || answer.problem() == "UpstreamUnavailable", "{answer:?}");
    }
}

#[tokio::test]
async fn two_authorizations_are_refused() {
    for config in ["envoy.yaml", "ext_authz.yaml"] {
        let site = Site::new(config, "{}").await;
        let mut client = site.client().await;
        client.send(request("GET", "/free", "authorization: Bearer other\r\n")).await;
        assert_eq!(client.answer().await.problem(), "InvalidRequest", "{config}");
        assert!(site.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn validators_and_headers_of_the_whole_are_ours() {
    let upstream = Upstream::start(|_| {
        Reply::Bytes(said(
            "content-type: application/json\r\netag: \"a\"\r\nlast-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\ncache-control: public, max-age=60\r\n",
            portfolios(2).as_bytes(),
        ))
    })
    .await;
    let services = Services::before(upstream.address);
    let envoy = EnvoyProcess::start("envoy.yaml", services.address, upstream.address).await;
    let mut client = Client::connect(envoy.address).await;
    let answer = client.get("/api/portfolios").await;
    assert_eq!(answer.text(), visible_portfolios(2));
    assert_eq!(answer.header("last-modified"), None);
    assert_eq!(answer.header("cache-control"), Some("private, max-age=60"));
    let tag = answer.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("W/"), "{tag}");
    client.send(request("GET", "/api/portfolios", &format!("if-none-match: {tag}\r\n"))).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(upstream.seen()[1].header("if-none-match"), ["\"a\""]);
}

#[tokio::test]
async fn http2_calls_are_filtered_too() {
    let list: &'static str = Box::leak(portfolios(3000).into_boxed_str());
    let site = Site::new("envoy.yaml", list).await;
    let mut sender = http2::connect(site.envoy.address).await;
    let response = within(sender.send_request(http2::get("/api/portfolios"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(http2::whole(response).await.unwrap(), visible_portfolios(3000).as_bytes());
}

/// An API of gRPC: says back what it is told, with trailers.
async fn grpc_api() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = |request: Request<Incoming>| async move {
        assert_eq!(request.headers()["te"], "trailers");
        assert_eq!(request.headers()["doorward-user"], "00u1");
        let whole = request.into_body().collect().await.unwrap();
        assert_eq!(whole.trailers(), None, "trailers of a request end at the door");
        let body = whole.to_bytes();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = vec![Ok::<_, Infallible>(Frame::data(body)), Ok(Frame::trailers(trailers))];
        let body = StreamBody::new(tonic::codegen::tokio_stream::iter(frames));
        Ok::<_, Infallible>(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
    };
    let serve = async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service_fn(echo)));
        }
    };
    (address, tokio::spawn(serve))
}

#[tokio::test]
async fn grpc_passes_through_with_its_trailers() {
    let (api, serving) = grpc_api().await;
    let services = Services::before(api);
    let envoy = EnvoyProcess::start("envoy.yaml", services.address, api).await;
    let mut sender = http2::connect(envoy.address).await;
    let call = |token: &str| {
        let request = Request::post("http://api.example/free").header("content-type", "application/grpc").header("te", "trailers");
        request.header("authorization", format!("Bearer {token}")).body(Full::from(Bytes::from_static(b"\0\0\0\0\x02hi"))).unwrap()
    };
    let response = within(sender.send_request(call(TOKEN))).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()), (200, "application/grpc"));
    let whole = within(response.into_body().collect()).await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes(), &b"\0\0\0\0\x02hi"[..]);
    // Trailers of a request may carry headers that nobody judged.
    let (mut trailing, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(TcpStream::connect(envoy.address).await.unwrap())).await.unwrap();
    let speaking = tokio::spawn(connection);
    let forged = HeaderMap::from_iter([("doorward-user".parse().unwrap(), "root".parse().unwrap())]);
    let frames = vec![Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0\0\x02hi"))), Ok(Frame::trailers(forged))];
    let request = Request::post("http://api.example/free").header("content-type", "application/grpc").header("te", "trailers");
    let request = request.header("authorization", format!("Bearer {TOKEN}")).body(StreamBody::new(tonic::codegen::tokio_stream::iter(frames))).unwrap();
    let response = within(trailing.send_request(request)).await.unwrap();
    let whole = within(response.into_body().collect()).await.unwrap();
    assert_eq!(whole.trailers().map(|trailers| trailers["grpc-status"].clone()), Some("0".parse().unwrap()));
    speaking.abort();
    // To a gRPC client a refusal is a status of gRPC.
    let response = within(sender.send_request(call("other"))).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "16");
    serving.abort();
}
