//! User-roles: policies that one user has directly, weaker than any role.

use super::super::body::Body;
use super::super::caller::Caller;
use super::super::parameters::Parameters;
use super::super::plane::Plane;
use super::super::problem::{Code, Problem, ProblemDetails};
use super::super::wire::{Link, ResourceList};
use super::holders::{self, RoleResourceResponse, UserRoleResource};
use super::holdings::{self, Holdings};
use super::ids::{References, ResourceId, scoped};
use super::lists;
use super::roles::AddPolicyCollectionToRoleRequest;
use crate::store::{Draft, PolicyIds, Resource, ScopedId, State as Remembered, UserRole};
use axum::Json;
use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The scope of user-roles.
const USERS_SCOPE: &str = "_users";

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, delete))
        .routes(routes!(update))
        .routes(routes!(add_policies))
        .routes(routes!(remove_policy))
        .routes(routes!(add_collections))
        .routes(routes!(remove_collection))
}

/// A user-role that is to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserRoleCreationRequest {
    /// Whose it is.
    #[schema(min_length = 1, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    pub(super) user_id: String,
    pub(super) resource: UserRoleResource,
}

/// What a user-role consists of.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct UserRoleUpdateRequest {
    pub(super) resource: UserRoleResource,
}

/// Policies that a user-role is to have.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct AddPolicyToRoleRequest {
    /// The policies.
    pub(super) policies: Vec<ResourceId>,
}

/// A user-role.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct UserRoleResponse {
    resource: RoleResourceResponse,
    #[schema(value_type = ResourceId)]
    id: ScopedId,
    links: Vec<Link>,
}

impl From<&UserRole> for UserRoleResponse {
    fn from(role: &UserRole) -> Self {
        Self { resource: RoleResourceResponse::from(&role.resource), id: role.id.clone(), links: Vec::new() }
    }
}

/// List user-roles
///
/// The user-roles of all users, in order of the users' ids unless another order is asked for.
#[utoipa::path(get, path = "/access/api/userroles", operation_id = "ListUserRoles", tag = "UserRoles",
    params(lists::PageParameters),
    responses((status = 200, description = "A page of user-roles.", body = ResourceList<UserRoleResponse>)))]
async fn list(State(plane): State<Plane>, _: Caller, uri: Uri, parameters: Parameters) -> Result<Json<ResourceList<Value>>, Problem> {
    let state = plane.state().await?;
    let list = lists::List { name: "userRoles", href: plane.settings.href(&lists::target(&uri)) };
    let row = |document| lists::Listed { document, answer: |role| UserRoleResponse::from(role), is_shown: &|_: &UserRole| true };
    list.page(&parameters, state.user_roles.iter().map(|(key, role)| (key, row(&**role)))).map(Json)
}

/// Create a user-role
///
/// Gives a user policies directly. Every user has at most one user-role; an empty one, as the first sign-in makes it, is filled.
#[utoipa::path(post, path = "/access/api/userroles", operation_id = "CreateUserRole", tag = "UserRoles",
    request_body = UserRoleCreationRequest,
    responses((status = 200, description = "The user-role.", body = UserRoleResponse),
        (status = 409, description = "The user has one.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn create(State(plane): State<Plane>, caller: Caller, Body(request): Body<UserRoleCreationRequest>) -> Result<Json<UserRoleResponse>, Problem> {
    plane.write(&caller, |draft| creation(draft, &caller, request)).await.map(Json)
}

/// Get a user-role
///
/// The user-role of one user.
#[utoipa::path(get, path = "/access/api/userroles/{userid}", operation_id = "GetUserRole", tag = "UserRoles",
    params(("userid" = String, Path, description = "The id of the user.")),
    responses((status = 200, description = "The user-role.", body = UserRoleResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn read(State(plane): State<Plane>, _: Caller, Path(user): Path<String>) -> Result<Json<UserRoleResponse>, Problem> {
    let role = found(&*plane.state().await?, &user)?;
    Ok(Json(UserRoleResponse::from(&*role)))
}

/// Delete a user-role
///
/// Takes from a user everything that they had directly.
#[utoipa::path(delete, path = "/access/api/userroles/{userid}", operation_id = "DeleteUserRole", tag = "UserRoles",
    params(("userid" = String, Path, description = "The id of the user.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn delete(State(plane): State<Plane>, caller: Caller, Path(user): Path<String>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| deletion(draft, &caller, &user)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Update a user-role
///
/// Replaces everything that a user has directly.
#[utoipa::path(post, path = "/access/api/userroles/{userid}/update", operation_id = "UpdateUserRole", tag = "UserRoles",
    params(("userid" = String, Path, description = "The id of the user.")),
    request_body = UserRoleUpdateRequest,
    responses((status = 200, description = "The user-role.", body = UserRoleResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(user): Path<String>,
    Body(request): Body<UserRoleUpdateRequest>,
) -> Result<Json<UserRoleResponse>, Problem> {
    plane.write(&caller, |draft| replacement(draft, &caller, &user, request)).await.map(Json)
}

/// Add a policy to a user-role
///
/// Adds policies; those that it has already stay where they are.
#[utoipa::path(post, path = "/access/api/userroles/{userid}/policies", operation_id = "AddPolicyToUserRole", tag = "UserRoles",
    params(("userid" = String, Path, description = "The id of the user.")),
    request_body = AddPolicyToRoleRequest,
    responses((status = 200, description = "The user-role.", body = UserRoleResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn add_policies(
    State(plane): State<Plane>,
    caller: Caller,
    Path(user): Path<String>,
    Body(request): Body<AddPolicyToRoleRequest>,
) -> Result<Json<UserRoleResponse>, Problem> {
    let more = Holdings { policies: scoped(Some(request.policies)), collections: Vec::new() };
    plane.write(&caller, |draft| addition(draft, &caller, &user, more)).await.map(Json)
}

/// Remove a policy from a user-role
///
/// Removes one policy that the user-role has.
#[utoipa::path(delete, path = "/access/api/userroles/{userid}/policies/{policyScope}/{policyCode}", operation_id = "RemovePolicyFromUserRole",
    tag = "UserRoles",
    params(("userid" = String, Path, description = "The id of the user."), ("policyScope" = String, Path, description = "The scope of the policy."),
        ("policyCode" = String, Path, description = "The code of the policy.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is no such user-role, or it has no such policy.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn remove_policy(State(plane): State<Plane>, caller: Caller, Path((user, scope, code)): Path<(String, String, String)>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| removal(draft, &caller, &user, (Code::PolicyMissing, &ScopedId::new(scope, code)))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Add a policy collection to a user-role
///
/// Adds policy collections; those that it has already stay where they are.
#[utoipa::path(post, path = "/access/api/userroles/{userid}/policycollections", operation_id = "AddPolicyCollectionToUserRole", tag = "UserRoles",
    params(("userid" = String, Path, description = "The id of the user.")),
    request_body = AddPolicyCollectionToRoleRequest,
    responses((status = 200, description = "The user-role.", body = UserRoleResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn add_collections(
    State(plane): State<Plane>,
    caller: Caller,
    Path(user): Path<String>,
    Body(request): Body<AddPolicyCollectionToRoleRequest>,
) -> Result<Json<UserRoleResponse>, Problem> {
    let more = Holdings { policies: Vec::new(), collections: scoped(Some(request.policy_collections)) };
    plane.write(&caller, |draft| addition(draft, &caller, &user, more)).await.map(Json)
}

/// Remove a policy collection from a user-role
///
/// Removes one policy collection that the user-role has.
#[utoipa::path(delete, path = "/access/api/userroles/{userid}/policycollections/{policyCollectionScope}/{policyCollectionCode}",
    operation_id = "RemovePolicyCollectionFromUserRole", tag = "UserRoles",
    params(("userid" = String, Path, description = "The id of the user."),
        ("policyCollectionScope" = String, Path, description = "The scope of the collection."),
        ("policyCollectionCode" = String, Path, description = "The code of the collection.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is no such user-role, or it has no such collection.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn remove_collection(
    State(plane): State<Plane>,
    caller: Caller,
    Path((user, scope, code)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| removal(draft, &caller, &user, (Code::CollectionMissing, &ScopedId::new(scope, code)))).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn found(state: &Remembered, user: &str) -> Result<Arc<UserRole>, Problem> {
    let missing = || Problem::of(Code::UserRoleMissing).detail(format!("The user `{user}` has no user-role."));
    state.user_roles.find(user).cloned().ok_or_else(missing)
}

fn is_empty(role: &UserRole) -> bool {
    role.resource.policy_id_role_resource.as_ref().is_none_or(|own| own.policies.is_empty() && own.policy_collections.is_empty())
}

/// A user-role may be made before what it names: in scopes that others fill.
const fn references(state: &Remembered) -> References<'_> {
    References::to(state).passing_foreign_scopes()
}

/// Makes the user-role of a user who has none, or an empty one. The user need not be known here: users of other token issuers have user-roles too.
pub(super) fn creation(draft: &mut Draft, caller: &Caller, request: UserRoleCreationRequest) -> Result<UserRoleResponse, Problem> {
    let user = request.user_id;
    let before = draft.user_roles.find(&user).cloned();
    if before.as_ref().is_some_and(|role| !is_empty(role)) {
        return Err(Problem::of(Code::UserRoleExists).detail(format!("The user `{user}` has a user-role already; update it.")));
    }
    let (own, field) = request.resource.content()?;
    let resource = holders::of_policies(references(draft), own, field)?;
    kept(draft, caller, before.as_deref(), UserRole { id: ScopedId::new(USERS_SCOPE, user), resource })
}

pub(super) fn replacement(draft: &mut Draft, caller: &Caller, user: &str, request: UserRoleUpdateRequest) -> Result<UserRoleResponse, Problem> {
    let before = found(draft, user)?;
    let (own, field) = request.resource.content()?;
    let resource = holders::of_policies(references(draft), own, field)?;
    kept(draft, caller, Some(&before), UserRole { id: before.id.clone(), resource })
}

pub(super) fn deletion(draft: &mut Draft, caller: &Caller, user: &str) -> Result<(), Problem> {
    let role = found(draft, user)?;
    holdings::require_handover(draft, caller, &Holdings::of(draft, &role.resource), &Holdings::default())?;
    draft.remove::<UserRole>(user);
    Ok(())
}

pub(super) fn addition(draft: &mut Draft, caller: &Caller, user: &str, more: Holdings) -> Result<UserRoleResponse, Problem> {
    let before = found(draft, user)?;
    references(draft).policies("policies", &more.policies).collections("policyCollections", &more.collections).check()?;
    let mut role = (*before).clone();
    let own = holders::own_policies(&mut role.resource)?;
    holdings::add(&mut own.policies, more.policies);
    holdings::add(&mut own.policy_collections, more.collections);
    kept(draft, caller, Some(&before), role)
}

/// Removes one policy or collection, by the code of its absence.
pub(super) fn removal(draft: &mut Draft, caller: &Caller, user: &str, (missing, id): (Code, &ScopedId)) -> Result<(), Problem> {
    let before = found(draft, user)?;
    let mut role = (*before).clone();
    let PolicyIds { policies, policy_collections } = holders::own_policies(&mut role.resource)?;
    let own = if missing == Code::PolicyMissing { policies } else { policy_collections };
    if !own.contains(id) {
        return Err(Problem::of(missing).detail(format!("The user-role of `{user}` has no `{id}`.")));
    }
    own.retain(|other| other != id);
    kept(draft, caller, Some(&before), role)?;
    Ok(())
}

/// Keeps a user-role, if the caller may hand on what is new in it and take away what is gone.
fn kept(draft: &mut Draft, caller: &Caller, before: Option<&UserRole>, role: UserRole) -> Result<UserRoleResponse, Problem> {
    let held = |resource: &Resource| Holdings::of(draft, resource);
    holdings::require_handover(draft, caller, &before.map(|role| held(&role.resource)).unwrap_or_default(), &held(&role.resource))?;
    let response = UserRoleResponse::from(&role);
    draft.put(role);
    Ok(response)
}
