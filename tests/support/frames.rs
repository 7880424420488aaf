//! A client that writes HTTP/2 frame by frame, and reads what becomes of a stream or a connection.

use super::within;
use super::world::TOKEN;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Frame types (RFC 9113 §6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Flags.
pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITIZED: u8 = 32;

/// Error codes (RFC 9113 §7).
pub const PROTOCOL: u32 = 1;
pub const FLOW_CONTROL: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE: u32 = 6;
pub const REFUSED: u32 = 7;
pub const CANCEL: u32 = 8;
pub const COMPRESSION: u32 = 9;
pub const CALM: u32 = 11;

/// What a connection begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header in literal form, neither indexed nor compressed.
pub fn literal(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![0], text(name.as_ref()), text(value.as_ref())].concat()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 4);
    if bytes.len() < 127 {
        out.push(u8::try_from(bytes.len()).unwrap());
    } else {
        out.push(127);
        let mut rest = bytes.len() - 127;
        while rest >= 128 {
            out.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        out.push(u8::try_from(rest).unwrap());
    }
    out.extend_from_slice(bytes);
    out
}

/// Headers in literal form.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    headers.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// The pseudo headers of a request, and the user's token.
pub fn request(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "api.example"), ("authorization", &format!("Bearer {TOKEN}"))])
}

/// A whole GET on a stream.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, request("GET", path))
}

/// The head of a POST on a stream, whose body is to follow.
pub fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, request("POST", path))
}

/// A frame as it came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    fn code(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// What became of a stream, or of the connection meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered(u16),
    Reset(u32),
    GoneAway(u32),
    Closed,
}

impl Fate {
    /// Whether the request was turned away, by whatever means.
    pub fn is_refusal(self) -> bool {
        !matches!(self, Self::Answered(status) if status < 400)
    }
}

/// One connection.
pub struct Frames {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Frames {
    /// Connects and says nothing.
    pub async fn bare(address: SocketAddr) -> Self {
        let stream = within(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Connects, with the preface and these settings.
    pub async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::bare(address).await;
        client.send([PREFACE, &settings_frame(settings)].concat()).await;
        client
    }

    /// Writes these bytes as far as the other side takes them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within(self.stream.write_all(bytes.as_ref())).await.is_ok()
    }

    /// The next frame; nothing at the end. Settings are acknowledged.
    pub async fn next(&mut self) -> Option<Frame> {
        within(self.read()).await
    }

    async fn read(&mut self) -> Option<Frame> {
        self.fill(9).await?;
        let length = usize::from(self.buffer[0]) << 16 | usize::from(self.buffer[1]) << 8 | usize::from(self.buffer[2]);
        self.fill(9 + length).await?;
        let stream = u32::from_be_bytes(self.buffer[5..9].try_into().unwrap()) & 0x7fff_ffff;
        let frame = Frame { kind: self.buffer[3], flags: self.buffer[4], stream, payload: self.buffer[9..9 + length].to_vec() };
        self.buffer.drain(..9 + length);
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            let _ = self.stream.write_all(&self::frame(SETTINGS, ACK, 0, [])).await;
        }
        Some(frame)
    }

    async fn fill(&mut self, count: usize) -> Option<()> {
        while self.buffer.len() < count {
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
        Some(())
    }

    /// The next frame of this type; nothing when the connection ends before.
    pub async fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// What becomes of a stream.
    pub async fn fate(&mut self, stream: u32) -> Fate {
        loop {
            let Some(frame) = self.next().await else { return Fate::Closed };
            match frame.kind {
                HEADERS if frame.stream == stream => return Fate::Answered(status(&frame.payload)),
                RST_STREAM if frame.stream == stream => return Fate::Reset(frame.code(0)),
                GOAWAY => return Fate::GoneAway(frame.code(4)),
                _ => {}
            }
        }
    }

    /// Reads to the end of a stream's answer.
    pub async fn answer_ends(&mut self, stream: u32) {
        while let Some(frame) = self.next().await {
            if frame.stream == stream && (frame.kind == RST_STREAM || matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0) {
                return;
            }
        }
    }

    /// Whether the other side ends the connection, whatever it still says.
    pub async fn ends(&mut self) -> bool {
        while self.next().await.is_some() {}
        true
    }
}

/// A SETTINGS frame.
pub fn settings_frame(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings.iter().flat_map(|(id, value)| [id.to_be_bytes().as_slice(), &value.to_be_bytes()].concat()).collect();
    frame(SETTINGS, 0, 0, payload)
}

/// The status of an answer, which is its first header: of the static table, or three digits in
/// Huffman's code.
fn status(block: &[u8]) -> u16 {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A table's new size comes first, when settings changed it.
    let block = match block {
        [0x3f, rest @ ..] => &rest[rest.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1..],
        [0x20..=0x3e, rest @ ..] => rest,
        _ => block,
    };
    match block {
        [first @ 0x88..=0x8e, ..] => STATIC[usize::from(first - 0x88)],
        [0x48 | 0x08, length, rest @ ..] if length & 0x80 != 0 => huffman_digits(&rest[..usize::from(length & 0x7f)]),
        [0x48 | 0x08, 3, rest @ ..] => std::str::from_utf8(&rest[..3]).unwrap().parse().unwrap(),
        _ => panic!("no status in {block:02x?}"),
    }
}

fn huffman_digits(bytes: &[u8]) -> u16 {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut rest, mut number) = (bits.as_str(), 0);
    for _ in 0..3 {
        let (length, digit) = match &rest[..5] {
            "00000" => (5, 0),
            "00001" => (5, 1),
            "00010" => (5, 2),
            _ => (6, u16::from_str_radix(&rest[..6], 2).unwrap() - 0b01_1001 + 3),
        };
        number = number * 10 + digit;
        rest = &rest[length..];
    }
    number
}
