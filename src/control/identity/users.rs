//! The operations on users.

use super::accounts;
use super::logs::{Target, tell};
use super::user_bodies::{CreateUserRequest, Describer, UpdateUserRequest, UserResponse};
use crate::control::body::Body;
use crate::control::caller::Caller;
use crate::control::parameters::Parameters;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::observe::clock;
use crate::store::{State as Remembered, User, UserStatus};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(runnable)).routes(routes!(from_login)).routes(routes!(read, update, remove))
}

/// The users of a list: by login, without those that were deactivated unless they are asked for.
fn listing(state: &Remembered, now: Timestamp, include_deactivated: bool) -> Vec<UserResponse> {
    let is_shown = |user: &&User| include_deactivated || user.status != UserStatus::Deprovisioned;
    Describer::new(state, now).users(state.users.values().map(AsRef::as_ref).filter(is_shown))
}

/// The users that may act now.
fn those_who_act(state: &Remembered, now: Timestamp) -> Vec<UserResponse> {
    let is_active = |user: &&User| user.status_at(now) == UserStatus::Active;
    Describer::new(state, now).users(state.users.values().map(AsRef::as_ref).filter(is_active))
}

/// List Users
///
/// Every user, by login.
#[utoipa::path(get, path = "/identity/api/users", operation_id = "ListUsers", tag = "Users",
    params(("includeDeactivated" = Option<bool>, Query, description = "Whether those that were deactivated are listed too; false if absent")),
    responses((status = 200, body = Vec<UserResponse>)))]
async fn list(State(plane): State<Plane>, parameters: Parameters) -> Result<Json<Vec<UserResponse>>, Problem> {
    let include_deactivated = parameters.flag("includeDeactivated")?;
    Ok(Json(listing(&*plane.state().await?, clock::now(), include_deactivated)))
}

/// List Runable Users
///
/// The users whose status is ACTIVE or LOCKED_OUT: those that jobs may act as.
#[utoipa::path(get, path = "/identity/api/users/$runnable", operation_id = "ListRunnableUsers", tag = "Users",
    responses((status = 200, body = Vec<UserResponse>)), extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn runnable(State(plane): State<Plane>) -> Result<Json<Vec<UserResponse>>, Problem> {
    Ok(Json(those_who_act(&*plane.state().await?, clock::now())))
}

/// Create User
///
/// Makes a user with the status PROVISIONED, which becomes ACTIVE once a password is set by a set-up link. Nothing is sent:
/// ask for the link by SendActivationEmail or CreateSetupLink.
#[utoipa::path(post, path = "/identity/api/users", operation_id = "CreateUser", tag = "Users",
    params(("waitForReindex" = Option<bool>, Query, description = "Of no effect: every read sees what was written before")),
    request_body = CreateUserRequest,
    responses((status = 200, body = UserResponse), (status = 409, description = "There is a user with this login.")))]
async fn create(
    State(plane): State<Plane>,
    caller: Caller,
    parameters: Parameters,
    Body(request): Body<CreateUserRequest>,
) -> Result<Json<UserResponse>, Problem> {
    parameters.flag("waitForReindex")?;
    let change = |draft: &mut crate::store::Draft| {
        let user = accounts::creation(draft, (&caller).into(), request)?;
        let answer = Describer::new(draft, draft.now()).user(&user);
        Ok((user, answer))
    };
    let (user, answer) = plane.write(&caller, change).await?;
    tell(&plane, &caller, "user.lifecycle.create", Target::user(&user)).await;
    Ok(Json(answer))
}

/// Get User
#[utoipa::path(get, path = "/identity/api/users/{id}", operation_id = "GetUser", tag = "Users",
    params(("id" = String, Path, description = "The user's id"),
        ("includeRoles" = Option<bool>, Query, description = "Of no effect: the roles are always there")),
    responses((status = 200, body = UserResponse), (status = 404, description = "There is no such user.")))]
async fn read(State(plane): State<Plane>, Path(id): Path<String>, parameters: Parameters) -> Result<Json<UserResponse>, Problem> {
    parameters.flag("includeRoles")?;
    let state = plane.state().await?;
    let user = accounts::find(&state, &id)?;
    Ok(Json(Describer::new(&state, clock::now()).user(user)))
}

/// Get User From Login
#[utoipa::path(get, path = "/identity/api/users/fromlogin/{login}", operation_id = "GetUserFromLogin", tag = "Users",
    params(("login" = String, Path, description = "The user's login, in any case")),
    responses((status = 200, body = UserResponse), (status = 404, description = "There is no such user.")))]
async fn from_login(State(plane): State<Plane>, Path(login): Path<String>) -> Result<Json<UserResponse>, Problem> {
    let state = plane.state().await?;
    let user = state.user_by_login(&login).ok_or_else(|| Problem::of(Code::UserMissing).detail("There is no user with this login."))?;
    Ok(Json(Describer::new(&state, clock::now()).user(user)))
}

/// Update User
///
/// Optional members that are absent stay as they are; null takes them away.
#[utoipa::path(put, path = "/identity/api/users/{id}", operation_id = "UpdateUser", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    request_body = UpdateUserRequest,
    responses((status = 200, body = UserResponse), (status = 404, description = "There is no such user."),
        (status = 409, description = "Another user has this login.")))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(id): Path<String>,
    Body(request): Body<UpdateUserRequest>,
) -> Result<Json<UserResponse>, Problem> {
    let change = |draft: &mut crate::store::Draft| {
        let user = accounts::change(draft, (&caller).into(), &id, request)?;
        let answer = Describer::new(draft, draft.now()).user(&user);
        Ok((user, answer))
    };
    let (user, answer) = plane.write(&caller, change).await?;
    tell(&plane, &caller, "user.account.update_profile", Target::user(&user)).await;
    Ok(Json(answer))
}

/// Delete User
///
/// Deactivates the user: its sessions end, its personal access tokens are gone, its login stays taken. With `purge` nothing of
/// the user is left, its user-role in the Access API included.
#[utoipa::path(delete, path = "/identity/api/users/{id}", operation_id = "DeleteUser", tag = "Users",
    params(("id" = String, Path, description = "The user's id"),
        ("purge" = Option<bool>, Query, description = "Whether everything of the user is removed; false if absent")),
    responses((status = 204, description = "It is done."), (status = 404, description = "There is no such user.")))]
async fn remove(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>, parameters: Parameters) -> Result<StatusCode, Problem> {
    let is_purge = parameters.flag("purge")?;
    let change = if is_purge { accounts::purge } else { accounts::deactivation };
    plane.write(&caller, |draft| change(draft, (&caller).into(), &id)).await?;
    let kind = if is_purge { "user.lifecycle.delete.completed" } else { "user.lifecycle.deactivate" };
    tell(&plane, &caller, kind, Target::user_id(&id)).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{active, at, draft};
    use super::*;

    #[test]
    fn lists_are_by_login_and_without_the_deactivated() {
        let mut draft = draft();
        draft.put(active("00u2", "b@acme.com"));
        draft.put(active("00u1", "c@acme.com"));
        draft.put(User { status: UserStatus::Deprovisioned, ..active("00u3", "a@acme.com") });
        let logins = |all: bool| listing(&draft, draft.now(), all).into_iter().map(|user| user.login).collect::<Vec<_>>();
        assert_eq!(logins(false), ["b@acme.com", "c@acme.com"]);
        assert_eq!(logins(true), ["a@acme.com", "b@acme.com", "c@acme.com"]);
    }

    #[test]
    fn only_active_users_are_runnable() {
        let mut draft = draft();
        draft.put(active("00u1", "a@acme.com"));
        draft.put(User { status: UserStatus::Provisioned, ..active("00u2", "b@acme.com") });
        draft.put(User { user_expiry: Some(at("2026-11-21T12:00:00Z")), ..active("00u3", "c@acme.com") });
        let logins: Vec<String> = those_who_act(&draft, draft.now()).into_iter().map(|user| user.login).collect();
        assert_eq!(logins, ["a@acme.com"]);
    }

    #[test]
    fn an_answer_has_its_roles_and_links_and_no_null() {
        let draft = draft();
        let user = active("00u1", "a@acme.com");
        let answer = serde_json::to_value(Describer::new(&draft, draft.now()).user(&user)).unwrap();
        let expected = serde_json::json!({
            "id": "00u1", "emailAddress": "a@acme.com", "login": "a@acme.com", "firstName": "Ada", "lastName": "Lovelace",
            "roles": [], "type": "Service", "status": "ACTIVE", "external": false,
            "lastUpdated": "2026-01-01T00:00:00.0000000+00:00", "created": "2026-01-01T00:00:00.0000000+00:00", "links": []
        });
        assert_eq!(answer, expected);
    }
}
