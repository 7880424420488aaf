//! Policies: what is granted or denied.
//!
//! What is kept is what the snapshot loader reads: nothing that it refuses is ever kept, for a
//! snapshot that does not load would stop every data plane from following.

use super::super::body::Body;
use super::super::caller::{Activity, Caller};
use super::super::listing::{Asked, Row};
use super::super::parameters::Parameters;
use super::super::plane::Plane;
use super::super::problem::{Code, Problem, ProblemDetails};
use super::super::wire::{Link, ResourceList};
use super::conditions::{ForSpec, IfExpression};
use super::ids::{ResourceId, id_in};
use super::lists;
use super::moment::{self, WhenSpec};
use super::policy_check;
use super::selectors::{SelectorDefinition, all_kept, kept};
use super::usage;
use crate::store::{Draft, Policy, ScopedId, State as Remembered, When};
use axum::Json;
use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(page)).routes(routes!(read, update, delete))
}

/// A policy that is to be made, in the scope `default`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct PolicyCreationRequest {
    /// Unique in its scope; any but `page`.
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    pub(super) code: String,
    #[serde(flatten)]
    pub(super) content: PolicyUpdateRequest,
}

/// What a policy says.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyUpdateRequest {
    /// What it is for.
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// The applications it is for; none = all.
    applications: Option<Vec<String>>,
    grant: Grant,
    /// What it is about: one of them must match.
    #[schema(min_items = 1, max_items = 2000)]
    selectors: Vec<SelectorDefinition>,
    /// Conditions on the dates that are asked about.
    #[serde(rename = "for")]
    dates: Option<Vec<ForSpec>>,
    /// Conditions on the call.
    #[serde(rename = "if")]
    conditions: Option<Vec<IfExpression>>,
    when: Option<WhenSpec>,
    how: Option<HowSpec>,
    template_metadata: Option<TemplateMetadata>,
}

/// What a policy does where it matches.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub(super) enum Grant {
    Allow,
    Deny,
}

impl Grant {
    const fn name(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// Kept and answered; it has no part in a decision.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct HowSpec {
    #[serde(rename = "type")]
    kind: Option<String>,
    parameters: Option<Vec<KeyValuePair>>,
}

/// One parameter.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = KeyValuePairOfStringToString)]
pub(super) struct KeyValuePair {
    key: Option<String>,
    value: Option<String>,
}

/// The templates a policy was made from; kept and answered.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateMetadata {
    /// The templates.
    pub(super) template_selection: Option<Vec<TemplateSelection>>,
    /// When it was made from them.
    pub(super) build_as_at: Option<moment::Moment>,
}

/// A template, and which of its selectors.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateSelection {
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    pub(super) scope: String,
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    pub(super) code: String,
    /// Only selectors with one of these tags; absent or empty = all.
    pub(super) selector_tags: Option<Vec<String>>,
}

/// A policy.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyResponse {
    #[schema(value_type = ResourceId)]
    id: ScopedId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    applications: Vec<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TemplateMetadata>)]
    template_metadata: Option<Value>,
    links: Vec<Link>,
}

impl From<&Policy> for PolicyResponse {
    fn from(policy: &Policy) -> Self {
        let Policy { id, description, applications, grant, selectors, dates, conditions, when, how, template_metadata } = policy.clone();
        Self { id, description, applications, grant, selectors, dates, conditions, when, how, template_metadata, links: Vec::new() }
    }
}

/// List Policies
///
/// The policies of one scope, `default` unless another is named, in order of their codes.
#[utoipa::path(get, path = "/access/api/policies", operation_id = "ListPolicies", tag = "Policies",
    params(("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 200, description = "The policies.", body = Vec<PolicyResponse>)))]
async fn list(State(plane): State<Plane>, caller: Caller, parameters: Parameters) -> Result<Json<Vec<PolicyResponse>>, Problem> {
    let state = plane.state().await?;
    Ok(Json(in_scope(&state, &caller, parameters.text("scope")?)))
}

/// Page Policies
///
/// The policies of all scopes, in order of scope and code unless another order is asked for.
#[utoipa::path(get, path = "/access/api/policies/page", operation_id = "PagePolicies", tag = "Policies",
    params(lists::PageParameters),
    responses((status = 200, description = "A page of policies.", body = ResourceList<PolicyResponse>)))]
async fn page(State(plane): State<Plane>, caller: Caller, uri: Uri, parameters: Parameters) -> Result<Json<ResourceList<Value>>, Problem> {
    let state = plane.state().await?;
    let list = lists::List { name: "policies", href: plane.settings.href(&lists::target(&uri)) };
    list.page(&parameters, state.policies.iter().map(|(key, policy)| (key, Listed { policy, caller: &caller }))).map(Json)
}

/// A policy in a list, as the caller sees it.
struct Listed<'a> {
    policy: &'a Policy,
    caller: &'a Caller,
}

impl Row for Listed<'_> {
    fn is_shown(&self) -> bool {
        self.caller.sees_policy(self.policy)
    }

    fn members(&self, asked: &Asked) -> Value {
        // It is kept as it is answered, and there are many.
        asked.of_row(self.policy)
    }

    fn made(self) -> Value {
        serde_json::to_value(PolicyResponse::from(self.policy)).unwrap_or_default()
    }
}

/// Create Policy
///
/// Makes a policy in the scope `default`.
#[utoipa::path(post, path = "/access/api/policies", operation_id = "CreatePolicy", tag = "Policies",
    request_body = PolicyCreationRequest,
    responses((status = 201, description = "The policy.", body = PolicyResponse), (status = 409, description = "There is one of that code.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn create(State(plane): State<Plane>, caller: Caller, Body(request): Body<PolicyCreationRequest>) -> Result<(StatusCode, Json<PolicyResponse>), Problem> {
    let policy = plane.write(&caller, |draft| creation(draft, &caller, request)).await?;
    Ok((StatusCode::CREATED, Json(policy)))
}

/// Get Policy
///
/// One policy, as it is or as it was at `asAt`.
#[utoipa::path(get, path = "/access/api/policies/{code}", operation_id = "GetPolicy", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said."),
        lists::AsAtParameter),
    responses((status = 200, description = "The policy.", body = PolicyResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn read(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<Json<PolicyResponse>, Problem> {
    let (id, as_at) = (id_in(parameters.text("scope")?, &code), lists::as_at(&parameters)?);
    let policy = plane.versions::<Policy>(&[id.key()], as_at).await?.pop().flatten().ok_or_else(|| missing(&id))?;
    match caller.sees_policy(&policy) {
        true => Ok(Json(PolicyResponse::from(&*policy))),
        false => Err(Problem::of(Code::AccessDenied).detail("You may not read this policy.")),
    }
}

/// Update Policy
///
/// Replaces everything that a policy says.
#[utoipa::path(put, path = "/access/api/policies/{code}", operation_id = "UpdatePolicy", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    request_body = PolicyUpdateRequest,
    responses((status = 200, description = "The policy.", body = PolicyResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    parameters: Parameters,
    Body(request): Body<PolicyUpdateRequest>,
) -> Result<Json<PolicyResponse>, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| replacement(draft, &caller, &id, request)).await.map(Json)
}

/// Delete Policy
///
/// Deletes a policy that no role, user-role or collection has.
#[utoipa::path(delete, path = "/access/api/policies/{code}", operation_id = "DeletePolicy", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn delete(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<StatusCode, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| deletion(draft, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn in_scope(state: &Remembered, caller: &Caller, scope: Option<&str>) -> Vec<PolicyResponse> {
    let prefix = id_in(scope, "").key();
    state.policies.beginning(&prefix).filter(|(_, policy)| caller.sees_policy(policy)).map(|(_, policy)| PolicyResponse::from(&**policy)).collect()
}

fn found(state: &Remembered, id: &ScopedId) -> Result<Arc<Policy>, Problem> {
    state.policies.find(&id.key()).cloned().ok_or_else(|| missing(id))
}

fn missing(id: &ScopedId) -> Problem {
    Problem::of(Code::PolicyMissing).detail(format!("There is no policy `{id}`."))
}

/// Makes a policy.
pub(super) fn creation(draft: &mut Draft, caller: &Caller, request: PolicyCreationRequest) -> Result<PolicyResponse, Problem> {
    if request.code == "page" {
        return Err(Problem::invalid().field("code", "The code `page` is taken by the address of the pages; choose another."));
    }
    let id = id_in(None, &request.code);
    let activate = super::super::wire::time(draft.now());
    let policy = composed(id, request.content, activate)?;
    caller.require_policy(Activity::Add, &policy)?;
    if draft.policies.has(&policy.id.key()) {
        return Err(Problem::of(Code::PolicyExists).detail(format!("There is a policy `{}` already.", policy.id)));
    }
    let response = PolicyResponse::from(&policy);
    draft.put(policy);
    Ok(response)
}

/// Replaces what a policy says; the caller must be entitled to the old and the new.
pub(super) fn replacement(draft: &mut Draft, caller: &Caller, id: &ScopedId, request: PolicyUpdateRequest) -> Result<PolicyResponse, Problem> {
    let before = found(draft, id)?;
    caller.require_policy(Activity::Update, &before)?;
    let policy = composed(id.clone(), request, before.when.activate.clone())?;
    caller.require_policy(Activity::Update, &policy)?;
    let response = PolicyResponse::from(&policy);
    draft.put(policy);
    Ok(response)
}

pub(super) fn deletion(draft: &mut Draft, caller: &Caller, id: &ScopedId) -> Result<(), Problem> {
    let policy = found(draft, id)?;
    caller.require_policy(Activity::Delete, &policy)?;
    usage::policy_is_free(draft, id)?;
    draft.remove::<Policy>(&id.key());
    Ok(())
}

/// The policy that a request asks for, if it is one that every data plane can load.
fn composed(id: ScopedId, request: PolicyUpdateRequest, activate: String) -> Result<Policy, Problem> {
    let conditions = request.conditions.map(|conditions| conditions.into_iter().map(IfExpression::settled).collect::<Vec<_>>());
    let policy = Policy {
        id,
        description: request.description,
        applications: request.applications.unwrap_or_default(),
        grant: request.grant.name().to_owned(),
        selectors: all_kept(&request.selectors),
        dates: request.dates.as_deref().map(all_kept),
        conditions: conditions.as_deref().map(all_kept),
        when: moment::settled(request.when, activate)?,
        how: request.how.as_ref().and_then(kept),
        template_metadata: request.template_metadata.as_ref().and_then(kept),
    };
    policy_check::check(&policy)?;
    Ok(policy)
}
