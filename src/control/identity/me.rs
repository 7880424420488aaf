//! The caller's own account.

use super::accounts;
use super::logs::{Target, tell};
use super::roles::RoleBook;
use super::user_bodies::kind_name;
use crate::control::body::Body;
use crate::control::caller::Caller;
use crate::control::oauth::{credentials, sessions};
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::{Link, write_optional_time, write_time};
use crate::store::{Draft, State as Remembered};
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(set_password))
}

/// Who asks
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CurrentUserResponse {
    /// The user's system supplied unique identifier
    #[schema(min_length = 1)]
    id: String,
    /// The user's email address
    #[schema(min_length = 1)]
    email_address: String,
    /// The type of user: Personal or Service
    #[serde(rename = "type")]
    #[schema(min_length = 1)]
    kind: &'static str,
    /// From then on the user cannot sign in
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_optional_time")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    user_expiry: Option<Timestamp>,
    /// The names of the user's roles
    groups: Vec<String>,
    /// Empty
    links: Vec<Link>,
}

/// Set password request
#[derive(Clone, Deserialize, ToSchema)]
pub(super) struct SetPassword {
    /// The value of the new password
    #[schema(min_length = 12, max_length = 50)]
    value: String,
}

/// The result of setting a password
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetPasswordResponse {
    /// The date and time at which the password was successfully updated
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Empty
    links: Vec<Link>,
}

/// What is told of the user to the user.
fn account(state: &Remembered, id: &str) -> Result<CurrentUserResponse, Problem> {
    let user = accounts::find(state, id)?;
    let roles = RoleBook::of(state);
    // A role that was made on the side of the Access API alone has its code for a name.
    let name = |role| roles.find(role).map_or_else(|| role.code.clone(), |role| role.name.clone());
    Ok(CurrentUserResponse {
        id: user.id.clone(),
        email_address: user.email_address.clone(),
        kind: kind_name(user.kind),
        user_expiry: user.user_expiry,
        groups: user.roles.iter().map(name).collect(),
        links: Vec::new(),
    })
}

/// Get User Info
#[utoipa::path(get, path = "/identity/api/me", operation_id = "GetUserInfo", tag = "Me", responses((status = 200, body = CurrentUserResponse)))]
async fn read(State(plane): State<Plane>, caller: Caller) -> Result<Json<CurrentUserResponse>, Problem> {
    account(&*plane.state().await?, caller.user()).map(Json)
}

/// Set password of current user
///
/// Every session and token of the user ends, the one that asks with them. Not possible by a personal access token.
#[utoipa::path(put, path = "/identity/api/me/password", operation_id = "SetPassword", tag = "Me", request_body = SetPassword,
    responses((status = 200, body = SetPasswordResponse)))]
async fn set_password(State(plane): State<Plane>, caller: Caller, Body(request): Body<SetPassword>) -> Result<Json<SetPasswordResponse>, Problem> {
    if caller.has_personal_access_token() {
        return Err(Problem::of(Code::PasswordImmutable).detail("A personal access token does not change the password: sign in by the password there is."));
    }
    let state = plane.state().await?;
    let user = accounts::living(&state, caller.user())?;
    let password = plane.oauth.passwords.choose(&state, &user, &request.value).await?;
    let change = |draft: &mut Draft| {
        accounts::living(draft, &user.id)?;
        credentials::set_password(draft, &user.id, password)?;
        sessions::end_all(draft, &user.id);
        Ok(draft.now())
    };
    let updated_at = plane.write(&caller, change).await?;
    tell(&plane, &caller, "user.account.update_password", Target::user(&user)).await;
    Ok(Json(SetPasswordResponse { updated_at, links: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{administrator, administrators_role, draft, role};
    use super::*;
    use crate::store::{ScopedId, User};

    #[test]
    fn groups_are_the_names_of_the_roles() {
        let mut draft = draft();
        draft.put(role("00g0", administrators_role()));
        draft.put(User { roles: vec![administrators_role(), ScopedId::new("default", "only-in-access")], ..administrator("00u1", "ada@acme.com") });
        let answer = serde_json::to_value(account(&draft, "00u1").unwrap()).unwrap();
        let expected = serde_json::json!({
            "id": "00u1", "emailAddress": "ada@acme.com", "type": "Service", "groups": ["lusid-administrator", "only-in-access"], "links": []
        });
        assert_eq!(answer, expected);
        assert_eq!(account(&draft, "00u2").unwrap_err().code(), Code::UserMissing);
    }
}
