//! Why a token or a key set is not accepted.

use thiserror::Error;

/// Why a token or a key set is not accepted. The messages never contain any part of the token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// It is longer than any token may be.
    #[error("the token is longer than {} bytes", super::MAX_TOKEN_BYTES)]
    TooLong,
    /// It does not have the form of a signed token.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The header asks for something that is not done here.
    #[error("the token's header is not acceptable: {0}")]
    Header(&'static str),
    /// No issuer of this name is configured, or another one was asked for.
    #[error("the token's issuer is not known")]
    UnknownIssuer,
    /// The algorithm is not in the issuer's list.
    #[error("the token's algorithm is not in its issuer's list")]
    Algorithm,
    /// The issuer's set has no key for the token; a newer set may have one.
    #[error("the issuer's key set has no key for the token")]
    UnknownKey,
    /// The set has the `kid`, but its key is not for the token's algorithm.
    #[error("the key that the token names is not for its algorithm")]
    KeyDoesNotFit,
    /// More than one key would fit.
    #[error("more than one key of the issuer fits the token")]
    AmbiguousKey,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim that must be there is missing, has a wrong type or a wrong value.
    #[error("the token's claim `{claim}` {problem}")]
    Claim {
        /// The name of the claim: one of the registered ones, or the configured user claim.
        claim: Box<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It is bound to its sender (`cnf`), and the sender did not show that it is.
    #[error("the token is bound to its sender: {0}")]
    Bound(&'static str),
    /// The proof that came with it (RFC 9449) is not acceptable.
    #[error("the proof of possession is not acceptable: {0}")]
    Proof(&'static str),
    /// Its issuer, who was asked, says that it is not active.
    #[error("the token is not active, says its issuer")]
    Inactive,
    /// Its issuer, who was asked, says something else than that an access token is active.
    #[error("the issuer, asked about the token, does not vouch for it: {0}")]
    Introspection(&'static str),
    /// Its issuer could not be asked about it.
    #[error("the issuer could not be asked about the token")]
    Unasked,
    /// A key set that cannot be used.
    #[error("the key set cannot be used: {0}")]
    KeySet(&'static str),
}

impl TokenError {
    /// Whether a newer key set of the issuer could change the answer.
    #[must_use]
    pub fn is_unknown_key(&self) -> bool {
        matches!(self, Self::UnknownKey)
    }

    pub(super) fn claim(claim: &str, problem: &'static str) -> Self {
        Self::Claim { claim: claim.into(), problem }
    }
}
