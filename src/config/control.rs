//! `[control]`: the control plane.

use super::reader::{Section, Shape};
use super::values::{duration_or, host_url, listen, path, some_text};
use super::{LateSecret, Secret};
use crate::token::Algorithm;
use http::Uri;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// No key signs for less.
const SHORTEST_ROTATION: Duration = Duration::from_secs(24 * 60 * 60);
/// No shorter text is taken for a key.
const SHORTEST_KEY: usize = 16;

/// `[control]`.
#[derive(Clone, Debug)]
pub struct Control {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// What tokens, links and instances are made of; without a path. None = the first address it listens on.
    pub public_url: Option<Uri>,
    /// Connections that it serves at once.
    pub max_connections: usize,
    /// Whether network zones are applied.
    pub network_zones: bool,
    /// What it remembers by.
    pub store: Store,
    /// What private keys and secrets in the store are sealed with.
    pub encryption_key: Option<Secret>,
    /// What access tokens are signed with: EdDSA or RS256.
    pub token_algorithm: Algorithm,
    /// How long a key signs.
    pub key_rotation: Duration,
    /// Bearers that may read the snapshot and post decisions.
    pub sidecar_tokens: Vec<Secret>,
    /// The first account, made in an empty store.
    pub bootstrap: Option<Bootstrap>,
}

/// What the control plane remembers by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// An embedded database in a file.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the URL may have a password in it.
    Postgres(Secret),
}

/// `control.bootstrap`.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The domain owner's login.
    pub login: Box<str>,
    /// The kind of account.
    pub account_type: AccountType,
    /// Its password.
    pub password: LateSecret,
    /// A first application, with its secret.
    pub client: Option<(Box<str>, LateSecret)>,
}

/// The kind of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountType {
    /// A person's.
    Personal,
    /// A program's.
    Service,
}

impl Control {
    pub(super) fn read(section: Section<'_>) -> Self {
        let remedy = "write an http or https URL without a path, such as \"https://access.example\"";
        let public_url = section.parsed("public_url", remedy, host_url);
        // Not shown: there may be a password in it.
        let unclear = || "is not understood, write \"sqlite:\" and a path, or a \"postgres://…\" URL".to_owned();
        let store = section.read("store", Shape::Text, |value| value.as_str().and_then(store).ok_or_else(unclear));
        let control = Self {
            listen: listen(&section, "127.0.0.1:9910"),
            public_url,
            max_connections: section.number_or("max_connections", 1, 1_000),
            network_zones: section.boolean_or("network_zones", true),
            store: store.unwrap_or_else(|| Store::Sqlite("doorward.db".into())),
            encryption_key: encryption_key(&section),
            token_algorithm: section.parsed("token_algorithm", "write \"EdDSA\" or \"RS256\"", token_algorithm).unwrap_or(Algorithm::EdDsa),
            key_rotation: key_rotation(&section),
            sidecar_tokens: section.secrets("sidecar_tokens"),
            bootstrap: section.section("bootstrap").and_then(Bootstrap::read),
        };
        section.finish();
        control
    }
}

fn store(text: &str) -> Option<Store> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Some(Store::Postgres(text.to_owned().into()));
    }
    text.strip_prefix("sqlite:").and_then(path).map(Store::Sqlite)
}

fn encryption_key(section: &Section<'_>) -> Option<Secret> {
    let key = section.secret("encryption_key")?;
    if key.expose().len() < SHORTEST_KEY {
        section.problem("encryption_key", format!("is too short for a key, write at least {SHORTEST_KEY} random characters"));
    }
    Some(key)
}

fn token_algorithm(name: &str) -> Option<Algorithm> {
    name.parse().ok().filter(|algorithm| matches!(algorithm, Algorithm::EdDsa | Algorithm::Rs256))
}

fn key_rotation(section: &Section<'_>) -> Duration {
    let rotation = duration_or(section, "key_rotation", "90d");
    if rotation < SHORTEST_ROTATION {
        section.problem("key_rotation", "is shorter than a day, write \"90d\" or the like");
    }
    rotation
}

impl Bootstrap {
    fn read(section: Section<'_>) -> Option<Self> {
        let kind = |text: &str| match text {
            "Personal" => Some(AccountType::Personal),
            "Service" => Some(AccountType::Service),
            _ => None,
        };
        let login = section.parsed("login", "write a login", some_text);
        let password = section.late_secret("password");
        let account_type = section.parsed("type", "write \"Personal\" or \"Service\"", kind);
        let client = (section.parsed("client_id", "write a client id", some_text), section.late_secret("client_secret"));
        for (key, is_there) in [("login", login.is_some()), ("password", password.is_some())] {
            if !is_there {
                section.problem(key, "is needed for the first account, write it");
            }
        }
        let client = match client {
            (Some(id), Some(secret)) => Some((id, secret)),
            (None, None) => None,
            _ => {
                section.problem("client_id", "an application has `client_id` and `client_secret`, write both or none");
                None
            }
        };
        section.finish();
        Some(Self { login: login?, account_type: account_type.unwrap_or(AccountType::Personal), password: password?, client })
    }
}
