//! The roles of the Identity API: a name that users have. What it admits says the Access API's role
//! of the same scope and code, which is made and removed there.

use super::administrators::{ADMINISTRATOR, is_administrators};
use super::made;
use crate::control::body::{Body, OptionalBody};
use crate::control::caller::Caller;
use crate::control::parameters::Parameters;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::new_id;
use crate::store::{Draft, IdentityRole, ScopedId, State as Remembered, User};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The scope of every role that is made here.
const SCOPE: &str = "default";

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(by_code)).routes(routes!(read, update, remove))
}

/// What joins a role with the Access API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct RoleId {
    /// Its scope
    #[schema(min_length = 3, max_length = 100)]
    pub(super) scope: String,
    /// Its code
    #[schema(min_length = 3, max_length = 100)]
    pub(super) code: String,
}

impl From<RoleId> for ScopedId {
    fn from(id: RoleId) -> Self {
        Self::new(id.scope, id.code)
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleResponse {
    /// The role's system supplied unique identifier
    #[schema(min_length = 1)]
    pub(super) id: String,
    /// What joins the role with the Access API
    pub(super) role_id: RoleId,
    /// Where the role comes from
    #[schema(min_length = 1)]
    pub(super) source: String,
    /// The role name, which is unique
    #[schema(min_length = 1)]
    pub(super) name: String,
    /// The description of the role
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) description: Option<String>,
    /// The name of the role in a SAML assertion
    pub(super) saml_name: String,
}

impl From<&IdentityRole> for RoleResponse {
    fn from(role: &IdentityRole) -> Self {
        let ScopedId { scope, code } = role.role_id.clone();
        Self {
            id: role.id.clone(),
            saml_name: format!("lusid:{scope}:{code}"),
            role_id: RoleId { scope, code },
            source: role.source.clone(),
            name: role.name.clone(),
            description: role.description.clone(),
        }
    }
}

/// Specifies the information required to create a new role
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct CreateRoleRequest {
    /// The role name, which must be unique within the system
    #[schema(min_length = 1, max_length = 512, pattern = "^[a-zA-Z][a-zA-Z0-9_ +-]{2,100}$")]
    pub(super) name: String,
    /// The description for this role
    #[schema(min_length = 0, max_length = 1024, pattern = r"^[\s\S]*$")]
    pub(super) description: Option<String>,
}

/// What becomes of a role
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub(super) struct UpdateRoleRequest {
    /// The description for this role; absent = it has none
    #[schema(min_length = 0, max_length = 1024, pattern = r"^[\s\S]*$")]
    pub(super) description: Option<String>,
}

/// Every role by scope and code, for those who look up many.
pub(super) struct RoleBook<'a>(BTreeMap<&'a ScopedId, &'a IdentityRole>);

impl<'a> RoleBook<'a> {
    pub(super) fn of(state: &'a Remembered) -> Self {
        Self(state.identity_roles.values().map(|role| (&role.role_id, role.as_ref())).collect())
    }

    pub(super) fn find(&self, id: &ScopedId) -> Option<&'a IdentityRole> {
        self.0.get(id).copied()
    }
}

/// The role with that id.
///
/// # Errors
/// 404 if there is none.
pub(super) fn find<'a>(state: &'a Remembered, id: &str) -> Result<&'a Arc<IdentityRole>, Problem> {
    state.identity_roles.find(id).ok_or_else(|| Problem::of(Code::IdentityRoleMissing).detail("There is no role with this id."))
}

fn find_by_code<'a>(state: &'a Remembered, id: &ScopedId) -> Result<&'a IdentityRole, Problem> {
    let missing = || Problem::of(Code::IdentityRoleMissing).detail(format!("There is no role {id}."));
    state.identity_roles.values().find(|role| role.role_id == *id).map(AsRef::as_ref).ok_or_else(missing)
}

/// Makes a role. Nothing is made on the side of the Access API.
fn creation(draft: &mut Draft, request: CreateRoleRequest) -> Result<IdentityRole, Problem> {
    let role_id = ScopedId::new(SCOPE, request.name.as_str());
    let is_taken = |role: &IdentityRole| role.name == request.name || role.role_id == role_id;
    // The administrator's name is its own in every scope, whether the role was made yet or not.
    if request.name.eq_ignore_ascii_case(ADMINISTRATOR.1) || draft.identity_roles.values().any(|role| is_taken(role)) {
        return Err(Problem::of(Code::IdentityRoleExists).detail(format!("There is a role with the name {} already.", request.name)));
    }
    let source = "LusidUser".to_owned();
    let role = IdentityRole { id: made(new_id("00g"))?, role_id, source, name: request.name, description: request.description };
    draft.put(role.clone());
    Ok(role)
}

fn change(draft: &mut Draft, id: &str, request: UpdateRoleRequest) -> Result<IdentityRole, Problem> {
    let before = find(draft, id)?.as_ref().clone();
    if is_administrators(&before.role_id) {
        return Err(Problem::of(Code::Conflicting).detail("The administrator's role is built in and cannot be changed."));
    }
    let role = IdentityRole { description: request.description, ..before };
    draft.put(role.clone());
    Ok(role)
}

/// Removes a role; whoever had it loses it.
fn removal(draft: &mut Draft, id: &str) -> Result<(), Problem> {
    let role = Arc::clone(find(draft, id)?);
    if is_administrators(&role.role_id) {
        return Err(Problem::of(Code::Conflicting).detail("The administrator's role is built in and cannot be removed."));
    }
    let now = draft.now();
    let members: Vec<User> = draft.users.values().filter(|user| user.roles.contains(&role.role_id)).map(|user| user.as_ref().clone()).collect();
    for mut user in members {
        user.roles.retain(|other| *other != role.role_id);
        user.last_updated = now;
        draft.put(user);
    }
    draft.remove::<IdentityRole>(id);
    Ok(())
}

/// List Roles
///
/// Every role, by name.
#[utoipa::path(get, path = "/identity/api/roles", operation_id = "ListRoles", tag = "Roles", responses((status = 200, body = Vec<RoleResponse>)))]
async fn list(State(plane): State<Plane>) -> Result<Json<Vec<RoleResponse>>, Problem> {
    let state = plane.state().await?;
    let mut roles: Vec<RoleResponse> = state.identity_roles.values().map(|role| RoleResponse::from(role.as_ref())).collect();
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Json(roles))
}

/// Create Role
///
/// Makes a role of scope `default` whose code is its name. To admit anything it is made in the Access API too.
#[utoipa::path(post, path = "/identity/api/roles", operation_id = "CreateRole", tag = "Roles", request_body = CreateRoleRequest,
    responses((status = 201, body = RoleResponse), (status = 409, description = "There is a role with this name.")))]
async fn create(State(plane): State<Plane>, caller: Caller, Body(request): Body<CreateRoleRequest>) -> Result<(StatusCode, Json<RoleResponse>), Problem> {
    let role = plane.write(&caller, |draft| creation(draft, request)).await?;
    super::logs::tell(&plane, &caller, "group.lifecycle.create", super::logs::Target::role(&role)).await;
    Ok((StatusCode::CREATED, Json(RoleResponse::from(&role))))
}

/// Get Role By Code
#[utoipa::path(get, path = "/identity/api/roles/byCode/{code}", operation_id = "GetRoleByCode", tag = "Roles",
    params(("code" = String, Path, description = "The code of the role"), ("scope" = Option<String>, Query, description = "Its scope; `default` if absent")),
    responses((status = 200, body = RoleResponse), (status = 404, description = "There is no such role.")))]
async fn by_code(State(plane): State<Plane>, Path(code): Path<String>, parameters: Parameters) -> Result<Json<RoleResponse>, Problem> {
    let id = ScopedId::new(parameters.text("scope")?.unwrap_or(SCOPE), code);
    let state = plane.state().await?;
    find_by_code(&state, &id).map(|role| Json(role.into()))
}

/// Get Role
#[utoipa::path(get, path = "/identity/api/roles/{id}", operation_id = "GetRole", tag = "Roles",
    params(("id" = String, Path, description = "The unique identifier of the role")),
    responses((status = 200, body = RoleResponse), (status = 404, description = "There is no such role.")))]
async fn read(State(plane): State<Plane>, Path(id): Path<String>) -> Result<Json<RoleResponse>, Problem> {
    let state = plane.state().await?;
    find(&state, &id).map(|role| Json(role.as_ref().into()))
}

/// Update Role
#[utoipa::path(put, path = "/identity/api/roles/{id}", operation_id = "UpdateRole", tag = "Roles",
    params(("id" = String, Path, description = "The unique identifier of the role")),
    request_body = Option<UpdateRoleRequest>,
    responses((status = 200, body = RoleResponse), (status = 404, description = "There is no such role.")))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(id): Path<String>,
    OptionalBody(request): OptionalBody<UpdateRoleRequest>,
) -> Result<Json<RoleResponse>, Problem> {
    let role = plane.write(&caller, |draft| change(draft, &id, request.unwrap_or_default())).await?;
    super::logs::tell(&plane, &caller, "group.lifecycle.update", super::logs::Target::role(&role)).await;
    Ok(Json(RoleResponse::from(&role)))
}

/// Delete Role
///
/// Its members lose it. The Access API's role stays until it is deleted there.
#[utoipa::path(delete, path = "/identity/api/roles/{id}", operation_id = "DeleteRole", tag = "Roles",
    params(("id" = String, Path, description = "The unique identifier of the role")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is no such role.")))]
async fn remove(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| removal(draft, &id)).await?;
    super::logs::tell(&plane, &caller, "group.lifecycle.delete", super::logs::Target::role_id(&id)).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{active, at, draft};
    use super::*;

    fn request(name: &str) -> CreateRoleRequest {
        CreateRoleRequest { name: name.to_owned(), description: Some("d".to_owned()) }
    }

    #[test]
    fn a_role_has_its_name_as_code_in_the_default_scope_and_nothing_is_made_for_the_access_api() {
        let mut draft = draft();
        let role = RoleResponse::from(&creation(&mut draft, request("portfolio-manager-role")).unwrap());
        assert_eq!((role.id.len(), role.id.get(..3)), (20, Some("00g")));
        assert_eq!(role.role_id, RoleId { scope: "default".to_owned(), code: "portfolio-manager-role".to_owned() });
        assert_eq!((role.saml_name.as_str(), role.source.as_str()), ("lusid:default:portfolio-manager-role", "LusidUser"));
        assert!(draft.roles.is_empty());
    }

    #[test]
    fn a_name_is_given_once() {
        let mut draft = draft();
        creation(&mut draft, request("portfolio-manager-role")).unwrap();
        assert_eq!(creation(&mut draft, request("portfolio-manager-role")).unwrap_err().code(), Code::IdentityRoleExists);
        for name in ["lusid-administrator", "LUSID-Administrator"] {
            assert_eq!(creation(&mut draft, request(name)).unwrap_err().code(), Code::IdentityRoleExists);
        }
    }

    #[test]
    fn members_lose_a_role_that_is_removed() {
        let mut draft = draft();
        let role = creation(&mut draft, request("reader")).unwrap();
        let user = User { roles: vec![role.role_id.clone(), ScopedId::new("default", "writer")], ..active("00u1", "a@b.c") };
        draft.put(user);
        removal(&mut draft, &role.id).unwrap();
        let user = draft.users.find("00u1").unwrap();
        assert_eq!((user.roles.as_slice(), user.last_updated), (&[ScopedId::new("default", "writer")][..], at("2026-11-21T12:00:00Z")));
        assert_eq!(find(&draft, &role.id).unwrap_err().code(), Code::IdentityRoleMissing);
    }

    #[test]
    fn the_administrators_role_is_neither_removed_nor_changed() {
        let mut draft = draft();
        let role_id = ScopedId::new(ADMINISTRATOR.0, ADMINISTRATOR.1);
        draft.put(IdentityRole {
            id: "00g1".to_owned(),
            role_id,
            source: "LusidUser".to_owned(),
            name: "lusid-administrator".to_owned(),
            description: None,
        });
        assert_eq!(removal(&mut draft, "00g1").unwrap_err().code(), Code::Conflicting);
        let update = UpdateRoleRequest { description: Some("mine".to_owned()) };
        assert_eq!(change(&mut draft, "00g1", update).unwrap_err().code(), Code::Conflicting);
        assert_eq!(find(&draft, "00g1").unwrap().description, None);
    }

    #[test]
    fn a_role_is_found_by_scope_and_code() {
        let mut draft = draft();
        let role = creation(&mut draft, request("reader")).unwrap();
        assert_eq!(find_by_code(&draft, &ScopedId::new("default", "reader")).unwrap().id, role.id);
        assert!(find_by_code(&draft, &ScopedId::new("other", "reader")).is_err());
    }

    #[test]
    fn an_update_sets_the_description_and_nothing_else() {
        let mut draft = draft();
        let role = creation(&mut draft, request("reader")).unwrap();
        let changed = change(&mut draft, &role.id, UpdateRoleRequest { description: None }).unwrap();
        assert_eq!(changed, IdentityRole { description: None, ..role });
    }
}
