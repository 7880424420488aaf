//! A client that writes what it likes and sees every byte of the answer.

use super::within;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub struct Client<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body, without chunk framing.
    pub body: Vec<u8>,
    /// Whether the body came to its end: its length, or its last chunk.
    pub is_whole: bool,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The stable name in a problem document.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let instance = problem["instance"].as_str().unwrap();
        assert!(instance.ends_with(self.header("doorward-decision-id").unwrap()), "{problem}");
        assert_eq!(problem["status"], self.status);
        problem["name"].as_str().unwrap().to_owned()
    }
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Speaks over a stream that stands.
    pub fn over(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The stream below.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Writes these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Writes these bytes as far as the other side takes them.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within(self.stream.write_all(bytes.as_ref())).await;
    }

    /// Says that nothing more comes.
    pub async fn finish(&mut self) {
        let _ = within(self.stream.shutdown()).await;
    }

    /// A GET with the user's token.
    pub async fn get(&mut self, target: &str) -> Answer {
        self.send(request("GET", target, "")).await;
        self.answer().await
    }

    /// The next answer, to its end or to where it breaks off.
    pub async fn answer(&mut self) -> Answer {
        within(self.read_answer(true)).await
    }

    /// The next answer, unless the other side closed instead.
    pub async fn answer_or_end(&mut self) -> Option<Answer> {
        if self.buffer.is_empty() && !within(self.more()).await {
            return None;
        }
        Some(self.answer().await)
    }

    /// The next answer's head; its body is read by `rest`.
    pub async fn head(&mut self) -> Answer {
        within(self.read_answer(false)).await
    }

    /// The body of an answer whose head was read.
    pub async fn rest(&mut self, answer: &mut Answer) {
        within(self.read_body(answer)).await;
    }

    /// At least so many bytes of what follows, or all until the end.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && within(self.more()).await {}
        std::mem::take(&mut self.buffer)
    }

    /// The same, as long as the caller waits.
    pub async fn patient_bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Whether the other side closed, with nothing more to read.
    pub async fn is_closed(&mut self) -> bool {
        !within(self.more()).await && self.buffer.is_empty()
    }

    async fn read_answer(&mut self, with_body: bool) -> Answer {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert!(self.more().await, "closed before an answer, after {:?}", String::from_utf8_lossy(&self.buffer));
        };
        let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
        self.buffer.drain(..end + 4);
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new(), is_whole: true };
        if with_body && status != 204 && status != 304 && status >= 200 {
            self.read_body(&mut answer).await;
        }
        answer
    }

    async fn read_body(&mut self, answer: &mut Answer) {
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.buffer.len() < length && self.more().await {}
            answer.is_whole = self.buffer.len() >= length;
            answer.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        } else if answer.header("transfer-encoding").is_some() {
            answer.is_whole = self.read_chunks(&mut answer.body).await;
        } else {
            while self.more().await {}
            answer.body = std::mem::take(&mut self.buffer);
        }
    }

    /// Whether the last chunk came.
    async fn read_chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let end = loop {
                if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                    break end;
                }
                if !self.more().await {
                    return false;
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.buffer[..end]).unwrap(), 16).unwrap();
            while self.buffer.len() < end + 2 + size + 2 {
                if !self.more().await {
                    return false;
                }
            }
            body.extend_from_slice(&self.buffer[end + 2..end + 2 + size]);
            self.buffer.drain(..end + 2 + size + 2);
            if size == 0 {
                return true;
            }
        }
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.buffer).await.is_ok_and(|count| count > 0)
    }
}

/// A request with a host, the user's token and these further header lines, each ended by CR LF.
pub fn request(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nhost: api.example\r\n{}{headers}\r\n", super::world::authorization())
}
