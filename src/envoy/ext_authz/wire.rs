//! A check's messages on the wire (`envoy/service/auth/v3/external_auth.proto`, `attribute_context.proto`):
//! of the question the fields that are looked at, by their numbers there, without a copy of their
//! bytes; of the answer the bytes themselves. Whole messages of envoy-types cost three times as much.

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// A `CheckRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Question {
    #[prost(message, optional, tag = "1")]
    pub(super) attributes: Option<Attributes>,
}

/// An `AttributeContext`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attributes {
    #[prost(message, optional, tag = "1")]
    pub(super) source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    pub(super) request: Option<Request>,
}

/// An `AttributeContext.Peer`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Peer {
    #[prost(message, optional, tag = "1")]
    pub(super) address: Option<Address>,
}

/// An `Address`; one that is no socket's is as good as none.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Address {
    #[prost(message, optional, tag = "1")]
    pub(super) socket: Option<SocketAddress>,
}

/// A `SocketAddress`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SocketAddress {
    #[prost(string, tag = "2")]
    pub(super) address: String,
}

/// An `AttributeContext.Request`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, optional, tag = "2")]
    pub(super) http: Option<HttpRequest>,
}

/// An `AttributeContext.HttpRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HttpRequest {
    #[prost(string, tag = "2")]
    pub(super) method: String,
    /// Headers that Envoy joined by name: a map, whose entries are messages of a key and a value.
    #[prost(message, repeated, tag = "3")]
    pub(super) joined: Vec<Header>,
    #[prost(string, tag = "4")]
    pub(super) path: String,
    #[prost(string, tag = "5")]
    pub(super) host: String,
    #[prost(string, tag = "7")]
    pub(super) query: String,
    #[prost(string, tag = "8")]
    pub(super) fragment: String,
    #[prost(int64, tag = "9")]
    pub(super) size: i64,
    #[prost(string, tag = "10")]
    pub(super) protocol: String,
    #[prost(string, tag = "11")]
    pub(super) body: String,
    #[prost(bytes = "bytes", tag = "12")]
    pub(super) raw_body: Bytes,
    #[prost(message, optional, tag = "13")]
    pub(super) header_map: Option<Headers>,
}

/// A `HeaderMap`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Headers {
    #[prost(message, repeated, tag = "1")]
    pub(super) headers: Vec<Header>,
}

/// A `HeaderValue`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Header {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) raw_value: Bytes,
}

/// A message that is being written. Field numbers are below 16.
#[derive(Default)]
pub(super) struct Written(Vec<u8>);

/// The kinds of fields that are written (protobuf's encoding, "wire types").
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH: u8 = 2;

impl Written {
    /// An empty message with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A text, or bytes.
    pub(super) fn bytes(&mut self, field: u8, value: &[u8]) {
        self.bytes_of(field, &[value]);
    }

    /// A text, or bytes, in parts.
    pub(super) fn bytes_of(&mut self, field: u8, parts: &[&[u8]]) {
        self.key(field, LENGTH);
        self.varint(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.0.extend_from_slice(part);
        }
    }

    /// A whole number, or one of a list of names.
    pub(super) fn number(&mut self, field: u8, value: usize) {
        self.key(field, VARINT);
        self.varint(value);
    }

    /// A double.
    pub(super) fn double(&mut self, field: u8, value: f64) {
        self.key(field, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A message inside.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.key(field, LENGTH);
        // Most lengths take one byte; a longer one makes room for itself.
        let place = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - place - 1;
        match (u8::try_from(length), self.0.get_mut(place)) {
            (Ok(short @ ..0x80), Some(byte)) => *byte = short,
            _ => {
                let mut prefix = Self::default();
                prefix.varint(length);
                self.0.splice(place..=place, prefix.0);
            }
        }
    }

    fn key(&mut self, field: u8, kind: u8) {
        self.0.push(field << 3 | kind);
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.0.push(0x80 | (value & 0x7f) as u8);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What most questions and answers fit into; more is made room for. The default of 8 KiB each is memory that
/// no processor still has at hand.
const BUFFER_BYTES: usize = 2048;
/// Tonic's own: one message is never cut.
const YIELD_BYTES: usize = 32 * 1024;

/// Reads questions, writes answers.
#[derive(Clone, Copy)]
pub(super) struct CheckCodec;

impl Codec for CheckCodec {
    type Encode = Written;
    type Decode = Question;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for CheckCodec {
    type Item = Written;
    type Error = Status;

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }

    fn encode(&mut self, item: Written, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(item.0.len());
        buffer.put_slice(&item.0);
        Ok(())
    }
}

impl Decoder for CheckCodec {
    type Item = Question;
    type Error = Status;

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Question>, Status> {
        let message = buffer.copy_to_bytes(buffer.remaining());
        Question::decode(message).map(Some).map_err(|error| Status::invalid_argument(format!("the check cannot be read: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::config::core::v3 as core;
    use envoy_types::pb::envoy::service::auth::v3 as auth;
    use envoy_types::pb::envoy::service::auth::v3::attribute_context as context;
    use envoy_types::pb::google::rpc;

    /// A question as Envoy's own types write it.
    fn question() -> auth::CheckRequest {
        let header = |key: &str, value: &str, raw: &[u8]| core::HeaderValue { key: key.to_owned(), value: value.to_owned(), raw_value: raw.to_vec() };
        let http = context::HttpRequest {
            id: "1".to_owned(),
            method: "GET".to_owned(),
            headers: [("a".to_owned(), "1".to_owned())].into(),
            header_map: Some(core::HeaderMap { headers: vec![header("b", "2", b""), header("c", "", &[0xff])] }),
            path: "/path".to_owned(),
            host: "host".to_owned(),
            scheme: "https".to_owned(),
            query: "query".to_owned(),
            fragment: "fragment".to_owned(),
            size: -1,
            protocol: "HTTP/2".to_owned(),
            body: "body".to_owned(),
            raw_body: b"raw".to_vec(),
        };
        let socket = core::SocketAddress { address: "192.0.2.1".to_owned(), ..core::SocketAddress::default() };
        let peer = context::Peer {
            address: Some(core::Address { address: Some(core::address::Address::SocketAddress(socket)) }),
            ..context::Peer::default()
        };
        let request = context::Request { http: Some(http), ..context::Request::default() };
        auth::CheckRequest {
            attributes: Some(auth::AttributeContext {
                source: Some(peer),
                destination: Some(context::Peer::default()),
                request: Some(request),
                context_extensions: [("x".to_owned(), "y".to_owned())].into(),
                ..auth::AttributeContext::default()
            }),
        }
    }

    #[test]
    fn a_question_is_read_as_envoy_writes_it() {
        let header = |key: &'static str, value: &'static str, raw: &'static [u8]| Header { key: key.into(), value: value.into(), raw_value: raw.into() };
        let attributes = Question::decode(Bytes::from(question().encode_to_vec())).unwrap().attributes.unwrap();
        assert_eq!(attributes.source.unwrap().address.unwrap().socket.unwrap().address, "192.0.2.1");
        let expected = HttpRequest {
            method: "GET".to_owned(),
            joined: vec![header("a", "1", b"")],
            path: "/path".to_owned(),
            host: "host".to_owned(),
            query: "query".to_owned(),
            fragment: "fragment".to_owned(),
            size: -1,
            protocol: "HTTP/2".to_owned(),
            body: "body".to_owned(),
            raw_body: Bytes::from_static(b"raw"),
            header_map: Some(Headers { headers: vec![header("b", "2", b""), header("c", "", &[0xff])] }),
        };
        assert_eq!(attributes.request.unwrap().http.unwrap(), expected);
    }

    #[test]
    fn a_question_that_breaks_off_is_none() {
        let whole = question().encode_to_vec();
        let broken = (1..whole.len()).filter(|end| Question::decode(Bytes::copy_from_slice(&whole[..*end])).is_ok()).count();
        assert_eq!(broken, 0);
    }

    #[test]
    fn what_is_written_is_read_by_envoys_own_types() {
        for length in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 100_000] {
            let mut written = Written::with_capacity(10);
            let text = "t".repeat(length);
            written.message(1, |status| {
                status.number(1, length);
                status.bytes(2, text.as_bytes());
            });
            let read = auth::CheckResponse::decode(written.as_ref()).unwrap();
            assert_eq!(read.status, Some(rpc::Status { code: length.try_into().unwrap(), message: text, details: Vec::new() }));
        }
    }
}
