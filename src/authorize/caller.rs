//! Who asks: from the identity of a call to a user that may act, with the source of its roles
//! (semantics §8).

use super::call::Identity;
use super::refusal::{Refusal, RefusalName};
use crate::policy::{Claims, Policies, RoleId, RoleSource, User};
use crate::token::{UserMatch, VerifiedToken};
use jiff::Timestamp;
use std::sync::Arc;

/// A user that may act, found for the identity of a call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user's id; of a user that the snapshot does not have, what its token calls it.
    pub(super) user_id: Box<str>,
    token: Option<Arc<VerifiedToken>>,
    /// Roles from the token, where the issuer's rules say so.
    claimed: Option<Vec<RoleId>>,
}

impl Caller {
    /// Finds the caller of a call.
    ///
    /// # Errors
    /// 401 without an acceptable credential or with an account that cannot sign in; 403 for a user
    /// that is not in the snapshot (semantics §8.4).
    pub fn find(identity: &Identity, policies: &Policies, now: Timestamp) -> Result<Self, Refusal> {
        let caller = Self::identified(identity, policies, now)?;
        match is_plain(&caller.user_id) {
            true => Ok(caller),
            false => Err(unauthenticated("a user id that a header could not carry as it is".to_owned())),
        }
    }

    fn identified(identity: &Identity, policies: &Policies, now: Timestamp) -> Result<Self, Refusal> {
        match identity {
            Identity::Missing => Err(unauthenticated("no credential".to_owned())),
            Identity::Refused(reason) => Err(unauthenticated(format!("refused token: {reason}"))),
            Identity::Unproven { challenge, reason } => Err(unauthenticated(format!("refused token: {reason}")).challenging(*challenge)),
            Identity::Opaque(sha256) => Self::of_personal_access_token(sha256, policies, now),
            Identity::Token(token) => Self::of_token(token, policies, now),
        }
    }

    /// The user with this id, without claims and scopes, as by a personal access token (semantics §8.5).
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn of_user(id: &str, policies: &Policies, now: Timestamp) -> Result<Self, Refusal> {
        let user = policies.user(id).ok_or_else(|| unknown_user(id))?;
        check_account(user, now)?;
        Ok(Self { user_id: user.id.clone(), token: None, claimed: None })
    }

    fn of_personal_access_token(sha256: &[u8; 32], policies: &Policies, now: Timestamp) -> Result<Self, Refusal> {
        let token = policies.personal_access_token(sha256).ok_or_else(|| unauthenticated("an opaque token that the snapshot does not have".to_owned()))?;
        if !token.is_usable(now) {
            return Err(unauthenticated("a personal access token past its end".to_owned()));
        }
        Self::of_user(&token.user_id, policies, now)
    }

    fn of_token(token: &Arc<VerifiedToken>, policies: &Policies, now: Timestamp) -> Result<Self, Refusal> {
        let rules = &token.rules;
        let claimed = rules.roles_claim.is_some().then(|| claimed_roles(token));
        let user = match rules.user_match {
            UserMatch::Id => policies.user(&token.user),
            UserMatch::Login => policies.user_by_login(&token.user),
        };
        let user_id: Box<str> = match user {
            Some(user) => {
                check_account(user, now)?;
                user.id.clone()
            }
            None if claimed.is_some() && rules.allow_unknown_users => token.user.clone(),
            None => return Err(unknown_user(&token.user)),
        };
        if policies.is_revoked(token.token_id.as_deref(), &user_id, token.issued_at) {
            return Err(unauthenticated("a revoked token".to_owned()));
        }
        Ok(Self { user_id, token: Some(Arc::clone(token)), claimed })
    }

    /// The user's id; of a user that the snapshot does not have, what its token calls it.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Where the caller's roles come from.
    #[must_use]
    pub fn roles<'a>(&'a self, policies: &'a Policies) -> RoleSource<'a> {
        match (&self.claimed, policies.user(&self.user_id)) {
            (None, Some(user)) => RoleSource::Snapshot(user),
            (claimed, _) => RoleSource::Claimed {
                user_id: &self.user_id,
                roles: claimed.as_deref().unwrap_or_default(),
                allow_administrator: self.token.as_ref().is_some_and(|token| token.rules.allow_administrator),
            },
        }
    }

    /// The token's claims; none of a personal access token.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.token.as_ref().map(|token| &token.claims)
    }

    /// The token's scopes.
    #[must_use]
    pub fn scopes(&self) -> &[Box<str>] {
        self.token.as_ref().map(|token| token.scopes.as_slice()).unwrap_or_default()
    }
}

/// Whether every reader of a header reads this id as it is: none strips blanks, stops at a control
/// character, or leaves the header out.
fn is_plain(user_id: &str) -> bool {
    !user_id.is_empty() && user_id.trim_matches([' ', '\t']) == user_id && !user_id.bytes().any(|byte| byte.is_ascii_control())
}

/// `code` means `default/code`, `scope/code` is exact (semantics §8.3).
fn claimed_roles(token: &VerifiedToken) -> Vec<RoleId> {
    let id = |text: &str| match text.split_once('/') {
        Some((scope, code)) => RoleId::new(scope, code),
        None => RoleId::new("default", text),
    };
    token.roles.iter().map(|text| id(text)).collect()
}

fn check_account(user: &User, now: Timestamp) -> Result<(), Refusal> {
    if user.may_sign_in(now) {
        return Ok(());
    }
    Err(unauthenticated(format!("the account of `{}` is not ACTIVE, or has expired", user.id)))
}

fn unauthenticated(reason: String) -> Refusal {
    Refusal::new(RefusalName::InvalidIdentityToken, "The request has no valid identity token.", reason)
}

fn unknown_user(user: &str) -> Refusal {
    Refusal::new(RefusalName::AccessDenied, "Access to this resource is denied.", format!("the snapshot has no user `{user}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_a_header_would_show_as_another_is_nobodys() {
        for plain in ["00u1", "a b", "ann@example.com", "Ünal"] {
            assert!(is_plain(plain), "{plain:?}");
        }
        for odd in ["", "admin ", " admin", "\tadmin", "admin\u{1}", "admin\r\nx: y", "admin\0"] {
            assert!(!is_plain(odd), "{odd:?}");
        }
    }
}
