//! A running proxy in front of an upstream.

use super::engine;
use super::upstream::Upstream;
use super::within;
use super::world::world;
use doorward::door::{Aside, Health, MetadataCacheSettings, Serving, Wiring};
use doorward::observe::clock::WallClock;
use doorward::observe::{DecisionLog, Labels, LogSettings, Metrics, OnFull, When};
use doorward::proxy::{Limits, Settings, UpstreamUrl};
use doorward::snapshot::WorldStore;
use doorward::sources::{KeySets, Tokens};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// What a test changes before the door opens.
pub struct Plan {
    /// The proxy's settings.
    pub settings: Settings,
    /// The decision log's.
    pub log: LogSettings,
    /// The world.
    pub world: doorward::snapshot::World,
    /// The issuers and their keys.
    pub keys: Arc<KeySets>,
    /// The authorities of https upstreams, for the engine that reads them itself.
    pub upstream_ca: Option<std::path::PathBuf>,
    /// The time that calls are judged by.
    pub clock: WallClock,
}

/// A running proxy; it ends when dropped.
pub struct Doorward {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// The world in force.
    pub world: Arc<WorldStore>,
    /// The connections of its clients.
    pub serving: Serving,
    /// What it works with, for doors beside it.
    pub wiring: Wiring,
}

impl Doorward {
    /// In front of this upstream, with the defaults.
    pub fn before(upstream: &Upstream) -> Self {
        Self::planned(&[upstream.address], |_| {})
    }

    /// In front of these upstreams, as planned.
    pub fn planned(upstreams: &[SocketAddr], change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan {
            settings: settings(upstreams),
            log: LogSettings { sinks: vec![], when: When::All, on_full: OnFull::Block },
            world: world(),
            keys: Arc::new(KeySets::new(vec![])),
            upstream_ca: None,
            clock: WallClock::default(),
        };
        change(&mut plan);
        let metrics = Arc::new(Metrics::new(&Labels { entities: vec!["Portfolio".into()], issuers: vec![] }).unwrap());
        let log = Arc::new(DecisionLog::open(&plan.log, Arc::clone(&metrics)).unwrap());
        let tokens = Arc::new(Tokens::new(plan.keys, Arc::clone(&metrics) as _));
        let world = Arc::new(WorldStore::new(plan.world));
        let wiring = Wiring {
            world: Arc::clone(&world),
            tokens,
            metrics: Arc::clone(&metrics),
            log,
            clock: plan.clock,
            aside: Aside::default(),
            shadow: None,
        };
        let (address, serving) = engine::open(plan.settings, plan.upstream_ca, &wiring);
        Self { address, metrics, world, serving, wiring }
    }

    /// The value of one line of the metrics.
    pub fn metric(&self, line: &str) -> f64 {
        let text = self.metrics.render().unwrap();
        let found = text.lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no `{line}` in\n{text}")).parse().unwrap()
    }

    /// Waits until a line of the metrics has this value: a call is counted when its answer is gone.
    pub async fn comes_to(&self, line: &str, value: f64) {
        within(async {
            while self.metric(line) != value {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn settings(upstreams: &[SocketAddr]) -> Settings {
    let url = |address: &SocketAddr| UpstreamUrl { host: address.ip().to_string(), port: address.port(), tls: None };
    Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        threads: NonZeroUsize::MIN,
        upstreams: upstreams.iter().map(url).collect(),
        tls: None,
        limits: Limits {
            request_head_bytes: 65536,
            header_count: 100,
            held_answer_bytes: 8 << 20,
            header_read_timeout: Duration::from_secs(10),
            upstream_connect_timeout: Duration::from_secs(5),
            upstream_read_timeout: Duration::from_secs(10),
            request_body_timeout: Duration::from_secs(10),
            client_write_timeout: Duration::from_secs(10),
            max_connections: 100,
            max_in_flight: 100,
        },
        health: Arc::new(Health::default()),
        metadata_cache: MetadataCacheSettings { ttl: Duration::from_secs(5), bytes: 1 << 20 },
    }
}
