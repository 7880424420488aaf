//! Files that are opened or read and never come to an end, as those of a server that is gone: a pipe to
//! which nobody writes is one. Whatever is read when, a process that is told to end ends.

use crate::process::{Process, Site};
use crate::support::certificates::{authority, issue};
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use rustix::process::Signal;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

/// Of `open`, on Linux: fails where nobody reads.
const NONBLOCK: i32 = 0o4000;

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Waits until somebody reads there, who then waits for what is never written.
async fn read_at(path: &Path) -> File {
    within(async {
        loop {
            match OpenOptions::new().write(true).custom_flags(NONBLOCK).open(path) {
                Ok(pipe) => return pipe,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

async fn site() -> (Upstream, Site) {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let keys = "[[issuers]]\nissuer = \"https://id.example\"\naudience = [\"a\"]\njwks = ";
    let site = Site::ready(upstream.address, "");
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    let tls = format!("tls = {{ certificate = {:?}, key = {:?} }}\n[admin]", site.path("certificate.pem"), site.path("key.pem"));
    let public_keys = format!("[snapshot]\npublic_keys = {:?}\n", site.path("public.json"));
    let text = text.replace("[admin]", &tls).replace("[snapshot]\n", &public_keys);
    std::fs::write(site.path("doorward.toml"), format!("{text}{keys}{:?}\n", site.path("keys.json"))).unwrap();
    let (certificate, key) = issue(&authority(), "door.example");
    std::fs::write(site.path("certificate.pem"), certificate).unwrap();
    std::fs::write(site.path("key.pem"), key).unwrap();
    (upstream, site)
}

#[tokio::test]
async fn a_file_that_hangs_at_the_start_does_not_keep_the_process_from_ending() {
    for name in ["certificate.pem", "key.pem", "map.yaml"] {
        let (_upstream, site) = site().await;
        let _ = std::fs::remove_file(site.path(name));
        pipe(&site.path(name));
        let process = Process::begin(site.command(), site.folder.path());
        let _pipe = read_at(&site.path(name)).await;
        process.tell(Signal::TERM);
        assert_eq!(process.end().await.code(), Some(0), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_hangs_when_it_is_read_again_does_not_keep_the_process_from_ending() {
    let (_upstream, site) = site().await;
    let process = site.start().await;
    put_pipe(&site, "certificate.pem");
    let _pipe = read_at(&site.path("certificate.pem")).await;
    process.tell(Signal::TERM);
    assert_eq!(process.end().await.code(), Some(0));
}

fn put_pipe(site: &Site, name: &str) {
    pipe(&site.path("new"));
    std::fs::rename(site.path("new"), site.path(name)).unwrap();
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_snapshot_or_of_keys_is_said_and_passed_over() {
    for name in ["snapshot.json", "public.json", "keys.json"] {
        let (_upstream, site) = site().await;
        put_pipe(&site, name);
        let process = site.start().await;
        within(async {
            while !process.errors().contains("it is not a regular file") {
                tokio::task::yield_now().await;
            }
        })
        .await;
        process.tell(Signal::TERM);
        assert_eq!(process.end().await.code(), Some(0), "{name}");
    }
}

#[tokio::test]
async fn a_snapshot_after_a_pipe_is_followed_again() {
    let (upstream, site) = plain_site().await;
    let process = site.start().await;
    site.readiness(200).await;
    put_pipe(&site, "snapshot.json");
    within(async {
        while !process.errors().contains("it is not a regular file") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut newer = crate::support::world::snapshot();
    newer["revision"] = 9.into();
    site.publish(&newer);
    within(async {
        while !site.ask("/metrics").await.text().contains("doorward_snapshot_revision 9") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(upstream);
}

async fn plain_site() -> (Upstream, Site) {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::ready(upstream.address, "");
    (upstream, site)
}
