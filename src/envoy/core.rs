//! One thread of the services: its runtime and its server. Nothing is shared with another thread but
//! counters, caches and the world.

use super::arriving::{Arriving, Bounds};
use super::ext_authz::{self, ExtAuthz};
use super::ext_proc::ExtProc;
use super::listen::Incoming;
use super::presence::Presence;
use super::{EnvoyError, Limits, Settings};
use crate::door::{Metadata, Running, Seats, Wiring, draw_id};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use http::{Request, Response};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::transport::Server;

/// What a message may have beside a body and a head: names, attributes, framing.
const MESSAGE_SLACK: usize = 256 * 1024;
/// Of the headers of a gRPC call, which are Envoy's own.
const HEADER_LIST_BYTES: u32 = 64 * 1024;
/// An Envoy that went away without saying so is noticed so soon.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls of one connection at once; beyond them Envoy opens another.
const MAX_STREAMS: u32 = 1024;
/// Windows that let an answer's chunks come without waiting.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Of messages of one connection that have not come whole, in bytes; one whole message is always allowed.
const UNFINISHED_BYTES: usize = 64 * 1024 * 1024;

/// What a thread needs to begin.
pub(super) struct Blueprint {
    pub(super) settings: Settings,
    pub(super) shared: Shared,
    pub(super) running: Running,
}

/// What every call works with.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) wiring: Arc<Wiring>,
    pub(super) metadata: Metadata,
    pub(super) seats: Seats,
    /// Whether ext_proc follows ext_authz.
    pub(super) ext_proc: bool,
    /// The bytes of a request's head.
    pub(super) head_bytes: usize,
}

impl Blueprint {
    /// Starts the thread.
    pub(super) fn start(self, listeners: Vec<std::net::TcpListener>) -> Result<(), EnvoyError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(EnvoyError::Thread)?;
        let listeners = {
            let _inside = runtime.enter();
            listeners.into_iter().map(TcpListener::from_std).collect::<Result<Vec<_>, _>>().map_err(EnvoyError::Thread)?
        };
        let running = self.running.clone();
        let serve = move || {
            // The first draw seeds this thread's generator, which takes a while.
            let _ = draw_id();
            runtime.block_on(self.run(listeners));
            // Whatever still runs ends here, and its records are written, before the thread counts as ended.
            drop(runtime);
            drop(running);
        };
        std::thread::Builder::new().name("envoy".into()).spawn(serve).map_err(EnvoyError::Thread)?;
        Ok(())
    }

    /// Serves until told to stop and the last call is gone, or until the sender of the stop signal is
    /// dropped: then whatever still runs is dropped with the thread's tasks.
    async fn run(self, listeners: Vec<TcpListener>) {
        let Self { settings, shared, running } = self;
        let mut stopped = running.stopped.clone();
        let mut serving = JoinSet::new();
        for listener in listeners {
            let incoming = Incoming::new(listener, &shared.wiring, &running, &settings.limits);
            serving.spawn(serve(incoming, settings.limits, shared.clone(), stopped.clone()));
        }
        let all_ended = async { while serving.join_next().await.is_some() {} };
        let cut = async {
            // An error: the sender is gone, the deadline has passed.
            while stopped.changed().await.is_ok() {}
        };
        tokio::select! {
            () = all_ended => {}
            () = cut => {}
        }
    }
}

/// Both services by their paths, without a router between: a check is one of the cheapest calls there are.
#[derive(Clone)]
struct Services {
    authorization: ExtAuthz,
    processor: ExternalProcessorServer<ExtProc>,
    message_bytes: usize,
    bounds: Bounds,
}

impl Service<Request<Body>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Whatever is no check is the processor's, which answers unknown paths, too.
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let presence = request.extensions().get::<Presence>().cloned().unwrap_or_default();
        if request.uri().path() == ext_authz::CHECK {
            let request = request.map(|body| Arriving::one(body, &presence, self.bounds));
            return self.authorization.call(request, self.message_bytes, presence.open());
        }
        self.processor.call(request.map(|body| Arriving::row(body, &presence, self.bounds)))
    }
}

async fn serve(incoming: Incoming, limits: Limits, shared: Shared, mut stopped: watch::Receiver<bool>) {
    let message_bytes = limits.request_body_bytes.saturating_add(limits.request_head_bytes.saturating_mul(2)).saturating_add(MESSAGE_SLACK);
    let services = Services {
        authorization: ExtAuthz::new(shared.clone()),
        processor: ExternalProcessorServer::new(ExtProc::new(shared)).max_decoding_message_size(message_bytes),
        message_bytes,
        bounds: Bounds { time: limits.request_body_timeout, bytes: UNFINISHED_BYTES.max(message_bytes) },
    };
    let server = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT));
    let told = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = server.serve_with_incoming_shutdown(services, incoming, told).await {
        tracing::error!(%error, "a listener for Envoy is closed");
    }
}
