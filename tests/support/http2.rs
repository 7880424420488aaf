//! A client that speaks HTTP/2 with prior knowledge.

use super::within;
use super::world::TOKEN;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection's sending side.
pub type Sender = SendRequest<Full<Bytes>>;

/// Speaks over a stream that stands.
pub async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Sender {
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = within(shaken).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Connects.
pub async fn connect(address: SocketAddr) -> Sender {
    speak(TcpStream::connect(address).await.unwrap()).await
}

/// A GET with the user's token.
pub fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(format!("http://api.example{path}")).header("authorization", format!("Bearer {TOKEN}"));
    request.body(Full::default()).unwrap()
}

/// The whole body, or where it broke off.
pub async fn whole(response: Response<Incoming>) -> Result<Bytes, hyper::Error> {
    within(response.into_body().collect()).await.map(|body| body.to_bytes())
}
