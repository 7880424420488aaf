//! Every conformance case through Envoy with ext_authz and ext_proc: what the pipeline decides is what
//! a client of Envoy sees, by HTTP/1.1 and by HTTP/2.

use crate::site::{EnvoyProcess, Services};
use crate::support::stage::{Backstage, Issuers};
use crate::support::wires::{Http1, Http2, Tally, Wire, by_snapshot, differences, files};
use doorward::cases::{Case, CaseFile};
use doorward::snapshot::World;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_comes_out_of_envoy_as_it_must() {
    let tally = run_all::<Http1>().await;
    assert!(tally.failures.is_empty(), "{} of {} failed:\n{}", tally.failures.len(), tally.run, tally.failures.join("\n"));
    println!("{} cases by HTTP/1.1, of which Envoy answers itself {:?}", tally.run, tally.passed_over);
    assert!(tally.run >= 900 && tally.passed_over.len() <= 15, "{} cases run, passed over: {:?}", tally.run, tally.passed_over);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_that_http2_can_express_comes_out_of_envoy_as_it_must() {
    let tally = run_all::<Http2>().await;
    assert!(tally.failures.is_empty(), "{} of {} failed:\n{}", tally.failures.len(), tally.run, tally.failures.join("\n"));
    println!("{} cases by HTTP/2, which cannot express, or Envoy answers itself, {:?}", tally.run, tally.passed_over);
    assert!(tally.run >= 900 && tally.passed_over.len() <= 20, "{} cases run, passed over: {:?}", tally.run, tally.passed_over);
}

/// What Envoy reads in its own way before anybody is asked; the list is closed. A target that does not begin
/// with a slash, and a method that it does not know, it answers itself; the absolute form it makes the
/// origin form, which is what is then judged and sent.
fn is_envoys_own(case: &Case, status: u16, called: &[String]) -> bool {
    let (method, target) = (&case.request.method, &case.request.target);
    if let Some((_, rest)) = target.strip_prefix("http://").and_then(|rest| rest.split_once('/')) {
        return called.iter().all(|line| *line == format!("{method} /{rest}"));
    }
    let is_odd = !target.starts_with('/') || method == "CONNECT" || method.bytes().any(|byte| byte.is_ascii_lowercase());
    is_odd && called.is_empty() && !(200..300).contains(&status)
}

/// One Envoy before one API; the services behind it change their world, and stay where they are.
async fn run_all<W: Wire>() -> Tally {
    let behind = Backstage::start().await;
    let services = Services::before(behind.address());
    let address = services.address;
    services.close().await;
    let envoy = EnvoyProcess::start("envoy.yaml", address, behind.address()).await;
    let mut tally = Tally::default();
    for path in files() {
        tally.add(run_file::<W>(&path, &behind, &envoy, address).await);
    }
    tally
}

async fn run_file<W: Wire>(path: &Path, behind: &Backstage, envoy: &EnvoyProcess, address: std::net::SocketAddr) -> Tally {
    let file = CaseFile::read(path).unwrap_or_else(|error| panic!("{error}"));
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let folder = tempfile::tempdir().unwrap();
    let issuers = Issuers::of(&file, folder.path()).await;
    let mut tally = Tally::default();
    for cases in by_snapshot(&file.cases) {
        let services = Services::planned(behind.address(), |plan| {
            plan.settings.listen = vec![address];
            plan.world = World::clone(&cases[0].world);
            plan.keys = issuers.sets();
            plan.clock = behind.clock();
        });
        for case in cases {
            behind.set(case);
            let place = format!("{name}: {}", case.name);
            // Envoy closes a connection after an error of its own without saying so before.
            let mut wire = W::new(envoy.address);
            let Some(reply) = wire.ask(case, issuers.token(case)).await else {
                tally.passed_over.push(place);
                continue;
            };
            tally.run += 1;
            let (status, called) = (reply.0, behind.called());
            let differences = differences(case, reply, &called);
            if differences.is_empty() {
                continue;
            }
            if is_envoys_own(case, status, &called) {
                tally.passed_over.push(place);
            } else {
                tally.failures.push(format!("{place}: {}", differences.join("; ")));
            }
        }
        services.close().await;
    }
    tally
}
