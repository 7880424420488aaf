//! Certificates on disk that are renewed while the gateway serves.

use crate::support::certificates::{Authority, authority, connected, issue};
use crate::support::client::Client;
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use crate::support::world::{api_map, snapshot};
use doorward::config::Config;
use doorward::gateway::Gateway;
use std::net::SocketAddr;
use std::path::Path;

async fn gateway(folder: &Path, upstream: &Upstream) -> Gateway {
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("map.yaml"), api_map().to_string()).unwrap();
    std::fs::write(path("snapshot.json"), snapshot().to_string()).unwrap();
    let text = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{}\"\ntls = {{ certificate = \"{}\", key = \"{}\" }}\n[admin]\nlisten = []\n\
         [api]\nmaps = [\"{}\"]\n[snapshot]\nsource = \"file:{}\"\n[decisions]\nsink = \"none\"\n",
        upstream.address,
        path("certificate.pem"),
        path("key.pem"),
        path("map.yaml"),
        path("snapshot.json")
    );
    let gateway = Gateway::start(Config::parse("doorward.toml", &text, []).unwrap()).await.unwrap();
    within(gateway.ready()).await;
    gateway
}

fn write(folder: &Path, (certificate, key): &(String, String)) {
    std::fs::write(folder.join("key.pem"), key).unwrap();
    std::fs::write(folder.join("certificate.pem"), certificate).unwrap();
}

/// Waits until a new connection is shown a certificate of this authority.
async fn shown(address: SocketAddr, by: &Authority) {
    within(async {
        while connected(address, by).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn files_that_change_are_shown_and_files_that_are_no_pair_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (old, new, last) = (authority(), authority(), authority());
    write(folder.path(), &issue(&old, "door.example"));
    let gateway = gateway(folder.path(), &upstream).await;
    let address = gateway.listening().proxy[0];
    let mut open = Client::over(connected(address, &old).await.unwrap());
    assert_eq!(open.get("/free").await.status, 200);
    write(folder.path(), &issue(&new, "door.example"));
    shown(address, &new).await;
    assert!(connected(address, &old).await.is_err());
    // The connection that stood goes on.
    assert_eq!(open.get("/free").await.status, 200);
    // A key that is another's, and a file that is none: looked at, and not shown.
    for (certificate, key) in [(issue(&last, "door.example").0, issue(&last, "door.example").1), ("nothing".to_owned(), String::new())] {
        write(folder.path(), &(certificate, key));
        let looked_at = doorward::observe::clock::monotonic();
        while looked_at.elapsed() < std::time::Duration::from_millis(1500) {
            connected(address, &new).await.unwrap();
        }
    }
    write(folder.path(), &issue(&last, "door.example"));
    shown(address, &last).await;
    assert_eq!(open.get("/free").await.status, 200);
}
