//! In which pieces Envoy shows bodies. What its configuration says stands; where it says nothing, each
//! call gets what it needs, so that a call that needs nothing costs no body.

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
pub(super) use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::HeaderSendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::ProtocolConfiguration;

/// The modes of Envoy's configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modes {
    request: BodySendMode,
    response: BodySendMode,
}

impl From<ProtocolConfiguration> for Modes {
    fn from(protocol: ProtocolConfiguration) -> Self {
        // A mode that is not known yet is as one that cannot filter.
        let read = |mode: i32| BodySendMode::try_from(mode).unwrap_or(BodySendMode::Grpc);
        Self { request: read(protocol.request_body_mode), response: read(protocol.response_body_mode) }
    }
}

impl Modes {
    /// Whether a request's body can be had whole before the request goes on.
    pub(super) fn can_hold_request(self) -> bool {
        matches!(self.request, BodySendMode::None | BodySendMode::Buffered)
    }

    /// How request bodies are shown where they are only passed on.
    pub(super) fn request(self) -> BodySendMode {
        self.request
    }

    /// How the answer's body is shown.
    pub(super) fn response(self) -> BodySendMode {
        if self.response == BodySendMode::None { BodySendMode::FullDuplexStreamed } else { self.response }
    }

    /// What is asked for one call: its request's body whole, or its answer's body, or neither.
    pub(super) fn asked(self, holds_request: bool, shows_answer: bool) -> ProcessingMode {
        let request = if holds_request { BodySendMode::Buffered } else { self.request };
        let response = if shows_answer { self.response() } else { BodySendMode::None };
        let trailers = if response == BodySendMode::FullDuplexStreamed { HeaderSendMode::Send } else { HeaderSendMode::Skip };
        ProcessingMode {
            request_header_mode: HeaderSendMode::Send.into(),
            response_header_mode: HeaderSendMode::Send.into(),
            request_body_mode: request.into(),
            response_body_mode: response.into(),
            // They are dropped; a request without any costs nothing by it.
            request_trailer_mode: HeaderSendMode::Send.into(),
            response_trailer_mode: trailers.into(),
        }
    }
}
