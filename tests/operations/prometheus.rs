//! The real Prometheus, as a process of its own that scrapes what it is told and evaluates the alerts
//! that the project ships.

use crate::support::address::reserved;
use crate::support::client::{Answer, Client};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A running Prometheus; it is killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The path of a program that the project is tried against; it is installed where it is missing.
pub(crate) fn program(name: &str) -> PathBuf {
    let output = Command::new(project("tests/support/programs")).arg(name).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "there is no {name}, and it could not be installed");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// Runs a program to its end.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(program(name)).args(arguments).output().unwrap()
}

impl Prometheus {
    /// Starts it; it scrapes these addresses, four times a second.
    pub(crate) async fn start(targets: &[SocketAddr]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        let config = serde_json::json!({
            "global": { "scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms" },
            "rule_files": [project("config/prometheus/alerts.yml")],
            "scrape_configs": [{ "job_name": "doorward", "static_configs": [{ "targets": targets }] }],
        });
        let path = folder.path().join("prometheus.yml");
        std::fs::write(&path, config.to_string()).unwrap();
        let address = reserved();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let program = tokio::task::spawn_blocking(|| program("prometheus")).await.unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut prometheus = Self { child, address, folder };
        prometheus.ready().await;
        prometheus
    }

    async fn ready(&mut self) {
        let connects = async {
            while tokio::net::TcpStream::connect(self.address).await.is_err() {
                if let Some(status) = self.child.try_wait().unwrap() {
                    panic!("it ended, {status}: {}", std::fs::read_to_string(self.folder.path().join("log")).unwrap());
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), connects).await.expect("it does not listen");
        let loads = async {
            while self.answer("/-/ready").await.status != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), loads).await.expect("it is never ready");
    }

    async fn answer(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.address).await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        client.answer().await
    }

    /// The answer of its API.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let answer = self.answer(path).await;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{path}: {} {}", answer.status, answer.text()));
        assert_eq!(value["status"], "success", "{path}: {value}");
        value["data"].clone()
    }

    /// The labels and the values of an instant query's series; values that are no number are left out.
    pub(crate) async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let encoded = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let data = self.ask(&format!("/api/v1/query?query={encoded}")).await;
        let series = data["result"].as_array().unwrap().iter();
        let read = series.map(|series| (series["metric"].clone(), series["value"][1].as_str().unwrap().parse::<f64>().unwrap()));
        read.filter(|(_, value)| value.is_finite()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
