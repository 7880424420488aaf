//! What a role or user-role consists of, on the wire, and its way into what is kept.

use super::super::defaults::administrator;
use super::super::problem::Problem;
use super::ids::{References, ResourceId, scoped};
use crate::store::{PolicyIds, Resource, ScopedId, State, SupervisedRoles};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Policies and collections that a role has.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyIdRoleResource {
    /// Policies.
    pub(super) policies: Option<Vec<ResourceId>>,
    /// Collections.
    pub(super) policy_collections: Option<Vec<ResourceId>>,
}

/// What a user-role has: policies and collections, directly or as roles have them, under `policyIdRoleResource`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserRoleResource {
    /// Policies.
    policies: Option<Vec<ResourceId>>,
    /// Collections.
    policy_collections: Option<Vec<ResourceId>>,
    /// Both, as answers have them.
    policy_id_role_resource: Option<PolicyIdRoleResource>,
    /// A user-role supervises no roles: it must be absent.
    non_transitive_supervisor_role_resource: Option<NonTransitiveSupervisorRoleResource>,
}

impl UserRoleResource {
    /// The policies and collections, whichever way they came, with the field they came in.
    ///
    /// # Errors
    /// Both ways at once, and supervised roles.
    pub(super) fn content(self) -> Result<(PolicyIdRoleResource, &'static str), Problem> {
        if self.non_transitive_supervisor_role_resource.is_some() {
            return Err(Problem::invalid().field("resource.nonTransitiveSupervisorRoleResource", "A user-role supervises no roles."));
        }
        let is_direct = self.policies.is_some() || self.policy_collections.is_some();
        match self.policy_id_role_resource {
            Some(_) if is_direct => Err(Problem::invalid().field("resource.policyIdRoleResource", "The policies stand beside it already.")),
            Some(own) => Ok((own, "resource.policyIdRoleResource")),
            None => Ok((PolicyIdRoleResource { policies: self.policies, policy_collections: self.policy_collections }, "resource")),
        }
    }
}

/// Roles whose own policies a role has.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct NonTransitiveSupervisorRoleResource {
    /// The roles.
    #[schema(min_items = 1)]
    pub(super) roles: Vec<ResourceId>,
}

/// What a role consists of: exactly one of its members.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleResourceRequest {
    /// The policies of other roles.
    pub(super) non_transitive_supervisor_role_resource: Option<NonTransitiveSupervisorRoleResource>,
    /// Its own policies.
    pub(super) policy_id_role_resource: Option<PolicyIdRoleResource>,
}

/// What a role consists of, in answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleResourceResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NonTransitiveSupervisorRoleResource>)]
    non_transitive_supervisor_role_resource: Option<SupervisedRoles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PolicyIdRoleResource>)]
    policy_id_role_resource: Option<PolicyIds>,
}

impl From<&Resource> for RoleResourceResponse {
    fn from(resource: &Resource) -> Self {
        let Resource { non_transitive_supervisor_role_resource, policy_id_role_resource } = resource.clone();
        Self { non_transitive_supervisor_role_resource, policy_id_role_resource }
    }
}

impl From<PolicyIdRoleResource> for PolicyIds {
    fn from(resource: PolicyIdRoleResource) -> Self {
        Self { policies: scoped(resource.policies), policy_collections: scoped(resource.policy_collections) }
    }
}

/// The resource of the role of that id.
///
/// # Errors
/// Both members or none, references that lead nowhere, a role that supervises itself.
pub(super) fn of_role(state: &State, id: &ScopedId, request: RoleResourceRequest) -> Result<Resource, Problem> {
    match (request.policy_id_role_resource, request.non_transitive_supervisor_role_resource) {
        (Some(own), None) => of_policies(References::to(state), own, "resource.policyIdRoleResource"),
        (None, Some(supervised)) => of_supervisor(state, id, supervised.roles.into_iter().map(ScopedId::from).collect()),
        (Some(_), Some(_)) => Err(Problem::invalid().field("resource", "Either policyIdRoleResource or nonTransitiveSupervisorRoleResource, not both.")),
        (None, None) => Err(Problem::invalid().field("resource", "One of policyIdRoleResource and nonTransitiveSupervisorRoleResource is required.")),
    }
}

/// The resource of a role or user-role with policies of its own, which stand at that field.
///
/// # Errors
/// References that lead nowhere.
pub(super) fn of_policies(references: References<'_>, request: PolicyIdRoleResource, field: &str) -> Result<Resource, Problem> {
    let ids = PolicyIds::from(request);
    let references = references.policies(&format!("{field}.policies"), &ids.policies);
    references.collections(&format!("{field}.policyCollections"), &ids.policy_collections).check()?;
    Ok(Resource { policy_id_role_resource: Some(ids), non_transitive_supervisor_role_resource: None })
}

fn of_supervisor(state: &State, id: &ScopedId, roles: Vec<ScopedId>) -> Result<Resource, Problem> {
    let field = "resource.nonTransitiveSupervisorRoleResource.roles";
    let mut problem = Problem::invalid();
    for (index, role) in roles.iter().enumerate() {
        if role == id {
            problem.report(format!("{field}[{index}]"), "A role cannot supervise itself.");
        }
    }
    problem.or_ok(())?;
    References::to(state).roles(field, &roles).check()?;
    Ok(Resource { non_transitive_supervisor_role_resource: Some(SupervisedRoles { roles }), policy_id_role_resource: None })
}

/// The policies and collections of a resource, to be changed; of a supervisor there are none.
///
/// # Errors
/// 400 for a supervisor: its policies are those of other roles.
pub(super) fn own_policies(resource: &mut Resource) -> Result<&mut PolicyIds, Problem> {
    if resource.non_transitive_supervisor_role_resource.is_some() {
        return Err(Problem::invalid().detail("The role has the policies of the roles it supervises, and none of its own."));
    }
    Ok(resource.policy_id_role_resource.get_or_insert_default())
}

/// Whether the id is that of the role that is built in, which nothing changes.
pub(super) fn is_built_in(id: &ScopedId) -> bool {
    *id == administrator()
}
