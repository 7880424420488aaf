//! Every conformance case through the real proxy, over sockets, with real tokens and a real upstream:
//! what the pipeline decides is what a client sees, by HTTP/1.1 and by HTTP/2.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod support;

use doorward::cases::CaseFile;
use std::path::PathBuf;
use support::stage::{Issuers, Stage};
use support::wires::{Http1, Http2, Tally, Wire, by_snapshot, differences, files};
use tokio::task::JoinSet;

/// Files on stage at once.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_comes_out_of_the_proxy_as_it_must() {
    let tally = run_all::<Http1>().await;
    assert!(tally.failures.is_empty(), "{} of {} failed:\n{}", tally.failures.len(), tally.run, tally.failures.join("\n"));
    println!("{} cases by HTTP/1.1", tally.run);
    assert!(tally.run >= 900 && tally.passed_over.is_empty(), "{} cases run, passed over: {:?}", tally.run, tally.passed_over);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_that_http2_can_express_comes_out_as_it_must() {
    let tally = run_all::<Http2>().await;
    assert!(tally.failures.is_empty(), "{} of {} failed:\n{}", tally.failures.len(), tally.run, tally.failures.join("\n"));
    println!("{} cases by HTTP/2, which cannot express {:?}", tally.run, tally.passed_over);
    assert!(tally.run >= 900 && tally.passed_over.len() <= 20, "{} cases run, passed over: {:?}", tally.run, tally.passed_over);
}

async fn run_all<W: Wire + 'static>() -> Tally {
    let mut tally = Tally::default();
    let mut running = JoinSet::new();
    for path in files() {
        if running.len() >= AT_ONCE {
            tally.add(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(run_file::<W>(path));
    }
    while let Some(of_file) = running.join_next().await {
        tally.add(of_file.unwrap());
    }
    tally
}

async fn run_file<W: Wire>(path: PathBuf) -> Tally {
    let file = CaseFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let folder = tempfile::tempdir().unwrap();
    let issuers = Issuers::of(&file, folder.path()).await;
    let mut tally = Tally::default();
    for cases in by_snapshot(&file.cases) {
        let stage = Stage::open(&cases[0].world, &issuers).await;
        let mut wire = W::new(stage.door.address);
        for case in cases {
            stage.set(case);
            let place = format!("{name}: {}", case.name);
            let Some((status, body, is_whole)) = wire.ask(case, issuers.token(case)).await else {
                tally.passed_over.push(place);
                continue;
            };
            tally.run += 1;
            let differences = differences(case, (status, body, is_whole), &stage.called());
            if !differences.is_empty() {
                tally.failures.push(format!("{place}: {}", differences.join("; ")));
            }
        }
        drop(wire);
        stage.close().await;
    }
    tally
}
