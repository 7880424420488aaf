//! The caller's own rights: the policies they have, and what these say to questions.

use super::super::body::Body;
use super::super::caller::Caller;
use super::super::parameters::Parameters;
use super::super::plane::Plane;
use super::super::problem::Problem;
use super::conditions::{ForSpec, IfExpression};
use super::evaluation::{self, EvaluationRequests, EvaluationResponse, RequestHeaders};
use super::holders;
use super::holdings::Holdings;
use super::ids::ResourceId;
use super::moment::WhenSpec;
use super::policies::{Grant, HowSpec};
use super::ranks;
use super::selectors::SelectorDefinition;
use crate::policy::NoHeaders;
use crate::store::{Policy, Resource, ScopedId, State as Remembered, When};
use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(own_policies, evaluate))
}

/// A policy that the caller has, with the role that they have it by.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttachedPolicyDefinitionResponse {
    /// The role; a user-role has the scope `_users`.
    #[schema(value_type = ResourceId)]
    source_role: ScopedId,
    /// 1 is the strongest; the user-role comes after all roles.
    role_hierarchy_index: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    applications: Vec<String>,
    policy_type: PolicyType,
    #[schema(value_type = ResourceId)]
    id: ScopedId,
    #[schema(value_type = Grant)]
    grant: String,
    #[schema(value_type = Vec<SelectorDefinition>)]
    selectors: Vec<Value>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ForSpec>>)]
    dates: Option<Vec<Value>>,
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<IfExpression>>)]
    conditions: Option<Vec<Value>>,
    #[schema(value_type = WhenSpec)]
    when: When,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<HowSpec>)]
    how: Option<Value>,
}

/// The kind of a policy: there are no licences here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
enum PolicyType {
    Entitlement,
}

impl AttachedPolicyDefinitionResponse {
    fn of(source: &Source<'_>, policy: &Policy) -> Self {
        let Policy { id, description, applications, grant, selectors, dates, conditions, when, how, .. } = policy.clone();
        let (source_role, role_hierarchy_index) = (source.role.clone(), source.index);
        Self {
            source_role,
            role_hierarchy_index,
            policy_type: PolicyType::Entitlement,
            description,
            applications,
            id,
            grant,
            selectors,
            dates,
            conditions,
            when,
            how,
        }
    }
}

/// Get policies of requesting user
///
/// The policies of the caller's roles that are in force, the strongest role first, then those of the user-role; in one role by scope and code.
/// A policy that is not yet or no longer in force itself is among them.
#[utoipa::path(get, path = "/access/api/me", operation_id = "GetOwnPolicies", tag = "Policies",
    params(("applications" = Option<Vec<String>>, Query, description = "Only policies for one of these applications, or for all.")),
    responses((status = 200, description = "The policies.", body = Vec<AttachedPolicyDefinitionResponse>)))]
async fn own_policies(State(plane): State<Plane>, caller: Caller, parameters: Parameters) -> Result<Json<Vec<AttachedPolicyDefinitionResponse>>, Problem> {
    let state = plane.state().await?;
    let roles: Vec<ScopedId> = caller.subject_at(&NoHeaders, None).role_names().filter_map(|name| scoped(&name)).collect();
    let applications: Vec<&str> = parameters.all("applications").collect();
    Ok(Json(attached(&state, &sources(&state, &roles, caller.user()), &applications)))
}

/// Run one or more evaluations
///
/// What the caller's own policies say to questions. Several `applications` are asked together: the policies for any of them count.
/// Without them the policies for all applications count. Headers are those of this request; the feature that a call would execute
/// is not known, unless the question is about a feature.
#[utoipa::path(post, path = "/access/api/me", operation_id = "Evaluate", tag = "Policies",
    params(("applications" = Option<Vec<String>>, Query, description = "The applications whose policies count.")),
    request_body = EvaluationRequests,
    responses((status = 200, description = "The answers, by the keys of the questions.", body = BTreeMap<String, EvaluationResponse>)))]
async fn evaluate(
    caller: Caller,
    parameters: Parameters,
    headers: HeaderMap,
    Body(requests): Body<EvaluationRequests>,
) -> Result<Json<BTreeMap<String, EvaluationResponse>>, Problem> {
    let applications: Vec<&str> = parameters.all("applications").collect();
    evaluation::evaluated(&caller, &RequestHeaders(&headers), &applications, requests).map(Json)
}

/// `scope/code`.
fn scoped(name: &str) -> Option<ScopedId> {
    name.split_once('/').map(|(scope, code)| ScopedId::new(scope, code))
}

/// Where a caller has policies from.
pub(super) struct Source<'s> {
    role: &'s ScopedId,
    index: i64,
    resource: &'s Resource,
}

/// The roles of a user that are kept, in their order, and the user-role.
pub(super) fn sources<'s>(state: &'s Remembered, roles: &[ScopedId], user: &str) -> Vec<Source<'s>> {
    let role = |id: &ScopedId| {
        let role = state.roles.find(&id.key())?;
        let index = if holders::is_built_in(id) { 1 } else { role.role_hierarchy_index };
        Some(Source { role: &role.id, index, resource: &role.resource })
    };
    let own = state.user_roles.find(user).map(|own| Source { role: &own.id, index: ranks::weakest(state), resource: &own.resource });
    roles.iter().filter_map(role).chain(own).collect()
}

pub(super) fn attached(state: &Remembered, sources: &[Source<'_>], applications: &[&str]) -> Vec<AttachedPolicyDefinitionResponse> {
    let counts = |policy: &Policy| {
        let own = &policy.applications;
        applications.is_empty() || own.is_empty() || own.iter().any(|own| applications.iter().any(|asked| own.eq_ignore_ascii_case(asked)))
    };
    let of_source = |source: &Source<'_>| -> Vec<_> {
        let ids = Holdings::of(state, source.resource).all_policies(state);
        let policies = ids.iter().filter_map(|id| state.policies.find(&id.key())).filter(|policy| counts(policy));
        policies.map(|policy| AttachedPolicyDefinitionResponse::of(source, policy)).collect()
    };
    sources.iter().flat_map(of_source).collect()
}
