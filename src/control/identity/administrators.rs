//! What guards the administrators: only they make others of their kind, only they touch the accounts
//! of their kind, and there is always one left who can sign in.

use crate::control::caller::Caller;
use crate::control::problem::{Code, Problem};
use crate::store::{ScopedId, State, User, UserStatus};
use jiff::Timestamp;

/// Scope and code of the role that may do everything (semantics §2).
pub(super) const ADMINISTRATOR: (&str, &str) = ("LUSID_SYSTEM", "lusid-administrator");

/// Who changes something: what the guards ask of a caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor {
    /// Whether it has the administrator's role.
    pub(super) is_administrator: bool,
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self { is_administrator: caller.is_administrator() }
    }
}

/// Whether this is the administrator's role.
pub(super) fn is_administrators(role: &ScopedId) -> bool {
    (role.scope.as_str(), role.code.as_str()) == ADMINISTRATOR
}

/// Whether the user has the administrator's role.
pub(super) fn is_administrator(user: &User) -> bool {
    user.roles.iter().any(is_administrators)
}

impl Actor {
    /// Whether the actor may give this role to somebody, or take it away.
    ///
    /// # Errors
    /// 403: the administrator's role is handed on by administrators alone.
    pub(super) fn may_grant(self, role: &ScopedId) -> Result<(), Problem> {
        if is_administrators(role) && !self.is_administrator {
            return Err(Problem::of(Code::AccessDenied).detail("Only an administrator may grant or remove the administrator's role."));
        }
        Ok(())
    }

    /// Whether the actor may change what this user signs in by, or what becomes of the account.
    ///
    /// # Errors
    /// 403: an administrator's account is touched by administrators alone, or whoever may reset passwords were one.
    pub(super) fn may_change(self, user: &User) -> Result<(), Problem> {
        if is_administrator(user) && !self.is_administrator {
            return Err(Problem::of(Code::AccessDenied).detail("Only an administrator may change the account of an administrator."));
        }
        Ok(())
    }

    /// Whether the actor is an administrator.
    ///
    /// # Errors
    /// 403 if not, with this sentence.
    pub(super) fn must_be_administrator(self, sentence: &str) -> Result<(), Problem> {
        if self.is_administrator { Ok(()) } else { Err(Problem::of(Code::AccessDenied).detail(sentence)) }
    }
}

/// Whether there is still an administrator after `before` was changed or removed; asked last, on the changed state.
///
/// # Errors
/// 400 if the last active one was lost.
pub(super) fn still_there(state: &State, before: &User, now: Timestamp) -> Result<(), Problem> {
    let is_active = |user: &User| is_administrator(user) && user.status_at(now) == UserStatus::Active;
    let is_lost = is_active(before) && !state.users.values().any(|user| is_active(user));
    // One whose time will come is no administrator to rely on.
    let is_lasting = |user: &User| is_active(user) && user.user_expiry.is_none();
    if !is_lost && (!is_lasting(before) || state.users.values().any(|user| is_lasting(user))) {
        return Ok(());
    }
    Err(Problem::of(Code::Conflicting).detail("This is the last active administrator: make another one first."))
}
