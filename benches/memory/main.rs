//! What a firm's snapshot takes in memory, and what the filter of a long answer takes more than that
//! of a short one: `cargo bench --bench memory`. Each figure is of a process of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench prints, and stops when it cannot run")]

#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{answers, snapshots, world};

/// The server's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MB: f64 = 1e6;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, path] = arguments.as_slice()
        && command == "load"
    {
        return load(Path::new(path));
    }
    let directory = tempfile::tempdir().unwrap();
    let firm = directory.path().join("firm.json");
    std::fs::write(&firm, snapshots::firm().to_string()).unwrap();
    let status = Command::new(std::env::current_exe().unwrap()).arg("load").arg(&firm).status().unwrap();
    assert!(status.success());
    let callers = directory.path().join("callers.json");
    std::fs::write(&callers, snapshots::CALLERS).unwrap();
    let short = filter(&callers, 1_000_000);
    let long = filter(&callers, 100_000_000);
    println!("filter/memory: {:.1} MB at most for 1 MB, {:.1} MB for 100 MB, {:.1} MB more", short / MB, long / MB, (long - short) / MB);
}

/// Loads a snapshot and says what that took; the document itself is not counted.
fn load(path: &Path) {
    let json = std::fs::read(path).unwrap();
    let before = status("VmRSS:", std::process::id());
    let started = doorward::observe::clock::monotonic();
    let policies = doorward::policy::load(&json).unwrap();
    let took = started.elapsed();
    let resident = status("VmRSS:", std::process::id()) - before;
    let size = json.len() as f64;
    let (users, roles, documents) = snapshots::FIRM;
    println!(
        "snapshot/memory: {users} users, {roles} roles, {documents} policies: {:.1} MB of JSON in force after {:.2} s, {:.1} MB resident ({:.2} × the JSON), {:.1} MB counted",
        size / MB,
        took.as_secs_f64(),
        resident / MB,
        resident / size,
        policies.bytes() as f64 / MB
    );
}

/// The most memory that `doorward filter` has while a list of so many bytes streams through it.
fn filter(snapshot: &Path, bytes: usize) -> f64 {
    let list = answers::portfolios(bytes);
    let mut child = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(["filter", "--user", "some", "--target", world::LIST, "--now", "2026-11-21T12:00:00Z"])
        .args(["--api-map", concat!(env!("CARGO_MANIFEST_DIR"), "/config/api/lusid.yaml")])
        .arg("--snapshot")
        .arg(snapshot)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&list).unwrap();
    let peak = status("VmHWM:", child.id());
    drop(input);
    assert!(child.wait().unwrap().success());
    peak
}

/// A line of a process's status, in bytes.
fn status(name: &str, process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}
