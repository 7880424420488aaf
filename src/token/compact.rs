//! The compact form of a signed token, read strictly before any key is looked at (threats §4).

use super::strict_json::{Members, member, members, text};
use super::{Algorithm, TokenError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::borrow::Cow;

/// No token is longer (interfaces §4).
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// No encoded header is longer (interfaces §4).
const MAX_HEADER_BYTES: usize = 2 * 1024;

/// Whether a bearer token has the form of a signed token: exactly two dots. Any other is opaque.
#[must_use]
pub fn is_compact(token: &str) -> bool {
    memchr::memchr_iter(b'.', token.as_bytes()).count() == 2
}

/// A signed token taken apart; nothing of it is verified.
pub(super) struct Compact<'t> {
    /// What the signature is over: the encoded header and payload.
    pub(super) signed: &'t str,
    /// The decoded signature.
    pub(super) signature: Vec<u8>,
    /// What of the header counts.
    pub(super) header: Header,
    /// The decoded payload.
    pub(super) payload: Vec<u8>,
}

/// The members of a header that count; every other is ignored, never followed.
pub(super) struct Header {
    /// The algorithm, if it is one that is used here.
    pub(super) algorithm: Option<Algorithm>,
    /// The key's id.
    pub(super) key_id: Option<Box<str>>,
    /// What the token says it is.
    pub(super) kind: Kind,
}

/// What a token says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Unsaid,
    /// A JWT, or an access token (RFC 9068 §2.1).
    Jwt,
    /// A proof of possession (RFC 9449 §4.2).
    Proof,
    /// Something else.
    Other,
}

impl<'t> Compact<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        if !is_compact(token) {
            return Err(TokenError::Malformed("it does not have exactly two dots"));
        }
        let malformed = || TokenError::Malformed("it does not have exactly two dots");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let signature = decode(signature).filter(|bytes| !bytes.is_empty()).ok_or(TokenError::Malformed("its signature is not canonical base64url"))?;
        let header = Header::parse(header)?;
        let payload = decode(payload).ok_or(TokenError::Malformed("its payload is not canonical base64url"))?;
        Ok(Self { signed, signature, header, payload })
    }
}

impl Header {
    /// Reads an encoded header.
    pub(super) fn parse(encoded: &str) -> Result<Self, TokenError> {
        let decoded = Self::decode(encoded)?;
        Self::read(&Self::members(&decoded)?)
    }

    /// The text of an encoded header.
    pub(super) fn decode(encoded: &str) -> Result<Vec<u8>, TokenError> {
        if encoded.len() / 4 * 3 > MAX_HEADER_BYTES {
            return Err(TokenError::Header("it is too long"));
        }
        decode(encoded).ok_or(TokenError::Malformed("its header is not canonical base64url"))
    }

    /// The members of a decoded header.
    pub(super) fn members(decoded: &[u8]) -> Result<Members<'_>, TokenError> {
        members(decoded).ok_or(TokenError::Malformed("its header is no JSON object with distinct members"))
    }

    fn read(members: &Members<'_>) -> Result<Self, TokenError> {
        refuse_extensions(members)?;
        let algorithm = optional(members, "alg")?.ok_or(TokenError::Header("it names no algorithm"))?;
        let kind = optional(members, "typ")?.map_or(Kind::Unsaid, |kind| Kind::of(&kind));
        Ok(Self { algorithm: algorithm.parse().ok(), key_id: optional(members, "kid")?.map(|id| Box::from(&*id)), kind })
    }

    /// A token that says what it is must be a JWT or an access token.
    pub(super) fn require_jwt(&self) -> Result<(), TokenError> {
        match self.kind {
            Kind::Unsaid | Kind::Jwt => Ok(()),
            Kind::Proof | Kind::Other => Err(TokenError::Header("its type is neither `JWT` nor `at+jwt`")),
        }
    }
}

impl Kind {
    fn of(written: &str) -> Self {
        let short = match written.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => written,
        };
        match short {
            kind if kind.eq_ignore_ascii_case("jwt") || kind.eq_ignore_ascii_case("at+jwt") => Self::Jwt,
            "dpop+jwt" => Self::Proof,
            _ => Self::Other,
        }
    }
}

/// Headers that would change how the rest is to be read are refused; they are never obeyed.
fn refuse_extensions(members: &Members<'_>) -> Result<(), TokenError> {
    if member(members, "crit").is_some() {
        return Err(TokenError::Header("it has critical extensions"));
    }
    if member(members, "b64").is_some_and(|value| value.get() != "true") {
        return Err(TokenError::Header("its payload is not encoded"));
    }
    if member(members, "enc").is_some() || member(members, "zip").is_some() {
        return Err(TokenError::Header("it is encrypted or compressed"));
    }
    Ok(())
}

fn optional<'m>(members: &'m Members<'_>, name: &str) -> Result<Option<Cow<'m, str>>, TokenError> {
    let wrong = || TokenError::Header("one of `alg`, `kid`, `typ` is not a string");
    member(members, name).map(|value| text(value.get()).ok_or_else(wrong)).transpose()
}

/// Canonical base64url without padding: no other spelling of the same bytes is taken.
pub(super) fn decode(encoded: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(encoded).ok()
}
