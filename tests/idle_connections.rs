//! What a connection costs that nobody uses: the program's own memory, before and after many came.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use support::client::{Client, request};
use support::frames::{Fate, Frames, get};
use support::upstream::{Upstream, ok};
use support::within;
use support::world::{api_map, snapshot};

/// So many, where a process may have so many descriptors.
const CONNECTIONS: usize = 10_000;
/// The descriptors that are for something else.
const OTHERS: usize = 200;
/// What an idle connection may cost, in bytes, in a build without optimization: 10,000 are half a
/// gigabyte, or less than one.
const OF_HTTP_1: u64 = 48 * 1024;
const OF_HTTP_2: u64 = 80 * 1024;

struct Program {
    process: Child,
    proxy: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Program {
    async fn start(upstream: &Upstream) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("map.yaml"), api_map().to_string()).unwrap();
        std::fs::write(path("snapshot.json"), snapshot().to_string()).unwrap();
        let config = format!(
            "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{}\"\nworkers = 1\n[proxy.limits]\nheader_read_timeout = \"5m\"\nmax_connections = 11000\n[admin]\nlisten = []\n\
             [api]\nmaps = [\"{}\"]\n[snapshot]\nsource = \"file:{}\"\n[decisions]\nsink = \"none\"\n",
            upstream.address,
            path("map.yaml"),
            path("snapshot.json")
        );
        std::fs::write(path("doorward.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["serve", "--config", &path("doorward.toml")]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let printed = BufReader::new(process.stdout.take().unwrap());
        let line = within(tokio::task::spawn_blocking(move || printed.lines().next())).await.unwrap().unwrap().unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        let proxy = listening["listening"]["proxy"][0].as_str().unwrap().parse().unwrap();
        Self { process, proxy, _directory: directory }
    }

    /// Until a snapshot is in force.
    async fn ready(&self) {
        within(async {
            let mut client = Client::connect(self.proxy).await;
            while client.get("/free").await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// The bytes that it has in memory.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// As many connections as a process may have here, the program like the test.
fn connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    files.split_whitespace().next().unwrap().parse().map_or(CONNECTIONS, |most: usize| CONNECTIONS.min(most - OTHERS))
}

/// The bytes that each of so many connections costs, on top of what a few cost.
fn each(count: usize, before: u64, after: u64) -> u64 {
    after.saturating_sub(before) / count as u64
}

#[tokio::test]
async fn an_idle_connection_costs_little() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let count = connections();
    let program = Program::start(&upstream).await;
    program.ready().await;

    let before = program.resident();
    let mut used = Vec::new();
    for _ in 0..count {
        let mut client = Client::connect(program.proxy).await;
        client.send(request("GET", "/free", &format!("x-large: {}\r\n", "x".repeat(4000)))).await;
        assert_eq!(client.answer().await.status, 200);
        used.push(client);
    }
    let of_http_1 = each(count, before, program.resident());
    drop(used);

    let program = Program::start(&upstream).await;
    program.ready().await;
    let before = program.resident();
    let mut http2 = Vec::new();
    for _ in 0..count {
        let mut client = Frames::connect(program.proxy, &[]).await;
        client.send(get(1, "/free")).await;
        assert_eq!(client.fate(1).await, Fate::Answered(200));
        http2.push(client);
    }
    let of_http_2 = each(count, before, program.resident());
    println!("one of {count} idle connections costs {of_http_1} bytes by HTTP/1.1, {of_http_2} by HTTP/2");
    assert!(of_http_1 < OF_HTTP_1, "{of_http_1} bytes a connection of HTTP/1.1");
    assert!(of_http_2 < OF_HTTP_2, "{of_http_2} bytes a connection of HTTP/2");
}
