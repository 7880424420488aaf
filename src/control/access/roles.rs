//! Roles: policies under a name, in an order of precedence. Who has a role says the Identity API.

use super::super::body::Body;
use super::super::caller::{Activity, Caller};
use super::super::parameters::Parameters;
use super::super::plane::Plane;
use super::super::problem::{Code, Problem, ProblemDetails};
use super::super::wire::{self, Link};
use super::holders::{self, RoleResourceRequest, RoleResourceResponse};
use super::holdings::{self, Holdings};
use super::ids::{References, ResourceId, id_in, is_reserved_for_roles, scoped};
use super::moment::{self, WhenSpec};
use super::ranks::{self, Place};
use super::usage;
use crate::store::{Draft, Role, ScopedId, State as Remembered, When};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What `permission` says where nobody said anything.
const USUAL_PERMISSION: &str = "Read";

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update, delete)).routes(routes!(add_collections)).routes(routes!(remove_collection))
}

/// A role that is to be made, in the scope `default`, as the weakest of all.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct RoleCreationRequest {
    /// Unique in its scope; any but `lusid-administrator`.
    #[schema(min_length = 1, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    pub(super) code: String,
    #[serde(flatten)]
    pub(super) content: RoleUpdateRequest,
}

/// What a role says.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct RoleUpdateRequest {
    /// What it is for.
    #[schema(max_length = 1024)]
    pub(super) description: Option<String>,
    pub(super) resource: RoleResourceRequest,
    pub(super) when: Option<WhenSpec>,
    /// Kept and answered; it has no part in a decision. `Read` for a new role unless said; a change without it leaves it as it was.
    #[schema(min_length = 1, max_length = 100)]
    pub(super) permission: Option<String>,
}

/// Policy collections that a role is to have.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddPolicyCollectionToRoleRequest {
    /// The collections.
    pub(super) policy_collections: Vec<ResourceId>,
}

/// A role.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleResponse {
    #[schema(value_type = ResourceId)]
    id: ScopedId,
    /// 1 is the strongest.
    role_hierarchy_index: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    resource: RoleResourceResponse,
    #[schema(value_type = WhenSpec)]
    when: When,
    permission: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<BTreeMap<String, String>>,
    links: Vec<Link>,
}

impl From<&Role> for RoleResponse {
    fn from(role: &Role) -> Self {
        let Role { id, role_hierarchy_index, description, resource, when, permission, limit } = role.clone();
        Self {
            id,
            role_hierarchy_index,
            description,
            resource: RoleResourceResponse::from(&resource),
            when,
            permission,
            limit,
            links: Vec::new(),
        }
    }
}

/// List Roles
///
/// The roles of all scopes, or of one, the strongest first.
#[utoipa::path(get, path = "/access/api/roles", operation_id = "ListRoles", tag = "Roles",
    params(("scope" = Option<String>, Query, description = "Only roles of this scope.")),
    responses((status = 200, description = "The roles.", body = Vec<RoleResponse>)))]
async fn list(State(plane): State<Plane>, _: Caller, parameters: Parameters) -> Result<Json<Vec<RoleResponse>>, Problem> {
    let state = plane.state().await?;
    let scope = parameters.text("scope")?;
    Ok(Json(all(&state).iter().filter(|role| scope.is_none_or(|scope| role.id.scope == scope)).map(|role| RoleResponse::from(&**role)).collect()))
}

/// Create Role
///
/// Makes a role in the scope `default`, weaker than all others. Who has it says the role of the same code in the Identity API.
#[utoipa::path(post, path = "/access/api/roles", operation_id = "CreateRole", tag = "Roles",
    request_body = RoleCreationRequest,
    responses((status = 201, description = "The role.", body = RoleResponse), (status = 409, description = "There is one of that code.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn create(State(plane): State<Plane>, caller: Caller, Body(request): Body<RoleCreationRequest>) -> Result<(StatusCode, Json<RoleResponse>), Problem> {
    let role = plane.write(&caller, |draft| creation(draft, &caller, request)).await?;
    Ok((StatusCode::CREATED, Json(role)))
}

/// Get Role
///
/// One role.
#[utoipa::path(get, path = "/access/api/roles/{code}", operation_id = "GetRole", tag = "Roles",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 200, description = "The role.", body = RoleResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn read(State(plane): State<Plane>, _: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<Json<RoleResponse>, Problem> {
    let state = plane.state().await?;
    let role = found(&state, &id_in(parameters.text("scope")?, &code))?;
    Ok(Json(RoleResponse::from(&*role)))
}

/// Update Role
///
/// Replaces everything that a role says, and moves it directly before or after another one if the parameters name one.
/// The administrator always stands first.
#[utoipa::path(put, path = "/access/api/roles/{code}", operation_id = "UpdateRole", tag = "Roles",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said."),
        ("beforeScope" = Option<String>, Query, description = "The scope of the role that this one is to be directly stronger than; `default` unless said."),
        ("beforeCode" = Option<String>, Query, description = "The code of the role that this one is to be directly stronger than."),
        ("afterScope" = Option<String>, Query, description = "The scope of the role that this one is to be directly weaker than; `default` unless said."),
        ("afterCode" = Option<String>, Query, description = "The code of the role that this one is to be directly weaker than.")),
    request_body = RoleUpdateRequest,
    responses((status = 200, description = "The role.", body = RoleResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    parameters: Parameters,
    Body(request): Body<RoleUpdateRequest>,
) -> Result<Json<RoleResponse>, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    let place = place(&parameters)?;
    plane.write(&caller, |draft| replacement(draft, &caller, &id, (request, place))).await.map(Json)
}

/// Delete Role
///
/// Deletes a role that no other role supervises. Whoever has it keeps it by name, without rights.
#[utoipa::path(delete, path = "/access/api/roles/{code}", operation_id = "DeleteRole", tag = "Roles",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn delete(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<StatusCode, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| deletion(draft, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Add Policy Collections to a Role
///
/// Adds policy collections; those that it has already stay where they are.
#[utoipa::path(post, path = "/access/api/roles/{scope}/{code}/policycollections", operation_id = "AddPolicyCollectionToRole", tag = "Roles",
    params(("scope" = String, Path, description = "The scope."), ("code" = String, Path, description = "The code.")),
    request_body = AddPolicyCollectionToRoleRequest,
    responses((status = 200, description = "The role.", body = RoleResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn add_collections(
    State(plane): State<Plane>,
    caller: Caller,
    Path((scope, code)): Path<(String, String)>,
    Body(request): Body<AddPolicyCollectionToRoleRequest>,
) -> Result<Json<RoleResponse>, Problem> {
    plane.write(&caller, |draft| addition(draft, &caller, &ScopedId::new(scope, code), scoped(Some(request.policy_collections)))).await.map(Json)
}

/// Remove policy collection from role
///
/// Removes one policy collection that the role has.
#[utoipa::path(delete, path = "/access/api/roles/{scope}/{code}/policycollections/{policycollectionscope}/{policycollectioncode}",
    operation_id = "RemovePolicyCollectionFromRole", tag = "Roles",
    params(("scope" = String, Path, description = "The scope."), ("code" = String, Path, description = "The code."),
        ("policycollectionscope" = String, Path, description = "The scope of the collection."),
        ("policycollectioncode" = String, Path, description = "The code of the collection.")),
    responses((status = 200, description = "The role.", body = RoleResponse), (status = 404, description = "There is no such role, or it has no such collection.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn remove_collection(
    State(plane): State<Plane>,
    caller: Caller,
    Path((scope, code, collection_scope, collection_code)): Path<(String, String, String, String)>,
) -> Result<Json<RoleResponse>, Problem> {
    let collection = ScopedId::new(collection_scope, collection_code);
    plane.write(&caller, |draft| removal(draft, &caller, &ScopedId::new(scope, code), &collection)).await.map(Json)
}

/// Every role, the strongest first.
pub(super) fn all(state: &Remembered) -> Vec<Arc<Role>> {
    let administrator = state.roles.values().filter(|role| holders::is_built_in(&role.id)).cloned();
    administrator.chain(ranks::ranked(state)).collect()
}

fn found(state: &Remembered, id: &ScopedId) -> Result<Arc<Role>, Problem> {
    let missing = || Problem::of(Code::RoleMissing).detail(format!("There is no role `{id}`."));
    state.roles.find(&id.key()).cloned().ok_or_else(missing)
}

/// A role that may be changed.
fn changeable(state: &Remembered, id: &ScopedId) -> Result<Arc<Role>, Problem> {
    if holders::is_built_in(id) {
        return Err(Problem::of(Code::Conflicting).detail(format!("The role `{id}` is built in; it cannot be changed, moved or deleted.")));
    }
    found(state, id)
}

/// The place that the parameters name.
pub(super) fn place(parameters: &Parameters) -> Result<Place, Problem> {
    let named = |scope: &str, code: &str| match (parameters.text(scope)?, parameters.text(code)?) {
        (scope, Some(code)) => Ok(Some(id_in(scope, code))),
        (Some(_), None) => Err(Problem::invalid().field(code, format!("The parameter is required beside {scope}."))),
        (None, None) => Ok(None),
    };
    Ok(Place { before: named("beforeScope", "beforeCode")?, after: named("afterScope", "afterCode")? })
}

/// Makes a role.
pub(super) fn creation(draft: &mut Draft, caller: &Caller, request: RoleCreationRequest) -> Result<RoleResponse, Problem> {
    if is_reserved_for_roles(&request.code) {
        return Err(Problem::invalid().field("code", "The code `lusid-administrator` is that of the role that is built in; choose another."));
    }
    let id = id_in(None, &request.code);
    if draft.roles.has(&id.key()) {
        return Err(Problem::of(Code::RoleExists).detail(format!("There is a role `{id}` already.")));
    }
    let role = Role {
        role_hierarchy_index: ranks::weakest(draft),
        description: request.content.description,
        resource: holders::of_role(draft, &id, request.content.resource)?,
        when: moment::settled(request.content.when, wire::time(draft.now()))?,
        permission: request.content.permission.unwrap_or_else(|| USUAL_PERMISSION.to_owned()),
        limit: None,
        id,
    };
    kept(draft, caller, None, role)
}

/// Replaces what a role says, and moves it.
pub(super) fn replacement(draft: &mut Draft, caller: &Caller, id: &ScopedId, (request, place): (RoleUpdateRequest, Place)) -> Result<RoleResponse, Problem> {
    let before = changeable(draft, id)?;
    let role = Role {
        description: request.description,
        resource: holders::of_role(draft, id, request.resource)?,
        when: moment::settled(request.when, before.when.activate.clone())?,
        permission: request.permission.unwrap_or_else(|| before.permission.clone()),
        ..(*before).clone()
    };
    if role.when != before.when {
        // To put a role in force, or out of it, is to give or to take what it has.
        require_update(draft, caller, &before)?;
    }
    kept(draft, caller, Some(&before), role)?;
    let order = ranks::order(draft);
    ranks::shift(draft, id, &place).map_err(|(parameter, message)| Problem::invalid().field(parameter, message))?;
    require_move(draft, caller, id, &order)?;
    found(draft, id).map(|role| RoleResponse::from(&*role))
}

/// Precedence decides whose Deny counts: whoever moves a role past others may hand on what it has, and what they have.
///
/// # Errors
/// 403 unless a policy grants each.
fn require_move(state: &Remembered, caller: &Caller, id: &ScopedId, before: &[ScopedId]) -> Result<(), Problem> {
    let after = ranks::order(state);
    let passed = ranks::passed(id, before, &after);
    let moved = (!passed.is_empty()).then_some(id);
    for role in moved.into_iter().chain(&passed).filter_map(|id| state.roles.find(&id.key())) {
        require_update(state, caller, role)?;
    }
    Ok(())
}

/// # Errors
/// 403 unless the caller may hand on everything that the role has.
fn require_update(state: &Remembered, caller: &Caller, role: &Role) -> Result<(), Problem> {
    let held = Holdings::of(state, &role.resource);
    caller.require_delegation(state, Activity::Update, &held.policies, &held.collections)
}

/// Deletes a role; those behind it move up.
pub(super) fn deletion(draft: &mut Draft, caller: &Caller, id: &ScopedId) -> Result<(), Problem> {
    let role = changeable(draft, id)?;
    usage::role_is_free(draft, id)?;
    holdings::require_handover(draft, caller, &Holdings::of(draft, &role.resource), &Holdings::default())?;
    draft.remove::<Role>(&id.key());
    ranks::close_ranks(draft);
    Ok(())
}

pub(super) fn addition(draft: &mut Draft, caller: &Caller, id: &ScopedId, collections: Vec<ScopedId>) -> Result<RoleResponse, Problem> {
    let before = changeable(draft, id)?;
    References::to(draft).collections("policyCollections", &collections).check()?;
    let mut role = (*before).clone();
    holdings::add(&mut holders::own_policies(&mut role.resource)?.policy_collections, collections);
    kept(draft, caller, Some(&before), role)
}

pub(super) fn removal(draft: &mut Draft, caller: &Caller, id: &ScopedId, collection: &ScopedId) -> Result<RoleResponse, Problem> {
    let before = changeable(draft, id)?;
    let mut role = (*before).clone();
    let own = &mut holders::own_policies(&mut role.resource)?.policy_collections;
    if !own.contains(collection) {
        return Err(Problem::of(Code::CollectionMissing).detail(format!("The role `{id}` has no policy collection `{collection}`.")));
    }
    own.retain(|other| other != collection);
    kept(draft, caller, Some(&before), role)
}

/// Keeps a role, if the caller may hand on what is new in it and take away what is gone.
fn kept(draft: &mut Draft, caller: &Caller, before: Option<&Role>, role: Role) -> Result<RoleResponse, Problem> {
    let held = before.map(|role| Holdings::of(draft, &role.resource)).unwrap_or_default();
    holdings::require_handover(draft, caller, &held, &Holdings::of(draft, &role.resource))?;
    let response = RoleResponse::from(&role);
    draft.put(role);
    Ok(response)
}
