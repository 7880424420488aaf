//! Credential and keys → claims. Keys and the time are given, never fetched or read here.
//! What a header of a token names (`jwk`, `jku`, `x5u`, `x5c`) is never followed.

mod algorithm;
mod bearer;
mod binding;
mod claims;
mod compact;
mod error;
mod introspected;
mod keys;
mod proof;
mod public_key;
mod roca;
mod small_order;
mod strict_json;
mod verify;

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use algorithm::Algorithm;
pub use bearer::{Bearer, bearer, bearer_bytes, possessed};
pub use binding::Binding;
pub use compact::{MAX_TOKEN_BYTES, is_compact};
pub use error::TokenError;
pub use introspected::introspected;
pub use keys::{KeySet, MAX_KEY_SET_BYTES};
pub use proof::{PROOF_LIFE, ProofId, ProvenCall, verify_proof};
pub use verify::{Checks, Issuer, Unverified, verify, verify_detached, verify_for_sender, verify_signature};

use crate::policy::Claims;
use jiff::Timestamp;
use std::sync::Arc;

/// A token that verified, with what the policies may ask of it.
#[derive(Debug)]
pub struct VerifiedToken {
    /// The rules of its issuer.
    pub rules: Arc<IssuerRules>,
    /// The value of the user claim (semantics §8.2).
    pub user: Box<str>,
    /// Every top-level claim, as policies see it.
    pub claims: Claims,
    /// `scp` and `scope` together.
    pub scopes: Vec<Box<str>>,
    /// The role codes of the issuer's `roles_claim`, unparsed; empty when absent or not configured.
    pub roles: Vec<Box<str>>,
    /// The token's id, for revocation.
    pub token_id: Option<Box<str>>,
    /// When it was issued, for revocation by user and time.
    pub issued_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What its sender must show to have; none of a plain bearer token.
    pub binding: Option<Binding>,
}

/// What an issuer's section of the configuration says about its users (semantics §8).
#[derive(Clone, Debug)]
pub struct IssuerRules {
    /// Exact match with `iss`.
    pub issuer: Box<str>,
    /// The claim that names the user.
    pub user_claim: Box<str>,
    /// Whether that claim is compared with the user's id or login.
    pub user_match: UserMatch,
    /// The claim that carries role codes, if roles come from the token.
    pub roles_claim: Option<Box<str>>,
    /// Whether users that the snapshot does not have may come in with the roles of their claim.
    pub allow_unknown_users: bool,
    /// Whether the roles claim may name the administrator.
    pub allow_administrator: bool,
    /// The hosts, in lower case, that a proof of possession may be for; empty: the one that the client called.
    pub proof_hosts: Box<[Box<str>]>,
}

/// How the user claim finds its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserMatch {
    /// By the user's id.
    Id,
    /// By the user's login.
    Login,
}

impl IssuerRules {
    /// The rules of an issuer of that name whose tokens say the user's id in `sub`, and nothing of roles.
    #[must_use]
    pub fn named(issuer: impl Into<Box<str>>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }
}

impl Default for IssuerRules {
    fn default() -> Self {
        Self {
            issuer: "".into(),
            user_claim: "sub".into(),
            user_match: UserMatch::Id,
            roles_claim: None,
            allow_unknown_users: false,
            allow_administrator: false,
            proof_hosts: Box::default(),
        }
    }
}
