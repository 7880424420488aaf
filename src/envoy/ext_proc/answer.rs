//! The answer of an admitted call: passed on as it is, emptied, or filtered, as the admission says.

use super::edits::Edits;
use super::filtered::{self, Filtered, Sources};
use super::life::Life;
use super::modes::{BodySendMode, Modes};
use super::reply;
use super::wire::{Halt, Wire};
use crate::authorize::{Admission, Answer, Refusal, RefusalName};
use crate::envoy::head;
use crate::observe::Outcome;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::{HeaderMutation, HttpHeaders};
use http::StatusCode;

/// Carries an answer from its head to its end.
pub(super) async fn carry(life: &mut Life, admission: Box<Admission>, modes: Modes, shown: HttpHeaders) -> Result<(), Halt> {
    let (status, before) = head::of_answer(shown.headers.unwrap_or_default().headers).map_err(|refusal| unfilterable(refusal.reason))?;
    if status == StatusCode::SWITCHING_PROTOCOLS && !admission.is_upgrade() {
        let reason = "the upstream changed the protocol unasked";
        return Err(Refusal::new(RefusalName::UpstreamUnavailable, "The upstream does not answer as it must.", reason).into());
    }
    if life.wire.is_answer_of_envoy() && status.is_server_error() {
        return Err(no_answer(status).into());
    }
    let mut after = before.clone();
    let answer = admission.answer(status, &mut after)?;
    let edits = Edits::between(&before, &after).into_mutation();
    match answer {
        Answer::Pass => {
            begin(life, edits).await?;
            life.ending.answered(Outcome::Passed, status);
            pass_on(&mut life.wire, modes.response()).await
        }
        Answer::Empty => {
            begin(life, edits).await?;
            life.ending.answered(Outcome::Filtered, status);
            empty(life, modes.response()).await
        }
        Answer::Filter(filter) => {
            let sources = Sources { metadata: life.shared.metadata.clone(), authorization: life.authorization.clone() };
            let mut filtered = Filtered::new(filter, sources, edits, modes.response());
            let result = filtered::carry(life, &mut filtered, shown.end_of_stream).await;
            life.ending.summarize(filtered.summary());
            if result.is_ok() {
                life.ending.answered(Outcome::Filtered, status);
            }
            result
        }
    }
}

/// Lets an answer of Envoy's own go on as it is.
pub(super) async fn of_envoy(mut wire: Wire) {
    let mode = Modes::from(wire.protocol()).response();
    if wire.send(reply::answer_head(HeaderMutation::default())).await.is_ok() && pass_on(&mut wire, mode).await.is_ok() {
        wire.end().await;
    }
}

/// The head goes on.
pub(super) async fn begin(life: &mut Life, edits: HeaderMutation) -> Result<(), Halt> {
    life.has_begun = true;
    life.wire.send(reply::answer_head(edits)).await
}

/// Every piece goes on as it is, where Envoy shows them at all.
async fn pass_on(wire: &mut Wire, mode: BodySendMode) -> Result<(), Halt> {
    loop {
        let reply = match wire.next().await? {
            None => return Ok(()),
            Some(Message::ResponseBody(piece)) => reply::answer_piece(piece.body, piece.end_of_stream, mode),
            Some(Message::ResponseTrailers(_)) => reply::answer_trailers(),
            Some(_) => return Err(Halt::Order("an answer is not over")),
        };
        wire.send(reply).await?;
    }
}

/// Nothing goes on, should anything come.
async fn empty(life: &mut Life, mode: BodySendMode) -> Result<(), Halt> {
    loop {
        let reply = match life.wire.next().await? {
            None => return Ok(()),
            Some(Message::ResponseBody(piece)) => reply::answer_instead(Vec::new(), piece.end_of_stream, mode, HeaderMutation::default()),
            Some(Message::ResponseTrailers(trailers)) => reply::answer_trailers_dropped(&trailers),
            Some(_) => return Err(Halt::Order("an answer is not over")),
        };
        life.wire.send(reply).await?;
    }
}

/// Envoy's own word for an upstream that gave no answer.
fn no_answer(status: StatusCode) -> Refusal {
    match status {
        StatusCode::GATEWAY_TIMEOUT => Refusal::new(RefusalName::UpstreamTimeout, "The upstream did not answer in time.", "Envoy says 504 for it"),
        status => Refusal::new(RefusalName::UpstreamUnavailable, "The upstream is not available.", format!("Envoy says {status} for it")),
    }
}

/// An answer that cannot be shown, for this reason.
pub(super) fn unfilterable(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::UnfilterableResponse, "The answer of the service cannot be shown.", reason)
}
