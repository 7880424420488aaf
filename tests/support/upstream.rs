//! An upstream on a real socket that answers with exactly the bytes it is told, or breaks off.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Request line and headers.
    pub head: String,
    /// The body's bytes, without chunk framing.
    pub body: Vec<u8>,
    /// The how-manieth request of its connection it is, from 0.
    pub place: usize,
}

impl Seen {
    /// All values of a header.
    pub fn header(&self, name: &str) -> Vec<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

/// What the upstream does with a request.
pub enum Reply {
    /// Answers these bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Answers these bytes and closes without saying so.
    Close(Vec<u8>),
    /// Answers the first bytes, then the others when told.
    When(Vec<u8>, Arc<Notify>, Vec<u8>),
    /// Says nothing and keeps the connection.
    Silence,
    /// Echoes every byte from now on, after these.
    Echo(Vec<u8>),
}

/// A 200 with this body.
pub fn ok(body: &str) -> Reply {
    Reply::Bytes(whole(body))
}

/// The bytes of a 200 with this body.
pub fn whole(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A 200 with these header lines, each ended by CR LF, and this body.
pub fn said(headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// A running upstream.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Starts one that answers as this function says.
    pub async fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), reply).await
    }

    /// Starts one at this address, where another may just have stopped.
    pub async fn start_at(address: SocketAddr, reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let reply = Arc::new(reply);
        let task = tokio::spawn({
            let (seen, connections) = (Arc::clone(&seen), Arc::clone(&connections));
            async move {
                // Its connections end with it.
                let mut serving = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    serving.spawn(serve(stream, Arc::clone(&reply), Arc::clone(&seen)));
                    while serving.try_join_next().is_some() {}
                }
            }
        });
        Self { address, seen, connections, task }
    }

    /// Breaks off everything at once; says where it was.
    pub async fn kill(mut self) -> SocketAddr {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.address
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request so far.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<F: Fn(&Seen) -> Reply>(mut stream: TcpStream, reply: Arc<F>, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut buffer = Vec::new();
    for place in 0.. {
        let Some(request) = read(&mut stream, &mut buffer, place).await else { return };
        seen.lock().unwrap().push(request.clone());
        let (first, rest) = match reply(&request) {
            Reply::Bytes(bytes) => (bytes, None),
            Reply::Close(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::When(first, told, rest) => (first, Some((told, rest))),
            Reply::Silence => std::future::pending().await,
            Reply::Echo(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                return;
            }
        };
        if stream.write_all(&first).await.is_err() {
            return;
        }
        if let Some((told, rest)) = rest {
            told.notified().await;
            let _ = stream.write_all(&rest).await;
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, place: usize) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut request = Seen { head, body: Vec::new(), place };
    if let Some(length) = request.header("content-length").first() {
        let length: usize = length.parse().unwrap();
        while buffer.len() < length {
            more(stream, buffer).await?;
        }
        request.body = buffer.drain(..length).collect();
    } else if !request.header("transfer-encoding").is_empty() {
        request.body = chunks(stream, buffer).await?;
    }
    Some(request)
}

async fn chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            more(stream, buffer).await?;
        };
        let size = usize::from_str_radix(std::str::from_utf8(&buffer[..end]).unwrap().trim(), 16).unwrap();
        buffer.drain(..end + 2);
        while buffer.len() < size + 2 {
            more(stream, buffer).await?;
        }
        body.extend(buffer.drain(..size));
        buffer.drain(..2);
        if size == 0 {
            return Some(body);
        }
    }
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}
