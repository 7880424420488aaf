//! The control plane as a server: its rooms put together, bound and served.

use super::bootstrap::{FirstAccount, OwnerLink, bootstrap, is_owned, set_up_path};
use super::foreign_tokens::ForeignTokens;
use super::import::{self, ImportError};
use super::insights::OwnDecisions;
use super::oauth::{OAuth, credentials};
use super::openapi::{self, About};
use super::plane::{Parts, Plane, Settings};
use super::problem::{Code, Problem};
use super::publication::{Following, Publisher};
use super::wire::RequestId;
use super::{access, access_metadata, body, console, identity, insights, judge, oauth, publication};
use crate::api_map::{ApiMap, MapProblem};
use crate::cases::read_yaml;
use crate::config;
use crate::http_server::{Limits, Server};
use crate::observe::{Labels, Metrics, MetricsError, clock};
use crate::snapshot::{self, World, WorldStore};
use crate::store::{Author, Location, Store, StoreError, WriteError};
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use utoipa::openapi::OpenApi;

/// The maps of what is served: the control plane's callers are judged like those of any API.
const MAPS: [(&str, &str); 3] = [
    ("config/api/access.yaml", include_str!("../../config/api/access.yaml")),
    ("config/api/identity.yaml", include_str!("../../config/api/identity.yaml")),
    ("config/api/insights.yaml", include_str!("../../config/api/insights.yaml")),
];

/// How long running answers may take when the process is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long a request's head may take to come, and how long a connection may be idle.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The longest head, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// The longest target, in bytes: a filter of 16,384 characters of which each is escaped, and some more.
const TARGET_BYTES: usize = 52 << 10;

/// How long the first publication may take.
const FIRST_PUBLICATION: Duration = Duration::from_secs(60);

/// Why the control plane does not run.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// An address cannot be bound.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store cannot be used.
    #[error("control.store: {0}")]
    Store(#[from] StoreError),
    /// Secrets cannot be made or kept; why not.
    #[error("{0}")]
    Secrets(String),
    /// The API maps that are built in cannot be read; a test reads them.
    #[error("the built-in API maps cannot be read: {0}")]
    Maps(String),
    /// The first start failed; the log says why.
    #[error("the control plane cannot start; its log says why")]
    Start,
    /// The document cannot be taken over.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// There is no such user.
    #[error("no user has the login `{0}`")]
    Login(String),
    /// The store is empty, and a secret of the first account cannot be had.
    #[error("the store is empty, and the first account needs a secret: {0}")]
    Bootstrap(config::Problem),
    /// The metrics could not be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// A running control plane. Dropping it closes it at once; `run` lets running answers finish.
pub struct Control {
    listening: Vec<SocketAddr>,
    link: Option<OwnerLink>,
    plane: Plane,
    router: Router,
    listeners: Vec<TcpListener>,
    max_connections: usize,
    /// What runs in the background; it ends with this.
    tasks: JoinSet<()>,
}

impl Control {
    /// Binds, opens the store, makes what a first start makes, and begins to publish. It serves once
    /// it is run.
    ///
    /// # Errors
    /// When an address, the store or the keys cannot be had.
    pub async fn start(config: &config::Control) -> Result<Self, ControlError> {
        let mut listeners = Vec::new();
        for &address in &config.listen {
            listeners.push(TcpListener::bind(address).await.map_err(|source| ControlError::Listen { address, source })?);
        }
        let listening: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let store = Store::open(&location(&config.store), clock::now).await?;
        // Its secrets are needed once: they need not be there at later starts.
        let owner = config.bootstrap.as_ref().filter(|_| !is_owned(&store.state()));
        let owner = owner.map(FirstAccount::of).transpose().map_err(ControlError::Bootstrap)?;
        let settings = settings(config, &listening);
        if !settings.network_zones {
            tracing::warn!("network zones are kept, but not applied: control.network_zones is false");
        }
        let mut tasks = JoinSet::new();
        let (plane, publisher) = compose(config, store, settings, &mut tasks)?;
        oauth::keep_keys(&plane).await.map_err(|problem| failed(&problem))?;
        let link = bootstrap(&plane, owner.as_ref()).await.map_err(|problem| failed(&problem))?;
        // There is a key to sign with now.
        tasks.spawn(publisher.run());
        tasks.spawn(oauth::housekeeping(plane.clone()));
        tasks.spawn({
            let store = Arc::clone(&plane.store);
            async move { store.run().await }
        });
        await_publication(&plane).await;
        let router = router(&plane);
        Ok(Self { listening, link, plane, router, listeners, max_connections: config.max_connections, tasks })
    }

    /// The bound addresses.
    #[must_use]
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// What tokens, links and instances are made of.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.plane.settings.public_url
    }

    /// The link by which the domain owner sets a password, with its end, where one is needed.
    #[must_use]
    pub fn setup_link(&self) -> Option<(&str, jiff::Timestamp)> {
        self.link.as_ref().map(|link| (&*link.url, link.ends))
    }

    /// Takes a snapshot document over into the running store.
    ///
    /// # Errors
    /// When it does not load, or the store fails; nothing is changed then.
    pub async fn take_over(&self, document: &[u8]) -> Result<(), ControlError> {
        take_over(&self.plane.store, document).await
    }

    /// Serves until the future ends, then lets running answers finish, within 10 seconds.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(self.router.clone(), &limits(&self.plane, self.max_connections));
        let mut serving = JoinSet::new();
        for listener in std::mem::take(&mut self.listeners) {
            let mut stopped = stopped.clone();
            let until = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
            serving.spawn(server.clone().serve(listener, until));
        }
        shutdown.await;
        let _ = stop.send(true);
        // Ends the publisher first: polls that wait for a revision end with it.
        self.tasks.shutdown().await;
        let finished = async { while serving.join_next().await.is_some() {} };
        // What has not finished by then is cut off.
        let _ = tokio::time::timeout(FAREWELL, finished).await;
    }

    /// Takes a snapshot document over into a store that no process has open; its new revision.
    ///
    /// # Errors
    /// As [`Self::take_over`].
    pub async fn import(config: &config::Control, document: &[u8]) -> Result<u64, ControlError> {
        let store = Store::open(&location(&config.store), clock::now).await?;
        take_over(&store, document).await?;
        Ok(store.state().revision)
    }

    /// Makes a link by which a user sets a password, in a store that no process has open: the way back in
    /// where nobody can sign in any more.
    ///
    /// # Errors
    /// When the store cannot be used, or has no user with that login.
    pub async fn recover(config: &config::Control, login: &str) -> Result<(String, jiff::Timestamp), ControlError> {
        let store = Store::open(&location(&config.store), clock::now).await?;
        let author = Author { user: "doorward".to_owned(), operation: "setup-link".to_owned(), request: String::new() };
        let link = store.write(&author, |draft| {
            let id = draft.user_by_login(login).map(|user| user.id.clone()).ok_or_else(|| ControlError::Login(login.to_owned()))?;
            credentials::setup_link(draft, &id).map_err(|error| ControlError::Secrets(error.to_string()))
        });
        let (secret, ends) = link.await.map_err(|error| match error {
            WriteError::Refused(error) => error,
            WriteError::Store(error) => ControlError::Store(error),
        })?;
        Ok((settings(config, &config.listen).href(&set_up_path(&secret)), ends))
    }

    /// Copies the store, which may be in use, into a new file.
    ///
    /// # Errors
    /// When the file is there already, or the store is a database server.
    pub async fn backup(config: &config::Control, to: &Path) -> Result<(), ControlError> {
        Ok(Store::copy(&location(&config.store), to).await?)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").field("listening", &self.listening).finish_non_exhaustive()
    }
}

async fn take_over(store: &Store, document: &[u8]) -> Result<(), ControlError> {
    let author = Author { user: "doorward".to_owned(), operation: "import".to_owned(), request: String::new() };
    store.write(&author, |draft| import::take_over(draft, document)).await.map_err(|error| match error {
        WriteError::Refused(error) => ControlError::Import(error),
        WriteError::Store(error) => ControlError::Store(error),
    })
}

/// Callers are judged by what is published: nobody is served before. What cannot be published keeps nobody waiting for ever.
async fn await_publication(plane: &Plane) {
    let wanted = plane.store.state().revision;
    let mut in_force = plane.in_force.subscribe();
    if tokio::time::timeout(FIRST_PUBLICATION, in_force.wait_for(|revision| *revision >= wanted)).await.is_err() {
        tracing::error!(revision = wanted, "the first revision is not published yet");
    }
}

/// What clients may take.
fn limits(plane: &Plane, connections: usize) -> Limits {
    let overloaded = Problem::of(Code::Overloaded).document(&plane.settings.instance_prefix(), &RequestId("overloaded".to_owned()));
    let overloaded = serde_json::to_vec(&overloaded).unwrap_or_default().into();
    Limits { connections, head_time: HEAD_TIME, body_time: BODY_TIME, head_bytes: HEAD_BYTES, overloaded }
}

fn failed(problem: &Problem) -> ControlError {
    tracing::error!(?problem, "the control plane cannot start");
    ControlError::Start
}

fn location(store: &config::Store) -> Location {
    match store {
        config::Store::Sqlite(path) => Location::Sqlite(path.clone()),
        config::Store::Postgres(url) => Location::Postgres(url.expose().to_owned()),
    }
}

fn settings(config: &config::Control, listening: &[SocketAddr]) -> Settings {
    // Where nobody says how it is reached, it is reached where it listens.
    let own = || listening.first().map(|address| format!("http://{address}")).unwrap_or_default();
    let public_url = config.public_url.as_ref().map_or_else(own, |url| url.to_string().trim_end_matches('/').to_owned());
    let sidecars = config.sidecar_tokens.iter().map(|token| Sha256::digest(token.expose()).into()).collect();
    Settings { public_url, sidecars, network_zones: config.network_zones }
}

/// The plane with what publishes for it and what writes its decisions down.
fn compose(config: &config::Control, store: Arc<Store>, settings: Settings, tasks: &mut JoinSet<()>) -> Result<(Plane, Publisher), ControlError> {
    let limits = snapshot::Limits { target_bytes: TARGET_BYTES, ..snapshot::Limits::default() };
    let verdicts = snapshot::Settings { instance_prefix: settings.instance_prefix(), limits, ..snapshot::Settings::default() };
    let world = World { maps: Arc::new(maps()?), settings: Arc::new(verdicts), ..World::default() };
    let world = Arc::new(WorldStore::new(world));
    let oauth = OAuth::new(config).map_err(|error| ControlError::Secrets(error.to_string()))?;
    let in_force = watch::Sender::new(0);
    let metrics = Arc::new(Metrics::new(&Labels { entities: Vec::new(), issuers: Vec::new() })?);
    let following = Following {
        states: store.watch(),
        world: Arc::clone(&world),
        in_force: in_force.clone(),
        signer: Arc::clone(&oauth.signing) as _,
        observer: Arc::clone(&metrics) as _,
    };
    let (publisher, publication) = Publisher::new(following);
    let (own_decisions, writer) = OwnDecisions::new(Arc::clone(&store));
    tasks.spawn(writer.run());
    let (keys, foreign_tokens) = (Mutex::new(None), ForeignTokens::default());
    let parts = Parts { store, world, in_force, settings, keys, foreign_tokens, oauth, publication, own_decisions, metrics };
    Ok((Plane::new(parts), publisher))
}

/// The maps of the control plane's own operations.
fn maps() -> Result<ApiMap, ControlError> {
    let documents = MAPS.iter().map(|(name, text)| Ok(((*name).to_owned(), read_yaml(text).map_err(ControlError::Maps)?)));
    let documents = documents.collect::<Result<Vec<_>, ControlError>>()?;
    let told = |problems: Vec<MapProblem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    ApiMap::load(&documents).map_err(|problems| ControlError::Maps(told(problems)))
}

const ACCESS: About = About { title: "Doorward Access API", description: "Policies, policy collections, roles and who has them." };
const IDENTITY: About = About { title: "Doorward Identity API", description: "Users, roles, applications, tokens and how they sign in." };
const INSIGHTS: About = About { title: "Doorward Insights API", description: "The decisions of every data plane." };

fn router(plane: &Plane) -> Router {
    let url = &plane.settings.public_url;
    let (access, access_document) = openapi::split(&ACCESS, url, access::routes().merge(access_metadata::routes()));
    let (identity, identity_document) = openapi::split(&IDENTITY, url, identity::routes().merge(oauth::routes()));
    let (insights, insights_document) = openapi::split(&INSIGHTS, url, insights::routes());
    let judged = Router::new().merge(access).merge(identity).merge(insights).merge(publication::routes());
    Router::new()
        .merge(judged.route_layer(middleware::from_fn_with_state(plane.clone(), judge::admit)))
        .merge(oauth::open_routes())
        .merge(console::routes(plane))
        .route("/access/swagger/v0/swagger.json", document(access_document))
        .route("/identity/swagger/v0/swagger.json", document(identity_document))
        .route("/insights/swagger/v0/swagger.json", document(insights_document))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn(insights::for_browsers))
        .layer(DefaultBodyLimit::max(body::LONGEST))
        .layer(middleware::from_fn_with_state(plane.clone(), judge::finish))
        .with_state(plane.clone())
}

/// Whether the newest revision is served.
async fn readyz(State(plane): State<Plane>) -> (StatusCode, &'static str) {
    match plane.publication.revision() {
        0 => (StatusCode::SERVICE_UNAVAILABLE, "no snapshot is published\n"),
        _ => (StatusCode::OK, "ok\n"),
    }
}

async fn metrics(State(plane): State<Plane>) -> Response {
    let revision = plane.publication.revision();
    plane.metrics.snapshot_revision.set(i64::try_from(revision).unwrap_or(i64::MAX));
    match plane.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn document(document: OpenApi) -> axum::routing::MethodRouter<Plane> {
    let document = Arc::new(document);
    get(move || async move { Json(OpenApi::clone(&document)) })
}

#[cfg(test)]
mod tests;
