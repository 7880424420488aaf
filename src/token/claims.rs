//! Claim sets: the registered claims with their types checked, and all of them as policies see them.

use super::binding::{self, Binding};
use super::strict_json::{Members, elements, member, members_of, object, text, texts};
use super::{IssuerRules, TokenError, VerifiedToken};
use crate::policy::{ClaimValue, Claims};
use jiff::Timestamp;
use std::ops::Range;
use std::sync::Arc;

/// A date beyond this is not a number that every reader reads alike.
const LARGEST_DATE: f64 = 9_007_199_254_740_992.0;

/// A claim set whose registered claims have the right types.
pub(super) struct ClaimSet {
    pub(super) issuer: Option<Box<str>>,
    pub(super) audience: Option<Vec<Box<str>>>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) issued_at: Option<Timestamp>,
    pub(super) token_id: Option<Box<str>>,
    pub(super) binding: Option<Binding>,
    text: String,
    /// The names, and where in the text their values are.
    all: Vec<(Box<str>, Range<usize>)>,
}

impl ClaimSet {
    /// Reads a payload; a registered claim of the wrong type is an error, not an absence.
    pub(super) fn parse(payload: Vec<u8>) -> Result<Self, TokenError> {
        let malformed = || TokenError::Malformed("its payload is no JSON object with distinct members");
        let text = String::from_utf8(payload).map_err(|_| malformed())?;
        let members = members_of(&text).ok_or_else(malformed)?;
        string(&members, "sub")?;
        let (issuer, token_id, binding) = (string(&members, "iss")?, string(&members, "jti")?, binding::read(&members)?);
        let (expires_at, not_before, issued_at) = (date(&members, "exp")?, date(&members, "nbf")?, date(&members, "iat")?);
        let (audience, all) = (audience(&members)?, places(&members, &text));
        Ok(Self { issuer, audience, expires_at, not_before, issued_at, token_id, binding, all, text })
    }

    /// Reads a claim set of a case file: a registered claim of the wrong type is as if absent, and
    /// audience, times and `cnf` are not looked at (interfaces §8).
    fn tolerant(claims: &str) -> Result<Self, TokenError> {
        let members = object(claims).ok_or(TokenError::Malformed("the claims are no JSON object"))?;
        Ok(Self {
            issuer: string(&members, "iss").ok().flatten(),
            audience: None,
            expires_at: None,
            not_before: None,
            issued_at: date(&members, "iat").ok().flatten(),
            token_id: string(&members, "jti").ok().flatten(),
            binding: None,
            all: places(&members, claims),
            text: claims.to_owned(),
        })
    }

    /// The JSON text of a claim.
    pub(super) fn claim(&self, name: &str) -> Option<&str> {
        let (_, place) = self.all.iter().find(|(claim, _)| **claim == *name)?;
        self.text.get(place.clone())
    }

    /// The user that the token is for (semantics §8.2): a text that is not empty.
    fn user(&self, rules: &IssuerRules) -> Result<Box<str>, TokenError> {
        let value = self.claim(&rules.user_claim).ok_or_else(|| TokenError::claim(&rules.user_claim, "is missing"))?;
        let user = text(value).ok_or_else(|| TokenError::claim(&rules.user_claim, "is not a string"))?;
        if user.is_empty() {
            return Err(TokenError::claim(&rules.user_claim, "is empty"));
        }
        Ok((*user).into())
    }

    /// `scp` and `scope` together, and whether there is something else in them, which could not be read; a string
    /// is split on blanks.
    fn scopes(&self) -> (Vec<Box<str>>, bool) {
        let (mut scopes, mut has_unknown) = (Vec::new(), false);
        for value in ["scp", "scope"].into_iter().filter_map(|name| self.claim(name)).filter(|value| *value != "null") {
            if let Some(several) = text(value) {
                scopes.extend(several.split_ascii_whitespace().map(Box::from));
                continue;
            }
            let Some(elements) = elements(value) else {
                has_unknown = true;
                continue;
            };
            for element in elements {
                match text(element.get()) {
                    Some(scope) => scopes.push(Box::from(&*scope)),
                    None => has_unknown = true,
                }
            }
        }
        (scopes, has_unknown)
    }

    /// The role codes of the roles claim: an array of strings, or one string. Any other shape names no
    /// role at all, for half a list could be the half without the role that denies.
    fn roles(&self, rules: &IssuerRules) -> Vec<Box<str>> {
        let Some(value) = rules.roles_claim.as_deref().and_then(|name| self.claim(name)) else { return Vec::new() };
        match text(value) {
            Some(role) => vec![(*role).into()],
            None => texts(value).unwrap_or_default().iter().map(|role| Box::from(&**role)).collect(),
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
            binding: None,
        }
    }
}

/// What the policies and the subject rules need of a claim set that was found good.
pub(super) fn verified(claims: ClaimSet, rules: Arc<IssuerRules>, expires_at: Timestamp) -> Result<VerifiedToken, TokenError> {
    let (user, (scopes, has_unknown_scope), roles) = (claims.user(&rules)?, claims.scopes(), claims.roles(&rules));
    let ClaimSet { text, all, issuer, token_id, issued_at, binding, .. } = claims;
    let all = all.into_iter().map(|(name, place)| (name, values(text.get(place).unwrap_or_default())));
    // Null and an empty array are absent (semantics §6).
    let present = all.filter(|(_, values)| !values.is_empty()).collect();
    let claims = Claims { issuer, are_unknown: false, has_unknown_scope, values: present };
    Ok(VerifiedToken { rules, user, claims, scopes, roles, token_id, issued_at, expires_at, binding })
}

/// The values of a claim as policies see them (semantics §6): an array is several, null is none.
fn values(value: &str) -> Vec<ClaimValue> {
    match value.as_bytes().first() {
        Some(b'[') => elements(value).unwrap_or_default().into_iter().filter_map(|element| single(element.get())).collect(),
        _ => single(value).into_iter().collect(),
    }
}

/// One value: a text, or the JSON text of a number or boolean as it was written.
fn single(value: &str) -> Option<ClaimValue> {
    match value.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => Some(text(value).map_or(ClaimValue::Unknown, |text| ClaimValue::Text((*text).into()))),
        Some(b'[' | b'{') | None => Some(ClaimValue::Unknown),
        Some(_) => Some(ClaimValue::Text(value.into())),
    }
}

/// The names of the members, and where in `whole`, which they were read from, their values are.
fn places(members: &Members<'_>, whole: &str) -> Vec<(Box<str>, Range<usize>)> {
    let place = |value: &str| {
        let start = value.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        start..start.wrapping_add(value.len())
    };
    members.iter().map(|(name, value)| ((**name).into(), place(value.get()))).collect()
}

fn string(members: &Members<'_>, name: &str) -> Result<Option<Box<str>>, TokenError> {
    let Some(value) = member(members, name) else { return Ok(None) };
    let text = text(value.get()).ok_or_else(|| TokenError::claim(name, "is not a string"))?;
    Ok(Some((*text).into()))
}

fn audience(members: &Members<'_>) -> Result<Option<Vec<Box<str>>>, TokenError> {
    let Some(value) = member(members, "aud") else { return Ok(None) };
    let one = text(value.get()).map(|one| vec![Box::from(&*one)]);
    let several = || Some(texts(value.get())?.iter().map(|one| Box::from(&**one)).collect());
    let wrong = || TokenError::claim("aud", "is neither a string nor an array of strings");
    one.or_else(several).ok_or_else(wrong).map(Some)
}

/// A `NumericDate` (RFC 7519 §2): seconds, maybe with a fraction, which is cut off downwards.
fn date(members: &Members<'_>, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = member(members, name) else { return Ok(None) };
    // As most are written.
    if let Ok(seconds) = value.get().parse::<u32>() {
        return Ok(Some(Timestamp::from_second(seconds.into()).unwrap_or(Timestamp::MAX)));
    }
    let seconds: f64 = serde_json::from_str(value.get()).map_err(|_| TokenError::claim(name, "is not a number"))?;
    // As a float the limit may have been a greater number; as whole seconds it is exact.
    let is_within = value.get().parse::<i64>().map_or(seconds.abs() < LARGEST_DATE, |whole| whole.unsigned_abs() <= 1 << 53);
    if !is_within {
        return Err(TokenError::claim(name, "is not a date"));
    }
    let saturated = if seconds < 0.0 { Timestamp::MIN } else { Timestamp::MAX };
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    let whole = seconds.floor() as i64;
    Ok(Some(Timestamp::from_second(whole).unwrap_or(saturated)))
}
