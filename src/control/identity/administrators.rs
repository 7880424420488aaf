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
    /// Whether it may execute the feature that gives a role to a user.
    pub(super) gives_roles: bool,
    /// Whether it may execute the feature that takes a role from a user.
    pub(super) takes_roles: bool,
}

/// The feature of giving a role, by whichever operation.
const GIVES_ROLES: (&str, &str) = ("Identity", "identity-roles-addusertorole");
/// The feature of taking one.
const TAKES_ROLES: (&str, &str) = ("Identity", "identity-roles-removeuserfromrole");

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self {
            is_administrator: caller.is_administrator(),
            gives_roles: caller.may_execute(GIVES_ROLES),
            takes_roles: caller.may_execute(TAKES_ROLES),
        }
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

    /// Whether the actor may give and take roles by an operation that is for something else beside: the features of
    /// giving and taking are asked as if it executed these.
    ///
    /// # Errors
    /// 403 where a role is given or taken and the feature of that is not granted, and as [`Self::may_grant`].
    pub(super) fn may_move(self, before: &[ScopedId], after: &[ScopedId]) -> Result<(), Problem> {
        let given = || after.iter().filter(|role| !before.contains(role));
        let taken = || before.iter().filter(|role| !after.contains(role));
        for (is_moved, may, (application, code)) in
            [(given().next().is_some(), self.gives_roles, GIVES_ROLES), (taken().next().is_some(), self.takes_roles, TAKES_ROLES)]
        {
            if is_moved && !may {
                return Err(Problem::of(Code::AccessDenied).detail(format!("Roles are changed by whoever may execute `{application}/{code}`.")));
            }
        }
        given().chain(taken()).try_for_each(|role| self.may_grant(role))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::caller::testing;
    use serde_json::json;

    #[test]
    fn what_an_actor_may_do_to_roles_is_what_its_policies_say_of_the_features() {
        let of = |code: &str| {
            let execute = json!([{"idSelectorDefinition": {"identifier": {"scope": "Identity", "code": code},
                "actions": [{"scope": "default", "activity": "Execute", "entity": "Feature"}]}}]);
            let role = json!({"id": {"code": "own"}, "roleHierarchyIndex": 2, "resource": {"policyIdRoleResource": {"policies": [{"code": "own"}]}}});
            let user = json!({"id": "00u1", "login": "a@b.c", "type": "Personal", "status": "ACTIVE", "roles": [{"code": "own"}]});
            let snapshot = json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-11-21T12:00:00Z", "users": [user], "roles": [role],
                "policies": [{"id": {"code": "own"}, "grant": "Allow", "selectors": execute}]});
            let actor = Actor::from(&testing::caller(&snapshot, "00u1"));
            [actor.is_administrator, actor.gives_roles, actor.takes_roles]
        };
        assert_eq!(of("identity-users-updateuser"), [false, false, false]);
        assert_eq!(of("identity-roles-addusertorole"), [false, true, false]);
        assert_eq!(of("identity-roles-removeuserfromrole"), [false, false, true]);
        let owner = Actor::from(&testing::administrator());
        assert_eq!([owner.is_administrator, owner.gives_roles, owner.takes_roles], [true, true, true]);
    }
}
