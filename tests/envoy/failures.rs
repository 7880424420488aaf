//! When the services are down, slow, killed or wrong, nothing passes through a real Envoy.

use crate::site::{EnvoyProcess, Services};
use crate::support::client::{Client, request};
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::within;
use crate::support::world::portfolios;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, OkHttpResponse};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{ExternalProcessor, ExternalProcessorServer};
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use envoy_types::pb::google::rpc;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tonic::codegen::tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Response, Status, Streaming};

/// Every wait for the services is short.
const HASTY: (&str, &str) = ("timeout: 10s", "timeout: 0.5s");
/// The wait for the answer to a message of ext_proc is short, but not too short for a busy machine.
const BRISK: (&str, &str) = ("message_timeout: 10s", "message_timeout: 3s");

#[tokio::test]
async fn nothing_passes_while_the_services_are_down_or_silent() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let services = Services::before(upstream.address);
    let address = services.address;
    let envoy = EnvoyProcess::start("envoy.yaml", address, upstream.address).await;
    let mut client = Client::connect(envoy.address).await;
    assert_eq!(client.get("/free").await.status, 200);
    services.close().await;
    assert_eq!(client.get("/free").await.status, 503);

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let envoy = EnvoyProcess::changed("envoy.yaml", silent.local_addr().unwrap(), upstream.address, &[HASTY]).await;
    let mut client = Client::connect(envoy.address).await;
    // Which of the two is the last to give up decides.
    assert!([503, 504].contains(&client.get("/free").await.status));
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_is_cut_when_the_services_are_killed_in_its_midst() {
    let list = portfolios(4000);
    let middle = list.len() / 2;
    let (told, rest) = (Arc::new(Notify::new()), list[middle..].to_owned());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{}", list.len(), &list[..middle]);
    let upstream = Upstream::start({
        let told = Arc::clone(&told);
        move |_| Reply::When(head.clone().into_bytes(), Arc::clone(&told), rest.clone().into_bytes())
    })
    .await;
    let services = Services::before(upstream.address);
    let envoy = EnvoyProcess::start("envoy.yaml", services.address, upstream.address).await;
    let mut client = Client::connect(envoy.address).await;
    client.send(request("GET", "/api/portfolios", "")).await;
    let mut answer = client.head().await;
    assert_eq!(answer.status, 200);
    drop(services);
    told.notify_one();
    client.rest(&mut answer).await;
    assert!(!answer.is_whole, "{}", answer.body.len());
    assert!(!String::from_utf8_lossy(&answer.body).contains("\"EU\""));
}

#[tokio::test]
async fn a_slow_api_is_waited_for_longer_than_a_message() {
    let list = portfolios(4);
    let (told, rest) = (Arc::new(Notify::new()), list[30..].to_owned());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", list.len(), &list[..30]);
    let upstream = Upstream::start({
        let told = Arc::clone(&told);
        move |_| Reply::When(head.clone().into_bytes(), Arc::clone(&told), rest.clone().into_bytes())
    })
    .await;
    let services = Services::before(upstream.address);
    let envoy = EnvoyProcess::changed("envoy.yaml", services.address, upstream.address, &[BRISK]).await;
    let mut client = Client::connect(envoy.address).await;
    client.send(request("GET", "/api/portfolios", "")).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    told.notify_one();
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.is_whole), (200, true), "{}", answer.text());
}

/// Says yes to every check, and ends every stream of messages at once: cleanly, or with an error.
#[derive(Clone)]
struct Careless {
    with_error: bool,
}

#[tonic::async_trait]
impl Authorization for Careless {
    async fn check(&self, _: tonic::Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let http_response = Some(HttpResponse::OkResponse(OkHttpResponse::default()));
        Ok(Response::new(CheckResponse { status: Some(rpc::Status::default()), http_response, ..CheckResponse::default() }))
    }
}

#[tonic::async_trait]
impl ExternalProcessor for Careless {
    type ProcessStream = ReceiverStream<Result<ProcessingResponse, Status>>;

    async fn process(&self, mut request: tonic::Request<Streaming<ProcessingRequest>>) -> Result<Response<Self::ProcessStream>, Status> {
        request.get_mut().message().await?;
        let (sender, replies) = mpsc::channel(1);
        if self.with_error {
            sender.send(Err(Status::aborted("enough"))).await.unwrap();
        }
        Ok(Response::new(ReceiverStream::new(replies)))
    }
}

async fn careless(with_error: bool) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Careless { with_error };
    let server = tonic::transport::Server::builder().add_service(AuthorizationServer::new(service.clone())).add_service(ExternalProcessorServer::new(service));
    (address, tokio::spawn(async move { server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap() }))
}

/// Why a stream of ours never ends cleanly before its call.
#[tokio::test]
async fn envoy_goes_on_unfiltered_after_a_clean_end_and_not_after_an_error() {
    let upstream = Upstream::start(|_| ok("{\"hidden\":true}")).await;
    for (with_error, status) in [(false, 200), (true, 503)] {
        let (address, serving) = careless(with_error).await;
        let envoy = EnvoyProcess::start("envoy.yaml", address, upstream.address).await;
        let answer = Client::connect(envoy.address).await.get("/api/portfolios").await;
        assert_eq!(answer.status, status, "{}", answer.head);
        within(async { serving.abort() }).await;
    }
}
