//! The configuration's sections as the settings of the rooms they belong to.

use super::GatewayError;
use crate::admin;
use crate::api_map::ApiMap;
use crate::cases::read_yaml;
use crate::config::{self, Config};
use crate::door::{Health, HealthSettings, Metadata, MetadataCache, MetadataCacheSettings, Probed, ServerTls, client_tls};
use crate::envoy;
use crate::forward_auth;
use crate::http_client::{Authorities, HttpClient, without_userinfo};
use crate::observe::{LogSettings, OnFull, PostSettings, Sink, When};
#[cfg(feature = "pingora")]
use crate::pingora as pingora_door;
use crate::proxy::{self, UpstreamTls, UpstreamUrl};
use crate::snapshot;
use crate::sources::SnapshotOrigin;
use http::Uri;
use http::uri::Scheme;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Said where the other engine was not built in.
pub(super) const NO_PINGORA: &str = "proxy.engine `pingora`, which is a feature of the build,";

/// Refuses what the configuration can say and nothing here can do yet: a door that is asked for and
/// stays closed must not go unnoticed.
pub(super) fn require_available(config: &Config) -> Result<(), GatewayError> {
    unavailable(config).next().map_or(Ok(()), |what| Err(GatewayError::Unavailable(what)))
}

/// Everything that the configuration asks for and this version does not have.
pub fn unavailable(config: &Config) -> impl Iterator<Item = &'static str> {
    let asked_for = [
        (config.proxy.engine == config::Engine::Pingora && cfg!(not(feature = "pingora")), NO_PINGORA),
        (config.decisions.sinks.contains(&config::Sink::Otlp), "decisions.sink `otlp`"),
    ];
    asked_for.into_iter().filter(|(is_asked_for, _)| *is_asked_for).map(|(_, what)| what)
}

/// What finds out whether several upstreams are well; of a single one nothing is asked.
fn health(section: &config::Proxy) -> Result<Arc<Health>, GatewayError> {
    let check = &section.health_check;
    if section.upstream.len() < 2 || check.interval.is_zero() {
        return Ok(Arc::default());
    }
    let probed = |url: UpstreamUrl| {
        let host = url.host.trim_matches(['[', ']']).to_owned();
        Probed { host, port: url.port, tls: url.tls.map(|tls| (tls.config, tls.name)) }
    };
    let settings = HealthSettings { path: check.path.clone(), interval: check.interval, timeout: check.timeout };
    Ok(Arc::new(Health::new(upstreams(section)?.into_iter().map(probed).collect(), settings)))
}

/// The proxy's own settings.
pub(super) fn proxy(section: &config::Proxy, tls: Option<ServerTls>) -> Result<proxy::Settings, GatewayError> {
    let limits = &section.limits;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(proxy::Settings {
        listen: section.listen.clone(),
        threads: NonZeroUsize::new(section.workers).unwrap_or(cores),
        upstreams: upstreams(section)?,
        tls,
        limits: proxy::Limits {
            request_head_bytes: limits.request_head_bytes,
            header_count: limits.header_count,
            held_answer_bytes: limits.response_item_bytes,
            header_read_timeout: limits.header_read_timeout,
            upstream_connect_timeout: limits.upstream_connect_timeout,
            upstream_read_timeout: limits.upstream_read_timeout,
            request_body_timeout: limits.request_body_timeout,
            client_write_timeout: limits.client_write_timeout,
            max_connections: limits.max_connections,
            max_in_flight: limits.max_in_flight,
        },
        health: health(section)?,
        metadata_cache: MetadataCacheSettings { ttl: section.metadata_cache.ttl, bytes: section.metadata_cache.bytes },
    })
}

/// Where and how the other engine serves.
#[cfg(feature = "pingora")]
pub(super) fn pingora_listening(section: &config::Proxy, tls: Option<ServerTls>) -> pingora_door::Listening {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    pingora_door::Listening { listen: section.listen.clone(), threads: NonZeroUsize::new(section.workers).unwrap_or(cores), tls }
}

/// The section's settings for a door on Pingora, whoever serves it.
///
/// # Errors
/// When an upstream or its authorities cannot be used.
#[cfg(feature = "pingora")]
pub fn pingora_settings(section: &config::Proxy) -> Result<pingora_door::Settings, GatewayError> {
    let limits = &section.limits;
    let metadata = metadata(section)?;
    let upstreams = upstreams(section)?.into_iter().map(|url| pingora_door::UpstreamUrl { host: url.host, port: url.port, is_tls: url.tls.is_some() });
    Ok(pingora_door::Settings {
        upstreams: upstreams.collect(),
        upstream_ca: section.upstream_ca.clone(),
        limits: pingora_door::Limits {
            request_head_bytes: limits.request_head_bytes,
            held_answer_bytes: limits.response_item_bytes,
            header_read_timeout: limits.header_read_timeout,
            upstream_connect_timeout: limits.upstream_connect_timeout,
            upstream_read_timeout: limits.upstream_read_timeout,
            request_body_timeout: limits.request_body_timeout,
            client_write_timeout: limits.client_write_timeout,
            max_connections: limits.max_connections,
            max_in_flight: limits.max_in_flight,
        },
        health: health(section)?,
        metadata,
    })
}

/// Envoy's services' own settings.
pub(super) fn envoy(section: &config::Envoy, limits: &config::Limits) -> envoy::Settings {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    envoy::Settings {
        listen: section.listen.clone(),
        threads: NonZeroUsize::new(section.workers).unwrap_or(cores),
        ext_proc: section.ext_proc,
        limits: envoy::Limits {
            request_head_bytes: limits.request_head_bytes,
            request_body_bytes: limits.request_body_bytes,
            header_read_timeout: limits.header_read_timeout,
            request_body_timeout: limits.request_body_timeout,
            max_connections: limits.max_connections,
            max_in_flight: limits.max_in_flight,
        },
    }
}

/// What doors that carry no bytes themselves read metadata with: from the proxy's upstreams, or nowhere
/// where there are none.
pub(super) fn metadata(section: &config::Proxy) -> Result<Metadata, GatewayError> {
    let authority = section.upstream_ca.as_deref().map(read).transpose()?;
    let client = HttpClient::new(authority.as_deref().map_or(Authorities::Native, Authorities::Private))?;
    let cache = MetadataCacheSettings { ttl: section.metadata_cache.ttl, bytes: section.metadata_cache.bytes };
    Ok(Metadata::of(section.upstream.clone(), client, MetadataCache::new(cache), section.limits.upstream_read_timeout))
}

fn upstreams(section: &config::Proxy) -> Result<Vec<UpstreamUrl>, GatewayError> {
    let is_tls = |url: &Uri| url.scheme() == Some(&Scheme::HTTPS);
    let tls = if section.upstream.iter().any(is_tls) {
        let authority = section.upstream_ca.as_deref().map(read).transpose()?;
        Some(client_tls(authority.as_deref())?)
    } else {
        None
    };
    section.upstream.iter().map(|url| upstream(url, tls.as_ref().filter(|_| is_tls(url)))).collect()
}

fn upstream(url: &Uri, tls: Option<&Arc<ClientConfig>>) -> Result<UpstreamUrl, GatewayError> {
    let unusable = || GatewayError::Upstream(without_userinfo(&url.to_string()).into_owned());
    let host = url.host().ok_or_else(unusable)?.to_owned();
    let port = url.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let name = || ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| unusable());
    let tls = tls.map(|config| Ok::<_, GatewayError>(UpstreamTls { config: Arc::clone(config), name: name()? })).transpose()?;
    Ok(UpstreamUrl { host, port, tls })
}

/// Refuses an authority of upstreams that cannot be used, whether an upstream is asked by https or not.
pub(super) fn require_authority(section: &config::Proxy) -> Result<(), GatewayError> {
    let Some(path) = &section.upstream_ca else { return Ok(()) };
    let unusable = |source| GatewayError::Certificates { key: "proxy.upstream_ca", path: path.clone(), source };
    client_tls(Some(&read(path)?)).map(|_| ()).map_err(unusable)
}

/// The API maps, checked together.
pub(super) fn maps(paths: &[PathBuf]) -> Result<ApiMap, GatewayError> {
    let documents = paths.iter().map(|path| Ok((path.display().to_string(), yaml(path)?)));
    let documents = documents.collect::<Result<Vec<_>, GatewayError>>()?;
    ApiMap::load(&documents).map_err(GatewayError::Maps)
}

fn yaml(path: &Path) -> Result<Value, GatewayError> {
    let invalid = |message: String| GatewayError::Yaml { path: path.to_owned(), message };
    let text = String::from_utf8(read(path)?).map_err(|error| invalid(error.to_string()))?;
    read_yaml(&text).map_err(invalid)
}

fn read(path: &Path) -> Result<Vec<u8>, GatewayError> {
    std::fs::read(path).map_err(|source| GatewayError::File { path: path.to_owned(), source })
}

/// The forward-auth door's own settings.
pub(super) fn forward_auth(section: &config::ForwardAuth, limits: &config::Limits, listening: Option<SocketAddr>) -> forward_auth::Settings {
    // Where nobody says how it is reached, it is reached where it listens.
    let own = || listening.map(|address| format!("http://{address}")).unwrap_or_default();
    forward_auth::Settings {
        trusted_peers: section.trusted_peers.clone(),
        limits: forward_auth::Limits {
            request_head_bytes: limits.request_head_bytes,
            header_count: limits.header_count,
            header_read_timeout: limits.header_read_timeout,
            max_connections: limits.max_connections,
            max_in_flight: limits.max_in_flight,
        },
        public_url: section.public_url.as_ref().map_or_else(own, |url| url.to_string().trim_end_matches('/').to_owned()),
        questions: section.questions,
        question_bytes: section.question_bytes,
    }
}

/// The limits of the operator's door.
pub(super) fn admin(limits: &config::Limits) -> admin::Limits {
    admin::Limits { head_bytes: limits.request_head_bytes, head_time: limits.header_read_timeout, body_time: limits.request_body_timeout }
}

/// What verdicts depend on.
pub(super) fn world(config: &Config) -> snapshot::Settings {
    config.settings(&instance_prefix(config))
}

/// What a problem's `instance` begins with; the decision id follows. It leads to the control plane,
/// which the section names, or else the snapshot's source is a part of.
fn instance_prefix(config: &Config) -> String {
    let source = match &config.snapshot.source {
        SnapshotOrigin::Http(url) => Some(url),
        SnapshotOrigin::File(_) => None,
    };
    let named = config.control.as_ref().and_then(|control| control.public_url.as_ref());
    let origin = |url: &Uri| Some(format!("{}://{}", url.scheme_str()?, url.authority()?));
    format!("{}/app/insights/logs/", named.or(source).and_then(origin).unwrap_or_default())
}

/// The decision log.
pub(super) fn log(config: &Config) -> Result<LogSettings, GatewayError> {
    let section = &config.decisions;
    let sinks = section.sinks.iter().map(|sink| log_sink(sink, config)).collect::<Result<Vec<_>, _>>()?;
    Ok(LogSettings {
        sinks: sinks.into_iter().flatten().collect(),
        when: match section.when {
            config::When::All => When::All,
            config::When::Denied => When::Denied,
            config::When::Sampled(share) => When::Sampled(share),
        },
        on_full: match section.on_full {
            config::OnFull::Drop => OnFull::Drop,
            config::OnFull::Block => OnFull::Block,
        },
    })
}

fn log_sink(sink: &config::Sink, config: &Config) -> Result<Option<Sink>, GatewayError> {
    Ok(match sink {
        config::Sink::Stdout => Some(Sink::Stdout),
        config::Sink::File(path) => Some(Sink::File(path.clone())),
        config::Sink::Control => {
            let client = HttpClient::new(Authorities::Native)?;
            // Without a URL the configuration is refused.
            config.decisions_url().map(|url| Sink::Control(PostSettings { client, url, authorization: config.snapshot.authorization() }))
        }
        // Refused by `require_available`.
        config::Sink::Otlp => None,
    })
}
