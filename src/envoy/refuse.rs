//! Refusals in Envoy's words: the problem document with its headers (interfaces §6), and a gRPC code
//! that is never OK.

use super::head::Head;
use crate::authorize::{Admission, DecisionId, Refusal, RefusalName};
use crate::door::{refusal_body, refusal_headers};
use crate::snapshot::World;
use http::HeaderMap;
use http::header::UPGRADE;
use tonic::Code;

/// A refusal on its way to the client.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer to a refused call.
    pub(super) fn new(world: &World, id: DecisionId, refusal: &Refusal) -> Self {
        Self { status: refusal.status().as_u16(), headers: refusal_headers(id, refusal), body: refusal_body(world, id, refusal) }
    }
}

/// A call that is allowed, and that Envoy could not carry out as it must be.
pub(super) fn cannot(reason: &'static str) -> Refusal {
    Refusal::new(RefusalName::AccessDenied, "This call cannot be made through this door.", reason)
}

/// Refuses a change of protocol but on operations that allow it: nothing that follows it is seen.
pub(super) fn refuse_upgrade(admission: &Admission, head: &Head) -> Result<(), Refusal> {
    if head.headers.contains_key(UPGRADE) && (!admission.is_upgrade() || admission.is_filtered()) {
        return Err(cannot("the request wants another protocol, which its operation does not allow"));
    }
    Ok(())
}

/// What a gRPC client is told.
pub(super) fn code(name: RefusalName) -> Code {
    match name {
        RefusalName::InvalidRequest => Code::InvalidArgument,
        RefusalName::InvalidIdentityToken => Code::Unauthenticated,
        RefusalName::BodyTooLarge | RefusalName::TargetTooLong | RefusalName::HeadTooLarge | RefusalName::Overloaded => Code::ResourceExhausted,
        RefusalName::PolicyUnavailable | RefusalName::UpstreamUnavailable | RefusalName::UpstreamTimeout => Code::Unavailable,
        RefusalName::RouteNotMapped | RefusalName::AccessDenied | RefusalName::NotFound | RefusalName::UnfilterableResponse => Code::PermissionDenied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_is_ok_to_grpc() {
        assert!(RefusalName::ALL.iter().all(|name| code(*name) != Code::Ok));
    }
}
