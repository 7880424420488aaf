//! The compact form of a signed token, read strictly before any key is looked at (threats §4).

use super::TokenError;
use super::strict_json::{Members, member, members, text};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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
    /// The encoded signature; its encoding was checked.
    pub(super) signature: &'t str,
    /// What of the header counts.
    pub(super) header: Header,
    /// The decoded payload.
    pub(super) payload: Vec<u8>,
}

/// The members of a header that count; every other is ignored, never followed.
pub(super) struct Header {
    /// The name of the algorithm as it was written.
    pub(super) algorithm: String,
    /// The key's id.
    pub(super) key_id: Option<String>,
    /// The type as it was written.
    kind: Option<String>,
}

impl<'t> Compact<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        if !is_compact(token) {
            return Err(TokenError::Malformed("it does not have exactly two dots"));
        }
        let malformed = TokenError::Malformed("it does not have exactly two dots");
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed.clone())?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        if signature.is_empty() || decode(signature).is_none() {
            return Err(TokenError::Malformed("its signature is not canonical base64url"));
        }
        let header = Header::parse(header)?;
        let payload = decode(payload).ok_or(TokenError::Malformed("its payload is not canonical base64url"))?;
        Ok(Self { signed, signature, header, payload })
    }
}

impl Header {
    /// Reads an encoded header.
    pub(super) fn parse(encoded: &str) -> Result<Self, TokenError> {
        if encoded.len() > MAX_HEADER_BYTES {
            return Err(TokenError::Header("it is too long"));
        }
        let decoded = decode(encoded).ok_or(TokenError::Malformed("its header is not canonical base64url"))?;
        let members = members(&decoded).ok_or(TokenError::Malformed("its header is no JSON object with distinct members"))?;
        refuse_extensions(&members)?;
        let algorithm = optional(&members, "alg")?.ok_or(TokenError::Header("it names no algorithm"))?;
        Ok(Self { algorithm, key_id: optional(&members, "kid")?, kind: optional(&members, "typ")? })
    }

    /// A token that says what it is must be a JWT or an access token (RFC 9068 §2.1).
    pub(super) fn require_jwt(&self) -> Result<(), TokenError> {
        let Some(kind) = &self.kind else { return Ok(()) };
        let kind = kind.to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        match kind {
            "jwt" | "at+jwt" => Ok(()),
            _ => Err(TokenError::Header("its type is neither `JWT` nor `at+jwt`")),
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

fn optional(members: &Members<'_>, name: &str) -> Result<Option<String>, TokenError> {
    let wrong = TokenError::Header("one of `alg`, `kid`, `typ` is not a string");
    member(members, name).map(|value| text(value).ok_or(wrong)).transpose()
}

/// Canonical base64url without padding: no other spelling of the same bytes is taken.
pub(super) fn decode(encoded: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(encoded).ok()
}
