//! What Envoy's services cost, each beside a service that always says yes, in turns: a `Check` by
//! gRPC alone; a call through a real Envoy with ext_authz; and a filtered answer of 1 MB through
//! ext_proc, beside the filter alone (`checks`, `calls`, `filtered`; all unless some are named). The cost is the processor time of the service's own thread, or of
//! the Envoy process, so that the load's own work does not count. Take the ratios.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a bench that meets the unexpected has failed"
)]
#![allow(clippy::disallowed_methods, reason = "a bench measures")]

#[path = "../../tests/envoy/site.rs"]
mod site;
#[path = "../../tests/support/mod.rs"]
mod support;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as Shown};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse, OkHttpResponse};
use envoy_types::pb::google::rpc;
use site::{EnvoyProcess, Services};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::client::Client;
use support::upstream::{Upstream, ok};
use support::world::{TOKEN, portfolios};
use tokio::task::JoinSet;
use tonic::codegen::tokio_stream::StreamExt;
use tonic::codegen::tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;
const EACH: Duration = Duration::from_millis(1500);
/// Calls at once.
const LOAD: usize = 32;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("load").enable_all().build().unwrap();
    runtime.block_on(async {
        if is_asked("checks") {
            checks().await;
        }
        if is_asked("calls") {
            calls().await;
        }
        if is_asked("filtered") {
            filtered().await;
        }
    });
}

/// Whether this is what was named, where anything was.
fn is_asked(what: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|name| name == what)
}

/// A service that always says yes.
struct Yes;

#[tonic::async_trait]
impl Authorization for Yes {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let http_response = Some(HttpResponse::OkResponse(OkHttpResponse::default()));
        Ok(Response::new(CheckResponse { status: Some(rpc::Status::default()), http_response, ..CheckResponse::default() }))
    }
}

/// Starts it on a thread of its own, which is called `yes`.
fn yes() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // As a server of tonic has it by default, and ours.
            let at_once = |stream: tokio::net::TcpStream| stream.set_nodelay(true).map(|()| stream);
            let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener).unwrap()).map(move |stream| stream.and_then(at_once));
            tonic::transport::Server::builder().add_service(AuthorizationServer::new(Yes)).serve_with_incoming(incoming).await.unwrap();
        });
    };
    std::thread::Builder::new().name("yes".into()).spawn(serve).unwrap();
    address
}

/// About 1.5 KB, as a browser's call has it.
fn check() -> CheckRequest {
    let header = |key: &str, value: &str| HeaderValue { key: key.to_owned(), value: String::new(), raw_value: value.as_bytes().to_vec() };
    let mut headers = vec![
        header(":method", "GET"),
        header(":path", "/free?limit=10"),
        header(":authority", "api.example"),
        header(":scheme", "https"),
        header("authorization", &format!("Bearer {TOKEN}")),
    ];
    headers.extend((0..16).map(|number| header(&format!("x-header-{number}"), &"v".repeat(48))));
    let http = HttpRequest {
        method: "GET".to_owned(),
        path: "/free?limit=10".to_owned(),
        host: "api.example".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/1.1".to_owned(),
        header_map: Some(HeaderMap { headers }),
        ..HttpRequest::default()
    };
    let request = Shown { http: Some(http), ..Shown::default() };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) }
}

async fn checks() {
    let services = Services::before("127.0.0.1:9".parse().unwrap());
    let yes = yes();
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (place, (address, thread)) in [(yes, "yes"), (services.address, "envoy")].into_iter().enumerate() {
            let client = AuthorizationClient::connect(format!("http://{address}")).await.unwrap();
            let before = thread_time(thread);
            let count = load(vec![client; LOAD], |mut client| async move {
                let answer = client.check(check()).await.unwrap().into_inner();
                assert_eq!(answer.status.unwrap().code, 0);
                client
            })
            .await;
            costs[place].push((thread_time(thread) - before).as_secs_f64() * 1e6 / count as f64);
        }
    }
    report("a check", ["always yes", "doorward"], costs);
}

async fn calls() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let services = Services::planned(upstream.address, |plan| plan.settings.ext_proc = false);
    let mut costs = [Vec::new(), Vec::new()];
    let others =
        [EnvoyProcess::start("ext_authz.yaml", yes(), upstream.address).await, EnvoyProcess::start("ext_authz.yaml", services.address, upstream.address).await];
    for _ in 0..ROUNDS {
        for (place, envoy) in others.iter().enumerate() {
            let cost = || process_time(envoy.id()) + if place == 0 { thread_time("yes") } else { thread_time("envoy") };
            let before = cost();
            let mut clients = Vec::new();
            for _ in 0..LOAD {
                clients.push(Client::connect(envoy.address).await);
            }
            let count = load(clients, |mut client| async move {
                assert_eq!(client.get("/free").await.status, 200);
                client
            })
            .await;
            costs[place].push((cost() - before).as_secs_f64() * 1e6 / count as f64);
        }
    }
    report("a call through Envoy, service included", ["always yes", "doorward"], costs);
}

async fn filtered() {
    let list = portfolios(15_000);
    let text: &'static str = Box::leak(list.into_boxed_str());
    let upstream = Upstream::start(move |_| ok(text)).await;
    let services = Services::before(upstream.address);
    let envoy = EnvoyProcess::start("envoy.yaml", services.address, upstream.address).await;
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        costs[0].push(alone(text));
        let mut client = Client::connect(envoy.address).await;
        let before = thread_time("envoy");
        let (mut count, begun) = (0, Instant::now());
        while begun.elapsed() < EACH {
            assert!(client.get("/api/portfolios").await.is_whole);
            count += 1;
        }
        costs[1].push((thread_time("envoy") - before).as_secs_f64() * 1e6 / f64::from(count));
    }
    report(&format!("an answer of {} bytes through ext_proc", text.len()), ["the filter alone", "doorward"], costs);
}

/// The filter without Envoy: the microseconds of one answer.
fn alone(text: &str) -> f64 {
    use doorward::authorize::{Answer, Call, DecisionId, Door, Identity, Step, UpstreamMetadata, Verdict, authorize};
    let world = std::sync::Arc::new(support::world::world());
    let mut headers = http::HeaderMap::new();
    headers.insert("host", http::HeaderValue::from_static("api.example"));
    let identity = Identity::Opaque(<sha2::Sha256 as sha2::Digest>::digest(TOKEN).into());
    let metadata = UpstreamMetadata::default();
    let call = Call {
        door: Door::ExtProc,
        decision_id: DecisionId(1),
        method: "GET",
        target: "/api/portfolios",
        headers: &headers,
        authority: None,
        identity: &identity,
        body: None,
        metadata: &metadata,
    };
    let (mut count, begun) = (0, Instant::now());
    while begun.elapsed() < EACH {
        let Step::Done(Verdict::Admit(admission)) = authorize(&world, &call, doorward::observe::clock::now()) else { panic!("refused") };
        let Ok(Answer::Filter(mut filter)) = admission.answer(http::StatusCode::OK, &mut http::HeaderMap::new()) else { panic!("not filtered") };
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(16 * 1024) {
            filter.write_alone(piece, &mut out).unwrap();
            out.clear();
        }
        filter.end_alone(&mut out).unwrap();
        count += 1;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

/// Makes calls for a while, as many at once as there are clients; says how many.
async fn load<C: Send + 'static, F: Future<Output = C> + Send + 'static>(clients: Vec<C>, call: impl Fn(C) -> F + Clone + Send + 'static) -> u64 {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for mut client in clients {
        let call = call.clone();
        running.spawn(async move {
            let mut count = 0;
            while begun.elapsed() < EACH {
                client = call(client).await;
                count += 1;
            }
            count
        });
    }
    running.join_all().await.into_iter().sum()
}

fn report(what: &str, names: [&str; 2], costs: [Vec<f64>; 2]) {
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let [base, ours] = costs.map(median);
    println!("{what}: {} {base:.1} µs, {} {ours:.1} µs, {:.2} times as much", names[0], names[1], ours / base);
}

/// The processor time of this process's threads of a name.
fn thread_time(name: &str) -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|entry| entry.path());
    let of_name = threads.filter(|path| std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name));
    // The first number of `schedstat` is the time on a processor in nanoseconds.
    let nanos = of_name.filter_map(|path| std::fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok());
    Duration::from_nanos(nanos.sum())
}

/// The processor time of all threads of a process.
fn process_time(id: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten().map(|entry| entry.path());
    let nanos = threads.filter_map(|path| std::fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok());
    Duration::from_nanos(nanos.sum())
}
