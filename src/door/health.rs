//! Whether each of several upstreams is well, found out by asking it regularly. A probe carries
//! nothing of any client and is no call: it has no way to send one. What it finds only says who is
//! tried last; an upstream that is down is still tried when no other is left.

use crate::observe::Metrics;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// So many probes in a row must fail before an upstream counts as down; one that succeeds ends that.
const FAILURES: u32 = 2;

/// What is asked, and how often (`[proxy.health_check]`).
#[derive(Clone, Debug)]
pub struct HealthSettings {
    /// The target of a GET that is to be answered 2xx; without one a connection is enough.
    pub path: Option<Box<str>>,
    /// The time between two probes.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
}

/// An upstream to be probed.
#[derive(Clone)]
pub struct Probed {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How it is verified, where it is spoken to by TLS.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// What is known of the upstreams, by their places in the configuration. One for the process.
#[derive(Default)]
pub struct Health {
    upstreams: Vec<(Probed, AtomicU32)>,
    settings: Option<HealthSettings>,
}

impl Health {
    /// Nothing is known of these upstreams yet, so all of them are well.
    #[must_use]
    pub fn new(upstreams: Vec<Probed>, settings: HealthSettings) -> Self {
        Self { upstreams: upstreams.into_iter().map(|probed| (probed, AtomicU32::new(0))).collect(), settings: Some(settings) }
    }

    /// Whether the upstream at this place failed its last probes.
    #[must_use]
    pub fn is_down(&self, place: usize) -> bool {
        self.upstreams.get(place).is_some_and(|(_, failures)| failures.load(Ordering::Relaxed) >= FAILURES)
    }

    /// Probes for ever, all upstreams at once; without settings it ends at once.
    pub async fn run(self: Arc<Self>, metrics: Arc<Metrics>) {
        let Some(settings) = &self.settings else { return };
        loop {
            let mut probes = JoinSet::new();
            for place in 0..self.upstreams.len() {
                let (health, settings) = (Arc::clone(&self), settings.clone());
                probes.spawn(async move { health.probe(place, &settings).await });
            }
            while probes.join_next().await.is_some() {}
            let down = (0..self.upstreams.len()).filter(|&place| self.is_down(place)).count();
            metrics.upstreams_down.set(i64::try_from(down).unwrap_or(i64::MAX));
            tokio::time::sleep(settings.interval).await;
        }
    }

    async fn probe(&self, place: usize, settings: &HealthSettings) {
        let Some((probed, failures)) = self.upstreams.get(place) else { return };
        let is_well = tokio::time::timeout(settings.timeout, probed.answers(settings.path.as_deref())).await;
        let was_down = self.is_down(place);
        if matches!(is_well, Ok(Ok(true))) {
            failures.store(0, Ordering::Relaxed);
        } else {
            failures.store(failures.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        }
        let upstream = format_args!("{}:{}", probed.host, probed.port);
        match (was_down, self.is_down(place)) {
            (false, true) => tracing::warn!(%upstream, "the upstream fails its health check"),
            (true, false) => tracing::info!(%upstream, "the upstream passes its health check again"),
            _ => {}
        }
    }
}

impl Probed {
    async fn answers(&self, path: Option<&str>) -> std::io::Result<bool> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.tls {
            None => self.question(stream, path).await,
            Some((config, name)) => {
                let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await?;
                self.question(stream, path).await
            }
        }
    }

    /// Asks over a connection that stands; only the status is read of the answer.
    async fn question(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, path: Option<&str>) -> std::io::Result<bool> {
        let Some(path) = path else { return Ok(true) };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}:{}\r\nuser-agent: doorward-health\r\naccept: */*\r\nconnection: close\r\n\r\n", self.port);
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut start = [0_u8; 12];
        stream.read_exact(&mut start).await?;
        Ok(matches!(start, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'2', b'0'..=b'9', b'0'..=b'9']))
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Health").field("upstreams", &self.upstreams.len()).field("settings", &self.settings).finish()
    }
}
