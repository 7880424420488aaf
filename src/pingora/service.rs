//! The door as Pingora calls it, phase by phase.

use super::answer::Halt;
use super::call::{Call, Open};
use super::carrying::{self, Upstream, refusal_of};
use super::presence::Presence;
use super::reaching::{Upstreams, unavailable};
use super::request::{Framing, Upstairs, framing_of, give_leave, incomplete, outgoing};
use super::{Limits, PingoraError, Settings, framing, refuse, serving};
use crate::authorize::{Admission, Answer, Door, Refusal, RefusalName};
use crate::door::framing::{is_web_socket, remove_hop_by_hop, settle_answer, upgrade_asked};
use crate::door::{Arrival, Ending, Metadata, Seats, Wiring, ask, draw_id, too_busy};
use crate::observe::Outcome;
use crate::sources::Channel;
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::{StatusCode, Version};
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::v1::Connector;
use pingora_core::modules::http::HttpModules;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use std::path::PathBuf;
use std::sync::Arc;

/// The door. Give it to Pingora's `HttpProxy`, or to `http_proxy_service`, with the configuration that
/// it makes itself.
pub struct Doorward {
    pub(super) wiring: Arc<Wiring>,
    pub(super) limits: Limits,
    pub(super) metadata: Metadata,
    pub(super) upstreams: Upstreams,
    pub(super) connections: Connector,
    seats: Seats,
    upstream_ca: Option<PathBuf>,
    upstream_count: usize,
}

/// An admitted call, with its body if that was inspected.
type Admitted = (Box<Admission>, Option<Bytes>);

impl Doorward {
    /// A door in front of these upstreams. The process gets aws-lc-rs as its provider of TLS, unless it
    /// has another already.
    ///
    /// # Errors
    /// When an upstream's name or the roots cannot be used.
    pub fn new(wiring: Wiring, settings: Settings) -> Result<Self, PingoraError> {
        serving::prepare_tls(&settings)?;
        let Settings { upstreams, upstream_ca, limits, health, metadata } = settings;
        let (upstream_count, upstreams) = (upstreams.len(), Upstreams::new(&upstreams, health, limits)?);
        let options = ConnectorOptions::from_server_conf(&serving::server_conf(upstream_ca.as_deref(), upstream_count));
        Ok(Self {
            wiring: Arc::new(wiring),
            limits,
            metadata,
            upstreams,
            seats: Seats::new(limits.max_in_flight),
            connections: Connector::new(Some(options)),
            upstream_ca,
            upstream_count,
        })
    }

    /// The configuration that Pingora needs to serve this door: the roots of https upstreams, and how
    /// often a call may be tried.
    #[must_use]
    pub fn server_conf(&self) -> ServerConf {
        serving::server_conf(self.upstream_ca.as_deref(), self.upstream_count)
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) async fn release(&self, upstream: Upstream) {
        let Upstream { session, peer } = upstream;
        let idle = peer.options.idle_timeout;
        self.connections.release_http_session(session, &peer, idle).await;
    }

    /// Opens a call; `None` while the system has no randomness for its id.
    fn open(&self, session: &Session) -> Option<Box<Open>> {
        let ending = Ending::new(&self.wiring, Door::Proxy, draw_id()?);
        Some(Box::new(Open::new(self.wiring.world.load(), ending, session, self.upstreams.route(), self.seats.take())))
    }

    /// Asks for a verdict, with what it needs.
    async fn admit(&self, session: &mut Session, open: &mut Open, presence: &Presence) -> Result<Admitted, Refusal> {
        if !open.is_seated() {
            return Err(too_busy());
        }
        framing::check(&open.head, presence, self.limits.request_head_bytes)?;
        let now = self.wiring.clock.now();
        let (authorization, awaits_leave) = (open.authorization(), open.awaits_leave());
        let arrival = Arrival {
            door: Door::Proxy,
            decision_id: open.ending.decision_id(),
            world: &open.world,
            now,
            method: open.head.method.as_str(),
            target: framing::target(&open.head)?,
            headers: &open.head.headers,
            authority: open.head.uri.authority().map(http::uri::Authority::as_str),
            channel: Channel::default(),
        };
        let patience = self.limits.request_body_timeout;
        let mut upstairs = Upstairs { session, metadata: &self.metadata, authorization, awaits_leave, patience, whole: None };
        let asked = ask(&self.wiring, &arrival, &mut upstairs).await;
        let body = upstairs.whole;
        let admission = open.ending.asked(asked, &open.world)?;
        if body.is_none() && awaits_leave && !session.is_body_done() {
            give_leave(session).await?;
        }
        open.upgrade = wish(session, open, presence, &admission, body.as_ref())?;
        Ok((admission, body))
    }

    /// Answers the call here, or leaves it to Pingora's pipeline; `true` says that it was answered.
    async fn answer(&self, session: &mut Session, open: &mut Open, presence: &Presence) -> Result<bool, Halt> {
        let (admission, body) = self.admit(session, open, presence).await.map_err(Halt::Refused)?;
        if !admission.is_filtered() && body.is_none() {
            open.admission = Some(admission);
            return Ok(false);
        }
        carrying::carry(self, session, open, admission, body).await?;
        Ok(true)
    }
}

/// The protocol that the connection may change to. Whoever sent something behind such a request would
/// have it forwarded to where nobody looks at it.
fn wish(session: &mut Session, open: &Open, presence: &Presence, admission: &Admission, body: Option<&Bytes>) -> Result<Option<HeaderValue>, Refusal> {
    let is_free = admission.is_upgrade() && !admission.is_filtered() && body.is_none() && session.is_body_empty();
    let wish = if is_free { upgrade_asked(&open.head) } else { None };
    let Some(raw) = wish.as_ref().and_then(|_| session.as_http1()).map(|http1| http1.get_headers_raw_bytes().len()) else { return Ok(None) };
    if !presence.is_nothing_behind(raw) {
        let reason = "something came behind the wish for another protocol";
        return Err(Refusal::new(RefusalName::InvalidRequest, "The request is not acceptable.", reason));
    }
    Ok(wish)
}

/// A refusal as the error that makes Pingora's pipeline stop.
fn stop(open: &mut Open, refusal: Refusal) -> Box<Error> {
    open.refusal = Some(refusal);
    Error::explain(ErrorType::InternalError, "the door refuses")
}

fn nothing_open() -> Box<Error> {
    Error::explain(ErrorType::InternalError, "there is no admission")
}

#[async_trait]
impl ProxyHttp for Doorward {
    type CTX = Call;

    fn new_ctx(&self) -> Call {
        Call::default()
    }

    /// None: nothing changes an answer behind the filter.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, call: &mut Call) -> Result<()> {
        call.presence = Some(Presence::on(session.stream()));
        session.set_read_timeout(Some(self.limits.upstream_read_timeout));
        session.set_write_timeout(Some(self.limits.client_write_timeout));
        session.set_ignore_info_resp(true);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, call: &mut Call) -> Result<bool> {
        let Call { presence: Some(presence), open } = call else { return Err(nothing_open()) };
        let open = open.insert(self.open(session).ok_or_else(nothing_open)?);
        match self.answer(session, open, presence).await {
            Ok(is_answered) => Ok(is_answered),
            Err(Halt::Refused(refusal)) => {
                refuse::answer(session, open, &refusal).await;
                Ok(true)
            }
            Err(Halt::Cut) => Err(Error::explain(ErrorType::InternalError, "the answer is cut")),
        }
    }

    async fn upstream_peer(&self, _: &mut Session, call: &mut Call) -> Result<Box<HttpPeer>> {
        let open = call.open.as_deref_mut().filter(|open| open.admission.is_some()).ok_or_else(nothing_open)?;
        loop {
            match self.upstreams.peer(&mut open.route).await {
                Ok(peer) => return Ok(Box::new(peer)),
                Err(refusal) if !self.upstreams.pass_over(&mut open.route) => return Err(stop(open, refusal)),
                Err(_) => {}
            }
        }
    }

    async fn upstream_request_filter(&self, session: &mut Session, request: &mut RequestHeader, call: &mut Call) -> Result<()> {
        let open = call.open.as_deref_mut().ok_or_else(nothing_open)?;
        let authority = self.upstreams.authority(&open.route).ok_or_else(nothing_open)?;
        self.upstreams.reached(&open.route);
        let framing = if open.upgrade.is_some() { Framing::Empty } else { framing_of(session) };
        let outgoing = match &open.admission {
            Some(admission) => outgoing(open, admission, authority, framing),
            None => return Err(nothing_open()),
        };
        *request = outgoing.map_err(|refusal| stop(open, refusal))?;
        open.goes_up();
        Ok(())
    }

    async fn upstream_response_filter(&self, _: &mut Session, response: &mut ResponseHeader, call: &mut Call) -> Result<()> {
        let open = call.open.as_deref_mut().ok_or_else(nothing_open)?;
        let status = response.status;
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            // Pingora passes it by; nothing of it is anybody's business.
            *response = *refuse::head(status, http::HeaderMap::new());
            return Ok(());
        }
        open.came_back(&self.wiring);
        let mut headers = response.headers.clone();
        let is_switched = status == StatusCode::SWITCHING_PROTOCOLS;
        let is_agreed = headers.get(UPGRADE).is_some_and(is_web_socket) && open.upgrade.is_some();
        if is_switched && !is_agreed {
            return Err(stop(open, unavailable("the upstream changed the protocol unasked")));
        }
        settle_answer(&mut headers).map_err(|refusal| stop(open, refusal))?;
        remove_hop_by_hop(&mut headers);
        let admission = open.admission.take().ok_or_else(nothing_open)?;
        match admission.answer(status, &mut headers) {
            Ok(Answer::Pass) => {}
            Ok(Answer::Filter(_) | Answer::Empty) => return Err(stop(open, unavailable("an answer to be filtered came where none may"))),
            Err(refusal) => return Err(stop(open, refusal)),
        }
        if is_switched {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        *response = *refuse::head(status, headers);
        open.ending.answered(Outcome::Passed, status);
        open.goes_out(&self.wiring);
        Ok(())
    }

    /// Pingora would send chunks to an HTTP/1.0 client, who knows none: the end of the connection is
    /// the end of such an answer.
    async fn response_filter(&self, session: &mut Session, response: &mut ResponseHeader, _: &mut Call) -> Result<()> {
        if session.req_header().version == Version::HTTP_10 && response.remove_header(&TRANSFER_ENCODING).is_some() {
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn fail_to_connect(&self, _: &mut Session, _: &HttpPeer, call: &mut Call, mut error: Box<Error>) -> Box<Error> {
        // Nothing was sent yet, so trying another is safe for every request.
        let is_another_left = call.open.as_deref_mut().is_some_and(|open| self.upstreams.pass_over(&mut open.route));
        error.set_retry(is_another_left);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, call: &mut Call) -> FailToProxy {
        let failed = |error_code| FailToProxy { error_code, can_reuse_downstream: false };
        session.set_keepalive(None);
        let Some(open) = call.open.as_deref_mut() else {
            let _ = session.respond_error(500).await;
            return failed(500);
        };
        let is_clients = *error.esource() == ErrorSource::Downstream;
        let refusal = open.refusal.take().unwrap_or_else(|| if is_clients { incomplete(error.etype().as_str()) } else { refusal_of(error) });
        let is_begun = session.response_written().is_some_and(|head| !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS);
        if is_begun {
            if !open.is_noted && !is_clients {
                open.ending.failed(&refusal);
            }
            return failed(0);
        }
        if is_clients && session.is_body_done() {
            // It is gone, and nothing was wrong with what it asked.
            return failed(0);
        }
        refuse::answer(session, open, &refusal).await;
        if session.as_http1().is_some() {
            session.shutdown().await;
        }
        failed(refusal.status().as_u16())
    }
}
