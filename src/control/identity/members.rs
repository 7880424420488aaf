//! Who has which role.

use super::accounts;
use super::administrators::{self, Actor};
use super::logs::{Target, tell};
use super::roles;
use super::user_bodies::{Describer, UserResponse};
use crate::control::caller::Caller;
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::observe::clock;
use crate::store::{Draft, State as Remembered, User, UserStatus};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(add, remove))
}

/// The users that have the role, without those that were deactivated.
fn members(state: &Remembered, now: Timestamp, id: &str) -> Result<Vec<UserResponse>, Problem> {
    let role = roles::find(state, id)?;
    let has_it = |user: &&User| user.status != UserStatus::Deprovisioned && user.roles.contains(&role.role_id);
    Ok(Describer::new(state, now).users(state.users.values().map(AsRef::as_ref).filter(has_it)))
}

/// Gives the role to the user, if it does not have it.
fn addition(draft: &mut Draft, actor: Actor, id: &str, user_id: &str) -> Result<(), Problem> {
    let role = roles::find(draft, id)?.role_id.clone();
    let mut user = accounts::living(draft, user_id)?;
    actor.may_grant(&role)?;
    if !user.roles.contains(&role) {
        user.roles.push(role);
        user.last_updated = draft.now();
        draft.put(user);
    }
    Ok(())
}

/// Takes the role from the user, if it has it.
fn removal(draft: &mut Draft, actor: Actor, id: &str, user_id: &str) -> Result<(), Problem> {
    let role = roles::find(draft, id)?.role_id.clone();
    let before = accounts::find(draft, user_id)?.as_ref().clone();
    actor.may_grant(&role)?;
    if before.roles.contains(&role) {
        let roles = before.roles.iter().filter(|other| **other != role).cloned().collect();
        draft.put(User { roles, last_updated: draft.now(), ..before.clone() });
    }
    administrators::still_there(draft, &before, draft.now())
}

/// Get the users in the specified role.
#[utoipa::path(get, path = "/identity/api/roles/{id}/users", operation_id = "ListUsersInRole", tag = "Roles",
    params(("id" = String, Path, description = "The unique identifier of the role")),
    responses((status = 200, body = Vec<UserResponse>), (status = 404, description = "There is no such role.")))]
async fn list(State(plane): State<Plane>, Path(id): Path<String>) -> Result<Json<Vec<UserResponse>>, Problem> {
    members(&*plane.state().await?, clock::now(), &id).map(Json)
}

/// Add User to Role
///
/// Tokens that were issued before keep saying the roles of that time; what the user may do follows at once.
#[utoipa::path(put, path = "/identity/api/roles/{id}/users/{userId}", operation_id = "AddUserToRole", tag = "Roles",
    params(("id" = String, Path, description = "The unique identifier of the role"), ("userId" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The user has the role."), (status = 404, description = "There is no such role or user.")))]
async fn add(State(plane): State<Plane>, caller: Caller, Path((id, user_id)): Path<(String, String)>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| addition(draft, (&caller).into(), &id, &user_id)).await?;
    tell(&plane, &caller, "group.user_membership.add", [Target::user_id(&user_id), Target::role_id(&id)].concat()).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove User from Role
#[utoipa::path(delete, path = "/identity/api/roles/{id}/users/{userId}", operation_id = "RemoveUserFromRole", tag = "Roles",
    params(("id" = String, Path, description = "The unique identifier of the role"), ("userId" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The user does not have the role."), (status = 404, description = "There is no such role or user.")))]
async fn remove(State(plane): State<Plane>, caller: Caller, Path((id, user_id)): Path<(String, String)>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| removal(draft, (&caller).into(), &id, &user_id)).await?;
    tell(&plane, &caller, "group.user_membership.remove", [Target::user_id(&user_id), Target::role_id(&id)].concat()).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{CLERK, OWNER, active, administrator, administrators_role, draft, role};
    use super::*;
    use crate::control::problem::Code;
    use crate::store::ScopedId;

    fn with_roles() -> Draft {
        let mut draft = draft();
        draft.put(role("00g1", ScopedId::new("default", "reader")));
        draft.put(role("00g0", administrators_role()));
        draft.put(active("00u1", "ada@acme.com"));
        draft.put(administrator("00u2", "owner@acme.com"));
        draft
    }

    fn ids(draft: &Draft, role: &str) -> Vec<String> {
        members(draft, draft.now(), role).unwrap().into_iter().map(|user| user.id).collect()
    }

    #[test]
    fn members_come_and_go_and_twice_is_as_good_as_once() {
        let mut draft = with_roles();
        for _ in 0..2 {
            addition(&mut draft, CLERK, "00g1", "00u1").unwrap();
            assert_eq!(ids(&draft, "00g1"), ["00u1"]);
        }
        for _ in 0..2 {
            removal(&mut draft, CLERK, "00g1", "00u1").unwrap();
            assert!(ids(&draft, "00g1").is_empty());
        }
    }

    #[test]
    fn a_missing_role_and_a_missing_user_are_told_apart() {
        let mut draft = with_roles();
        assert_eq!(addition(&mut draft, OWNER, "00g9", "00u1").unwrap_err().code(), Code::IdentityRoleMissing);
        assert_eq!(addition(&mut draft, OWNER, "00g1", "00u9").unwrap_err().code(), Code::UserMissing);
        assert_eq!(removal(&mut draft, OWNER, "00g9", "00u1").unwrap_err().code(), Code::IdentityRoleMissing);
        assert_eq!(removal(&mut draft, OWNER, "00g1", "00u9").unwrap_err().code(), Code::UserMissing);
        assert_eq!(members(&draft, draft.now(), "00g9").unwrap_err().code(), Code::IdentityRoleMissing);
    }

    #[test]
    fn the_administrators_role_is_handed_on_by_administrators_alone() {
        let mut draft = with_roles();
        assert_eq!(addition(&mut draft, CLERK, "00g0", "00u1").unwrap_err().code(), Code::AccessDenied);
        assert_eq!(removal(&mut draft, CLERK, "00g0", "00u2").unwrap_err().code(), Code::AccessDenied);
        addition(&mut draft, OWNER, "00g0", "00u1").unwrap();
        removal(&mut draft, OWNER, "00g0", "00u2").unwrap();
    }

    #[test]
    fn the_last_administrator_keeps_the_role() {
        let mut draft = with_roles();
        assert_eq!(removal(&mut draft, OWNER, "00g0", "00u2").unwrap_err().code(), Code::Conflicting);
    }

    #[test]
    fn a_deactivated_user_is_no_member_and_becomes_none() {
        let mut draft = with_roles();
        addition(&mut draft, CLERK, "00g1", "00u1").unwrap();
        accounts::deactivation(&mut draft, CLERK, "00u1").unwrap();
        assert!(ids(&draft, "00g1").is_empty());
        assert_eq!(addition(&mut draft, CLERK, "00g1", "00u1").unwrap_err().code(), Code::UserDeleted);
    }
}
