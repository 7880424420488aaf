//! A signed token against its issuer's rules, keys and the time (interfaces §4, threats §4).

use super::claims::{self, ClaimSet};
use super::compact::{Compact, Header, decode};
use super::{Algorithm, Binding, IssuerRules, KeySet, TokenError, VerifiedToken};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// What an issuer's tokens are measured by.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Who its users are.
    pub rules: Arc<IssuerRules>,
    /// A token must be for one of these.
    pub audience: Vec<Box<str>>,
    /// Its tokens are signed by one of these.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock may be off.
    pub clock_skew: Duration,
    /// No token may live longer, from `iat`, without it from now.
    pub max_lifetime: Duration,
}

/// Which claims are asked for beside `exp` and the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// `iss` must be there and be the issuer's.
    pub issuer: bool,
    /// `aud` must be there and name one of the issuer's audiences.
    pub audience: bool,
}

impl Default for Checks {
    /// Everything that a door asks for.
    fn default() -> Self {
        Self { issuer: true, audience: true }
    }
}

/// A token that was read but not verified: good for nothing but choosing its issuer.
pub struct Unverified<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    header: Header,
    claims: ClaimSet,
}

impl<'t> Unverified<'t> {
    /// Reads a token strictly: its sizes, its form, its header and its claims' types.
    ///
    /// # Errors
    /// When anything about it is not as interfaces §4 demands.
    pub fn parse(token: &'t str) -> Result<Self, TokenError> {
        let compact = Compact::parse(token)?;
        compact.header.require_jwt()?;
        let Compact { signed, signature, header, payload } = compact;
        Ok(Self { signed, signature, header, claims: ClaimSet::parse(payload)? })
    }

    /// The issuer that it claims to come from.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.issuer.as_deref()
    }

    /// What it binds itself to, where nothing that it says of itself is against it: its algorithm, and of
    /// its audience and times what it says. For an issuer that is asked about it: his answer decides, but
    /// it does not make good what the token itself rules out.
    ///
    /// # Errors
    /// When it would not be accepted from this issuer whatever its signature.
    pub fn uncontradicted(&self, issuer: &Issuer, now: Timestamp) -> Result<Option<Binding>, TokenError> {
        listed(&self.header, &issuer.algorithms)?;
        if self.claims.audience.is_some() {
            require_audience(&self.claims, &issuer.audience)?;
        }
        self.claims.expires_at.map_or(Ok(()), |end| require_before(end, issuer, now))?;
        require_begun(&self.claims, issuer, now)?;
        Ok(self.claims.binding)
    }
}

/// Verifies a token of `issuer` with `keys` at the time `now`. One that is bound to its sender is no
/// bearer token and is not accepted.
///
/// # Errors
/// When it must not be accepted; [`TokenError::is_unknown_key`] says whether newer keys could help.
pub fn verify(token: Unverified<'_>, issuer: &Issuer, keys: &KeySet, now: Timestamp, checks: Checks) -> Result<VerifiedToken, TokenError> {
    let verified = verify_for_sender(token, issuer, keys, now, checks)?;
    match verified.binding {
        None => Ok(verified),
        Some(_) => Err(TokenError::Bound("it is no bearer token")),
    }
}

/// The same for a caller who then makes the sender show what the token is bound to, by its `binding`.
///
/// # Errors
/// As [`verify`].
pub fn verify_for_sender(token: Unverified<'_>, issuer: &Issuer, keys: &KeySet, now: Timestamp, checks: Checks) -> Result<VerifiedToken, TokenError> {
    if checks.issuer && token.issuer() != Some(&*issuer.rules.issuer) {
        return Err(TokenError::UnknownIssuer);
    }
    let Unverified { signed, signature, header, claims } = token;
    require_signature(&header, signed.as_bytes(), &signature, &issuer.algorithms, keys)?;
    if checks.audience {
        require_audience(&claims, &issuer.audience)?;
    }
    let expires_at = require_times(&claims, issuer, now)?;
    claims::verified(claims, Arc::clone(&issuer.rules), expires_at)
}

/// Verifies nothing but the form and the signature of a token, and returns its payload, which need
/// not be a claim set.
///
/// # Errors
/// As [`verify`].
pub fn verify_signature(token: &str, algorithms: &[Algorithm], keys: &KeySet) -> Result<Vec<u8>, TokenError> {
    let compact = Compact::parse(token)?;
    require_signature(&compact.header, compact.signed.as_bytes(), &compact.signature, algorithms, keys)?;
    Ok(compact.payload)
}

/// Verifies a detached signature over `content` (RFC 7515 appendix F), made with EdDSA.
///
/// # Errors
/// When it is not of that form, its key is not in `keys`, or it is wrong.
pub fn verify_detached(signature: &str, content: &[u8], keys: &KeySet) -> Result<(), TokenError> {
    let malformed = TokenError::Malformed("a detached signature is a header, two dots and a signature");
    let (header, signature) = signature.trim().split_once("..").ok_or(malformed.clone())?;
    let signature = decode(signature).filter(|bytes| !bytes.is_empty()).ok_or(malformed)?;
    let parsed = Header::parse(header)?;
    let mut signed = String::with_capacity(header.len() + 1 + content.len().div_ceil(3) * 4);
    signed.push_str(header);
    signed.push('.');
    URL_SAFE_NO_PAD.encode_string(content, &mut signed);
    require_signature(&parsed, signed.as_bytes(), &signature, &[Algorithm::EdDsa], keys)
}

fn require_signature(header: &Header, signed: &[u8], signature: &[u8], algorithms: &[Algorithm], keys: &KeySet) -> Result<(), TokenError> {
    let algorithm = listed(header, algorithms)?;
    let key = keys.find(algorithm, header.key_id.as_deref())?;
    key.has_signed(signed, signature, algorithm).then_some(()).ok_or(TokenError::Signature)
}

fn listed(header: &Header, algorithms: &[Algorithm]) -> Result<Algorithm, TokenError> {
    header.algorithm.filter(|algorithm| algorithms.contains(algorithm)).ok_or(TokenError::Algorithm)
}

pub(super) fn require_audience(claims: &ClaimSet, audience: &[Box<str>]) -> Result<(), TokenError> {
    match &claims.audience {
        None => Err(TokenError::claim("aud", "is missing")),
        Some(named) if named.iter().any(|name| audience.iter().any(|ours| **ours == **name)) => Ok(()),
        Some(_) => Err(TokenError::claim("aud", "names none of the issuer's audiences")),
    }
}

/// The end of the token, if it has not come, it was not made in the future, and it does not live too long.
pub(super) fn require_times(claims: &ClaimSet, issuer: &Issuer, now: Timestamp) -> Result<Timestamp, TokenError> {
    let expires_at = claims.expires_at.ok_or_else(|| TokenError::claim("exp", "is missing"))?;
    require_before(expires_at, issuer, now)?;
    require_begun(claims, issuer, now)?;
    let longest = later(claims.issued_at.unwrap_or_else(|| later(now, issuer.clock_skew)), issuer.max_lifetime);
    if expires_at > longest {
        return Err(TokenError::claim("exp", "is further away than a token may live"));
    }
    Ok(expires_at)
}

fn require_before(end: Timestamp, issuer: &Issuer, now: Timestamp) -> Result<(), TokenError> {
    match now < later(end, issuer.clock_skew) {
        true => Ok(()),
        false => Err(TokenError::claim("exp", "has passed")),
    }
}

fn require_begun(claims: &ClaimSet, issuer: &Issuer, now: Timestamp) -> Result<(), TokenError> {
    let latest = later(now, issuer.clock_skew);
    if claims.not_before.is_some_and(|start| start > latest) {
        return Err(TokenError::claim("nbf", "is in the future"));
    }
    if claims.issued_at.is_some_and(|issued| issued > latest) {
        return Err(TokenError::claim("iat", "is in the future"));
    }
    Ok(())
}

pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}
