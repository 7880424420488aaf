//! A credential as it was presented: the head it came in, and what the door knows of the call and the
//! connection, for tokens that are bound to their sender.

use crate::authorize::Door;
use crate::policy::Policies;
use crate::token::ProvenCall;
use http::HeaderMap;
use http::header::HOST;
use jiff::Timestamp;

/// A request that says who it comes from.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The request's headers as they came.
    pub headers: &'a HeaderMap,
    /// When it came.
    pub now: Timestamp,
    /// Whose personal access tokens are known; an opaque token that is one of them is shown to nobody.
    pub policies: Option<&'a Policies>,
    /// The call, where a token that is bound to its sender can be used; elsewhere it is refused.
    pub call: Option<Circumstances<'a>>,
}

/// A call as a proof of possession knows it.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// The door it came through.
    pub door: Door,
    /// The method's exact bytes.
    pub method: &'a str,
    /// The target's exact bytes.
    pub target: &'a str,
    /// The authority of an absolute or HTTP/2 target.
    pub authority: Option<&'a str>,
    /// The connection it came by.
    pub channel: Channel,
}

/// What a door knows of a client's connection. By default that is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Channel {
    /// TLS ends here.
    pub is_https: bool,
    /// The SHA-256 of the client certificate that was verified in the TLS handshake here.
    pub certificate: Option<[u8; 32]>,
}

impl<'a> Presented<'a> {
    /// A request where nothing is known but its headers.
    #[must_use]
    pub fn by(headers: &'a HeaderMap, now: Timestamp) -> Self {
        Self { headers, now, policies: None, call: None }
    }

    /// The call that a proof must be for, at one of these hosts; none where the client's name for the host is not plain.
    pub(super) fn proven_call(&self, ours: &'a [Box<str>]) -> Option<ProvenCall<'a>> {
        let Circumstances { method, target, authority, channel, .. } = self.call?;
        let mut hosts = self.headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next(), authority) {
            (Some(host), None, _) => host.to_str().ok()?,
            (None, _, Some(authority)) => authority,
            _ => return None,
        };
        Some(ProvenCall { method, target, host, is_https: channel.is_https, hosts: ours })
    }
}
