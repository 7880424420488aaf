//! A data plane whose only door is forward auth, as its configuration opens it.

use crate::support::client::{Answer, Client};
use crate::support::within;
use crate::support::world::{api_map, snapshot};
use doorward::config::Config;
use doorward::gateway::Gateway;
use serde_json::Value;
use std::net::SocketAddr;

/// A running data plane.
pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    _folder: tempfile::TempDir,
}

impl Site {
    /// The usual world, with loopback trusted.
    pub(crate) async fn open(upstream: SocketAddr) -> Self {
        Self::with(upstream, &snapshot(), "").await
    }

    /// This snapshot, or none that loads where it is null, and more lines for `[forward_auth]` and the sections behind it.
    pub(crate) async fn with(upstream: SocketAddr, snapshot: &Value, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("map.yaml"), api_map().to_string()).unwrap();
        std::fs::write(path("snapshot.json"), snapshot.to_string()).unwrap();
        let text = format!(
            "[proxy]\nlisten = []\nupstream = \"http://{upstream}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[api]\nmaps = [\"{}\"]\n\
             [snapshot]\nsource = \"file:{}\"\n[decisions]\nsink = \"none\"\nwhen = \"all\"\n[forward_auth]\nlisten = \"127.0.0.1:0\"\n{more}",
            path("map.yaml"),
            path("snapshot.json")
        );
        let gateway = Gateway::start(Config::parse("doorward.toml", &text, []).unwrap()).await.unwrap();
        if !snapshot.is_null() {
            within(gateway.ready()).await;
        }
        Self { gateway, _folder: folder }
    }

    /// Where the door is.
    pub(crate) fn door(&self) -> SocketAddr {
        self.gateway.listening().forward_auth[0]
    }

    /// The answer to a GET of this path with these header lines, each ended by CR LF.
    pub(crate) async fn ask(&self, path: &str, headers: &str) -> Answer {
        ask(self.door(), &format!("GET {path} HTTP/1.1\r\nhost: doorward\r\n{headers}\r\n")).await
    }

    /// The answer of the operator's door.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        ask(self.gateway.listening().admin[0], &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await
    }

    /// The value of one line of the metrics.
    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let metrics = self.admin("/metrics").await;
        metrics.text().lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(' ')?.parse().ok()).unwrap_or_default()
    }
}

/// The answer to these bytes, on a connection of their own.
pub(crate) async fn ask(address: SocketAddr, bytes: &str) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(bytes).await;
    if bytes.starts_with("HEAD ") { client.head().await } else { client.answer().await }
}
