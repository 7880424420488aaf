//! The real proxies, each with the configuration that the project ships.

use crate::support::address::reserved;
use crate::support::within;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;

/// A proxy that forwards calls and asks for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Nginx,
    Traefik,
    Caddy,
    HaProxy,
    Envoy,
}

/// A running proxy; it ends when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    child: Child,
    /// Whether it runs in several processes.
    is_many: bool,
    folder: tempfile::TempDir,
}

/// Who the proxy has to do with.
#[derive(Clone, Copy)]
pub(crate) struct Neighbours {
    pub(crate) door: SocketAddr,
    pub(crate) api: SocketAddr,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::HaProxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    /// Its files, as the project ships them.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx/nginx.conf"],
            Self::Traefik => &["traefik/traefik.yaml", "traefik/dynamic.yaml"],
            Self::Caddy => &["caddy/Caddyfile"],
            Self::HaProxy => &["haproxy/haproxy.cfg", "haproxy/doorward.lua"],
            Self::Envoy => &["envoy/http_ext_authz.yaml"],
        }
    }

    /// Starts it in front of an API.
    pub(crate) async fn start(self, neighbours: Neighbours) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let address = reserved();
        for file in self.files() {
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(file)).unwrap();
            let name = Path::new(file).file_name().unwrap();
            std::fs::write(folder.path().join(name), placed(&text, address, neighbours, folder.path())).unwrap();
        }
        let program = tokio::task::spawn_blocking(move || path_of(self)).await.unwrap();
        let mut command = Command::new(program);
        self.arguments(&mut command, folder.path());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut running = Running { address, child, is_many: self == Self::Nginx, folder };
        running.ready().await;
        running
    }

    fn arguments(self, command: &mut Command, folder: &Path) {
        let file = |name: &str| folder.join(name);
        match self {
            Self::Nginx => {
                let own = format!("daemon off; pid {};", file("nginx.pid").display());
                command.arg("-p").arg(folder).arg("-c").arg(file("nginx.conf")).args(["-e", "stderr", "-g", &own])
            }
            Self::Traefik => command.arg(format!("--configFile={}", file("traefik.yaml").display())),
            Self::Caddy => command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file("Caddyfile")).env("HOME", folder).env("XDG_DATA_HOME", folder),
            Self::HaProxy => command.args(["-db", "-f"]).arg(file("haproxy.cfg")),
            Self::Envoy => command.args(["--disable-hot-restart", "--concurrency", "1", "-l", "warning", "-c"]).arg(file("http_ext_authz.yaml")),
        };
    }
}

/// The text with the addresses and paths of this test.
fn placed(text: &str, address: SocketAddr, neighbours: Neighbours, folder: &Path) -> String {
    let mut text = text.to_owned();
    for (own, here) in [("8080", address), ("9903", neighbours.door), ("9000", neighbours.api)] {
        text = text.replace(&format!("127.0.0.1:{own}"), &here.to_string());
        text = text.replace(&format!("address: 127.0.0.1, port_value: {own}"), &format!("address: 127.0.0.1, port_value: {}", here.port()));
        text = text.replace(&format!("http://:{own}"), &format!("http://:{}", here.port()));
    }
    let path = |name: &str| folder.join(name).display().to_string();
    for (own, name) in [
        ("/var/log/nginx/error.log", "error.log"),
        ("/var/log/nginx/access.log", "access.log"),
        ("config/traefik/dynamic.yaml", "dynamic.yaml"),
        ("/etc/haproxy/doorward.lua", "doorward.lua"),
    ] {
        text = text.replace(own, &path(name));
    }
    text
}

fn path_of(program: Program) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/programs");
    let output = std::process::Command::new(script).arg(program.name()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "there is no {}", program.name());
    String::from_utf8(output.stdout).unwrap().trim().into()
}

impl Running {
    async fn ready(&mut self) {
        let connects = async {
            while TcpStream::connect(self.address).await.is_err() {
                if let Some(status) = self.child.try_wait().unwrap() {
                    panic!("it ended, {status}: {}", std::fs::read_to_string(self.folder.path().join("log")).unwrap());
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), connects).await.expect("it does not listen");
    }

    /// What it says of itself.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx ends its workers when it is asked to end; killed, it would leave them behind.
        let asked = self.is_many.then(|| Command::new("kill").arg(self.child.id().to_string()).status());
        if !asked.is_some_and(|asked| asked.is_ok_and(|status| status.success())) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Waits until a connection is accepted no more.
pub(crate) async fn gone(address: SocketAddr) {
    within(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
