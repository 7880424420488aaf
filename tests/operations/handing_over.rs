//! One process follows another under load, and no call is lost.

use crate::process::{Process, Site};
use crate::support::client::{Answer, request};
use crate::support::load::{Heard, Load};
use crate::support::upstream::{Upstream, ok};
use crate::support::world::snapshot;
use rustix::process::Signal;

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
            load.hear(200, |_| true).await;
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
    std::fs::write(site.path("doorward.toml"), format!("{text}[process]\nhand_over = {:?}\n", site.path("hand-over"))).unwrap();
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
