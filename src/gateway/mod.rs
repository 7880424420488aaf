//! The composition root: a checked configuration becomes running doors. Everything is bound before
//! anything starts, so that a wrong address is an error of the start and not of the first call.
//! It prints nothing and decides nothing.

mod certificates;
mod engine;
mod settings;
mod sources;

#[cfg(feature = "pingora")]
pub use settings::pingora_settings;
pub use settings::unavailable;

use crate::admin::{self, Admin, Listening};
use crate::api_map::{ApiMap, MapProblem};
use crate::config::Config;
use crate::door::{Metadata, Serving, TlsError, Wiring};
use crate::envoy::{Envoy, EnvoyError};
use crate::forward_auth;
use crate::observe::clock::WallClock;
use crate::observe::{DecisionLog, DecisionLogError, Labels, Metrics, MetricsError, Recent, clock};
use crate::proxy::ProxyError;
use crate::snapshot::{World, WorldStore};
use crate::sources::{KeySets, Tokens};
use engine::Bound;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How long running answers may take to finish when the process is told to stop.
const FAREWELL: Duration = Duration::from_secs(30);
/// How often `ready` looks.
const LOOK: Duration = Duration::from_millis(10);

/// Why the doors could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A section asks for what this version does not have.
    #[error("{0} is not available in this version")]
    Unavailable(&'static str),
    /// A file could not be read.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An API map is not YAML.
    #[error("`{}`: {message}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        message: String,
    },
    /// The API maps have problems: all of them, one a line.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Maps(Vec<MapProblem>),
    /// An upstream's URL or name cannot be used.
    #[error("proxy.upstream: `{0}` cannot be reached by its name")]
    Upstream(String),
    /// Certificates cannot be used.
    #[error("proxy: {0}")]
    Tls(#[from] TlsError),
    /// The sources cannot ask over HTTP.
    #[error(transparent)]
    Client(#[from] crate::http_client::HttpError),
    /// The proxy could not be started.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The proxy could not be started by Pingora.
    #[cfg(feature = "pingora")]
    #[error("proxy: {0}")]
    Pingora(#[from] crate::pingora::PingoraError),
    /// Envoy's services could not be started.
    #[error(transparent)]
    Envoy(#[from] EnvoyError),
    /// The operator's door could not be bound.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The metrics could not be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The decision log could not be opened.
    #[error(transparent)]
    Log(#[from] DecisionLogError),
}

/// Running doors. Dropping it closes them at once; `run` lets running answers finish.
pub struct Gateway {
    listening: Listening,
    wiring: Wiring,
    keys: Arc<KeySets>,
    serving: Option<Serving>,
    envoy: Option<Serving>,
    forward_auth: Option<forward_auth::Serving>,
    /// Sources, certificates and the operator's door; they end with this.
    tasks: JoinSet<()>,
}

impl Gateway {
    /// Binds every address, loads the API maps, starts the sources, then serves. The first snapshot is
    /// not waited for: until it is in force calls are refused with 503.
    ///
    /// # Errors
    /// When an address cannot be bound, a file cannot be used, or a thread cannot be started.
    pub async fn start(config: Config) -> Result<Self, GatewayError> {
        settings::require_available(&config)?;
        let tls = settings::server_tls(&config.proxy)?;
        let proxy = match config.proxy.listen.is_empty() {
            true => None,
            false => Some(Bound::new(&config.proxy, tls.clone())?),
        };
        let envoy = config.envoy.as_ref().map(|section| Envoy::bind(settings::envoy(section, &config.proxy.limits))).transpose()?;
        let wants_metadata = config.envoy.is_some() || config.forward_auth.is_some();
        let metadata = wants_metadata.then(|| settings::metadata(&config.proxy)).transpose()?;
        let forward_auth = match &config.forward_auth {
            Some(section) => bind(&section.listen).await?,
            None => Vec::new(),
        };
        let admin = bind(&config.admin.listen).await?;
        let maps = settings::maps(&config.api.maps)?;
        let metrics = Arc::new(Metrics::new(&labels(&config, &maps))?);
        let recent = Arc::new(Recent::default());
        let log = Arc::new(open_log(&config, &metrics, &recent)?);
        let world = World { maps: Arc::new(maps), settings: Arc::new(settings::world(&config)), ..World::default() };
        let world = Arc::new(WorldStore::new(world));

        let mut tasks = JoinSet::new();
        let keys = sources::start(&config, &world, &metrics, &mut tasks)?;
        if let (Some(tls), Some(paths)) = (tls, config.proxy.tls.clone()) {
            tasks.spawn(certificates::keep_fresh(tls, paths));
        }
        let listening = Listening {
            proxy: proxy.as_ref().map(|proxy| proxy.addresses().to_vec()).unwrap_or_default(),
            envoy: envoy.as_ref().map(|envoy| envoy.addresses().to_vec()).unwrap_or_default(),
            forward_auth: addresses(&forward_auth),
            admin: addresses(&admin),
        };
        let tokens = Arc::new(Tokens::new(Arc::clone(&keys), Arc::clone(&metrics) as _));
        let wiring = Wiring { world: Arc::clone(&world), tokens, metrics: Arc::clone(&metrics), log, clock: WallClock::default() };
        let forward_auth = open_forward_auth(&config, forward_auth, &wiring, metadata.clone());
        let serving = proxy.map(|proxy| proxy.serve(&wiring)).transpose()?;
        let envoy = envoy.zip(metadata.as_ref()).map(|(envoy, metadata)| envoy.serve(&wiring, metadata)).transpose()?;
        let connections = serving.as_ref().map_or_else(|| Arc::new(AtomicUsize::new(0)), Serving::connections);
        let state = Admin {
            world: Arc::clone(&world),
            metrics,
            recent,
            keys: Arc::clone(&keys),
            connections,
            listening: listening.clone(),
            started: clock::monotonic(),
        };
        for listener in admin {
            tasks.spawn(operate(listener, state.clone()));
        }
        Ok(Self { listening, wiring, keys, serving, envoy, forward_auth, tasks })
    }

    /// The bound addresses of every door.
    #[must_use]
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// What a door works with that somebody else serves: it judges by the same world, and counts and
    /// records in the same places. The sources end with the gateway.
    #[must_use]
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// Waits until calls can be judged: a snapshot is in force and every issuer's keys were tried.
    pub async fn ready(&self) {
        while self.wiring.world.load().snapshot.policies.revision() == 0 || !self.keys.tried_once() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Serves until the future ends, then lets running answers finish, within 30 seconds.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { wiring, serving, envoy, forward_auth, mut tasks, .. } = self;
        shutdown.await;
        // The log is closed by its last holder, who then waits for it: that is to be a door.
        drop(wiring);
        let proxy = async {
            if let Some(serving) = serving {
                serving.stop(FAREWELL).await;
            }
        };
        let envoy = async {
            if let Some(serving) = envoy {
                serving.stop(FAREWELL).await;
            }
        };
        let forward_auth = async {
            if let Some(serving) = forward_auth {
                serving.stop(FAREWELL).await;
            }
        };
        tokio::join!(proxy, envoy, forward_auth);
        tasks.shutdown().await;
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gateway").field("listening", &self.listening).finish_non_exhaustive()
    }
}

async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, GatewayError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for &address in addresses {
        listeners.push(TcpListener::bind(address).await.map_err(|source| GatewayError::Listen { address, source })?);
    }
    Ok(listeners)
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

/// The decision log; the newest records are remembered where there is an operator's door to show them.
fn open_log(config: &Config, metrics: &Arc<Metrics>, recent: &Arc<Recent>) -> Result<DecisionLog, GatewayError> {
    let (settings, metrics) = (settings::log(config)?, Arc::clone(metrics));
    Ok(match config.admin.listen.is_empty() {
        true => DecisionLog::open(&settings, metrics)?,
        false => DecisionLog::remembering(&settings, metrics, Arc::clone(recent))?,
    })
}

fn open_forward_auth(config: &Config, listeners: Vec<TcpListener>, wiring: &Wiring, metadata: Option<Metadata>) -> Option<forward_auth::Serving> {
    let section = config.forward_auth.as_ref().filter(|_| !listeners.is_empty())?;
    let listening = addresses(&listeners).first().copied();
    let settings = settings::forward_auth(section, &config.proxy.limits, listening);
    Some(forward_auth::serve(listeners, settings, wiring.clone(), metadata?))
}

async fn operate(listener: TcpListener, state: Admin) {
    if let Err(error) = admin::serve(listener, state, std::future::pending()).await {
        tracing::error!(%error, "the operator's door is closed");
    }
}

fn labels(config: &Config, maps: &ApiMap) -> Labels {
    Labels {
        entities: maps.entities().iter().map(|entity| entity.name.to_string()).collect(),
        issuers: config.issuers.iter().map(|issuer| issuer.issuer.rules.issuer.to_string()).collect(),
    }
}
