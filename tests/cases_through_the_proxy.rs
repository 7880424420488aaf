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

use bytes::Bytes;
use doorward::cases::{Case, CaseFile, Expectation, Reply, mismatches};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::client::Client;
use support::http2::{self, Sender};
use support::stage::{Issuers, Stage};
use support::within;
use tokio::task::JoinSet;

const HOST: &str = "doorward.example";
/// Files on stage at once.
const AT_ONCE: usize = 4;

/// What came of many cases.
#[derive(Default)]
struct Tally {
    run: usize,
    /// Those that the protocol cannot express.
    passed_over: Vec<String>,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.run += other.run;
        self.passed_over.extend(other.passed_over);
        self.failures.extend(other.failures);
    }
}

/// How a case is put on the wire.
trait Wire: Sized + Send {
    fn new(address: SocketAddr) -> Self;
    /// The answer, or `None` for a case that cannot be said in this protocol.
    fn ask(&mut self, case: &Case, token: Option<String>) -> impl Future<Output = Option<(u16, Vec<u8>, bool)>> + Send;
}

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

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/cases/conformance", "tests/cases/own"].map(|folder| root.join(folder));
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
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

/// The cases that share a snapshot share a door.
fn by_snapshot(cases: &[Case]) -> Vec<Vec<&Case>> {
    let mut groups: BTreeMap<usize, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        groups.entry(Arc::as_ptr(&case.world.snapshot).addr()).or_default().push(case);
    }
    groups.into_values().collect()
}

fn differences(case: &Case, (status, body, is_whole): (u16, Vec<u8>, bool), called: &[String]) -> Vec<String> {
    let upstream_called = Some(!called.is_empty());
    let problem = |name: &str| json!({ "name": name }).to_string().into_bytes();
    let reply = match (status, is_whole) {
        // A cut answer counts as 502 (interfaces §8).
        (_, false) => Reply { status: 502, body: problem("UnfilterableResponse"), upstream_called },
        // A refusal made by the HTTP library itself may have an empty body (interfaces §6).
        (400, true) if body.is_empty() => Reply { status, body: problem("InvalidRequest"), upstream_called },
        (_, true) => Reply { status, body, upstream_called },
    };
    // hyper cuts a fragment off before anybody sees it; then it is never forwarded (threats §2).
    let (target, is_cut_off) = case.request.target.split_once('#').map_or((case.request.target.as_str(), false), |(target, _)| (target, true));
    let mut expect = case.expect.clone();
    if case.request.method == "HEAD" {
        // Its answer has no body to tell more by.
        expect = Expectation { status: expect.status, upstream_called: expect.upstream_called, ..Expectation::default() };
    }
    let mut found = if is_cut_off { Vec::new() } else { mismatches(&expect, &reply) };
    let asked = format!("{} {target}", case.request.method);
    if called.len() > 1 || called.iter().any(|line| *line != asked) {
        found.push(format!("the upstream should have been asked {asked}, and was asked {called:?}"));
    }
    found
}

fn names(case: &Case, header: &str) -> bool {
    case.request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header))
}

/// HTTP/1.1, its bytes written as the case has them.
struct Http1 {
    address: SocketAddr,
    client: Option<Client>,
}

impl Wire for Http1 {
    fn new(address: SocketAddr) -> Self {
        Self { address, client: None }
    }

    async fn ask(&mut self, case: &Case, token: Option<String>) -> Option<(u16, Vec<u8>, bool)> {
        let request = &case.request;
        let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        let mut line = |name: &str, value: &str| bytes.push_str(&format!("{name}: {value}\r\n"));
        if !names(case, "host") {
            line("host", HOST);
        }
        if let Some(token) = token {
            line("authorization", &format!("Bearer {token}"));
        }
        request.headers.iter().for_each(|(name, value)| line(name, value));
        if !request.body.is_empty() && !names(case, "content-length") && !names(case, "transfer-encoding") {
            line("content-length", &request.body.len().to_string());
        }
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.address).await,
        };
        client.try_send([bytes.as_bytes(), b"\r\n", &request.body].concat()).await;
        let answer = if request.method == "HEAD" { client.head().await } else { client.answer().await };
        if answer.is_whole && answer.header("connection") != Some("close") {
            self.client = Some(client);
        }
        Some((answer.status, answer.body, answer.is_whole))
    }
}

/// HTTP/2 with prior knowledge.
struct Http2 {
    address: SocketAddr,
    sender: Option<Sender>,
}

impl Wire for Http2 {
    fn new(address: SocketAddr) -> Self {
        Self { address, sender: None }
    }

    async fn ask(&mut self, case: &Case, token: Option<String>) -> Option<(u16, Vec<u8>, bool)> {
        let request = request_of(case, token)?;
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => http2::connect(self.address).await,
        };
        within(sender.ready()).await.unwrap();
        let response = within(sender.send_request(request)).await.unwrap();
        self.sender = Some(sender);
        let status = response.status().as_u16();
        Some(http2::whole(response).await.map_or_else(|_| (status, Vec::new(), false), |body| (status, body.to_vec(), true)))
    }
}

/// The case as a request of HTTP/2; `None` where it cannot carry exactly that.
fn request_of(case: &Case, token: Option<String>) -> Option<Request<Full<Bytes>>> {
    let of_http1 = ["host", "connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection", "content-length"];
    if of_http1.iter().any(|header| names(case, header)) {
        return None;
    }
    let uri = format!("http://{HOST}{}", case.request.target).parse::<Uri>().ok()?;
    if uri.path_and_query()?.as_str() != case.request.target || uri.authority()?.as_str() != HOST {
        return None;
    }
    let method = Method::from_bytes(case.request.method.as_bytes()).ok().filter(|method| *method != Method::CONNECT)?;
    let mut request = Request::new(Full::from(case.request.body.clone()));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if let Some(token) = token {
        headers.insert("authorization", HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    }
    for (name, value) in &case.request.headers {
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request)
}
