//! External processing v3: Envoy shows a call from its request's head to the end of its answer, and
//! does what it is told. Each call is authorized here from what is shown here; nothing that a client
//! could forge is believed, and nothing that ext_authz said before is needed. A stream of messages that
//! ends before its call does ends in an error, for Envoy takes a clean end as leave to go on unfiltered.

mod answer;
mod edits;
mod filtered;
mod life;
mod modes;
mod replies;
mod reply;
mod request;
mod wire;

use super::core::Shared;
use super::presence::Presence;
use crate::door::draw_id;
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingRequest;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use replies::Replies;
use tonic::{Request, Response, Status, Streaming};
use wire::Wire;

/// The service.
pub(super) struct ExtProc(Shared);

impl ExtProc {
    pub(super) fn new(shared: Shared) -> Self {
        Self(shared)
    }
}

#[tonic::async_trait]
impl ExternalProcessor for ExtProc {
    type ProcessStream = Replies;

    async fn process(&self, request: Request<Streaming<ProcessingRequest>>) -> Result<Response<Replies>, Status> {
        let id = draw_id().ok_or_else(|| Status::unavailable("no randomness for decision ids"))?;
        let open = request.extensions().get::<Presence>().map(Presence::open);
        let (sender, replies) = replies::channel();
        tokio::spawn(life::begin(self.0.clone(), id, Wire::new(request.into_inner(), sender, open)));
        Ok(Response::new(replies))
    }
}
