//! The engine that a test binary runs its door on: hyper, or Pingora in a binary that is named after
//! it, so that one test serves both.

use doorward::door::{Serving, Wiring};
use doorward::proxy::{self, Settings};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Whether this binary's doors run on Pingora.
pub const IS_PINGORA: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), [.., b'p', b'i', b'n', b'g', b'o', b'r', b'a']);

/// The engine's name in a configuration.
pub const ENGINE: &str = if IS_PINGORA { "pingora" } else { "hyper" };

/// A door with these settings, and where it listens.
pub fn open(settings: Settings, upstream_ca: Option<PathBuf>, wiring: &Wiring) -> (SocketAddr, Serving) {
    #[cfg(feature = "pingora")]
    if IS_PINGORA {
        let (listening, settings) = by_pingora(settings, upstream_ca);
        let proxy = doorward::pingora::Proxy::bind(listening, settings).unwrap();
        let address = proxy.addresses()[0];
        return (address, proxy.serve(wiring).unwrap());
    }
    // The other engine has them in its settings.
    drop(upstream_ca);
    let proxy = proxy::Proxy::bind(settings).unwrap();
    (proxy.addresses()[0], proxy.serve(wiring).unwrap())
}

/// The same settings for the other engine.
#[cfg(feature = "pingora")]
fn by_pingora(settings: Settings, upstream_ca: Option<PathBuf>) -> (doorward::pingora::Listening, doorward::pingora::Settings) {
    use doorward::door::{Metadata, MetadataCache};
    use doorward::http_client::{Authorities, HttpClient};
    use doorward::pingora::{Limits, Listening, UpstreamUrl};
    let uris = settings.upstreams.iter().map(|url| format!("http://{}:{}", url.host, url.port).parse().unwrap()).collect();
    let cache = MetadataCache::new(settings.metadata_cache);
    let limits = settings.limits;
    let metadata = Metadata::of(uris, HttpClient::new(Authorities::Native).unwrap(), cache, limits.upstream_read_timeout);
    let url = |url: proxy::UpstreamUrl| UpstreamUrl { host: url.host, port: url.port, is_tls: url.tls.is_some() };
    let limits = Limits {
        request_head_bytes: limits.request_head_bytes,
        held_answer_bytes: limits.held_answer_bytes,
        header_read_timeout: limits.header_read_timeout,
        upstream_connect_timeout: limits.upstream_connect_timeout,
        upstream_read_timeout: limits.upstream_read_timeout,
        request_body_timeout: limits.request_body_timeout,
        client_write_timeout: limits.client_write_timeout,
        max_connections: limits.max_connections,
        max_in_flight: limits.max_in_flight,
    };
    let listening = Listening { listen: settings.listen, threads: settings.threads, tls: settings.tls };
    let upstreams = settings.upstreams.into_iter().map(url).collect();
    (listening, doorward::pingora::Settings { upstreams, upstream_ca, limits, health: settings.health, metadata })
}
