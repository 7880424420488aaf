//! A call that the door carries itself, over Pingora's connections: up with its body, and down through
//! the filter. The head of the answer is held back until the filter has shown that it can read it.

use super::Doorward;
use super::answer::{self, Halt};
use super::call::Open;
use super::reaching::{late, unavailable};
use super::request::{Framing, framing_of, incomplete, outgoing};
use crate::authorize::{Admission, Refusal};
use bytes::Bytes;
use http::{Method, StatusCode};
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::time::Duration;

/// How often a call is sent again when a pooled connection turns out to be closed.
const STALE_CONNECTIONS: usize = 8;

/// An answer on its way down, with the connection it comes on.
pub(super) struct Upstream {
    pub(super) session: HttpSession,
    pub(super) peer: HttpPeer,
}

/// Why there is no answer's head.
enum Fault {
    /// The connection ended before a byte of the answer.
    Closed,
    Refused(Refusal),
}

/// Sends an admitted call up, with its inspected body or the one that still comes, and brings its
/// answer to the client.
pub(super) async fn carry(door: &Doorward, session: &mut Session, open: &mut Open, admission: Box<Admission>, body: Option<Bytes>) -> Result<(), Halt> {
    open.goes_up();
    let upstream = send(door, session, open, &admission, body).await.map_err(Halt::Refused)?;
    open.came_back(&door.wiring);
    answer::translate(door, session, open, admission, upstream).await
}

/// One request and the head of its answer, again on another connection where that is safe: the one
/// reused ended without a byte, and the request may be repeated.
async fn send(door: &Doorward, session: &mut Session, open: &mut Open, admission: &Admission, body: Option<Bytes>) -> Result<Upstream, Refusal> {
    let framing = match &body {
        None => framing_of(session),
        Some(body) if body.is_empty() => Framing::Empty,
        Some(body) => Framing::Length(body.len() as u64),
    };
    let is_idempotent = matches!(open.head.method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS);
    let may_repeat = is_idempotent && (body.is_some() || framing == Framing::Empty);
    let mut stale = 0;
    loop {
        let (mut upstream, is_reused) = reach(door, open).await?;
        let authority = door.upstreams.authority(&open.route).ok_or_else(|| unavailable("no upstream is left to try"))?;
        let request = outgoing(open, admission, authority, framing)?;
        let streamed = if body.is_none() && framing != Framing::Empty { Some(&mut *session) } else { None };
        match exchange(&mut upstream.session, request, body.as_ref(), streamed).await {
            Ok(()) => return Ok(upstream),
            Err(Fault::Refused(refusal)) => return Err(refusal),
            Err(Fault::Closed) if is_reused && may_repeat && stale < STALE_CONNECTIONS => stale += 1,
            Err(Fault::Closed) => return Err(unavailable("the upstream closed the connection without an answer")),
        }
    }
}

/// A connection to the upstream whose turn it is, or to the next that can be reached. Nothing was
/// sent yet, so trying another is safe for every request.
async fn reach(door: &Doorward, open: &mut Open) -> Result<(Upstream, bool), Refusal> {
    loop {
        let refusal = match door.upstreams.peer(&mut open.route).await {
            Ok(peer) => match door.connections.get_http_session(&peer).await {
                Ok((session, is_reused)) => {
                    door.upstreams.reached(&open.route);
                    return Ok((Upstream { session: patient(session, peer.options.read_timeout), peer }, is_reused));
                }
                Err(error) => refusal_of(&error),
            },
            Err(refusal) => refusal,
        };
        if !door.upstreams.pass_over(&mut open.route) {
            return Err(refusal);
        }
    }
}

fn patient(mut session: HttpSession, silence: Option<Duration>) -> HttpSession {
    session.read_timeout = silence;
    session.write_timeout = silence;
    session
}

async fn exchange(upstream: &mut HttpSession, request: RequestHeader, body: Option<&Bytes>, streamed: Option<&mut Session>) -> Result<(), Fault> {
    upstream.write_request_header(Box::new(request)).await.map_err(|error| fault(&error))?;
    // An upstream that has heard enough may answer early and close: then its answer is what counts.
    let sent = match (body, streamed) {
        (Some(body), _) if !body.is_empty() => upstream.write_body(body).await.map(drop),
        (_, Some(client)) => pour(upstream, client).await?,
        _ => Ok(()),
    };
    let sent = match sent {
        Ok(()) => upstream.finish_body().await.map(drop),
        Err(error) => Err(error),
    };
    loop {
        if let Err(error) = upstream.read_response().await {
            return Err(fault(&sent.err().unwrap_or(error)));
        }
        match upstream.get_status() {
            Some(StatusCode::SWITCHING_PROTOCOLS) => return Err(Fault::Refused(unavailable("the upstream changed the protocol unasked"))),
            Some(status) if status.is_informational() => {}
            _ => return Ok(()),
        }
    }
}

/// Sends the client's body on as it comes; the inner result is the upstream's side.
async fn pour(upstream: &mut HttpSession, client: &mut Session) -> Result<Result<(), Box<Error>>, Fault> {
    loop {
        let chunk = client.read_request_body().await;
        match chunk.map_err(|error| Fault::Refused(incomplete(error.etype().as_str())))? {
            None => return Ok(Ok(())),
            Some(chunk) => {
                if let Err(error) = upstream.write_body(&chunk).await {
                    return Ok(Err(error));
                }
            }
        }
    }
}

fn fault(error: &Error) -> Fault {
    match error.etype() {
        ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed => Fault::Closed,
        _ => Fault::Refused(refusal_of(error)),
    }
}

/// What an error of Pingora on the upstream's side means to the client. Its own words may show what
/// was sent, and are left out.
pub(super) fn refusal_of(error: &Error) -> Refusal {
    match error.etype() {
        ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::WriteTimedout | ErrorType::TLSHandshakeTimedout => late(error.etype().as_str()),
        other => unavailable(other.as_str()),
    }
}
