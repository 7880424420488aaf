//! The upstream's answer becomes the client's: as it is, filtered, or refused, as the admission
//! says. The head is held back until the filter has shown that it can read the answer.

use super::body::{AnswerBody, Cut};
use super::core::Core;
use super::exit::Exit;
use super::filtered::{Filtered, Halt};
use super::upgrade::Tunnel;
use super::upstream::{Lease, Sent, unavailable};
use crate::authorize::{Answer, AnswerFilter, Refusal, RefusalName, Stop};
use crate::door::{DECISION_ID, framing};
use crate::observe::Outcome;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use http::response::Parts;
use http::{Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::upgrade::OnUpgrade;
use std::rc::Rc;
use std::time::Duration;

/// How much of a filtered answer is held back before its head goes out.
const HELD_BYTES: usize = 32 * 1024;

/// What is still needed of the request.
pub(super) struct Caller {
    pub(super) version: Version,
    /// The credential for metadata reads.
    pub(super) authorization: Option<HeaderValue>,
    /// The client's side of a change of protocol that it may make.
    pub(super) on_upgrade: Option<(OnUpgrade, Tunnel)>,
}

type Translated = Result<Response<AnswerBody>, Refusal>;

/// Translates an answer.
pub(super) async fn translate(core: &Rc<Core>, sent: Sent, caller: Caller, exit: &Exit) -> Translated {
    let Sent { admission, mut response, lease } = sent;
    // Our own, whatever the upstream speaks: by HTTP/1.0 a cut body would look whole.
    *response.version_mut() = Version::HTTP_11;
    framing::settle_answer(response.headers_mut())?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(response, caller, core.limits.upstream_read_timeout, exit);
    }
    let status = response.status();
    framing::remove_hop_by_hop(response.headers_mut());
    let answer = admission.answer(status, response.headers_mut())?;
    let (head, incoming) = response.into_parts();
    match answer {
        Answer::Pass => {
            exit.answered(Outcome::Passed, status);
            let body = AnswerBody::passing(incoming, lease, core.upstream.read_timeout(), exit.clone());
            Ok(Response::from_parts(head, body))
        }
        Answer::Empty => {
            exit.answered(Outcome::Filtered, status);
            if hyper::body::Body::is_end_stream(&incoming) {
                lease.give_back();
            }
            Ok(Response::from_parts(head, without_length(Bytes::new(), caller.version, exit)))
        }
        Answer::Filter(filter) => {
            exit.answered(Outcome::Filtered, status);
            filtered(core, filter, head, (incoming, lease), caller, exit).await
        }
    }
}

async fn filtered(core: &Rc<Core>, filter: Box<AnswerFilter>, mut head: Parts, upstream: (Incoming, Lease), caller: Caller, exit: &Exit) -> Translated {
    // Words beside a status may name what the body may not.
    head.extensions.remove::<ReasonPhrase>();
    let is_chunked = caller.version != Version::HTTP_10;
    let held = if is_chunked { HELD_BYTES } else { core.limits.held_answer_bytes.saturating_add(1) };
    let mut filtered = Box::new(Filtered::new(core, filter, upstream, caller.authorization, exit.clone()));
    match filtered.hold(held).await {
        Ok(true) => {
            let bytes = filtered.take_output();
            Ok(Response::from_parts(head, without_length(bytes, caller.version, exit)))
        }
        Ok(false) if is_chunked => Ok(Response::from_parts(head, AnswerBody::filtered(filtered))),
        Ok(false) => {
            let detail = "The answer cannot be filtered.";
            // Without chunks its end could not be told from a cut.
            let refusal = Refusal::new(RefusalName::UnfilterableResponse, detail, "too large to hold for an HTTP/1.0 client");
            Err(refusal)
        }
        Err(Halt::Stop(Stop::Replace(bytes))) => {
            head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(Response::from_parts(head, without_length(Bytes::from_static(bytes), caller.version, exit)))
        }
        Err(Halt::Stop(Stop::Refuse(refusal))) => Err(refusal),
        Err(Halt::Cut(cut)) => Err(cut_short(&cut)),
    }
}

/// A filtered body that is all here. It names no length (interfaces §6), but to an HTTP/1.0 client,
/// who could not tell its end from a cut.
fn without_length(bytes: Bytes, version: Version, exit: &Exit) -> AnswerBody {
    if version == Version::HTTP_10 { AnswerBody::last(bytes, exit.clone()) } else { AnswerBody::unmeasured(bytes, exit.clone()) }
}

/// What a body that broke off means while nothing of it was sent.
fn cut_short(cut: &Cut) -> Refusal {
    match cut {
        Cut::Silent => Refusal::new(RefusalName::UpstreamTimeout, "The upstream did not answer in time.", cut.to_string()),
        Cut::Upstream(_) | Cut::NotTaken | Cut::Stopped => unavailable(cut.to_string()),
    }
}

/// A change of protocol: only for a client that asked for it on an operation that allows it.
fn switch(mut response: Response<Incoming>, caller: Caller, patience: Duration, exit: &Exit) -> Translated {
    let is_agreed = response.headers().get(UPGRADE).is_some_and(framing::is_web_socket);
    let Some((client, tunnel)) = caller.on_upgrade.filter(|_| is_agreed) else {
        return Err(unavailable("the upstream changed the protocol unasked"));
    };
    tunnel.join(client, hyper::upgrade::on(&mut response), patience);
    let protocol = response.headers().get(UPGRADE).cloned();
    framing::remove_hop_by_hop(response.headers_mut());
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol);
    }
    headers.insert(DECISION_ID, exit.decision_id().header_value());
    exit.answered(Outcome::Passed, StatusCode::SWITCHING_PROTOCOLS);
    let (head, _) = response.into_parts();
    Ok(Response::from_parts(head, AnswerBody::last(Bytes::new(), exit.clone())))
}
