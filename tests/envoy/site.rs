//! A real Envoy with a shipped configuration, in which only addresses are others, and the services
//! that it asks.

#![allow(dead_code, unreachable_pub, reason = "nouns are shared, and no test uses every one")]

use crate::support::client::Client;
use crate::support::within;
use crate::support::world::world;
use doorward::door::Serving;
use doorward::door::{Aside, Metadata, MetadataCache, MetadataCacheSettings, Wiring};
use doorward::envoy::{Envoy, Limits, Settings};
use doorward::http_client::{Authorities, HttpClient};
use doorward::observe::clock::WallClock;
use doorward::observe::{DecisionLog, Labels, LogSettings, Metrics, OnFull, When};
use doorward::snapshot::{World, WorldStore};
use doorward::sources::{KeySets, Tokens};
use serde_json::Value;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What a test changes before the services open.
pub struct Plan {
    /// Theirs.
    pub settings: Settings,
    /// The world.
    pub world: World,
    /// The issuers and their keys.
    pub keys: Arc<KeySets>,
    /// The time that calls are judged by.
    pub clock: WallClock,
    /// The decision log's.
    pub log: LogSettings,
}

/// Running services; they end when dropped.
pub struct Services {
    /// Where they listen.
    pub address: SocketAddr,
    /// What they count.
    pub metrics: Arc<Metrics>,
    serving: Serving,
}

impl Services {
    /// Both, before this API, which is asked for metadata.
    pub fn before(api: SocketAddr) -> Self {
        Self::planned(api, |_| {})
    }

    /// The same, as planned.
    pub fn planned(api: SocketAddr, change: impl FnOnce(&mut Plan)) -> Self {
        let patience = Duration::from_secs(10);
        let limits = Limits {
            request_head_bytes: 65536,
            request_body_bytes: 8 << 20,
            header_read_timeout: patience,
            request_body_timeout: patience,
            max_connections: 100,
            max_in_flight: 1000,
        };
        let settings = Settings { listen: vec!["127.0.0.1:0".parse().unwrap()], threads: NonZeroUsize::MIN, ext_proc: true, limits };
        let log = LogSettings { sinks: vec![], when: When::All, on_full: OnFull::Block };
        let mut plan = Plan { settings, world: world(), keys: Arc::new(KeySets::new(vec![])), clock: WallClock::default(), log };
        change(&mut plan);
        let metrics = Arc::new(Metrics::new(&Labels { entities: vec!["Portfolio".into()], issuers: vec![] }).unwrap());
        let log = Arc::new(DecisionLog::open(&plan.log, Arc::clone(&metrics)).unwrap());
        let tokens = Arc::new(Tokens::new(plan.keys, Arc::clone(&metrics) as _));
        let world = Arc::new(WorldStore::new(plan.world));
        let envoy = Envoy::bind(plan.settings).unwrap();
        let address = envoy.addresses()[0];
        let serving = envoy
            .serve(&Wiring { world, tokens, metrics: Arc::clone(&metrics), log, clock: plan.clock, aside: Aside::default(), shadow: None }, &metadata(api))
            .unwrap();
        Self { address, metrics, serving }
    }

    /// Closes them in good order.
    pub async fn close(self) {
        self.stop(Duration::from_secs(5)).await;
    }

    /// The same, with so long a time for what is open.
    pub async fn stop(self, deadline: Duration) {
        within(self.serving.stop(deadline)).await;
    }

    /// The value of one line of the metrics.
    pub fn metric(&self, line: &str) -> f64 {
        let text = self.metrics.render().unwrap();
        let found = text.lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no `{line}` in\n{text}")).parse().unwrap()
    }
}

fn metadata(api: SocketAddr) -> Metadata {
    let client = HttpClient::new(Authorities::Private(b"")).or_else(|_| HttpClient::new(Authorities::Native)).unwrap();
    // The API answers each test's next call otherwise.
    let cache = MetadataCache::new(MetadataCacheSettings { ttl: Duration::ZERO, bytes: 1 << 20 });
    Metadata::of(vec![format!("http://{api}").parse().unwrap()], client, cache, Duration::from_secs(10))
}

/// A running Envoy; it is killed when dropped.
pub struct EnvoyProcess {
    /// Where it takes calls.
    pub address: SocketAddr,
    admin: SocketAddr,
    child: Child,
    folder: tempfile::TempDir,
}

impl EnvoyProcess {
    /// With a shipped configuration, before this API and asking these services.
    pub async fn start(config: &str, services: SocketAddr, api: SocketAddr) -> Self {
        Self::changed(config, services, api, &[]).await
    }

    /// The same, with these texts in place of others, each of which must be there.
    pub async fn changed(config: &str, services: SocketAddr, api: SocketAddr, changes: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = std::fs::read_to_string(root.join("config/envoy").join(config)).unwrap();
        let ports = [("8080", 0), ("9904", 0), ("9902", services.port()), ("9000", api.port())]
            .map(|(from, to)| (format!("port_value: {from} "), format!("port_value: {to} ")));
        let changes = changes.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        for (from, to) in ports.into_iter().chain(changes) {
            assert!(text.contains(&from), "no `{from}` in {config}");
            text = text.replace(&from, &to);
        }
        let folder = tempfile::tempdir().unwrap();
        let [path, log, admin] = ["envoy.yaml", "log", "admin"].map(|name| folder.path().join(name));
        std::fs::write(&path, text).unwrap();
        let program = tokio::task::spawn_blocking(program).await.unwrap();
        let mut command = Command::new(program);
        command.args(["--disable-hot-restart", "--concurrency", "1", "-l", "warning", "-c"]).arg(&path);
        command.arg("--log-path").arg(&log).arg("--admin-address-path").arg(&admin);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut envoy = Self { address: services, admin: services, child, folder };
        within(envoy.listening(&admin)).await;
        envoy
    }

    /// Waits until it listens, and finds out where.
    async fn listening(&mut self, file: &Path) {
        while !std::fs::read_to_string(file).is_ok_and(|text| text.contains(':')) {
            assert!(self.child.try_wait().unwrap().is_none(), "Envoy ended: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.admin = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        while self.ask("/ready").await.trim() != "LIVE" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let listeners: Value = serde_json::from_str(&self.ask("/listeners?format=json").await).unwrap();
        let port = listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"].as_u64().unwrap();
        self.address.set_port(port.try_into().unwrap());
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What its operator's door says.
    pub async fn ask(&self, path: &str) -> String {
        let mut client = Client::connect(self.admin).await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")).await;
        String::from_utf8(client.answer().await.body).unwrap()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for EnvoyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The real program, installed where it is missing.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/programs");
        let output = Command::new(script).arg("envoy").stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "no envoy");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}
