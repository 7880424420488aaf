//! `doorward serve` as a process of its own, with a folder of its own.

use crate::support::address::reserved;
use crate::support::client::{Answer, Client};
use crate::support::within;
use crate::support::world::{api_map, snapshot};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A folder with an API map, a configuration and perhaps a snapshot.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// A running process; it is killed when dropped.
pub(crate) struct Process {
    child: Child,
    errors: PathBuf,
}

/// What a command came to that has ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl Said {
    /// All that it said.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.errors)
    }
}

/// Runs a command to its end, which must come; one that serves instead is killed.
pub(crate) async fn said(mut command: Command) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let (out, errors) = (folder.path().join("out"), folder.path().join("errors"));
    let file = |path| std::fs::File::create(path).unwrap();
    let child = command.stdout(file(&out)).stderr(file(&errors)).spawn().unwrap();
    let code = Process { child, errors: errors.clone() }.end().await.code();
    Said { code, out: std::fs::read_to_string(out).unwrap(), errors: std::fs::read_to_string(errors).unwrap() }
}

/// `doorward` with a configuration and these variables.
pub(crate) fn doorward(command: &str, config: &Path, variables: &[(String, String)]) -> Command {
    let mut doorward = Command::new(env!("CARGO_BIN_EXE_doorward"));
    doorward.arg(command).arg("--config").arg(config).envs(variables.iter().cloned()).env("RUST_LOG", "trace");
    doorward
}

impl Site {
    /// In front of this upstream, with these further lines in the configuration.
    pub(crate) fn new(upstream: SocketAddr, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder, proxy: reserved(), admin: reserved() };
        std::fs::write(site.path("map.yaml"), api_map().to_string()).unwrap();
        let text = format!(
            "[proxy]\nlisten = \"{}\"\nupstream = \"http://{upstream}\"\nworkers = 2\n[admin]\nlisten = \"{}\"\n[api]\nmaps = [{:?}]\n\
             [snapshot]\nsource = \"file:{}\"\npoll = \"1s\"\n[decisions]\nsink = \"none\"\n{more}\n",
            site.proxy,
            site.admin,
            site.path("map.yaml"),
            site.path("snapshot.json").display()
        );
        std::fs::write(site.path("doorward.toml"), text).unwrap();
        site
    }

    /// The same, with a snapshot to begin with.
    pub(crate) fn ready(upstream: SocketAddr, more: &str) -> Self {
        let site = Self::new(upstream, more);
        site.publish(&snapshot());
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn publish(&self, document: &Value) {
        // Moved into place, so that it is never read half written.
        std::fs::write(self.path("snapshot.new"), document.to_string()).unwrap();
        std::fs::rename(self.path("snapshot.new"), self.path("snapshot.json")).unwrap();
    }

    /// What starts the process.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("serve").arg("--config").arg(self.path("doorward.toml"));
        command
    }

    /// Starts the process and waits until it listens.
    pub(crate) async fn start(&self) -> Process {
        Process::listening(self.command(), self.folder.path()).await
    }

    /// Asks the operator's door, by a connection of its own.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.admin).await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        client.answer().await
    }

    /// Waits until `/readyz` has this status; gives what it says.
    pub(crate) async fn readiness(&self, status: u16) -> String {
        within(async {
            loop {
                let answer = self.ask("/readyz").await;
                if answer.status == status {
                    return answer.text().to_owned();
                }
            }
        })
        .await
    }
}

impl Process {
    /// Starts it; what it prints goes nowhere.
    pub(crate) fn begin(mut command: Command, folder: &Path) -> Self {
        let errors = folder.join(format!("errors-{}", std::fs::read_dir(folder).unwrap().count()));
        let child = command.stdout(Stdio::piped()).stderr(std::fs::File::create(&errors).unwrap()).spawn().unwrap();
        Self { child, errors }
    }

    /// Starts it and waits until it says that it listens.
    pub(crate) async fn listening(command: Command, folder: &Path) -> Self {
        let mut process = Self::begin(command, folder);
        let mut printed = BufReader::new(process.child.stdout.take().unwrap());
        let mut line = String::new();
        let line = within(tokio::task::spawn_blocking(move || printed.read_line(&mut line).map(|_| line))).await.unwrap().unwrap();
        assert!(line.contains("\"listening\""), "{line}{}", process.errors());
        process
    }

    /// What it said of itself.
    pub(crate) fn errors(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn tell(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it ended already.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends.
    pub(crate) async fn end(mut self) -> ExitStatus {
        within(async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
