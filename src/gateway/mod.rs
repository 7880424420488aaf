//! The composition root: a checked configuration becomes running doors. Everything is bound before
//! anything starts, so that a wrong address is an error of the start and not of the first call.
//! It prints nothing and decides nothing.

mod certificates;
mod engine;
mod farewell;
mod faults;
mod hand_over;
mod settings;
mod sources;
mod supervisor;

pub use farewell::End;
pub use faults::{Faults, faults};
#[cfg(feature = "pingora")]
pub use settings::pingora_settings;
pub use settings::unavailable;

use crate::admin::{self, Admin, Listening};
use crate::api_map::{ApiMap, MapProblem};
use crate::config::{Config, Process, ServiceManager};
use crate::door::{self, Aside, ListenError, Metadata, ServerTls, Serving, Sockets, TlsError, Wiring};
use crate::envoy::{Envoy, EnvoyError};
use crate::forward_auth;
use crate::observe::clock::WallClock;
use crate::observe::{DecisionLog, DecisionLogError, Labels, Metrics, MetricsError, Recent, clock};
use crate::proxy::ProxyError;
use crate::snapshot::{World, WorldStore};
use crate::sources::Tokens;
use certificates::Certificates;
use engine::Bound;
use hand_over::HandOver;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use supervisor::Supervisor;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How long a process that takes over may take to be ready.
const TAKE_OVER: Duration = Duration::from_secs(60);
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
    /// A file of certificates cannot be used.
    #[error("{key}: `{}`: {source}", path.display())]
    Certificates {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TlsError,
    },
    /// The machine's own authorities cannot be used.
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
    /// The candidate's thread could not be started.
    #[error("cannot start the thread of the candidate: {0}")]
    Shadow(std::io::Error),
    /// The operator's door could not be bound.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The process that serves, or the place where it is followed, cannot be used.
    #[error("process.hand_over: `{}`: {source}", path.display())]
    HandOver {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What would have been taken over stays with the process that serves.
    #[error("not ready within {} seconds, the process that serves goes on: {}", TAKE_OVER.as_secs(), .0.join(", "))]
    NotReady(Vec<&'static str>),
    /// The service manager passed a socket that no door wants.
    #[error("the service manager passes a socket that listens at `{0}`, where no door is configured")]
    Passed(SocketAddr),
    /// What the service manager gave cannot be used.
    #[error("the service manager's sockets: {0}")]
    ServiceManager(std::io::Error),
    /// The metrics could not be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The decision log could not be opened.
    #[error(transparent)]
    Log(#[from] DecisionLogError),
}

/// Running doors. Dropping it closes them at once; `run` lets running answers finish.
pub struct Gateway {
    wiring: Wiring,
    admin: Admin,
    process: Process,
    serving: Option<Serving>,
    envoy: Option<Serving>,
    forward_auth: Option<forward_auth::Serving>,
    hand_over: Option<HandOver>,
    supervisor: Option<Arc<Supervisor>>,
    /// The operator's door.
    operators: admin::Serving,
    /// Sources, certificates and what the service manager is told; they end with this.
    tasks: JoinSet<()>,
}

/// Doors whose addresses are bound and that do not serve yet.
struct Doors {
    proxy: Option<Bound>,
    envoy: Option<Envoy>,
    forward_auth: Vec<TcpListener>,
    admin: Vec<TcpListener>,
}

impl Doors {
    fn bind(config: &Config, tls: Option<ServerTls>, sockets: &mut Sockets) -> Result<Self, GatewayError> {
        Ok(Self {
            proxy: (!config.proxy.listen.is_empty()).then(|| Bound::new(&config.proxy, tls, sockets)).transpose()?,
            envoy: match &config.envoy {
                Some(section) => Some(Envoy::bind_with(settings::envoy(section, &config.proxy.limits), sockets)?),
                None => None,
            },
            forward_auth: match &config.forward_auth {
                Some(section) => bind(&section.listen, sockets)?,
                None => Vec::new(),
            },
            admin: bind(&config.admin.listen, sockets)?,
        })
    }

    fn listening(&self) -> Listening {
        Listening {
            proxy: self.proxy.as_ref().map(|proxy| proxy.addresses().to_vec()).unwrap_or_default(),
            envoy: self.envoy.as_ref().map(|envoy| envoy.addresses().to_vec()).unwrap_or_default(),
            forward_auth: addresses(&self.forward_auth),
            admin: addresses(&self.admin),
        }
    }
}

impl Gateway {
    /// Binds every address, loads the API maps, starts the sources, then serves. The first snapshot is
    /// not waited for: until it is in force calls are refused with 503.
    ///
    /// # Errors
    /// When an address cannot be bound, a file cannot be used, or a thread cannot be started.
    pub async fn start(config: Config) -> Result<Self, GatewayError> {
        Self::start_under(config, ServiceManager::default()).await
    }

    /// The same under a service manager, whose sockets are used where their addresses are configured and
    /// who is told when the gateway is ready. With `process.hand_over` the sockets of the process that
    /// serves there are taken over; then nothing is served before calls can be judged.
    ///
    /// # Errors
    /// As `start`; and when the other process or the service manager give what cannot be used.
    pub async fn start_under(config: Config, manager: ServiceManager) -> Result<Self, GatewayError> {
        settings::require_available(&config)?;
        let supervisor = manager.notify_socket.as_deref().map(Supervisor::at).transpose().map_err(GatewayError::ServiceManager)?.map(Arc::new);
        let (predecessor, mut sockets) = farewell::sockets(&config, manager.listeners)?;
        let certificates = config.proxy.tls.as_ref().map(Certificates::load).transpose()?;
        settings::require_authority(&config.proxy)?;
        let tls = certificates.as_ref().map(|certificates| certificates.shown.clone());
        let doors = Doors::bind(&config, tls, &mut sockets)?;
        if let Some(address) = sockets.untaken().next().filter(|_| predecessor.is_none()) {
            return Err(GatewayError::Passed(address));
        }
        let mut hand_over = farewell::place(&config, sockets)?;
        let wants_metadata = config.envoy.is_some() || config.forward_auth.is_some();
        let metadata = wants_metadata.then(|| settings::metadata(&config.proxy)).transpose()?;
        let maps = settings::maps(&config.api.maps)?;
        let metrics = Arc::new(Metrics::new(&labels(&config, &maps))?);
        let recent = Arc::new(Recent::default());
        let log = Arc::new(open_log(&config, &metrics, &recent)?);
        let world = World { maps: Arc::new(maps), settings: Arc::new(settings::world(&config)), ..World::default() };
        let world = Arc::new(WorldStore::new(world));

        let mut tasks = JoinSet::new();
        let keys = sources::start(&config, &world, &metrics, &mut tasks)?;
        if let Some(certificates) = certificates {
            tasks.spawn(certificates.keep_fresh());
        }
        let shadow = sources::start_candidate(&config, &metrics, &mut tasks)?;
        let tokens = Arc::new(Tokens::new(Arc::clone(&keys), Arc::clone(&metrics) as _));
        let wiring = Wiring {
            world: Arc::clone(&world),
            tokens,
            metrics: Arc::clone(&metrics),
            log,
            clock: WallClock::default(),
            aside: Aside::default(),
            shadow,
        };
        let mut admin = Admin {
            world,
            metrics,
            recent,
            keys,
            connections: Arc::new(AtomicUsize::new(0)),
            listening: doors.listening(),
            started: clock::monotonic(),
            is_stopping: Arc::default(),
        };
        if predecessor.is_some() {
            // Until then the other process answers, and better.
            let in_time = tokio::time::timeout(TAKE_OVER, ready(&admin)).await;
            in_time.map_err(|_| GatewayError::NotReady(admin.missing(clock::now())))?;
        }
        let Doors { proxy, envoy, forward_auth, admin: operators } = doors;
        let forward_auth = open_forward_auth(&config, forward_auth, &wiring, metadata.clone());
        let serving = proxy.map(|proxy| proxy.serve(&wiring)).transpose()?;
        let envoy = envoy.zip(metadata.as_ref()).map(|(envoy, metadata)| envoy.serve(&wiring, metadata)).transpose()?;
        if let Some(serving) = &serving {
            admin.connections = serving.connections();
        }
        let operators = admin::serve(operators, &admin, &settings::admin(&config.proxy.limits));
        if let Some(supervisor) = supervisor.clone() {
            let admin = admin.clone();
            tasks.spawn(async move { supervisor.follow(admin, manager.watchdog).await });
        }
        farewell::relieve(&config, predecessor, hand_over.as_mut())?;
        Ok(Self { wiring, admin, process: config.process, serving, envoy, forward_auth, hand_over, supervisor, operators, tasks })
    }

    /// The bound addresses of every door.
    #[must_use]
    pub fn listening(&self) -> &Listening {
        &self.admin.listening
    }

    /// What a door works with that somebody else serves: it judges by the same world, and counts and
    /// records in the same places. The sources end with the gateway.
    #[must_use]
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// Waits until calls can be judged: a snapshot is in force and every issuer's keys were tried.
    pub async fn ready(&self) {
        ready(&self.admin).await;
    }
}

async fn ready(admin: &Admin) {
    while !admin.missing(clock::now()).is_empty() {
        tokio::time::sleep(LOOK).await;
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gateway").field("listening", &self.admin.listening).finish_non_exhaustive()
    }
}

fn bind(addresses: &[SocketAddr], sockets: &mut Sockets) -> Result<Vec<TcpListener>, GatewayError> {
    let failed = |ListenError { address, source }| GatewayError::Listen { address, source };
    let (listeners, bound) = door::bind(addresses, NonZeroUsize::MIN, sockets).map_err(failed)?;
    let of_runtime = listeners.into_iter().flatten().zip(bound);
    of_runtime.map(|(listener, address)| TcpListener::from_std(listener).map_err(|source| GatewayError::Listen { address, source })).collect()
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

fn labels(config: &Config, maps: &ApiMap) -> Labels {
    Labels {
        entities: maps.entities().iter().map(|entity| entity.name.to_string()).collect(),
        issuers: config.issuers.iter().map(|issuer| issuer.issuer.rules.issuer.to_string()).collect(),
    }
}
