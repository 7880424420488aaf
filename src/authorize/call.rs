//! The transport-free facts of one call, as a door hands them to `authorize`.

use super::refusal::Challenge;
use crate::token::VerifiedToken;
use http::{HeaderMap, HeaderValue};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The door a call came through; also the closed label set of the metrics (interfaces §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// The reverse proxy.
    Proxy,
    /// Envoy's external authorization service.
    ExtAuthz,
    /// Envoy's external processing service.
    ExtProc,
    /// Forward auth over HTTP.
    ForwardAuth,
    /// The control plane's own API, which counts in no metric of a data plane.
    Control,
}

impl Door {
    /// The label of this door in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::ExtAuthz => "ext_authz",
            Self::ExtProc => "ext_proc",
            Self::ForwardAuth => "forward_auth",
            Self::Control => "control",
        }
    }
}

/// A decision id: 32 lower-case hexadecimal digits, made by the door from its own random source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DecisionId(pub u128);

impl DecisionId {
    /// Reads an id as it is written: 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_written_so = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16).ok().filter(|_| is_written_so).map(Self)
    }

    /// The id as it is written, as a header's value.
    #[must_use]
    pub fn header_value(self) -> HeaderValue {
        let mut text = [0_u8; 32];
        let nibbles = (0..32_u32).rev().map(|place| (self.0 >> (4 * place)) & 0xf);
        for (digit, nibble) in text.iter_mut().zip(nibbles) {
            *digit = match u8::try_from(nibble) {
                Ok(small @ 0..=9) => b'0' + small,
                Ok(large) => b'a' + (large - 10),
                Err(_) => b'0',
            };
        }
        // Hexadecimal digits are always a valid value.
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DecisionId({self})")
    }
}

/// Who the caller showed to be, before any policy is asked (semantics §8). Resolved by the door with
/// the token caches of `sources`; whether the account may act is decided in `authorize`.
#[derive(Clone, Debug, Default)]
pub enum Identity {
    /// No credential was sent.
    #[default]
    Missing,
    /// A credential was sent and is not acceptable; the text names the reason, never the credential.
    Refused(Box<str>),
    /// A token that is bound to its sender, or was shown as one, and the sender did not show that it is;
    /// the text names the reason.
    Unproven {
        /// What the sender is told to do.
        challenge: Challenge,
        /// The reason.
        reason: Box<str>,
    },
    /// A token that its issuer's keys, or its issuer itself, vouched for, shown by whom it is bound to.
    Token(Arc<VerifiedToken>),
    /// An opaque bearer token, by its SHA-256; the snapshot says whose it is.
    Opaque([u8; 32]),
}

/// One call. Cheap to make: it borrows what the door already holds.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The door it came through.
    pub door: Door,
    /// Its decision id.
    pub decision_id: DecisionId,
    /// The method's exact bytes.
    pub method: &'a str,
    /// The request target as it came, in origin form; what is authorized is what is forwarded.
    pub target: &'a str,
    /// The request's headers as they came.
    pub headers: &'a HeaderMap,
    /// The authority of an absolute or HTTP/2 target, if the door saw one; it must equal `Host`.
    pub authority: Option<&'a str>,
    /// Who asks.
    pub identity: &'a Identity,
    /// The whole request body, once `authorize` asked for it; never given otherwise.
    pub body: Option<&'a [u8]>,
    /// Metadata that the upstream answered, as far as it was asked for.
    pub metadata: &'a UpstreamMetadata,
}

/// Metadata fetched from the upstream's metadata routes for one call, by request target.
/// `None` as a value: the fetch failed, so it is unknown (semantics §9).
#[derive(Default, Debug)]
pub struct UpstreamMetadata {
    answers: HashMap<Box<str>, Option<crate::policy::Metadata>>,
}

impl UpstreamMetadata {
    /// Remembers the answer to `GET target`: the body of a 200, or `None` for anything else.
    pub fn insert(&mut self, target: &str, body: Option<&[u8]>) {
        let metadata = body.and_then(crate::policy::Metadata::parse);
        self.answers.insert(target.into(), metadata);
    }

    /// The answer to `GET target`; the outer `None` means that it was not fetched yet.
    #[must_use]
    pub fn answer(&self, target: &str) -> Option<Option<&crate::policy::Metadata>> {
        self.answers.get(target).map(Option::as_ref)
    }
}
