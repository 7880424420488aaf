//! The sections of the data plane: proxy, the other doors, API maps, snapshot.

use super::Secret;
use super::reader::Section;
use super::values::{duration_or, file_path, host_url, listen, network, path, request_target, snapshot_origin, some_duration_or, url};
use crate::http_client::without_userinfo;
use crate::snapshot::DeniedStatus;
use crate::sources::{KeyHolder, KeyOrigin, SnapshotOrigin, SnapshotSource, Surroundings};
use http::Uri;
use http::header::HeaderValue;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `[proxy]`.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it listens; empty when there is no proxy.
    pub listen: Vec<SocketAddr>,
    /// Where calls go, in turn; at least one, each without a path of its own.
    pub upstream: Vec<Uri>,
    /// TLS towards the clients.
    pub tls: Option<Tls>,
    /// The authorities that an https upstream must be signed by; the machine's own without it.
    pub upstream_ca: Option<PathBuf>,
    /// What carries the bytes.
    pub engine: Engine,
    /// Whether the client's `Authorization` goes upstream.
    pub forward_authorization: bool,
    /// How many threads serve; 0 is one per core.
    pub workers: usize,
    /// `[proxy.limits]`.
    pub limits: Limits,
    /// `[proxy.metadata_cache]`.
    pub metadata_cache: MetadataCache,
    /// `[proxy.health_check]`.
    pub health_check: HealthCheck,
}

/// `[proxy.health_check]`: how several upstreams are probed; a single one never is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What a probe asks for; where absent, it only connects.
    pub path: Option<Box<str>>,
    /// The time between two probes; none are made where it is nothing.
    pub interval: Duration,
    /// For a whole probe.
    pub timeout: Duration,
}

/// `[proxy.metadata_cache]`: access metadata that the upstream answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataCache {
    /// How long an answer may be used; nothing is kept where it is nothing.
    pub ttl: Duration,
    /// How many bytes the answers may have together.
    pub bytes: usize,
}

/// `proxy.tls`.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities that clients must be signed by, PEM.
    pub client_ca: Option<PathBuf>,
}

/// What carries the proxy's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// hyper.
    Hyper,
    /// Pingora, where the build has it.
    Pingora,
}

/// `[proxy.limits]`; all finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of a request's head, in bytes.
    pub request_head_bytes: usize,
    /// Of a request's headers.
    pub header_count: usize,
    /// Of a request's target, in bytes.
    pub target_bytes: usize,
    /// Of a request body that is inspected, in bytes.
    pub request_body_bytes: usize,
    /// Of a single item of an answer, in bytes.
    pub response_item_bytes: usize,
    /// Of brackets that are open at once in an answer.
    pub response_depth: usize,
    /// Of what an encoded answer decodes to, as a multiple of what was sent.
    pub decoded_ratio: usize,
    /// For a whole request head.
    pub header_read_timeout: Duration,
    /// For a connection to the upstream.
    pub upstream_connect_timeout: Duration,
    /// For every wait for the upstream's next bytes.
    pub upstream_read_timeout: Duration,
    /// For a whole request body that is inspected.
    pub request_body_timeout: Duration,
    /// For a client to take some of what it is sent.
    pub client_write_timeout: Duration,
    /// Of clients' connections that are open at once.
    pub max_connections: usize,
    /// Of calls that are at work at once.
    pub max_in_flight: usize,
}

/// `[envoy]`.
#[derive(Clone, Debug)]
pub struct Envoy {
    /// Where ext_authz and ext_proc listen.
    pub listen: Vec<SocketAddr>,
    /// Whether ext_proc follows ext_authz in Envoy's filter chain.
    pub ext_proc: bool,
    /// How many threads serve; 0 is one per core.
    pub workers: usize,
}

/// `[forward_auth]`.
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Whose word is taken for what the original call was.
    pub trusted_peers: Vec<IpNet>,
    /// Where callers of AuthZEN find it; where it listens, if absent.
    pub public_url: Option<Uri>,
    /// How many bare questions may come at once.
    pub questions: usize,
    /// Of the body that they come in, in bytes.
    pub question_bytes: usize,
}

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where it listens; empty when it does not.
    pub listen: Vec<SocketAddr>,
}

/// `[api]`.
#[derive(Clone, Debug)]
pub struct Api {
    /// The API maps.
    pub maps: Vec<PathBuf>,
    /// Removed from the path before matching.
    pub strip_prefix: Box<str>,
    /// The answer for a single denied item.
    pub denied_status: DeniedStatus,
}

/// `[snapshot]`.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Where it comes from.
    pub source: SnapshotOrigin,
    /// The bearer towards it.
    pub token: Option<Secret>,
    /// The keys that must have signed it.
    pub public_keys: Option<KeyOrigin>,
    /// Where the last good one is kept.
    pub cache: Option<PathBuf>,
    /// The wait of a long poll; of a file, the interval of reading it again.
    pub poll: Duration,
    /// How old its last confirmation may be; for ever where absent.
    pub max_staleness: Option<Duration>,
}

impl Proxy {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section("proxy");
        // A section that is absent opens no door.
        let default_listen = if section.is_some() { "127.0.0.1:8080" } else { "" };
        let section = section.unwrap_or_else(|| root.section_or_empty("proxy"));
        let remedy = "write an http or https URL without a path, such as \"http://127.0.0.1:9000\"";
        let upstream = section.list("upstream", remedy, host_url);
        if upstream.as_ref().is_some_and(Vec::is_empty) {
            section.problem("upstream", "is empty, write at least one URL");
        }
        let engine =
            |text: &str| [("hyper", Engine::Hyper), ("pingora", Engine::Pingora)].into_iter().find_map(|(name, engine)| (name == text).then_some(engine));
        let proxy = Self {
            listen: listen(&section, default_listen),
            upstream: upstream.unwrap_or_else(|| vec![Uri::from_static("http://127.0.0.1:9000")]),
            tls: section.section("tls").and_then(Tls::read),
            upstream_ca: section.parsed("upstream_ca", "write the path of a PEM file", path),
            engine: section.parsed("engine", "write \"hyper\" or \"pingora\"", engine).unwrap_or(Engine::Hyper),
            forward_authorization: section.boolean_or("forward_authorization", true),
            workers: section.number_or("workers", 0, 0),
            limits: Limits::read(section.section_or_empty("limits")),
            metadata_cache: MetadataCache::read(section.section_or_empty("metadata_cache")),
            health_check: HealthCheck::read(section.section_or_empty("health_check")),
        };
        section.finish();
        proxy
    }
}

impl MetadataCache {
    fn read(section: Section<'_>) -> Self {
        let cache = Self { ttl: duration_or(&section, "ttl", "5s"), bytes: section.number_or("bytes", 1, 16_777_216) };
        section.finish();
        cache
    }
}

impl HealthCheck {
    fn read(section: Section<'_>) -> Self {
        let check = Self {
            path: section.parsed("path", "write a path, such as \"/health\"", request_target),
            interval: duration_or(&section, "interval", "5s"),
            timeout: some_duration_or(&section, "timeout", "2s"),
        };
        section.finish();
        check
    }
}

impl Tls {
    fn read(section: Section<'_>) -> Option<Self> {
        let pem = |key: &str| section.parsed(key, "write the path of a PEM file", path);
        let (certificate, key, client_ca) = (pem("certificate"), pem("key"), pem("client_ca"));
        for (name, value) in [("certificate", &certificate), ("key", &key)] {
            if value.is_none() {
                section.problem(name, "is needed for TLS, write the path of a PEM file");
            }
        }
        section.finish();
        Some(Self { certificate: certificate?, key: key?, client_ca })
    }
}

impl Limits {
    fn read(section: Section<'_>) -> Self {
        let limits = Self {
            request_head_bytes: section.number_or("request_head_bytes", 1024, 65_536),
            header_count: section.number_or("header_count", 1, 100),
            target_bytes: section.number_or("target_bytes", 1, 8192),
            request_body_bytes: section.number_or("request_body_bytes", 1, 8_388_608),
            response_item_bytes: section.number_or("response_item_bytes", 1, 8_388_608),
            response_depth: section.number_or("response_depth", 1, 128),
            decoded_ratio: section.number_or("decoded_ratio", 1, 200),
            header_read_timeout: some_duration_or(&section, "header_read_timeout", "10s"),
            upstream_connect_timeout: some_duration_or(&section, "upstream_connect_timeout", "5s"),
            upstream_read_timeout: some_duration_or(&section, "upstream_read_timeout", "60s"),
            request_body_timeout: some_duration_or(&section, "request_body_timeout", "60s"),
            client_write_timeout: some_duration_or(&section, "client_write_timeout", "60s"),
            max_connections: section.number_or("max_connections", 1, 10_000),
            max_in_flight: section.number_or("max_in_flight", 1, 10_000),
        };
        section.finish();
        limits
    }
}

impl Envoy {
    pub(super) fn read(section: Section<'_>) -> Self {
        let envoy = Self {
            listen: listen(&section, "127.0.0.1:9902"),
            ext_proc: section.boolean_or("ext_proc", false),
            workers: section.number_or("workers", 0, 0),
        };
        section.finish();
        envoy
    }
}

impl ForwardAuth {
    pub(super) fn read(section: Section<'_>) -> Self {
        let remedy = "write an address or a network, such as \"10.0.0.0/8\"";
        let peers = section.list("trusted_peers", remedy, network);
        let door = Self {
            listen: listen(&section, "127.0.0.1:9903"),
            trusted_peers: peers.unwrap_or_else(|| network("127.0.0.1/32").into_iter().collect()),
            public_url: section.parsed("public_url", "write an http or https URL, such as \"https://doorward.example\"", url),
            questions: section.number_or("questions", 1, 100),
            question_bytes: section.number_or("question_bytes", 1, 1_048_576),
        };
        section.finish();
        door
    }
}

impl Admin {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section_or_empty("admin");
        let admin = Self { listen: listen(&section, "127.0.0.1:9901") };
        section.finish();
        admin
    }
}

impl Api {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section_or_empty("api");
        let maps = section.list("maps", "write the path of an API map", path);
        if maps.as_ref().is_some_and(Vec::is_empty) {
            section.problem("maps", "is empty, write at least one path");
        }
        let prefix = section.text_or("strip_prefix", "");
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
            section.problem("strip_prefix", format!("`{}` is no prefix of a path, write one such as \"/gateway\"", without_userinfo(&prefix)));
        }
        let api = Self {
            maps: maps.unwrap_or_else(|| vec!["config/api/lusid.yaml".into()]),
            strip_prefix: prefix.into(),
            denied_status: match section.number_or("denied_status", 0, 403) {
                404 => DeniedStatus::NotFound,
                403 => DeniedStatus::Forbidden,
                other => {
                    section.problem("denied_status", format!("`{other}` is not possible, write 403 or 404"));
                    DeniedStatus::Forbidden
                }
            },
        };
        section.finish();
        api
    }
}

impl Snapshot {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section_or_empty("snapshot");
        let remedy = "write an http or https URL, or \"file:\" and a path";
        let source = section.parsed("source", remedy, snapshot_origin);
        let default = || SnapshotOrigin::Http(Uri::from_static("http://127.0.0.1:9910/snapshot"));
        let staleness = duration_or(&section, "max_staleness", "0s");
        let keep = |text: &str| (text == "keep").then_some(());
        section.parsed("on_error", "write \"keep\": a bad update never replaces a good one", keep);
        let snapshot = Self {
            source: source.unwrap_or_else(default),
            token: bearer_token(&section),
            public_keys: section.parsed("public_keys", "write the path or the URL of a key set", key_origin),
            cache: section.parsed("cache", "write the path of a file", path),
            poll: some_duration_or(&section, "poll", "30s"),
            max_staleness: (!staleness.is_zero()).then_some(staleness),
        };
        section.finish();
        snapshot
    }
}

/// A secret that can stand in a header.
fn bearer_token(section: &Section<'_>) -> Option<Secret> {
    let token = section.secret("token")?;
    let is_sendable = HeaderValue::from_str(token.expose()).is_ok();
    if !is_sendable {
        section.problem("token", "has characters that no bearer token has, give it as it was issued");
    }
    is_sendable.then_some(token)
}

/// How often the keys of the snapshot are refreshed, regularly and for an unknown key.
const KEYS_REFRESH: Duration = Duration::from_secs(300);
const KEYS_COOLDOWN: Duration = Duration::from_secs(10);

impl Snapshot {
    /// The bearer towards the control plane, as the value of `Authorization`.
    #[must_use]
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.token.as_ref()?.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The source that this section describes, with a holder of its keys, which holds none until it is asked.
    #[must_use]
    pub fn as_source(&self, surroundings: &Surroundings) -> SnapshotSource {
        let holder = |origin: &KeyOrigin| KeyHolder::new("snapshot", origin.clone(), KEYS_REFRESH, KEYS_COOLDOWN, surroundings.clone());
        SnapshotSource {
            origin: self.source.clone(),
            authorization: self.authorization(),
            keys: self.public_keys.as_ref().map(|origin| Arc::new(holder(origin))),
            cache: self.cache.clone(),
            poll: self.poll,
        }
    }
}

/// The origin of a key set: a URL, `file:` and a path, or a path.
pub(super) fn key_origin(text: &str) -> Option<KeyOrigin> {
    if text.starts_with("http:") || text.starts_with("https:") {
        return url(text).map(KeyOrigin::Url);
    }
    match text.strip_prefix("file:") {
        Some(path) => file_path(path).map(KeyOrigin::File),
        None => path(text).map(KeyOrigin::File),
    }
}
