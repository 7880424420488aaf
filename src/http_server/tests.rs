use super::*;
use axum::routing::{get, post};
use tokio::sync::oneshot;
use tokio::time::Instant;

const BRIEF: Duration = Duration::from_secs(1);

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

async fn whole(body: Body) -> (http::StatusCode, String) {
    match axum::body::to_bytes(body, 1 << 20).await {
        Ok(bytes) => (http::StatusCode::OK, format!("{} bytes", bytes.len())),
        Err(error) => (http::StatusCode::BAD_REQUEST, error.to_string()),
    }
}

async fn start(connections: usize) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = || async {
        tokio::time::sleep(BRIEF).await;
        "late but whole"
    };
    let told = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
    let router =
        Router::new().route("/", get(told)).route("/slow", get(slow)).route("/body", post(whole)).route("/long", get(|| async { vec![0_u8; 64 << 20] }));
    let limits = Limits { connections, head_time: BRIEF, body_time: BRIEF, head_bytes: 8192, overloaded: Bytes::from_static(b"{}") };
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(Server::new(router, &limits).serve(listener, async { drop(stopped.await) }));
    Running { address, stop, served }
}

/// Sends this, and reads until the server closes; what it said, and how long it took.
async fn exchange(address: SocketAddr, sent: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut said)).await;
    let _ = read.expect("the server does not close the connection");
    (String::from_utf8_lossy(&said).into_owned(), began.elapsed())
}

const ASK: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_request_is_answered_and_its_peer_is_known() {
    let server = start(10).await;
    let (said, _) = exchange(server.address, ASK).await;
    assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with("127.0.0.1"), "{said}");
    let body = "POST /body HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
    assert!(exchange(server.address, body).await.0.ends_with("3 bytes"));
}

#[tokio::test]
async fn who_says_nothing_or_half_a_head_is_not_waited_for() {
    let server = start(10).await;
    for sent in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let (said, took) = exchange(server.address, sent).await;
        assert!(!said.contains("200") && took >= BRIEF, "{sent:?}: {said}");
    }
}

#[tokio::test]
async fn half_a_body_is_not_waited_for() {
    let server = start(10).await;
    let (said, _) = exchange(server.address, "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await;
    assert!(said.starts_with("HTTP/1.1 400") && said.ends_with("the body did not come in time"), "{said}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = start(10).await;
    let (said, _) = exchange(server.address, &format!("GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "a".repeat(9_000))).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test]
async fn who_comes_beyond_the_limit_is_told_so_and_a_free_place_is_taken_again() {
    let server = start(1).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let (said, _) = exchange(server.address, ASK).await;
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("application/problem+json") && said.ends_with("{}"), "{said}");
    drop(first);
    while exchange(server.address, ASK).await.0.starts_with("HTTP/1.1 503") {
        tokio::task::yield_now().await;
    }
    assert!(exchange(server.address, ASK).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_finishes_running_answers_and_waits_for_nobody_idle() {
    let server = start(10).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).await.unwrap();
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The accept loop takes them in order: what is connected here is taken after the other two.
    exchange(server.address, ASK).await;
    server.stop.send(()).unwrap();
    let mut said = String::new();
    busy.read_to_string(&mut said).await.unwrap();
    assert!(said.ends_with("late but whole"), "{said}");
    tokio::time::timeout(Duration::from_secs(20), server.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_is_on_its_way_to_a_server_that_stops_is_answered_and_is_the_last() {
    let server = start(10).await;
    let mut new = TcpStream::connect(server.address).await.unwrap();
    let mut used = TcpStream::connect(server.address).await.unwrap();
    used.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    used.read_exact(&mut byte).await.unwrap();
    exchange(server.address, ASK).await;
    server.stop.send(()).unwrap();
    // It is told once nobody gets in any more.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for stream in [&mut new, &mut used] {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.contains("HTTP/1.1 200 OK") && said.contains("connection: close") && said.ends_with("127.0.0.1"), "{said}");
    }
    tokio::time::timeout(Duration::from_secs(20), server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_gives_the_place_up() {
    let server = start(1).await;
    let began = Instant::now();
    let mut greedy = TcpStream::connect(server.address).await.unwrap();
    greedy.write_all(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    greedy.read_exact(&mut byte).await.unwrap();
    while exchange(server.address, ASK).await.0.starts_with("HTTP/1.1 503") {
        assert!(began.elapsed() < Duration::from_secs(20), "the place is not given up");
    }
    assert!(began.elapsed() >= BRIEF);
}
