//! The life of one call, in the order that Envoy shows it: request, then answer. Whatever comes out of
//! order, twice or not at all ends it with a refusal, or, once the answer has begun, with a cut.

use super::edits::Edits;
use super::modes::Modes;
use super::request::Requested;
use super::wire::{Halt, Wire};
use super::{answer, reply};
use crate::authorize::{Admission, DecisionId, Door};
use crate::door::{Arrival, Ending, Seat, ask, too_busy};
use crate::envoy::core::Shared;
use crate::envoy::head::{Head, refused};
use crate::envoy::refuse::refuse_upgrade;
use crate::snapshot::World;
use crate::sources::Channel;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::{HeaderMutation, HttpHeaders};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Envoy's own, from what it knows of its client.
const OF_ENVOY: [HeaderName; 2] = [HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-forwarded-proto")];

/// A call.
pub(super) struct Life {
    pub(super) shared: Shared,
    pub(super) world: Arc<World>,
    pub(super) wire: Wire,
    pub(super) ending: Ending,
    /// The caller's own credential for metadata reads, unless it is not to be passed on.
    pub(super) authorization: Option<HeaderValue>,
    /// The answer's head went on: from here on a refusal is a cut.
    pub(super) has_begun: bool,
    /// Its place among the calls at work, to its end.
    _seat: Option<Seat>,
}

/// Lives to a call's end, from its first message. What a filter before this one answered itself, such as
/// the refusal of ext_authz, comes by here on its way out: it is no call, and goes on as it is.
pub(super) async fn begin(shared: Shared, id: DecisionId, mut wire: Wire) {
    let first = match wire.next().await {
        Ok(Some(Message::ResponseHeaders(_))) if wire.is_answer_of_envoy() => return answer::of_envoy(wire).await,
        Ok(None) => return wire.end().await,
        first => first,
    };
    let (world, ending) = (shared.wiring.world.load(), Ending::new(&shared.wiring, Door::ExtProc, id));
    let seat = shared.seats.take();
    // Without a seat nothing is read and nobody is asked.
    let first = if seat.is_some() { first } else { Err(too_busy().into()) };
    Life { shared, world, wire, ending, authorization: None, has_begun: false, _seat: seat }.live(first).await;
}

impl Life {
    /// Lives to the call's end. Only a call that came to its end, or was refused, ends cleanly.
    async fn live(mut self, first: Result<Option<Message>, Halt>) {
        let refusal = match self.go(first).await {
            Ok(()) => return self.wire.end().await,
            Err(Halt::Refuse(refusal)) => refusal,
            Err(Halt::Order(reason)) => refused(reason),
            Err(Halt::Gone) => return,
        };
        if self.has_begun {
            // Dropping the wire is an error to Envoy, which cuts the answer.
            return self.ending.failed(&refusal);
        }
        self.ending.refused(&refusal);
        let reply = reply::refusal(&self.world, self.ending.decision_id(), &refusal);
        if self.wire.send(reply).await.is_ok() {
            self.wire.end().await;
        }
    }

    async fn go(&mut self, first: Result<Option<Message>, Halt>) -> Result<(), Halt> {
        let shown = match first? {
            Some(Message::RequestHeaders(shown)) => shown,
            Some(_) => return Err(Halt::Order("a call does not begin with its head")),
            None => return Ok(()),
        };
        let mut is_over = shown.end_of_stream;
        let (admission, is_inspected) = self.admit(shown).await?;
        let modes = Modes::from(self.wire.protocol());
        loop {
            let reply = match self.wire.next().await? {
                None => return Ok(()),
                Some(Message::ResponseHeaders(shown)) => return answer::carry(self, admission, modes, shown).await,
                Some(Message::RequestBody(_)) if is_over => return Err(Halt::Order("a body goes on behind the request's end")),
                Some(Message::RequestBody(piece)) if !is_inspected => {
                    is_over = piece.end_of_stream;
                    reply::request_piece(piece.body, piece.end_of_stream, modes.request())
                }
                Some(Message::RequestBody(_)) => return Err(Halt::Order("a body comes twice")),
                Some(Message::RequestHeaders(_)) => return Err(Halt::Order("a request comes twice")),
                Some(_) => return Err(Halt::Order("an answer does not begin with its head")),
            };
            self.wire.send(reply).await?;
        }
    }

    /// Asks for a verdict; tells Envoy to let the request go on if it is an admission. Says whether the
    /// body was read.
    async fn admit(&mut self, shown: HttpHeaders) -> Result<(Box<Admission>, bool), Halt> {
        let head = Head::of_request(shown.headers.unwrap_or_default().headers)?;
        head.check(self.shared.head_bytes)?;
        self.wire.begin_call();
        self.authorization = head.headers.get(AUTHORIZATION).filter(|_| !self.world.settings.drop_authorization).cloned();
        let arrival = Arrival {
            door: Door::ExtProc,
            decision_id: self.ending.decision_id(),
            world: &self.world,
            now: self.shared.wiring.clock.now(),
            method: &head.method,
            target: &head.target,
            headers: &head.headers,
            authority: Some(&head.authority),
            channel: Channel::default(),
        };
        let mut requested = Requested {
            wire: &mut self.wire,
            metadata: &self.shared.metadata,
            head: &head,
            authorization: self.authorization.clone(),
            has_no_body: shown.end_of_stream,
            whole: None,
            holds_body: false,
            halt: None,
        };
        let asked = ask(&self.shared.wiring, &arrival, &mut requested).await;
        let (holds_body, halt) = (requested.holds_body, requested.halt.take());
        let verdict = self.ending.asked(asked, &self.world);
        if let Some(halt) = halt {
            return Err(halt);
        }
        let admission = verdict?;
        refuse_upgrade(&admission, &head)?;
        let edits = request_edits(&admission, &head);
        let reply = if holds_body {
            reply::request_body(edits)
        } else {
            reply::request_head(edits, Modes::from(self.wire.protocol()).asked(false, admission.is_filtered()))
        };
        self.wire.send(reply).await?;
        Ok((admission, holds_body))
    }
}

fn request_edits(admission: &Admission, head: &Head) -> HeaderMutation {
    let mut edits = admission.request_edits(&head.headers);
    if let Ok(host) = HeaderValue::try_from(&head.authority) {
        edits.set(FORWARDED_HOST, host);
    }
    Edits::of_request(&edits, |name| !OF_ENVOY.contains(name)).into_mutation()
}
