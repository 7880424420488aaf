//! The configuration: the file and the environment → [`Config`], checked, with nothing left to ask.
//! Every mistake is found in one go, each with its place and its remedy. This is the only room that
//! reads the environment; it opens no door and fetches nothing.

mod control;
mod environment;
mod files;
mod issuers;
mod observing;
mod process;
mod reader;
mod secret;
mod sections;
mod values;

#[cfg(test)]
mod tests;

pub use crate::snapshot::DeniedStatus;
pub use control::{AccountType, Bootstrap, Control, Store};
pub use environment::process_environment;
pub use issuers::{Introspection, Issuer, VerifiedBy, case_rules, key_sets};
pub use observing::{Decisions, OnFull, Shadow, ShadowMode, Sink, When};
pub use process::{Process, ServiceManager};
pub use secret::{LateSecret, Secret};
pub use sections::{Admin, Api, Engine, Envoy, ForwardAuth, HealthCheck, Limits, MetadataCache, Proxy, Snapshot, Tls};

use crate::snapshot;
use reader::Reader;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use thiserror::Error;

/// Everything that the file and the environment say.
#[derive(Clone, Debug)]
pub struct Config {
    /// The reverse proxy; without a `listen` there is none, but its limits hold at every door.
    pub proxy: Proxy,
    /// Envoy's services.
    pub envoy: Option<Envoy>,
    /// Forward auth.
    pub forward_auth: Option<ForwardAuth>,
    /// Health, metrics, status.
    pub admin: Admin,
    /// The API maps.
    pub api: Api,
    /// Where the snapshot comes from.
    pub snapshot: Snapshot,
    /// Whose tokens are accepted; their names are distinct.
    pub issuers: Vec<Issuer>,
    /// The decision log.
    pub decisions: Decisions,
    /// The control plane.
    pub control: Option<Control>,
    /// A candidate beside the live snapshot, and the mode.
    pub shadow: Option<Shadow>,
    /// How the process ends and is followed.
    pub process: Process,
    file: Box<str>,
}

/// One mistake, with its place and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the environment variable that set the key.
    pub origin: Box<str>,
    /// The key's path, such as `proxy.limits.target_bytes` or `issuers[0].audience`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(formatter, "{}: {}", self.origin, self.message),
            path => write!(formatter, "{}: {path}: {}", self.origin, self.message),
        }
    }
}

/// The configuration cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// Every mistake there is; at least one.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Reads the file at `path`, or standard input for `-`, under the given environment
    /// (see [`process_environment`]).
    ///
    /// # Errors
    /// With every mistake in the file and in the environment.
    pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let (config, problems) = Self::look_at(path, environment);
        config.filter(|_| problems.is_empty()).ok_or(ConfigError { problems })
    }

    /// Reads the same, for those who want to look further: what could be understood, with the
    /// default of every key that could not, and every mistake.
    pub fn look_at(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> (Option<Self>, Vec<Problem>) {
        let file = path.display().to_string();
        let text = match file.as_str() {
            "-" => std::io::read_to_string(std::io::stdin()),
            _ => std::fs::read_to_string(path),
        };
        match text {
            Ok(text) => Self::understand(&file, &text, environment),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                (None, vec![Problem { origin: file.into(), path: String::new(), message }])
            }
        }
    }

    /// Reads a configuration from its text; `file` is only its name in messages. Secrets that stand in
    /// files are read; other files are not looked at, see [`Self::missing_files`].
    ///
    /// # Errors
    /// With every mistake in the text and in the environment.
    pub fn parse(file: &str, text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let (config, problems) = Self::understand(file, text, environment);
        config.filter(|_| problems.is_empty()).ok_or(ConfigError { problems })
    }

    fn understand(file: &str, text: &str, environment: impl IntoIterator<Item = (String, String)>) -> (Option<Self>, Vec<Problem>) {
        match Reader::new(file, text, environment) {
            Ok(reader) => (Some(Self::read(&reader)), reader.finish().err().map(|error| error.problems).unwrap_or_default()),
            Err(error) => (None, error.problems),
        }
    }

    /// What the configuration says about verdicts; `instance_prefix` is what a problem's `instance` begins with.
    #[must_use]
    pub fn settings(&self, instance_prefix: &str) -> snapshot::Settings {
        let limits = &self.proxy.limits;
        snapshot::Settings {
            strip_prefix: self.api.strip_prefix.to_string(),
            denied_status: self.api.denied_status,
            max_staleness: self.snapshot.max_staleness,
            instance_prefix: instance_prefix.to_owned(),
            observe_only: self.shadow.as_ref().is_some_and(|shadow| shadow.mode == ShadowMode::Observe),
            drop_authorization: !self.proxy.forward_authorization,
            limits: snapshot::Limits {
                target_bytes: limits.target_bytes,
                header_count: limits.header_count,
                request_body_bytes: limits.request_body_bytes,
                response_item_bytes: limits.response_item_bytes,
                response_depth: limits.response_depth,
                decoded_ratio: limits.decoded_ratio,
            },
        }
    }

    fn read(reader: &Reader) -> Self {
        let root = reader.root();
        let config = Self {
            proxy: Proxy::read(&root),
            envoy: root.section("envoy").map(Envoy::read),
            forward_auth: root.section("forward_auth").map(ForwardAuth::read),
            admin: Admin::read(&root),
            api: Api::read(&root),
            snapshot: Snapshot::read(&root),
            issuers: issuers::read(&root),
            decisions: Decisions::read(&root),
            control: root.section("control").map(Control::read),
            shadow: root.section("shadow").map(Shadow::read),
            process: Process::read(&root),
            file: reader.file().into(),
        };
        config.require_distinct_addresses(&root);
        config.require_decisions_url(&root);
        root.finish();
        config
    }

    /// No two doors can listen at one address, nor at all addresses and one of them.
    fn require_distinct_addresses(&self, root: &reader::Section<'_>) {
        let doors = [
            ("proxy.listen", Some(&self.proxy.listen)),
            ("envoy.listen", self.envoy.as_ref().map(|door| &door.listen)),
            ("forward_auth.listen", self.forward_auth.as_ref().map(|door| &door.listen)),
            ("admin.listen", Some(&self.admin.listen)),
            ("control.listen", self.control.as_ref().map(|door| &door.listen)),
        ];
        let addresses = doors.iter().flat_map(|(key, listen)| listen.iter().flat_map(|addresses| addresses.iter()).map(move |address| (*key, *address)));
        let mut taken: Vec<(&str, SocketAddr)> = Vec::new();
        for (key, address) in addresses {
            match taken.iter().find(|other| collide(**other, (key, address))) {
                Some((other, same)) if *same == address => root.problem(key, format!("`{address}` is taken by {other}, give another port")),
                Some((other, wider)) => root.problem(key, format!("`{address}` is taken by {other} with `{wider}`, give another port")),
                None => taken.push((key, address)),
            }
        }
    }
}

/// Whether two listeners cannot be opened beside each other. Of the doors `[::]` takes the addresses of
/// IPv6 alone; the control plane's takes those of IPv4 too.
fn collide(one: (&str, SocketAddr), other: (&str, SocketAddr)) -> bool {
    let takes = |(key, wide): (&str, SocketAddr), (_, narrow): (&str, SocketAddr)| {
        wide.ip().is_unspecified() && (wide.is_ipv4() == narrow.is_ipv4() || (wide.is_ipv6() && key == "control.listen"))
    };
    one.1.port() != 0 && one.1.port() == other.1.port() && (one.1 == other.1 || takes(one, other) || takes(other, one))
}
