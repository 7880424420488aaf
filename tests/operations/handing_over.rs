//! One process follows another under load, and no call is lost.

use crate::life_cycle::{slow_upstream, waiting_client};
use crate::process::{self, Process, Said, Site, doorward};
use crate::support::client::{Answer, request};
use crate::support::load::{Heard, Load};
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use crate::support::world::snapshot;
use rustix::process::{Signal, geteuid};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use tokio::sync::Notify;

const CLIENTS: usize = 4;

fn said(answer: &Answer) -> String {
    answer.text().to_owned()
}

/// Clients with connections that stay, clients with a connection for each call, and a probe.
struct Crowd {
    loads: Vec<Load>,
}

impl Crowd {
    fn start(site: &Site) -> Self {
        let close = "connection: close\r\n";
        let probe = format!("GET /readyz HTTP/1.1\r\nhost: a\r\n{close}\r\n");
        Self {
            loads: vec![
                Load::start(CLIENTS, site.proxy, &request("GET", "/free", ""), said),
                Load::start(CLIENTS, site.proxy, &request("GET", "/free", close), said),
                Load::start(1, site.admin, &probe, said),
            ],
        }
    }

    /// Waits until each of them has heard so much more.
    async fn go_on(&self) {
        for load in &self.loads {
            load.next_phase();
        }
        for load in &self.loads {
            load.hear(50, |_| true).await;
        }
    }

    async fn stop(self) -> Vec<Heard> {
        let mut heard = Vec::new();
        for load in self.loads {
            heard.extend(load.stop().await);
        }
        heard
    }
}

fn site(upstream: &Upstream) -> Site {
    let site = Site::ready(upstream.address, "");
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    std::fs::write(site.path("doorward.toml"), format!("{text}[process]\ngrace = \"1h\"\nhand_over = {:?}\n", site.path("hand-over"))).unwrap();
    site
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_takes_over_from_another_and_no_call_is_lost() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = site(&upstream);
    let mut serving = site.start().await;
    site.readiness(200).await;
    let crowd = Crowd::start(&site);
    crowd.go_on().await;
    // Another number of threads has other sockets: none of the old ones may be left without an ear.
    for workers in [2, 1, 3] {
        let mut command = site.command();
        command.env("DOORWARD_PROXY__WORKERS", workers.to_string());
        let next = Process::listening(command, site.folder.path()).await;
        assert_eq!(serving.end().await.code(), Some(0));
        serving = next;
        crowd.go_on().await;
    }
    for heard in crowd.stop().await {
        assert!(heard.status == 200 && heard.is_whole && matches!(heard.word.as_str(), "{}" | "ok\n"), "{heard:?}");
    }
    serving.tell(Signal::TERM);
    assert_eq!(serving.end().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_does_not_become_ready_takes_nothing_over() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = site(&upstream);
    let mut serving = site.start().await;
    site.readiness(200).await;
    let crowd = Crowd::start(&site);
    // It has nobody to ask for policies: until it has, it answers nothing.
    let mut command = site.command();
    command.env("DOORWARD_SNAPSHOT__SOURCE", format!("file:{}", site.path("later.json").display()));
    let next = Process::begin(command, site.folder.path());
    crate::support::within(async {
        while !serving.errors().contains("another process takes over") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    crowd.go_on().await;
    next.tell(Signal::KILL);
    next.end().await;
    crowd.go_on().await;
    assert!(!serving.has_ended());
    // And one that does, later.
    std::fs::write(site.path("later.json"), snapshot().to_string()).unwrap();
    let next = site.start().await;
    assert_eq!(serving.end().await.code(), Some(0));
    crowd.go_on().await;
    for heard in crowd.stop().await {
        assert!(heard.status == 200 && heard.is_whole && matches!(heard.word.as_str(), "{}" | "ok\n"), "{heard:?}");
    }
    drop(next);
}

/// Waits until the process says this of itself.
async fn hear(process: &Process, words: &str) {
    within(async {
        while !process.errors().contains(words) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Two processes, of which the second has followed the first one while an answer of that was running.
async fn followed(site: &Site) -> (Process, Process, crate::support::client::Client, Answer) {
    let former = site.start().await;
    site.readiness(200).await;
    let (client, answer) = waiting_client(site).await;
    let next = site.start().await;
    hear(&former, "another process serves in the place of this one").await;
    (former, next, client, answer)
}

#[tokio::test]
async fn one_signal_to_a_process_that_was_followed_cuts_nothing() {
    let told = Arc::new(Notify::new());
    let upstream = slow_upstream(&told).await;
    let site = site(&upstream);
    let (former, _next, mut client, mut answer) = followed(&site).await;
    former.tell(Signal::TERM);
    hear(&former, "told to stop").await;
    told.notify_one();
    client.rest(&mut answer).await;
    assert!(answer.is_whole && answer.text() == "abcd", "{answer:?}");
    assert_eq!(former.end().await.code(), Some(0));
}

#[tokio::test]
async fn two_signals_to_a_process_that_was_followed_cut_at_once() {
    let told = Arc::new(Notify::new());
    let upstream = slow_upstream(&told).await;
    let site = site(&upstream);
    let (former, mut next, mut client, mut answer) = followed(&site).await;
    former.tell(Signal::TERM);
    hear(&former, "told to stop").await;
    former.tell(Signal::TERM);
    client.rest(&mut answer).await;
    assert!(!answer.is_whole, "{answer:?}");
    assert_eq!(former.end().await.code(), Some(0));
    // The next one was not meant.
    assert!(!next.has_ended());
    site.readiness(200).await;
}

#[tokio::test]
async fn what_is_no_socket_is_not_replaced_and_ends_the_start() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = site(&upstream);
    std::fs::write(site.path("hand-over"), "precious").unwrap();
    for command in ["serve", "check"] {
        let Said { code, errors, .. } = process::said(doorward(command, &site.path("doorward.toml"), &[])).await;
        assert_eq!(code, Some(1), "{errors}");
        let path = site.path("hand-over").display().to_string();
        assert!(errors.contains("process.hand_over") && errors.contains(&path) && errors.contains("is no socket"), "{errors}");
        assert_eq!(std::fs::read_to_string(site.path("hand-over")).unwrap(), "precious");
    }
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_socket_behind() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = site(&upstream);
    // Found wrong after the socket was made.
    std::fs::write(site.path("map.yaml"), "[").unwrap();
    assert_eq!(process::said(site.command()).await.code, Some(1));
    let left: Vec<_> = std::fs::read_dir(site.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("hand-over")), "{left:?}");
}

/// Connects as another user and prints how much it was given.
const STRANGER: &str = "
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
stream = socket.socket(socket.AF_UNIX)
stream.settimeout(10)
stream.connect(sys.argv[1])
said, beside, _, _ = stream.recvmsg(16, socket.CMSG_SPACE(4 * 253))
print(len(said), len(beside))
";

#[tokio::test]
async fn a_process_of_another_user_is_given_nothing_though_the_socket_lets_it_in() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can become another user, and this test runs as {}", geteuid().as_raw());
        return;
    }
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = site(&upstream);
    let former = site.start().await;
    site.readiness(200).await;
    // As if its permissions had been loosened: they are not what is relied on.
    std::fs::set_permissions(site.folder.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(site.path("hand-over"), Permissions::from_mode(0o666)).unwrap();
    let path = site.path("hand-over");
    let stranger = tokio::task::spawn_blocking(move || Command::new("python3").arg("-c").arg(STRANGER).arg(path).output());
    let output = within(stranger).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0 0", "{}", String::from_utf8_lossy(&output.stderr));
    hear(&former, "a process of another user asked for them").await;
    // And it serves on, and hands over to one of its own.
    let _next = site.start().await;
    assert_eq!(former.end().await.code(), Some(0));
}
