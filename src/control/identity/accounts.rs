//! What becomes of an account: it is made, changed, deactivated, purged.

#[cfg(test)]
pub(super) mod tests;

use super::administrators::{self, Actor};
use super::roles::{RoleBook, RoleId};
use super::user_bodies::{CreateUserRequest, UpdateUserRequest, kind_named};
use super::{made, user_schema};
use crate::control::oauth::{credentials, sessions};
use crate::control::problem::{Code, Problem};
use crate::control::wire::new_id;
use crate::store::{Application, Draft, PersonalAccessToken, ScopedId, SetupLink, State, User, UserKind, UserRole, UserStatus};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The user with that id.
///
/// # Errors
/// 404 if there is none.
pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Arc<User>, Problem> {
    state.users.find(id).ok_or_else(|| Problem::of(Code::UserMissing).detail("There is no user with this id."))
}

/// The same of one that was not deactivated.
///
/// # Errors
/// 404 if there is none, 400 if it was deactivated.
pub(super) fn living(state: &State, id: &str) -> Result<User, Problem> {
    let user = find(state, id)?;
    match user.status {
        UserStatus::Deprovisioned => Err(Problem::of(Code::UserDeleted).detail("The user was deactivated.")),
        _ => Ok(user.as_ref().clone()),
    }
}

/// Makes a user that has yet to set a password.
///
/// # Errors
/// 400 by field, 403 for roles that the actor may not give, 409 for a login that is taken.
pub(super) fn creation(draft: &mut Draft, actor: Actor, request: CreateUserRequest) -> Result<User, Problem> {
    let mut problem = Problem::invalid();
    let kind = kind_named(&request.kind).unwrap_or_else(|| {
        problem.report("type", "The type is neither Personal nor Service.");
        UserKind::Personal
    });
    let names = Names {
        kind,
        login: &request.login,
        email_address: &request.email_address,
        second_email_address: request.second_email_address.as_deref(),
    };
    names.check(&mut problem);
    let roles = known_roles(draft, request.roles.unwrap_or_default(), &mut problem);
    let alternative_user_ids = without_nulls(request.alternative_user_ids.unwrap_or_default());
    user_schema::check(draft, "", &alternative_user_ids, &mut problem);
    problem.or_ok(())?;
    actor.may_move(&[], &roles)?;
    login_is_free(draft, &request.login, "")?;
    let now = draft.now();
    let user = User {
        id: made(new_id("00u"))?,
        login: request.login,
        email_address: request.email_address,
        second_email_address: request.second_email_address,
        first_name: request.first_name,
        last_name: request.last_name,
        kind,
        status: UserStatus::Provisioned,
        user_expiry: request.user_expiry,
        roles,
        alternative_user_ids,
        created: now,
        last_updated: now,
    };
    draft.put(user.clone());
    Ok(user)
}

/// Changes a user.
///
/// # Errors
/// As [`creation`]; 403 for an administrator's account, 400 if the last administrator were lost.
pub(super) fn change(draft: &mut Draft, actor: Actor, id: &str, request: UpdateUserRequest) -> Result<User, Problem> {
    let before = living(draft, id)?;
    actor.may_change(&before)?;
    let second_email_address = request.second_email_address.unwrap_or_else(|| before.second_email_address.clone());
    let mut problem = Problem::invalid();
    let names = Names {
        kind: before.kind,
        login: &request.login,
        email_address: &request.email_address,
        second_email_address: second_email_address.as_deref(),
    };
    names.check(&mut problem);
    let roles = request.roles.map_or_else(|| before.roles.clone(), |roles| known_roles(draft, roles, &mut problem));
    let given = request.alternative_user_ids.map(|ids| without_nulls(ids.unwrap_or_default()));
    if let Some(ids) = &given {
        user_schema::check(draft, id, ids, &mut problem);
    }
    problem.or_ok(())?;
    actor.may_move(&before.roles, &roles)?;
    login_is_free(draft, &request.login, id)?;
    let user = User {
        login: request.login,
        email_address: request.email_address,
        second_email_address,
        first_name: request.first_name,
        last_name: request.last_name,
        user_expiry: request.user_expiry.unwrap_or(before.user_expiry),
        roles,
        alternative_user_ids: given.unwrap_or_else(|| before.alternative_user_ids.clone()),
        last_updated: draft.now(),
        ..before.clone()
    };
    draft.put(user.clone());
    administrators::still_there(draft, &before, draft.now())?;
    Ok(user)
}

/// Deactivates a user: it stays to be looked up, and nothing of it opens anything any more.
///
/// # Errors
/// 404 for a missing one, 403 for an administrator's account, 400 for the last of them.
pub(super) fn deactivation(draft: &mut Draft, actor: Actor, id: &str) -> Result<(), Problem> {
    let before = find(draft, id)?.as_ref().clone();
    actor.may_change(&before)?;
    draft.put(User { status: UserStatus::Deprovisioned, last_updated: draft.now(), ..before.clone() });
    lose_tokens(draft, id);
    administrators::still_there(draft, &before, draft.now())
}

/// Removes a user and everything that was kept of it.
///
/// # Errors
/// As [`deactivation`].
pub(super) fn purge(draft: &mut Draft, actor: Actor, id: &str) -> Result<(), Problem> {
    let before = find(draft, id)?.as_ref().clone();
    actor.may_change(&before)?;
    lose_tokens(draft, id);
    credentials::forget(draft, id);
    draft.remove::<UserRole>(id);
    // An application that acted as this user acts as nobody.
    for application in draft.applications.values().filter(|application| application.user_id.as_deref() == Some(id)).cloned().collect::<Vec<_>>() {
        draft.put(Application { user_id: None, ..application.as_ref().clone() });
    }
    draft.remove::<User>(id);
    administrators::still_there(draft, &before, draft.now())
}

/// Ends everything that the user is signed in by, and whatever could sign it in without its password.
fn lose_tokens(draft: &mut Draft, id: &str) {
    let keys: Vec<String> = draft.personal_access_tokens.beginning(&format!("{id}/")).map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        draft.remove::<PersonalAccessToken>(&key);
    }
    let links: Vec<String> = draft.setup_links.iter().filter(|(_, link)| link.user_id == id).map(|(key, _)| key.to_owned()).collect();
    for key in links {
        draft.remove::<SetupLink>(&key);
    }
    sessions::end_all(draft, id);
}

/// What a user is called, as a request would have it.
struct Names<'a> {
    kind: UserKind,
    login: &'a str,
    email_address: &'a str,
    second_email_address: Option<&'a str>,
}

impl Names<'_> {
    /// Reports what the schema cannot say.
    fn check(&self, problem: &mut Problem) {
        if !is_address(self.email_address) {
            problem.report("emailAddress", "The value is no e-mail address.");
        }
        if self.second_email_address.is_some_and(|address| !is_address(address)) {
            problem.report("secondEmailAddress", "The value is no e-mail address.");
        }
        if self.login.trim() != self.login || self.login.chars().any(char::is_control) {
            problem.report("login", "A login neither begins nor ends with a blank and has no control characters.");
        }
        if self.kind == UserKind::Personal && self.login != self.email_address {
            problem.report("login", "The login of a personal user is its e-mail address.");
        }
        if self.kind == UserKind::Personal && self.second_email_address.is_some() {
            problem.report("secondEmailAddress", "Only service users have a second e-mail address.");
        }
    }
}

/// Something, one `@`, something, and no blanks: what it takes for a mail server to say more.
fn is_address(text: &str) -> bool {
    let is_whole = |(local, domain): (&str, &str)| !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    text.split_once('@').is_some_and(is_whole) && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

/// The roles of a request, each once; those that do not exist are reported by their place.
fn known_roles(state: &State, roles: Vec<RoleId>, problem: &mut Problem) -> Vec<ScopedId> {
    let book = RoleBook::of(state);
    let mut known: Vec<ScopedId> = Vec::with_capacity(roles.len());
    for (index, id) in roles.into_iter().map(ScopedId::from).enumerate() {
        if book.find(&id).is_none() {
            problem.report(format!("roles[{index}]"), format!("There is no role {id}."));
        } else if !known.contains(&id) {
            known.push(id);
        }
    }
    known
}

fn without_nulls(ids: BTreeMap<String, Option<String>>) -> BTreeMap<String, Option<String>> {
    ids.into_iter().filter(|(_, value)| value.is_some()).collect()
}

/// # Errors
/// 409 if another user has this login, in any case.
fn login_is_free(state: &State, login: &str, own_id: &str) -> Result<(), Problem> {
    let Some(other) = state.user_by_login(login).filter(|other| other.id != own_id) else { return Ok(()) };
    let detail = match other.status {
        UserStatus::Deprovisioned => "A user that was deactivated has this login; purge it to make the login free.",
        _ => "There is a user with this login already.",
    };
    Err(Problem::of(Code::UserExists).detail(detail))
}
