//! What a decision knows of the call: time, headers, claims, scopes, the feature being executed.

use std::fmt;

use jiff::Timestamp;

/// Everything that stays the same within one call, but for its subject.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the call.
    pub now: Timestamp,
    /// The request's headers.
    pub headers: &'a dyn HeaderSource,
    /// The token's claims; none for a personal access token.
    pub claims: Option<&'a Claims>,
    /// The token's OAuth scopes, `scp` and `scope` together.
    pub scopes: &'a [Box<str>],
    /// Application and code of the feature being executed; none while the route is not known: unknown.
    pub feature: Option<(&'a str, &'a str)>,
}

impl fmt::Debug for Context<'_> {
    /// Headers and claims stay out: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.now).field("feature", &self.feature).finish_non_exhaustive()
    }
}

/// Where a request's headers are.
pub trait HeaderSource {
    /// The value of the header of that name, given in lower case.
    fn value(&self, name: &str) -> HeaderValue<'_>;
}

/// A header as a policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderValue<'a> {
    /// There is none.
    Absent,
    /// There is one, but it is not UTF-8.
    Unknown,
    /// Its value, possibly empty.
    Text(&'a str),
}

/// A request without headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHeaders;

impl HeaderSource for NoHeaders {
    fn value(&self, _: &str) -> HeaderValue<'_> {
        HeaderValue::Absent
    }
}

/// The claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `iss`.
    pub issuer: Option<Box<str>>,
    /// Whether there is no token at hand to read them from: then every claim and every scope is unknown.
    pub are_unknown: bool,
    /// Whether there is something beside the scopes that could not be read: any other scope is unknown then.
    pub has_unknown_scope: bool,
    /// Top-level claims; null and `[]` are absent and left out.
    pub values: Vec<(Box<str>, Vec<ClaimValue>)>,
}

/// One value of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimValue {
    /// A string, or the JSON text of a number or boolean.
    Text(Box<str>),
    /// An object or a nested array.
    Unknown,
}
