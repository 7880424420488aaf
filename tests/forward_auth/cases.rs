//! Every conformance case asked at this door: it agrees with the pipeline, and with what the case
//! expects, as far as a door can show it that sees no body and no answer.

use crate::support::client::{Answer, Client};
use crate::support::stage::{Issuers, Stage};
use doorward::authorize::{Call, DecisionId, Door, Need, Refusal, Step, UpstreamMetadata, Verdict, authorize};
use doorward::cases::{Case, CaseFile};
use doorward::door::{Metadata, MetadataCache, MetadataCacheSettings};
use doorward::forward_auth::{Limits, Serving, Settings, serve};
use doorward::http_client::{Authorities, HttpClient};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const HOST: &str = "doorward.example";
/// Headers that belong to the connection between proxy and door.
const OF_THE_HOP: [&str; 3] = ["content-length", "transfer-encoding", "expect"];
/// Headers that the asking proxies say in their own name.
const OF_PROXIES: [&str; 6] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix", "x-real-ip"];

#[derive(Default)]
struct Tally {
    run: usize,
    passed: usize,
    passed_over: Vec<String>,
    failures: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_comes_out_of_this_door_as_far_as_it_can_show_it() {
    let mut tally = Tally::default();
    let mut running = JoinSet::new();
    for path in files() {
        if running.len() >= 4 {
            tally.add(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(run_file(path));
    }
    while let Some(of_file) = running.join_next().await {
        tally.add(of_file.unwrap());
    }
    assert!(tally.failures.is_empty(), "{} of {} failed:\n{}", tally.failures.len(), tally.run, tally.failures.join("\n"));
    println!("{} cases, {} of them pass; not to be said at this door: {:?}", tally.run, tally.passed, tally.passed_over);
    assert!(
        tally.run >= 900 && tally.passed >= 50 && tally.passed_over.len() <= 20,
        "{} cases, {} pass, passed over {:?}",
        tally.run,
        tally.passed,
        tally.passed_over
    );
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.run += other.run;
        self.passed += other.passed;
        self.passed_over.extend(other.passed_over);
        self.failures.extend(other.failures);
    }
}

fn files() -> Vec<PathBuf> {
    let folders = ["tests/cases/conformance", "tests/cases/own"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

async fn run_file(path: PathBuf) -> Tally {
    let file = CaseFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let folder = tempfile::tempdir().unwrap();
    let issuers = Issuers::of(&file, folder.path()).await;
    let mut groups: BTreeMap<usize, Vec<&Case>> = BTreeMap::new();
    for case in &file.cases {
        groups.entry(Arc::as_ptr(&case.world.snapshot).addr()).or_default().push(case);
    }
    let mut tally = Tally::default();
    for cases in groups.into_values() {
        let stage = Stage::open(&cases[0].world, &issuers).await;
        let (address, serving) = open_door(&stage).await;
        for case in cases {
            stage.set(case);
            tally.run_case(&format!("{name}: {}", case.name), case, &stage, address, issuers.token(case)).await;
        }
        serving.stop(Duration::from_secs(5)).await;
        stage.close().await;
    }
    tally
}

async fn open_door(stage: &Stage) -> (SocketAddr, Serving) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits {
        request_head_bytes: 65536,
        header_count: 100,
        header_read_timeout: Duration::from_secs(10),
        max_connections: 100,
        max_in_flight: 100,
    };
    let settings = Settings {
        trusted_peers: vec!["127.0.0.1/32".parse().unwrap()],
        limits,
        public_url: String::new(),
        questions: 100,
        question_bytes: 1 << 20,
    };
    // Every case has its own upstream.
    let cache = MetadataCache::new(MetadataCacheSettings { ttl: Duration::ZERO, bytes: 1 << 20 });
    let upstream = format!("http://{}", stage.upstream()).parse().unwrap();
    let metadata = Metadata::of(vec![upstream], HttpClient::new(Authorities::Native).unwrap(), cache, Duration::from_secs(10));
    (address, serve(vec![listener], settings, stage.door.wiring.clone(), metadata))
}

impl Tally {
    async fn run_case(&mut self, place: &str, case: &Case, stage: &Stage, address: SocketAddr, token: Option<String>) {
        if case.request.headers.iter().any(|(name, _)| OF_THE_HOP.iter().any(|own| own.eq_ignore_ascii_case(name))) {
            self.passed_over.push(place.to_owned());
            return;
        }
        self.run += 1;
        let expected = expected(case);
        for (path, method, target) in [
            ("/auth", "x-forwarded-method", "x-forwarded-uri"),
            ("/auth", "x-original-method", "x-original-uri"),
            ("/auth/nginx", "x-original-method", "x-original-uri"),
        ] {
            let mut bytes = format!("GET {path} HTTP/1.1\r\nhost: doorward\r\n{method}: {}\r\n{target}: {}\r\n", case.request.method, case.request.target);
            let mut line = |name: &str, value: &str| bytes.push_str(&format!("{name}: {value}\r\n"));
            if !case.request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
                line("x-forwarded-host", HOST);
            }
            if let Some(token) = &token {
                line("authorization", &format!("Bearer {token}"));
            }
            for (name, value) in &case.request.headers {
                line(if name.eq_ignore_ascii_case("host") { "x-forwarded-host" } else { name }, value);
            }
            let mut client = Client::connect(address).await;
            client.try_send(format!("{bytes}\r\n")).await;
            let came = told(path, &client.answer().await);
            if came != expected {
                self.failures.push(format!("{place}: {path}: {came:?} instead of {expected:?}"));
            }
            if let Some(difference) = disagreement(case, &came) {
                self.failures.push(format!("{place}: {path}: {difference}"));
            }
        }
        if expected.status == 200 {
            self.passed += 1;
        }
        if !stage.called().is_empty() {
            self.failures.push(format!("{place}: the upstream was called: {:?}", stage.called()));
        }
    }
}

/// What a door says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    error: Option<String>,
}

/// The answer of the door; its true status, however it is said.
fn told(path: &str, answer: &Answer) -> Told {
    if answer.status == 200 {
        return Told { status: 200, error: None };
    }
    if path != "/auth/nginx" {
        // A refusal made by the HTTP library itself may have an empty body.
        let error = if answer.body.is_empty() { "InvalidRequest".to_owned() } else { answer.problem() };
        return Told { status: answer.status, error: Some(error) };
    }
    if answer.body.is_empty() {
        return Told { status: answer.status, error: Some("InvalidRequest".to_owned()) };
    }
    let status = answer.header("doorward-status").unwrap().parse().unwrap();
    assert_eq!(answer.status, if status == 401 { 401 } else { 403 });
    Told { status, error: answer.header("doorward-error").map(str::to_owned) }
}

fn is_lookalike(name: &str) -> bool {
    let folded = name.to_ascii_lowercase().replace(['_', '.'], "-");
    let overrides = ["x-http-method-override", "x-http-method", "x-method-override", "x-original-method", "x-original-url", "x-original-uri", "x-rewrite-url"];
    let is_own = OF_PROXIES.contains(&name.to_ascii_lowercase().as_str());
    !is_own && (folded == "forwarded" || folded.starts_with("doorward-") || folded.starts_with("x-forwarded-") || overrides.contains(&&*folded))
}

/// What the pipeline says of the call without its body, by a door that cannot filter.
fn expected(case: &Case) -> Told {
    let refused = |refusal: &Refusal| Told { status: refusal.status().as_u16(), error: Some(refusal.name.as_str().to_owned()) };
    let denied = Told { status: 403, error: Some("AccessDenied".to_owned()) };
    let invalid = Told { status: 400, error: Some("InvalidRequest".to_owned()) };
    let Some(headers) = header_map(case) else { return invalid };
    if headers.keys().any(|name| is_lookalike(name.as_str())) {
        return invalid;
    }
    let mut metadata = UpstreamMetadata::default();
    let mut body: Option<&[u8]> = None;
    loop {
        let (method, target) = (case.request.method.as_str(), case.request.target.as_str());
        let call = Call {
            door: Door::ForwardAuth,
            decision_id: DecisionId(0),
            method,
            target,
            headers: &headers,
            authority: None,
            identity: &case.identity,
            body,
            metadata: &metadata,
        };
        match authorize(&case.world, &call, case.now) {
            Step::Done(Verdict::Refuse(refusal)) => return refused(&refusal.refusal),
            Step::Done(Verdict::Admit(admission)) if admission.is_filtered() || body.is_some() => return denied,
            Step::Done(Verdict::Admit(_)) => return Told { status: 200, error: None },
            Step::Need(Need::Body { .. }) => body = Some(&[]),
            Step::Need(Need::Metadata(targets)) => {
                for target in targets {
                    let reply = case.upstreams.iter().find(|(call, _)| *call == format!("GET {target}")).map(|(_, reply)| reply);
                    metadata.insert(&target, reply.filter(|reply| reply.status == 200).map(|reply| reply.body.as_slice()));
                }
            }
        }
    }
}

fn header_map(case: &Case) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &case.request.headers {
        headers.append(HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    if !headers.contains_key("host") {
        headers.insert("host", HeaderValue::from_static(HOST));
    }
    Some(headers)
}

/// Where the door contradicts what is written in the case, as far as both speak of the same.
fn disagreement(case: &Case, came: &Told) -> Option<String> {
    let expect = &case.expect;
    let has_lookalike = case.request.headers.iter().any(|(name, _)| is_lookalike(name));
    if came.status == 200 {
        let is_refused_before = expect.upstream_called == Some(false);
        return is_refused_before.then(|| "passes, though the upstream must not be called".to_owned());
    }
    // What depends on the body is refused here for that alone.
    if has_lookalike || !case.request.body.is_empty() || expect.upstream_called != Some(false) {
        return None;
    }
    let differs = expect.status.is_some_and(|status| status != came.status) || expect.error.as_ref().is_some_and(|error| Some(error) != came.error.as_ref());
    differs.then(|| format!("{came:?}, and the case says {:?} {:?}", expect.status, expect.error))
}
