//! Who begins and does not go on: messages that never come whole, connections that never begin or go.

use crate::site::Services;
use crate::support::client::Client;
use crate::support::frames::{END_HEADERS, Frames, HEADERS, SETTINGS, frame, literal};
use crate::support::within;
use bytes::Bytes;
use doorward::observe::clock;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
const PROCESS: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
const BRIEF: Duration = Duration::from_millis(300);

/// Some bytes, and never an end.
struct Unfinished(Option<Bytes>);

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

fn nowhere() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

async fn connect(services: &Services) -> SendRequest<Unfinished> {
    let stream = TokioIo::new(TcpStream::connect(services.address).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// So many bytes of a message that says that it has more.
fn call(path: &str, length: u32, came: usize) -> Request<Unfinished> {
    let message = [&[0], &length.to_be_bytes()[..], &vec![0; came]].concat();
    let request = Request::post(format!("http://services{path}")).header("content-type", "application/grpc").header("te", "trailers");
    request.body(Unfinished(Some(message.into()))).unwrap()
}

/// The code that a call ends with.
async fn code(answer: Response<Incoming>) -> String {
    let (head, body) = answer.into_parts();
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
    let code = head.headers.get("grpc-status").or_else(|| trailers.get("grpc-status")).unwrap();
    code.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_message_that_does_not_come_whole_in_time_ends_its_call() {
    let services = Services::planned(nowhere(), |plan| plan.settings.limits.request_body_timeout = BRIEF);
    let mut sender = connect(&services).await;
    // A check that has come whole, but for the end of its call, has not come.
    for (path, length, came, expected) in [(CHECK, 100, 10, "4"), (CHECK, 0, 0, "4"), (PROCESS, 100, 10, "10")] {
        let answer = within(sender.send_request(call(path, length, came))).await.unwrap();
        assert_eq!(within(code(answer)).await, expected, "{path}");
    }
    let empty = Request::post(format!("http://services{CHECK}")).header("content-type", "application/grpc");
    let answer = within(sender.send_request(empty.body(Unfinished(None)).unwrap())).await.unwrap();
    assert_eq!(within(code(answer)).await, "4");
}

#[tokio::test]
async fn messages_of_a_connection_that_do_not_come_whole_take_no_more_room_than_is_allowed() {
    let services = Services::planned(nowhere(), |plan| plan.settings.limits.request_body_timeout = Duration::from_secs(60));
    let mut sender = connect(&services).await;
    let mut calls = JoinSet::new();
    for path in [CHECK; 5].into_iter().chain([PROCESS; 4]) {
        let answer = sender.send_request(call(path, 8_100_000, 8_000_000));
        calls.spawn(async move { code(answer.await.unwrap()).await });
        sender.ready().await.unwrap();
    }
    let ended = within(calls.join_next()).await.unwrap().unwrap();
    assert!(["8", "10"].contains(&ended.as_str()), "{ended}");
    // What is given up makes room: the others are not ended.
    assert!(tokio::time::timeout(BRIEF, calls.join_next()).await.is_err());
}

#[tokio::test]
async fn a_connection_that_does_not_begin_is_closed() {
    let services = Services::planned(nowhere(), |plan| plan.settings.limits.header_read_timeout = BRIEF);
    for said in ["", "PRI * HTTP", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut client = Client::connect(services.address).await;
        client.send(said).await;
        client.bytes(usize::MAX).await;
    }
    // One that has begun may wait for its next call.
    let mut begun = Frames::connect(services.address, &[]).await;
    let first = async { while begun.next().await.is_some() {} };
    assert!(tokio::time::timeout(4 * BRIEF, first).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_for_an_envoy_that_never_goes() {
    let services = Services::before(nowhere());
    let silent = Client::connect(services.address).await;
    let mut idle = Frames::connect(services.address, &[]).await;
    let mut half = Frames::connect(services.address, &[]).await;
    assert!(idle.until(SETTINGS).await.is_some() && half.until(SETTINGS).await.is_some());
    // After the settings: an acknowledgement behind half a head would be an error, and the end.
    half.send(frame(HEADERS, 0, 1, literal(":method", "POST"))).await;
    let began = clock::monotonic();
    services.stop(Duration::from_secs(15)).await;
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    drop((silent, idle, half));
}

#[tokio::test]
async fn stopping_waits_for_a_call_that_is_open() {
    let services = Services::planned(nowhere(), |plan| plan.settings.limits.header_read_timeout = BRIEF);
    let mut client = Frames::connect(services.address, &[]).await;
    let head = [(":method", "POST"), (":scheme", "http"), (":path", PROCESS), (":authority", "a"), ("content-type", "application/grpc")];
    let head: Vec<u8> = head.iter().flat_map(|(name, value)| literal(name, value)).collect();
    client.send(frame(HEADERS, END_HEADERS, 1, head)).await;
    assert!(client.until(HEADERS).await.is_some());
    let began = clock::monotonic();
    services.stop(6 * BRIEF).await;
    assert!(began.elapsed() >= 6 * BRIEF, "{:?}", began.elapsed());
}
