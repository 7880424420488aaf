//! The sources against real sockets and files.

mod keys;
mod snapshots;
mod tokens;

use super::*;
use crate::http_client::Authorities;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(super) const NOW: i64 = 1_800_000_000;

type Answer = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// A server on a port of its own that remembers what it was asked; it ends when it is dropped.
pub(super) struct Server {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Answers every request by its target, its headers and how many came before it.
    pub(super) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(String, HeaderMap, usize) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<(String, HeaderMap)>>>::default();
        let log = Arc::clone(&asked);
        let answer = Arc::new(move |request: Request<Incoming>| -> Answer {
            let (target, headers) = (request.uri().to_string(), request.headers().clone());
            let mut log = log.lock().unwrap();
            log.push((target.clone(), headers.clone()));
            Box::pin(answer(target, headers, log.len() - 1))
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async { Ok::<_, Infallible>(answer.await) }
                });
                let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn(async { drop(connection.await) });
            }
        });
        Self { url, asked, _tasks: tasks }
    }

    pub(super) fn asked(&self) -> Vec<(String, HeaderMap)> {
        self.asked.lock().unwrap().clone()
    }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).unwrap()
}

/// Remembers every count as one text.
#[derive(Default)]
pub(super) struct Counts(Mutex<Vec<String>>);

impl SourceObserver for Counts {
    fn snapshot_load(&self, result: &'static str, _: usize) {
        self.0.lock().unwrap().push(result.into());
    }

    fn keys_refresh(&self, issuer: &str, result: &'static str) {
        self.0.lock().unwrap().push(format!("{issuer} {result}"));
    }

    fn token_cache(&self, hit: bool) {
        self.0.lock().unwrap().push(if hit { "hit" } else { "miss" }.into());
    }
}

impl Counts {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn of(&self, what: &str) -> usize {
        self.all().iter().filter(|count| *count == what).count()
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub(super) fn surroundings() -> (Surroundings, Arc<Counts>) {
    let counts = Arc::<Counts>::default();
    let client = HttpClient::new(Authorities::Native).unwrap();
    (Surroundings { client, observer: Arc::clone(&counts) as Arc<dyn SourceObserver>, clock: now }, counts)
}

/// Waits until it is so, and fails the test when it never is.
pub(super) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}
