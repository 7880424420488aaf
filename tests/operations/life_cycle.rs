//! How the process begins and ends, and what the service manager hears of it.

use crate::process::{Process, Site};
use crate::support::address::reserved;
use crate::support::client::{Client, request};
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::within;
use crate::support::world::snapshot;
use rustix::process::Signal;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::sync::Notify;

/// An upstream whose answers to `/free` come to their end when told.
pub(crate) async fn slow_upstream(told: &Arc<Notify>) -> Upstream {
    let told = Arc::clone(told);
    Upstream::start(move |seen| match seen.line().contains("slow") {
        true => Reply::When(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab".into(), Arc::clone(&told), b"cd".into()),
        false => ok("{}"),
    })
    .await
}

/// A client whose answer has begun and does not end.
pub(crate) async fn waiting_client(site: &Site) -> (Client, crate::support::client::Answer) {
    let mut client = Client::connect(site.proxy).await;
    client.send(request("GET", "/free?slow", "")).await;
    let head = client.head().await;
    assert_eq!(head.status, 200);
    (client, head)
}

async fn refuses_connections(site: &Site) {
    within(async {
        while TcpStream::connect(site.proxy).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_finishes_what_runs_and_takes_nothing_more() {
    let told = Arc::new(Notify::new());
    let upstream = slow_upstream(&told).await;
    let site = Site::ready(upstream.address, "");
    let process = site.start().await;
    site.readiness(200).await;
    let (mut client, mut answer) = waiting_client(&site).await;
    let mut idle = Client::connect(site.proxy).await;
    assert_eq!(idle.get("/free").await.status, 200);
    process.tell(Signal::TERM);
    refuses_connections(&site).await;
    // A request that was on its way is answered, and the answer says that it is the last. It is not waited for
    // long, so it comes before anything else is asked.
    let last = idle.get("/free").await;
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert_eq!(site.readiness(503).await, "the process is told to stop\n");
    told.notify_one();
    client.rest(&mut answer).await;
    assert!(answer.is_whole && answer.text() == "abcd", "{answer:?}");
    assert!(idle.is_closed().await && client.is_closed().await);
    assert_eq!(process.end().await.code(), Some(0));
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let told = Arc::new(Notify::new());
    let upstream = slow_upstream(&told).await;
    let site = Site::ready(upstream.address, "[process]\ngrace = \"200ms\"");
    let process = site.start().await;
    site.readiness(200).await;
    let (mut client, mut answer) = waiting_client(&site).await;
    process.tell(Signal::INT);
    client.rest(&mut answer).await;
    assert!(!answer.is_whole, "{answer:?}");
    assert_eq!(process.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_cuts_at_once() {
    let told = Arc::new(Notify::new());
    let upstream = slow_upstream(&told).await;
    let site = Site::ready(upstream.address, "[process]\ngrace = \"1h\"");
    let process = site.start().await;
    site.readiness(200).await;
    let (mut client, mut answer) = waiting_client(&site).await;
    process.tell(Signal::TERM);
    site.readiness(503).await;
    process.tell(Signal::TERM);
    client.rest(&mut answer).await;
    assert!(!answer.is_whole, "{answer:?}");
    assert_eq!(process.end().await.code(), Some(0));
}

#[tokio::test]
async fn while_it_gives_notice_it_serves_and_is_not_ready() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::ready(upstream.address, "[process]\nnotice = \"1h\"");
    let process = site.start().await;
    site.readiness(200).await;
    process.tell(Signal::TERM);
    site.readiness(503).await;
    let mut client = Client::connect(site.proxy).await;
    for _ in 0..2 {
        let answer = client.get("/free").await;
        assert_eq!((answer.status, answer.header("connection")), (200, None));
    }
    process.tell(Signal::TERM);
    assert_eq!(process.end().await.code(), Some(0));
}

#[tokio::test]
async fn the_service_manager_hears_what_is_missing_when_it_is_ready_and_when_it_stops() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::new(upstream.address, "");
    let ear = UnixDatagram::bind(site.path("notify")).unwrap();
    let mut command = site.command();
    // Few words wait in the socket to be heard: the process is not to fill it while the test does something else.
    command.env("NOTIFY_SOCKET", site.path("notify")).env("WATCHDOG_USEC", "1000000");
    let process = Process::listening(command, site.folder.path()).await;
    let hear = async |word: &str| {
        within(async {
            let mut heard = [0; 1024];
            loop {
                let length = ear.recv(&mut heard).await.unwrap();
                let heard = String::from_utf8(heard[..length].to_vec()).unwrap();
                if heard.lines().any(|line| line == word) {
                    return heard;
                }
                assert!(!heard.contains("READY=1"), "{heard}");
            }
        })
        .await
    };
    hear("STATUS=no snapshot is in force").await;
    for _ in 0..3 {
        hear("WATCHDOG=1").await;
    }
    site.publish(&snapshot());
    let ready = hear("READY=1").await;
    assert!(ready.contains(&format!("MAINPID={}\n", process.id())), "{ready}");
    hear("WATCHDOG=1").await;
    process.tell(Signal::TERM);
    hear("STOPPING=1").await;
    assert_eq!(process.end().await.code(), Some(0));
}

/// The process with a socket that listens as the third of its files, as systemd passes it.
fn activated(site: &Site, listener: TcpListener) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_doorward")).arg("serve").arg("--config").arg(site.path("doorward.toml"));
    command.stdin(Stdio::from(OwnedFd::from(listener)));
    command
}

#[tokio::test]
async fn who_connects_to_the_service_managers_socket_before_the_start_is_served() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::ready(upstream.address, "");
    let listener = TcpListener::bind(site.proxy).unwrap();
    let mut early = Client::connect(site.proxy).await;
    let process = Process::listening(activated(&site, listener.try_clone().unwrap()), site.folder.path()).await;
    site.readiness(200).await;
    for _ in 0..8 {
        assert_eq!(Client::connect(site.proxy).await.get("/free").await.status, 200);
    }
    assert_eq!(early.get("/free").await.status, 200);
    process.tell(Signal::TERM);
    assert_eq!(process.end().await.code(), Some(0));
    // The socket is the service manager's: it goes on to listen, and the next start answers.
    let mut late = Client::connect(site.proxy).await;
    let _process = Process::listening(activated(&site, listener), site.folder.path()).await;
    site.readiness(200).await;
    assert_eq!(late.get("/free").await.status, 200);
}

#[tokio::test]
async fn a_socket_of_the_service_manager_that_no_door_wants_ends_the_start() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::ready(upstream.address, "");
    let other = reserved();
    let process = Process::begin(activated(&site, TcpListener::bind(other).unwrap()), site.folder.path());
    let errors = site.path("errors-3");
    assert_eq!(process.end().await.code(), Some(1));
    let errors = std::fs::read_to_string(errors).unwrap();
    assert!(errors.contains(&other.to_string()), "{errors}");
}

#[tokio::test]
async fn neighbours_that_are_down_do_not_keep_the_process_from_starting() {
    // Nobody is at these: no upstream, no key server, no control plane.
    let (upstream, keys, control) = (reserved(), reserved(), reserved());
    let issuer = format!("[[issuers]]\nissuer = \"https://id.example\"\naudience = [\"a\"]\njwks = \"http://{keys}/keys\"\n");
    let site = Site::ready(upstream, &issuer);
    let _process = site.start().await;
    // The keys were tried, the snapshot is there: calls are judged, and fail upstream alone.
    site.readiness(200).await;
    let mut client = Client::connect(site.proxy).await;
    assert_eq!(client.get("/free").await.problem(), "UpstreamUnavailable");
    assert_eq!(client.get("/unmapped").await.problem(), "RouteNotMapped");
    // Without its control plane and a cache it starts too, refuses every call, and says why.
    let site = Site::new(upstream, "");
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    let source = format!("file:{}", site.path("snapshot.json").display());
    std::fs::write(site.path("doorward.toml"), text.replace(&source, &format!("http://{control}/snapshot"))).unwrap();
    let process = site.start().await;
    assert_eq!(site.readiness(503).await, "no snapshot is in force\n");
    assert_eq!(Client::connect(site.proxy).await.get("/free").await.problem(), "PolicyUnavailable");
    // With the cache it serves by the last good snapshot.
    process.tell(Signal::TERM);
    process.end().await;
    std::fs::write(site.path("cache"), snapshot().to_string()).unwrap();
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    std::fs::write(site.path("doorward.toml"), text.replace("[snapshot]\n", &format!("[snapshot]\ncache = {:?}\n", site.path("cache")))).unwrap();
    let _process = site.start().await;
    site.readiness(200).await;
    tokio::time::timeout(Duration::from_secs(20), async {
        assert_eq!(Client::connect(site.proxy).await.get("/free").await.problem(), "UpstreamUnavailable");
    })
    .await
    .unwrap();
}
