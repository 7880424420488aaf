//! The door as a server of its own, on listeners that are bound before anything starts, and on
//! threads of its own. It stops as the other engine does: running answers may finish.

use super::{Doorward, PingoraError, Settings, listen};
use crate::door::{ServerTls, Serving, Sockets, Wiring, bind, client_tls};
use pingora_core::apps::{HttpServerApp, HttpServerOptions};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use rustls::RootCertStore;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many connections to upstreams may wait for their next call.
const IDLE_CONNECTIONS: usize = 1024;
/// How often a call may go to an upstream again because a pooled connection was closed.
const STALE_CONNECTIONS: usize = 8;

/// How long running answers may take to finish when Pingora's own server is told to stop.
const FAREWELL_SECONDS: u64 = 30;

/// Where and how the door serves by itself.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// How many threads serve.
    pub threads: NonZeroUsize,
    /// Certificates to serve with, or plain text.
    pub tls: Option<ServerTls>,
}

/// A door whose addresses are bound and that does not serve yet.
pub struct Proxy {
    listening: Listening,
    settings: Settings,
    listeners: Vec<StdListener>,
    addresses: Vec<SocketAddr>,
}

/// What the connections share.
pub(super) struct Shared {
    pub(super) app: Arc<HttpProxy<Doorward>>,
    pub(super) wiring: Wiring,
    pub(super) tls: Option<ServerTls>,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) max_connections: usize,
    pub(super) header_read_timeout: Duration,
    pub(super) shutdown: watch::Receiver<bool>,
}

impl Proxy {
    /// Binds every address.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn bind(listening: Listening, settings: Settings) -> Result<Self, PingoraError> {
        Self::bind_with(listening, settings, &mut Sockets::default())
    }

    /// The same, by the sockets that the process was given where there are some.
    ///
    /// # Errors
    /// As `bind`.
    pub fn bind_with(listening: Listening, settings: Settings, sockets: &mut Sockets) -> Result<Self, PingoraError> {
        // One listener for an address: Pingora's runtime is one for all threads.
        let (listeners, addresses) = bind(&listening.listen, NonZeroUsize::MIN, sockets)?;
        let listeners = listeners.into_iter().flatten().collect();
        Ok(Self { listening, settings, listeners, addresses })
    }

    /// The addresses that were bound, with their real ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When the door, its threads or their runtime cannot be made.
    pub fn serve(self, wiring: &Wiring) -> Result<Serving, PingoraError> {
        let (serving, running) = Serving::begin();
        let limits = self.settings.limits;
        let probing = Arc::clone(&self.settings.health).run(Arc::clone(&wiring.metrics));
        let shared = Arc::new(Shared {
            app: Arc::new(http_proxy(Doorward::new(wiring.clone(), self.settings)?, limits.header_read_timeout)),
            wiring: wiring.clone(),
            tls: self.listening.tls,
            connections: Arc::clone(&running.connections),
            max_connections: limits.max_connections,
            header_read_timeout: limits.header_read_timeout,
            shutdown: running.stopped.clone(),
        });
        let threads = self.listening.threads.get();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name("pingora").enable_all().build();
        let runtime = runtime.map_err(PingoraError::Thread)?;
        runtime.spawn(probing);
        let listeners = self.listeners;
        let serve = move || {
            runtime.block_on(run(shared, listeners));
            // Whatever still runs ends here, and its records are written, before the door counts as ended.
            drop(runtime);
            drop(running);
        };
        std::thread::Builder::new().name("pingora".into()).spawn(serve).map_err(PingoraError::Thread)?;
        Ok(serving)
    }
}

fn http_proxy(door: Doorward, idle: Duration) -> HttpProxy<Doorward> {
    let conf = Arc::new(door.server_conf());
    let mut proxy = HttpProxy::new(door, conf);
    proxy.handle_init_modules();
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    // They come to `authorize`, which refuses them.
    options.allow_connect_method_proxying = true;
    options.h2_idle_timeout = Some(idle);
    proxy.server_options = Some(options);
    proxy
}

/// Serves until told to stop and the last connection is gone, or until the sender of the stop signal
/// is dropped.
async fn run(shared: Arc<Shared>, listeners: Vec<StdListener>) {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        match TcpListener::from_std(listener) {
            Ok(listener) => accepting.spawn(listen::accept(Arc::clone(&shared), listener)),
            Err(error) => {
                tracing::error!(%error, "an address of the proxy is not served");
                continue;
            }
        };
    }
    let mut shutdown = shared.shutdown.clone();
    if shutdown.wait_for(|is_asked| *is_asked).await.is_err() {
        return;
    }
    shared.app.http_cleanup().await;
    let finished = async {
        while let Some(connections) = accepting.join_next().await {
            if let Ok(mut connections) = connections {
                while connections.join_next().await.is_some() {}
            }
        }
    };
    tokio::select! {
        () = finished => {}
        // An error: the sender is gone, the deadline has passed.
        _ = shutdown.changed() => {}
    }
}

/// The configuration of Pingora itself.
pub(super) fn server_conf(upstream_ca: Option<&Path>, upstream_count: usize) -> ServerConf {
    ServerConf {
        ca_file: upstream_ca.and_then(Path::to_str).map(str::to_owned),
        threads: 1,
        upstream_keepalive_pool_size: IDLE_CONNECTIONS,
        // Where Pingora's own server serves it, it would wait five minutes before it stops.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(FAREWELL_SECONDS),
        max_retries: upstream_count.saturating_add(STALE_CONNECTIONS),
        ..ServerConf::default()
    }
}

/// Makes sure that Pingora finds its provider of TLS, and roots that it can read: it would not refuse
/// those that it cannot, it would panic.
pub(super) fn prepare_tls(settings: &Settings) -> Result<(), PingoraError> {
    // An error: the process has a provider already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let unusable = |reason: String| PingoraError::Roots(reason);
    if let Some(path) = &settings.upstream_ca {
        path.to_str().ok_or_else(|| unusable("their path is not text".to_owned()))?;
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        client_tls(Some(&pem)).map_err(|error| unusable(error.to_string()))?;
        return Ok(());
    }
    let found = rustls_native_certs::load_native_certs();
    if let (Some(error), true) = (found.errors.first(), found.certs.is_empty()) {
        return Err(unusable(error.to_string()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in found.certs {
        roots.add(certificate).map_err(|error| unusable(format!("one of the machine's own: {error}")))?;
    }
    if roots.is_empty() && settings.upstreams.iter().any(|upstream| upstream.is_tls) {
        return Err(unusable("the machine has none".to_owned()));
    }
    Ok(())
}
