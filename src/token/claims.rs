//! Claim sets: the registered claims with their types checked, and all of them as policies see them.

use super::strict_json::{Members, member, members, object, text, texts};
use super::{IssuerRules, TokenError, VerifiedToken};
use crate::policy::{ClaimValue, Claims};
use jiff::Timestamp;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A date beyond this is not a number that every reader reads alike.
const LARGEST_DATE: f64 = 9_007_199_254_740_992.0;

/// A claim set whose registered claims have the right types.
pub(super) struct ClaimSet {
    pub(super) issuer: Option<Box<str>>,
    pub(super) audience: Option<Vec<String>>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) issued_at: Option<Timestamp>,
    token_id: Option<Box<str>>,
    all: Vec<(Box<str>, Box<RawValue>)>,
}

impl ClaimSet {
    /// Reads a payload; a registered claim of the wrong type is an error, not an absence.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, TokenError> {
        let members = members(payload).ok_or(TokenError::Malformed("its payload is no JSON object with distinct members"))?;
        string(&members, "sub")?;
        Ok(Self {
            issuer: string(&members, "iss")?,
            audience: audience(&members)?,
            expires_at: date(&members, "exp")?,
            not_before: date(&members, "nbf")?,
            issued_at: date(&members, "iat")?,
            token_id: string(&members, "jti")?,
            all: owned(&members),
        })
    }

    /// Reads a claim set of a case file: a registered claim of the wrong type is as if absent, and
    /// audience and times are not looked at (interfaces §8).
    fn tolerant(claims: &str) -> Result<Self, TokenError> {
        let members = object(claims).ok_or(TokenError::Malformed("the claims are no JSON object"))?;
        Ok(Self {
            issuer: string(&members, "iss").ok().flatten(),
            audience: None,
            expires_at: None,
            not_before: None,
            issued_at: date(&members, "iat").ok().flatten(),
            token_id: string(&members, "jti").ok().flatten(),
            all: owned(&members),
        })
    }

    fn claim(&self, name: &str) -> Option<&RawValue> {
        self.all.iter().find(|(claim, _)| **claim == *name).map(|(_, value)| &**value)
    }

    /// The user that the token is for (semantics §8.2): a text that is not empty.
    fn user(&self, rules: &IssuerRules) -> Result<Box<str>, TokenError> {
        let value = self.claim(&rules.user_claim).ok_or_else(|| TokenError::claim(&rules.user_claim, "is missing"))?;
        let user = text(value).ok_or_else(|| TokenError::claim(&rules.user_claim, "is not a string"))?;
        if user.is_empty() {
            return Err(TokenError::claim(&rules.user_claim, "is empty"));
        }
        Ok(user.into())
    }

    /// `scp` and `scope` together; a string is split on blanks, what is not a text is no scope.
    fn scopes(&self) -> Vec<Box<str>> {
        let one = |value: &RawValue| match text(value) {
            Some(scopes) => scopes.split_ascii_whitespace().map(Box::from).collect::<Vec<_>>(),
            None => elements(value).iter().filter_map(|element| text(element)).map(Box::from).collect(),
        };
        ["scp", "scope"].into_iter().filter_map(|name| self.claim(name)).flat_map(one).collect()
    }

    /// The role codes of the roles claim: an array of strings, or one string. Any other shape names no
    /// role at all, for half a list could be the half without the role that denies.
    fn roles(&self, rules: &IssuerRules) -> Vec<Box<str>> {
        let Some(value) = rules.roles_claim.as_deref().and_then(|name| self.claim(name)) else { return Vec::new() };
        match text(value) {
            Some(role) => vec![role.into()],
            None => texts(value).unwrap_or_default().into_iter().map(Box::from).collect(),
        }
    }
}

impl VerifiedToken {
    /// The token of a case file: `claims` is the JSON text of its claim set. Signature, audience and
    /// times are not part of case files (interfaces §8); it never ends.
    ///
    /// # Errors
    /// When the claims are no JSON object or do not name a user.
    pub fn from_claims(rules: Arc<IssuerRules>, claims: &str) -> Result<Self, TokenError> {
        verified(ClaimSet::tolerant(claims)?, rules, Timestamp::MAX)
    }

    /// What stands for a user's token where none is at hand: no claims, no scopes, no end.
    #[must_use]
    pub fn without_claims(user: &str) -> Self {
        Self {
            rules: Arc::default(),
            user: user.into(),
            claims: Claims::default(),
            scopes: Vec::new(),
            roles: Vec::new(),
            token_id: None,
            issued_at: None,
            expires_at: Timestamp::MAX,
        }
    }
}

/// What the policies and the subject rules need of a claim set that was found good.
pub(super) fn verified(claims: ClaimSet, rules: Arc<IssuerRules>, expires_at: Timestamp) -> Result<VerifiedToken, TokenError> {
    let user = claims.user(&rules)?;
    let all = claims.all.iter().map(|(name, value)| (name.clone(), values(value)));
    // Null and an empty array are absent (semantics §6).
    let present = all.filter(|(_, values)| !values.is_empty()).collect();
    Ok(VerifiedToken {
        user,
        scopes: claims.scopes(),
        roles: claims.roles(&rules),
        token_id: claims.token_id,
        issued_at: claims.issued_at,
        expires_at,
        claims: Claims { issuer: claims.issuer, are_unknown: false, values: present },
        rules,
    })
}

/// The values of a claim as policies see them (semantics §6): an array is several, null is none.
fn values(value: &RawValue) -> Vec<ClaimValue> {
    match value.get().as_bytes().first() {
        Some(b'[') => elements(value).into_iter().filter_map(single).collect(),
        _ => single(value).into_iter().collect(),
    }
}

/// One value: a text, or the JSON text of a number or boolean as it was written.
fn single(value: &RawValue) -> Option<ClaimValue> {
    match value.get().as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => Some(text(value).map_or(ClaimValue::Unknown, |text| ClaimValue::Text(text.into()))),
        Some(b'[' | b'{') | None => Some(ClaimValue::Unknown),
        Some(_) => Some(ClaimValue::Text(value.get().into())),
    }
}

fn elements(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

fn owned(members: &Members<'_>) -> Vec<(Box<str>, Box<RawValue>)> {
    members.iter().map(|(name, value)| ((**name).into(), (*value).to_owned())).collect()
}

fn string(members: &Members<'_>, name: &str) -> Result<Option<Box<str>>, TokenError> {
    let read = |value: &&RawValue| text(value).map(Box::from).ok_or_else(|| TokenError::claim(name, "is not a string"));
    member(members, name).map(read).transpose()
}

fn audience(members: &Members<'_>) -> Result<Option<Vec<String>>, TokenError> {
    let wrong = || TokenError::claim("aud", "is neither a string nor an array of strings");
    let read = |value: &&RawValue| text(value).map(|one| vec![one]).or_else(|| texts(value)).ok_or_else(wrong);
    member(members, "aud").map(read).transpose()
}

/// A `NumericDate` (RFC 7519 §2): seconds, maybe with a fraction, which is cut off downwards.
fn date(members: &Members<'_>, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = member(members, name) else { return Ok(None) };
    let seconds: f64 = serde_json::from_str(value.get()).map_err(|_| TokenError::claim(name, "is not a number"))?;
    if !(-LARGEST_DATE..=LARGEST_DATE).contains(&seconds) {
        return Err(TokenError::claim(name, "is not a date"));
    }
    let saturated = if seconds < 0.0 { Timestamp::MIN } else { Timestamp::MAX };
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    let whole = seconds.floor() as i64;
    Ok(Some(Timestamp::from_second(whole).unwrap_or(saturated)))
}
