//! A check's messages on the wire (`envoy/service/auth/v3/external_auth.proto`, `attribute_context.proto`):
//! of the question the fields that are looked at, by their numbers there, without a copy of their
//! bytes; of the answer the bytes themselves. Whole messages of envoy-types cost more than twice as much.

use super::written::Written;
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
        buffer.reserve(item.as_ref().len());
        buffer.put_slice(item.as_ref());
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
}
