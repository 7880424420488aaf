//! From a request of the asking proxy to its answer: which question it is, whether the peer is
//! believed, and the answer in the words that the proxy understands.

use super::asking::require_in_force;
use super::original::Original;
use super::questions::{self, Questions};
use super::{Door, verdict};
use crate::authorize::{DecisionId, Refusal, RefusalName};
use crate::door::framing::check_size;
use crate::door::{Ending, draw_id, refusal_body, refusal_headers, too_busy};
use crate::snapshot::World;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use std::net::IpAddr;
use std::sync::Arc;

/// An answer of this door.
pub(super) type Answer = Response<Full<Bytes>>;

const STATUS: HeaderName = HeaderName::from_static("doorward-status");
const ERROR: HeaderName = HeaderName::from_static("doorward-error");

/// The paths that are asked.
enum Asked<'a> {
    /// `/auth`: the call stands in the headers, the answer has every status.
    Auth,
    /// `/auth/nginx`: the same, with the three statuses that `auth_request` can relay.
    Nginx,
    /// `/auth/envoy` and what follows: the call is the request itself, its target behind the prefix.
    Envoy(&'a str),
    /// Questions without a call.
    Bare(Questions),
    /// Nothing that is here.
    Unknown,
}

impl<'a> Asked<'a> {
    fn read(target: &'a str) -> Self {
        let path = target.split('?').next().unwrap_or_default();
        match (path, target.strip_prefix("/auth/envoy")) {
            ("/auth", _) => Self::Auth,
            ("/auth/nginx", _) => Self::Nginx,
            (_, Some(original)) if original.starts_with('/') => Self::Envoy(original),
            _ => Questions::at(path).map_or(Self::Unknown, Self::Bare),
        }
    }
}

/// Answers one request.
pub(super) async fn answer(door: &Arc<Door>, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let world = door.wiring.world.load();
    // Without an id nothing is let through.
    let Some(id) = draw_id() else { return status_alone(StatusCode::SERVICE_UNAVAILABLE) };
    let target = request.uri().path_and_query().map_or("", http::uri::PathAndQuery::as_str).to_owned();
    let asked = Asked::read(&target);
    let seat = door.seats.take();
    match asked {
        Asked::Unknown => refused(&world, id, &Refusal::new(RefusalName::NotFound, "There is nothing at this path.", "no such path")),
        // Without a seat nothing is read and nobody is asked.
        _ if seat.is_none() => refuse(&world, verdict::begin(door, id), &asked, &too_busy()),
        Asked::Bare(questions) => questions::answer(door, &world, id, questions, request).await,
        _ => answer_call(door, peer, &world, id, &asked, request.into_parts().0).await,
    }
}

/// Answers for a call that somebody else carries.
async fn answer_call(door: &Door, peer: IpAddr, world: &Arc<World>, id: DecisionId, asked: &Asked<'_>, head: Parts) -> Answer {
    let mut ending = verdict::begin(door, id);
    let read = trusted(door, peer)
        .and_then(|()| require_in_force(world, door.wiring.clock.now()))
        .and_then(|()| read(asked, head, door.settings.limits.request_head_bytes));
    let judged = match read {
        Ok(original) => verdict::judge(door, world, &original, &mut ending).await,
        Err(refusal) => Err(refusal),
    };
    match judged {
        Ok(headers) => admitted(headers),
        Err(refusal) => refuse(world, ending, asked, &refusal),
    }
}

/// Refuses in the words that who asks understands.
fn refuse(world: &World, mut ending: Ending, asked: &Asked<'_>, refusal: &Refusal) -> Answer {
    ending.refused(refusal);
    let answer = refused(world, ending.decision_id(), refusal);
    if matches!(asked, Asked::Nginx) { for_nginx(answer, refusal) } else { answer }
}

/// # Errors
/// 403 for a peer that is not believed.
fn trusted(door: &Door, peer: IpAddr) -> Result<(), Refusal> {
    let reason = || format!("`{peer}` is none of the trusted peers");
    let refusal = || Refusal::new(RefusalName::AccessDenied, "Access to this resource is denied.", reason());
    door.trusts(peer).then_some(()).ok_or_else(refusal)
}

/// The original call, whose head has at most `limit` bytes.
fn read(asked: &Asked<'_>, head: Parts, limit: usize) -> Result<Original, Refusal> {
    let original = match asked {
        Asked::Envoy(target) => Original::of_path(head.method.as_str(), target, head.headers),
        _ => Original::of_headers(head.headers),
    }?;
    check_size(original.method.len() + original.target.len(), &original.headers, limit)?;
    Ok(original)
}

fn admitted(headers: HeaderMap) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.headers_mut() = headers;
    answer
}

/// A refusal with its own status and the problem document.
pub(super) fn refused(world: &World, id: DecisionId, refusal: &Refusal) -> Answer {
    let mut answer = Response::new(Full::from(refusal_body(world, id, refusal)));
    *answer.status_mut() = refusal.status();
    *answer.headers_mut() = refusal_headers(id, refusal);
    answer
}

/// The same as `auth_request` takes it: 401 and 403 alone, the truth in headers (interfaces §10).
fn for_nginx(mut answer: Answer, refusal: &Refusal) -> Answer {
    let status = answer.status();
    if status != StatusCode::UNAUTHORIZED {
        *answer.status_mut() = StatusCode::FORBIDDEN;
    }
    let headers = answer.headers_mut();
    headers.remove(RETRY_AFTER);
    headers.insert(STATUS, HeaderValue::from(status.as_u16()));
    headers.insert(ERROR, HeaderValue::from_static(refusal.name.as_str()));
    answer
}

/// An answer that says nothing more.
fn status_alone(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_prefix_of_envoy_is_the_target_byte_for_byte() {
        for target in ["/", "/a?b", "//a", "/a/../b", "/auth", "/?/auth/envoy"] {
            let path = format!("/auth/envoy{target}");
            assert!(matches!(Asked::read(&path), Asked::Envoy(read) if read == target), "{path}");
        }
        for target in ["/auth/envoy", "/auth/envoyer/x", "/auth/envoy?/x", "/auth/", "/auth/nginx/", "/", "/authentic"] {
            assert!(matches!(Asked::read(target), Asked::Unknown), "{target}");
        }
        assert!(matches!(Asked::read("/auth?x=/y"), Asked::Auth));
        assert!(matches!(Asked::read("/auth/nginx?x"), Asked::Nginx));
    }
}
