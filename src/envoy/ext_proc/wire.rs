//! The two streams of one call: what Envoy shows, message by message, and what it is told.

use super::replies::Sender;
use super::reply;
use crate::authorize::Refusal;
use crate::envoy::presence::Open;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse, ProtocolConfiguration};
use envoy_types::pb::google::protobuf::value::Kind;
use tonic::Streaming;

/// The attribute that says where an answer comes from, its filter, and its value for the upstream's.
const FILTER: &str = "envoy.filters.http.ext_proc";
const ORIGIN: &str = "response.code_details";
const VIA_UPSTREAM: &str = "via_upstream";

/// Why a call does not go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// It is refused; once its answer has begun it is cut.
    Refuse(Refusal),
    /// Envoy said something that it cannot say now.
    Order(&'static str),
    /// Envoy went away.
    Gone,
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// Both streams.
pub(super) struct Wire {
    incoming: Streaming<ProcessingRequest>,
    sender: Sender,
    /// What Envoy's configuration says; it stands in the first message.
    protocol: Option<ProtocolConfiguration>,
    /// A request's head was read: from now on its trailers may come, at any time.
    has_begun: bool,
    /// Where the answer comes from, in Envoy's words, if its configuration lets it say so.
    origin: Option<String>,
    /// The call is one of its connection's as long.
    _open: Option<Open>,
}

impl Wire {
    pub(super) fn new(incoming: Streaming<ProcessingRequest>, sender: Sender, open: Option<Open>) -> Self {
        Self { incoming, sender, protocol: None, has_begun: false, origin: None, _open: open }
    }

    /// The next message; `None` when Envoy is done.
    ///
    /// # Errors
    /// When Envoy went away, or does not wait for what it is told.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Halt> {
        loop {
            let Some(message) = self.incoming.message().await.map_err(|_| Halt::Gone)? else { return Ok(None) };
            if message.observability_mode {
                return Err(Halt::Order("Envoy only observes"));
            }
            if self.protocol.is_none() {
                self.protocol = message.protocol_config;
            }
            if let Some(origin) = origin(&message) {
                self.origin = Some(origin);
            }
            match message.request {
                // Trailers of a request are dropped, also when its answer has begun (threats §1).
                Some(Message::RequestTrailers(trailers)) if self.has_begun => self.send(reply::request_trailers(&trailers)).await?,
                // A message without a request only tells of flow control.
                None => {}
                request => return Ok(request),
            }
        }
    }

    /// A request's head was read.
    pub(super) fn begin_call(&mut self) {
        self.has_begun = true;
    }

    /// What Envoy's configuration says of bodies.
    pub(super) fn protocol(&self) -> ProtocolConfiguration {
        self.protocol.unwrap_or_default()
    }

    /// Whether the answer is Envoy's own, and not the upstream's. Only Envoy can say so.
    pub(super) fn is_answer_of_envoy(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin != VIA_UPSTREAM)
    }

    /// Tells Envoy something.
    ///
    /// # Errors
    /// When Envoy went away.
    pub(super) async fn send(&mut self, reply: ProcessingResponse) -> Result<(), Halt> {
        self.sender.send(reply).await
    }

    /// Reads what Envoy still sends, then ends: never before Envoy.
    pub(super) async fn end(mut self) {
        while let Ok(Some(_)) = self.incoming.message().await {}
        self.sender.end().await;
    }
}

fn origin(message: &ProcessingRequest) -> Option<String> {
    match &message.attributes.get(FILTER)?.fields.get(ORIGIN)?.kind {
        Some(Kind::StringValue(origin)) if !origin.is_empty() => Some(origin.clone()),
        _ => None,
    }
}
