//! Conformance cases on the wire: how each is said by HTTP/1.1 and by HTTP/2, and whether what came
//! back is what it must be.

use super::client::Client;
use super::http2::{self, Sender};
use super::within;
use bytes::Bytes;
use doorward::cases::{Case, Expectation, Reply, mismatches};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HOST: &str = "doorward.example";

/// What came of many cases.
#[derive(Default)]
pub struct Tally {
    /// Cases that were run.
    pub run: usize,
    /// Those that the protocol cannot express.
    pub passed_over: Vec<String>,
    /// Those that did not come out as they must.
    pub failures: Vec<String>,
}

impl Tally {
    /// Adds another's cases.
    pub fn add(&mut self, other: Self) {
        self.run += other.run;
        self.passed_over.extend(other.passed_over);
        self.failures.extend(other.failures);
    }
}

/// How a case is put on the wire.
pub trait Wire: Sized + Send {
    /// A client of this address.
    fn new(address: SocketAddr) -> Self;
    /// The answer, of status 0 if the connection was closed instead; or `None` for a case that cannot be said in this protocol.
    fn ask(&mut self, case: &Case, token: Option<String>) -> impl Future<Output = Option<(u16, Vec<u8>, bool)>> + Send;
}

/// The case files.
pub fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/cases/conformance", "tests/cases/own"].map(|folder| root.join(folder));
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// The cases that share a snapshot share a door.
pub fn by_snapshot(cases: &[Case]) -> Vec<Vec<&Case>> {
    let mut groups: BTreeMap<usize, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        groups.entry(Arc::as_ptr(&case.world.snapshot).addr()).or_default().push(case);
    }
    groups.into_values().collect()
}

/// What differs from what the case expects.
pub fn differences(case: &Case, (status, body, is_whole): (u16, Vec<u8>, bool), called: &[String]) -> Vec<String> {
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
pub struct Http1 {
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
        let answer = if request.method == "HEAD" {
            client.head().await
        } else {
            match client.answer_or_end().await {
                Some(answer) => answer,
                None => return Some((0, Vec::new(), true)),
            }
        };
        if answer.is_whole && answer.header("connection") != Some("close") {
            self.client = Some(client);
        }
        Some((answer.status, answer.body, answer.is_whole))
    }
}

/// HTTP/2 with prior knowledge.
pub struct Http2 {
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
        let Ok(response) = within(sender.send_request(request)).await else { return Some((0, Vec::new(), true)) };
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
