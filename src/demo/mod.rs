//! The demo: a fictional investment company, a small LUSID-like API with its books, sign-in and
//! policies, and the real gateway between them, in one process on loopback. It is made to be looked
//! at: nothing of it is for production, and nothing of it is reachable from another machine.

mod calls;
mod company;
mod control;
mod data;
mod directory;
mod guide;
mod numbers;
mod rows;
mod tokens;
mod upstream;

use crate::config::{Config, ConfigError};
use crate::control::ControlError;
use crate::gateway::{Gateway, GatewayError};
use crate::http_client::HttpError;
use crate::observe::clock;
use axum::Router;
use calls::Call;
use company::Company;
use data::Books;
use directory::Directory;
use serde_json::json;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The API map of LUSID as it ships.
const API_MAP: &str = include_str!("../../config/api/lusid.yaml");
/// The `aud` of the control plane's tokens.
const AUDIENCE: &str = "lusid-api";
/// How long the first snapshot and the keys may take.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file that is built in is not as it should be.
    #[error("the demo's own data cannot be read: {0}")]
    Data(#[from] serde_json::Error),
    /// The control plane could not be started, or refused the company.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The control plane could not be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The control plane gave no token or password; what it said instead.
    #[error("the demo's people cannot sign in: {0}")]
    SignIn(String),
    /// The configuration could not be written down.
    #[error("the demo's configuration cannot be written: {0}")]
    Toml(#[from] toml::ser::Error),
    /// The configuration that was made for the gateway is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The gateway could not be started.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A file could not be written.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No port could be bound on loopback.
    #[error("cannot listen on loopback: {0}")]
    Listen(io::Error),
    /// The page could not be printed.
    #[error("cannot print: {0}")]
    Print(io::Error),
    /// The machine gives no randomness.
    #[error("there is no randomness to make keys of")]
    Randomness,
    /// The gateway did not come up.
    #[error("the gateway was not ready within {} seconds", READY_WITHIN.as_secs())]
    NotReady,
}

/// Where everything listens, as URLs without a path.
#[derive(Clone, Debug)]
struct Addresses {
    proxy: String,
    upstream: String,
    admin: String,
    tokens: String,
    control: String,
}

/// One who can sign in, with what is to be told of them.
struct Person {
    account: tokens::Account,
    name: String,
    /// What they do and may do, in a sentence.
    what: String,
    token: String,
}

/// A demo that runs, with what is to be told of it.
struct Running {
    addresses: Addresses,
    directory: PathBuf,
    people: Vec<Person>,
    client_secret: String,
    calls: Vec<Call>,
    extent: String,
}

/// Starts everything, prints the page to `out`, writes `demo.json` into the directory, and runs until
/// the future ends. Without a directory it makes one that goes with the demo.
///
/// # Errors
/// When a port, a file or the gateway cannot be had.
pub async fn run(directory: Option<&Path>, out: &mut impl Write, shutdown: impl Future<Output = ()>) -> Result<(), DemoError> {
    let directory = Directory::open(directory)?;
    let now = clock::now();
    let (company, books) = (Company::at(now)?, Books::on(now)?);
    let mut servers = JoinSet::new();

    let (upstream, tokens) = (bind().await?, bind().await?);
    let (upstream_url, tokens_url) = (url(&upstream)?, url(&tokens)?);
    let control = control::start(&directory, &company, &mut servers).await?;
    serve(&mut servers, upstream, upstream::router(books.clone()));
    serve(&mut servers, tokens, tokens::router(Arc::clone(&control.sign_in), Arc::clone(&control.accounts)));

    let gateway = start_gateway(&directory, &control, &upstream_url).await?;
    let listening = gateway.listening();
    let addresses = Addresses {
        proxy: first(&listening.proxy),
        admin: first(&listening.admin),
        upstream: upstream_url,
        tokens: tokens_url,
        control: control.url.clone(),
    };
    let calls = calls::calls(&addresses, &books, now);
    let people = signed_in(&control, &company).await?;
    let client_secret = control.sign_in.client_secret().to_owned();
    let demo = Running { calls, addresses, people, client_secret, extent: books.extent(), directory: directory.path().to_owned() };
    let document = serde_json::to_string_pretty(&guide::document(&demo))?;
    directory.write("demo.json", &document)?;
    guide::print(&demo, out).map_err(DemoError::Print)?;
    gateway.run(shutdown).await;
    servers.shutdown().await;
    Ok(())
}

async fn bind() -> Result<TcpListener, DemoError> {
    TcpListener::bind(("127.0.0.1", 0)).await.map_err(DemoError::Listen)
}

fn url(listener: &TcpListener) -> Result<String, DemoError> {
    Ok(format!("http://{}", listener.local_addr().map_err(DemoError::Listen)?))
}

fn first(addresses: &[SocketAddr]) -> String {
    addresses.first().map(|address| format!("http://{address}")).unwrap_or_default()
}

fn serve(servers: &mut JoinSet<()>, listener: TcpListener, router: Router) {
    servers.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "a part of the demo is gone");
        }
    });
}

/// Everybody, with a token that is good for an hour.
async fn signed_in(control: &control::Running, company: &Company) -> Result<Vec<Person>, DemoError> {
    let mut people = Vec::new();
    // The owner comes last: the others are who the demo is about.
    for account in control.accounts.iter().skip(1).chain(control.accounts.first()) {
        let known = company.people.iter().find(|person| person.id == account.id);
        let (name, what) = known.map_or(("The domain owner", "administers users, roles and policies"), |person| (&person.name, &person.what));
        let token = control.sign_in.token(account).await?;
        people.push(Person { account: account.clone(), name: name.to_owned(), what: what.to_owned(), token });
    }
    Ok(people)
}

/// The gateway as anybody would configure it, ready to judge calls.
async fn start_gateway(directory: &Directory, control: &control::Running, upstream: &str) -> Result<Gateway, DemoError> {
    let map = directory.write("lusid.yaml", API_MAP)?;
    let issuer = format!("{}/oauth2/default", control.url);
    let keys = format!("{issuer}/v1/keys");
    let decisions = directory.path().join("decisions.log");
    let text = toml::to_string(&json!({
        "proxy": {"listen": ["127.0.0.1:0"], "upstream": upstream},
        "admin": {"listen": ["127.0.0.1:0"]},
        "api": {"maps": [map]},
        "snapshot": {"source": format!("{}/snapshot", control.url), "token": {"file": control.sidecar_token}, "public_keys": keys, "poll": "30s"},
        "issuers": [{"issuer": issuer, "audience": [AUDIENCE], "jwks": keys, "algorithms": ["EdDSA"]}],
        "decisions": {"sink": [format!("file:{}", decisions.display()), "control"], "when": "all"},
    }))?;
    let path = directory.write("doorward.toml", &text)?;
    // The environment is left out: settings of another Doorward must not change the demo.
    let config = Config::parse(&path.display().to_string(), &text, [])?;
    let gateway = Gateway::start(config).await?;
    tokio::time::timeout(READY_WITHIN, gateway.ready()).await.map_err(|_| DemoError::NotReady)?;
    Ok(gateway)
}
