//! External authorization v3: Envoy asks before it sends a call upstream. It shows the request's
//! head, and its body where it was told to; of the answer nothing is ever seen here. A refused call
//! gets the refusal's own answer; no failure of ours is an OK.

mod body;
mod reply;
mod request;
mod wire;
mod written;

use super::arriving::Arriving;
use super::core::Shared;
use super::head::Head;
use super::presence::Open;
use super::refuse::{cannot, refuse_upgrade};
use crate::authorize::{Admission, Door, Refusal};
use crate::door::{Arrival, Asked, Ending, MetadataAnswers, Supplies, ask, draw_id, too_busy};
use crate::observe::Outcome;
use crate::snapshot::World;
use crate::sources::Channel;
use body::Body;
use bytes::Bytes;
use http::StatusCode;
use http::header::AUTHORIZATION;
use request::Received;
use std::convert::Infallible;
use std::sync::Arc;
use tonic::body::Body as GrpcBody;
use tonic::codegen::BoxFuture;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use wire::{CheckCodec, Question};
use written::Written;

/// The one method of the service.
pub(super) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// The metadata by which an Envoy says whether ext_proc follows.
const EXT_PROC: &str = "doorward-ext-proc";

/// The service.
#[derive(Clone)]
pub(super) struct ExtAuthz(Arc<Shared>);

impl ExtAuthz {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Answers one call, whose message has at most `message_bytes`.
    pub(super) fn call(&self, request: http::Request<Arriving<GrpcBody>>, message_bytes: usize, open: Open) -> BoxFuture<http::Response<GrpcBody>, Infallible> {
        let service = self.clone();
        Box::pin(async move {
            let answer = Grpc::new(CheckCodec).apply_max_message_size_config(Some(message_bytes), None).unary(service, request).await;
            drop(open);
            Ok(answer)
        })
    }
}

impl UnaryService<Question> for ExtAuthz {
    type Response = Written;
    type Future = BoxFuture<Response<Written>, Status>;

    fn call(&mut self, request: Request<Question>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { service.check(request).await.map(Response::new) })
    }
}

impl ExtAuthz {
    async fn check(&self, request: Request<Question>) -> Result<Written, Status> {
        // An error is no OK: without randomness for an id nothing is decided.
        let id = draw_id().ok_or_else(|| Status::unavailable("no randomness for decision ids"))?;
        let world = self.0.wiring.world.load();
        let mut ending = Ending::new(&self.0.wiring, Door::ExtAuthz, id);
        let follows = self.0.ext_proc && !says_alone(request.metadata());
        let seat = self.0.seats.take();
        // Without a seat nothing is read and nobody is asked.
        let received = if seat.is_some() { Received::read(request.into_inner(), self.0.head_bytes) } else { Err(too_busy()) };
        let verdict = match received {
            Ok(received) => self.judge(&received, follows, &world, &mut ending).await,
            Err(refusal) => Err(refusal),
        };
        Ok(match verdict {
            Ok(answer) => {
                ending.answered(Outcome::Passed, StatusCode::OK);
                answer
            }
            Err(refusal) => {
                ending.refused(&refusal);
                reply::refused(&world, id, &refusal)
            }
        })
    }

    async fn judge(&self, received: &Received, follows: bool, world: &Arc<World>, ending: &mut Ending) -> Result<Written, Refusal> {
        let head = &received.head;
        let arrival = Arrival {
            door: Door::ExtAuthz,
            decision_id: ending.decision_id(),
            world,
            now: self.0.wiring.clock.now(),
            method: &head.method,
            target: &head.target,
            headers: &head.headers,
            authority: Some(&head.authority),
            channel: Channel::default(),
        };
        let mut shown = Shown { shared: &self.0, world, head, body: &received.body, whole: None };
        let asked: Asked = ask(&self.0.wiring, &arrival, &mut shown).await;
        let told = reply::told(&asked, world);
        let admission = ending.asked(asked, world)?;
        carry_out(&admission, head, follows)?;
        Ok(reply::admitted(&admission, received, follows, &told))
    }
}

/// Whether this Envoy says that its ext_authz stands alone, whatever the configuration says of others: so
/// its own file makes it say (`initial_metadata`), which no client reaches.
fn says_alone(metadata: &MetadataMap) -> bool {
    metadata.get_all(EXT_PROC).iter().any(|value| value != "follows")
}

/// Refuses what this door cannot carry out.
fn carry_out(admission: &Admission, head: &Head, follows: bool) -> Result<(), Refusal> {
    if admission.is_filtered() && !follows {
        return Err(cannot("the answer must be filtered, which ext_authz alone cannot do, and `envoy.ext_proc` is not set or this Envoy stands alone"));
    }
    refuse_upgrade(admission, head)
}

/// What this door can bring: the body that Envoy sent along, and metadata from the upstream.
struct Shown<'a> {
    shared: &'a Shared,
    world: &'a World,
    head: &'a Head,
    body: &'a Body,
    whole: Option<&'a Bytes>,
}

impl Supplies for Shown<'_> {
    fn body(&self) -> Option<&Bytes> {
        self.whole
    }

    async fn read_body(&mut self, limit: usize) -> Result<(), Refusal> {
        self.whole = Some(self.body.whole(&self.head.headers, limit)?);
        Ok(())
    }

    async fn read_metadata(&mut self, targets: Vec<String>) -> MetadataAnswers {
        let authorization = self.head.headers.get(AUTHORIZATION).filter(|_| !self.world.settings.drop_authorization);
        self.shared.metadata.read(targets, authorization.cloned()).await
    }
}
