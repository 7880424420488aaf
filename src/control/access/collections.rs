//! Policy collections: policies, and other collections, that roles have together.

use super::super::body::Body;
use super::super::caller::{Activity, Caller};
use super::super::parameters::Parameters;
use super::super::plane::Plane;
use super::super::problem::{Code, Problem, ProblemDetails};
use super::super::wire::{Link, ResourceList};
use super::holdings::{self, Holdings};
use super::ids::{References, ResourceId, id_in, scoped};
use super::lists;
use super::selectors::kept;
use super::usage;
use crate::store::{Draft, PolicyCollection, ScopedId, State as Remembered};
use axum::Json;
use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(page)).routes(routes!(read, update, delete)).routes(routes!(add)).routes(routes!(remove))
}

/// A collection that is to be made, in the scope `default`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct PolicyCollectionCreationRequest {
    /// Unique in its scope; any but `page`.
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    pub(super) code: String,
    #[serde(flatten)]
    pub(super) content: PolicyCollectionUpdateRequest,
}

/// What a collection consists of.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyCollectionUpdateRequest {
    /// The policies in it.
    pub(super) policies: Option<Vec<ResourceId>>,
    /// Access metadata of the collection itself; kept.
    metadata: Option<BTreeMap<String, Option<Vec<EntitlementMetadata>>>>,
    /// The collections in it.
    pub(super) policy_collections: Option<Vec<ResourceId>>,
    /// What it is for.
    #[schema(max_length = 1024)]
    description: Option<String>,
}

/// One value of a metadata key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct EntitlementMetadata {
    /// Where it comes from; not looked at.
    pub(super) provider: Option<String>,
    /// The value; null equals nothing.
    pub(super) value: Option<String>,
}

/// What is to be added to a collection, or removed from it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyCollectionContentRequest)]
pub(super) struct ContentRequest {
    /// Policies.
    pub(super) policies: Option<Vec<ResourceId>>,
    /// Collections.
    pub(super) policy_collections: Option<Vec<ResourceId>>,
}

/// A policy collection.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyCollectionResponse {
    #[schema(value_type = ResourceId)]
    id: ScopedId,
    #[schema(value_type = Vec<ResourceId>)]
    policies: Vec<ScopedId>,
    #[schema(value_type = Vec<ResourceId>)]
    policy_collections: Vec<ScopedId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    links: Vec<Link>,
}

impl From<&PolicyCollection> for PolicyCollectionResponse {
    fn from(collection: &PolicyCollection) -> Self {
        let PolicyCollection { id, policies, policy_collections, description, .. } = collection.clone();
        Self { id, policies, policy_collections, description, links: Vec::new() }
    }
}

/// List PolicyCollections
///
/// The collections of one scope, `default` unless another is named, in order of their codes.
#[utoipa::path(get, path = "/access/api/policycollections", operation_id = "ListPolicyCollections", tag = "Policies",
    params(("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 200, description = "The collections.", body = Vec<PolicyCollectionResponse>)))]
async fn list(State(plane): State<Plane>, caller: Caller, parameters: Parameters) -> Result<Json<Vec<PolicyCollectionResponse>>, Problem> {
    let state = plane.state().await?;
    let prefix = id_in(parameters.text("scope")?, "").key();
    let shown = state.collections.beginning(&prefix).filter(|(_, collection)| caller.sees_collection(collection));
    Ok(Json(shown.map(|(_, collection)| PolicyCollectionResponse::from(&**collection)).collect()))
}

/// Page PolicyCollections
///
/// The collections of all scopes, in order of scope and code unless another order is asked for.
#[utoipa::path(get, path = "/access/api/policycollections/page", operation_id = "PagePolicyCollections", tag = "Policies",
    params(lists::PageParameters),
    responses((status = 200, description = "A page of collections.", body = ResourceList<PolicyCollectionResponse>)))]
async fn page(State(plane): State<Plane>, caller: Caller, uri: Uri, parameters: Parameters) -> Result<Json<ResourceList<Value>>, Problem> {
    let state = plane.state().await?;
    let is_shown = |collection: &PolicyCollection| caller.sees_collection(collection);
    let row = |document| lists::Listed { document, answer: |collection| PolicyCollectionResponse::from(collection), is_shown: &is_shown };
    let list = lists::List { name: "policyCollections", href: plane.settings.href(&lists::target(&uri)) };
    list.page(&parameters, state.collections.iter().map(|(key, collection)| (key, row(&**collection)))).map(Json)
}

/// Create PolicyCollection
///
/// Makes a collection in the scope `default`.
#[utoipa::path(post, path = "/access/api/policycollections", operation_id = "CreatePolicyCollection", tag = "Policies",
    request_body = PolicyCollectionCreationRequest,
    responses((status = 201, description = "The collection.", body = PolicyCollectionResponse), (status = 409, description = "There is one of that code.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn create(
    State(plane): State<Plane>,
    caller: Caller,
    Body(request): Body<PolicyCollectionCreationRequest>,
) -> Result<(StatusCode, Json<PolicyCollectionResponse>), Problem> {
    let collection = plane.write(&caller, |draft| creation(draft, &caller, request)).await?;
    Ok((StatusCode::CREATED, Json(collection)))
}

/// Get PolicyCollection
///
/// One collection.
#[utoipa::path(get, path = "/access/api/policycollections/{code}", operation_id = "GetPolicyCollection", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 200, description = "The collection.", body = PolicyCollectionResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn read(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<Json<PolicyCollectionResponse>, Problem> {
    let state = plane.state().await?;
    let collection = found(&state, &id_in(parameters.text("scope")?, &code))?;
    match caller.sees_collection(&collection) {
        true => Ok(Json(PolicyCollectionResponse::from(&*collection))),
        false => Err(Problem::of(Code::AccessDenied).detail("You may not read this policy collection.")),
    }
}

/// Update PolicyCollection
///
/// Replaces everything that a collection consists of.
#[utoipa::path(put, path = "/access/api/policycollections/{code}", operation_id = "UpdatePolicyCollection", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    request_body = PolicyCollectionUpdateRequest,
    responses((status = 200, description = "The collection.", body = PolicyCollectionResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    parameters: Parameters,
    Body(request): Body<PolicyCollectionUpdateRequest>,
) -> Result<Json<PolicyCollectionResponse>, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| replacement(draft, &caller, &id, request)).await.map(Json)
}

/// Delete PolicyCollection
///
/// Deletes a collection that no role, user-role or other collection has.
#[utoipa::path(delete, path = "/access/api/policycollections/{code}", operation_id = "DeletePolicyCollection", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn delete(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<StatusCode, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| deletion(draft, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Add To PolicyCollection
///
/// Adds policies and collections; those that are in it already stay where they are.
#[utoipa::path(post, path = "/access/api/policycollections/{code}/add", operation_id = "AddToPolicyCollection", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    request_body = ContentRequest,
    responses((status = 200, description = "The collection.", body = PolicyCollectionResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn add(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    parameters: Parameters,
    Body(request): Body<ContentRequest>,
) -> Result<Json<PolicyCollectionResponse>, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| addition(draft, &caller, &id, request)).await.map(Json)
}

/// Remove From PolicyCollection
///
/// Removes policies and collections; those that are not in it are passed over.
#[utoipa::path(post, path = "/access/api/policycollections/{code}/remove", operation_id = "RemoveFromPolicyCollection", tag = "Policies",
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    request_body = ContentRequest,
    responses((status = 200, description = "The collection.", body = PolicyCollectionResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn remove(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    parameters: Parameters,
    Body(request): Body<ContentRequest>,
) -> Result<Json<PolicyCollectionResponse>, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| removal(draft, &caller, &id, request)).await.map(Json)
}

fn found(state: &Remembered, id: &ScopedId) -> Result<Arc<PolicyCollection>, Problem> {
    let missing = || Problem::of(Code::CollectionMissing).detail(format!("There is no policy collection `{id}`."));
    state.collections.find(&id.key()).cloned().ok_or_else(missing)
}

/// Makes a collection.
pub(super) fn creation(draft: &mut Draft, caller: &Caller, request: PolicyCollectionCreationRequest) -> Result<PolicyCollectionResponse, Problem> {
    if request.code == "page" {
        return Err(Problem::invalid().field("code", "The code `page` is taken by the address of the pages; choose another."));
    }
    let collection = composed(id_in(None, &request.code), request.content);
    caller.require_collection(Activity::Add, &collection)?;
    if draft.collections.has(&collection.id.key()) {
        return Err(Problem::of(Code::CollectionExists).detail(format!("There is a policy collection `{}` already.", collection.id)));
    }
    changed(draft, caller, None, collection)
}

pub(super) fn replacement(
    draft: &mut Draft,
    caller: &Caller,
    id: &ScopedId,
    request: PolicyCollectionUpdateRequest,
) -> Result<PolicyCollectionResponse, Problem> {
    let before = found(draft, id)?;
    caller.require_collection(Activity::Update, &before)?;
    changed(draft, caller, Some(&before), composed(id.clone(), request))
}

pub(super) fn deletion(draft: &mut Draft, caller: &Caller, id: &ScopedId) -> Result<(), Problem> {
    let collection = found(draft, id)?;
    caller.require_collection(Activity::Delete, &collection)?;
    usage::collection_is_free(draft, id)?;
    draft.remove::<PolicyCollection>(&id.key());
    Ok(())
}

/// Adds to a collection.
pub(super) fn addition(draft: &mut Draft, caller: &Caller, id: &ScopedId, request: ContentRequest) -> Result<PolicyCollectionResponse, Problem> {
    let before = found(draft, id)?;
    caller.require_collection(Activity::Update, &before)?;
    let (policies, collections) = (scoped(request.policies), scoped(request.policy_collections));
    References::to(draft).policies("policies", &policies).collections("policyCollections", &collections).check()?;
    let mut collection = (*before).clone();
    holdings::add(&mut collection.policies, policies);
    holdings::add(&mut collection.policy_collections, collections);
    changed(draft, caller, Some(&before), collection)
}

pub(super) fn removal(draft: &mut Draft, caller: &Caller, id: &ScopedId, request: ContentRequest) -> Result<PolicyCollectionResponse, Problem> {
    let before = found(draft, id)?;
    caller.require_collection(Activity::Update, &before)?;
    let mut collection = (*before).clone();
    let (policies, collections) = (scoped(request.policies), scoped(request.policy_collections));
    collection.policies.retain(|id| !policies.contains(id));
    collection.policy_collections.retain(|id| !collections.contains(id));
    changed(draft, caller, Some(&before), collection)
}

fn composed(id: ScopedId, request: PolicyCollectionUpdateRequest) -> PolicyCollection {
    PolicyCollection {
        id,
        policies: scoped(request.policies),
        policy_collections: scoped(request.policy_collections),
        metadata: request.metadata.as_ref().and_then(kept),
        description: request.description,
    }
}

/// Keeps a collection, if its references lead somewhere but not back, and the caller may hand on what is new in it and take away what is gone.
fn changed(draft: &mut Draft, caller: &Caller, before: Option<&PolicyCollection>, after: PolicyCollection) -> Result<PolicyCollectionResponse, Problem> {
    References::to(draft).policies("policies", &after.policies).collections("policyCollections", &after.policy_collections).check()?;
    leads_not_back(draft, &after)?;
    let held = |collection: &PolicyCollection| Holdings { policies: collection.policies.clone(), collections: collection.policy_collections.clone() };
    holdings::require_handover(draft, caller, &before.map(held).unwrap_or_default(), &held(&after))?;
    let response = PolicyCollectionResponse::from(&after);
    draft.put(after);
    Ok(response)
}

/// A collection may not be in itself, however deep.
fn leads_not_back(state: &Remembered, collection: &PolicyCollection) -> Result<(), Problem> {
    let mut problem = Problem::invalid();
    for (index, inner) in collection.policy_collections.iter().enumerate() {
        if reaches(state, inner, &collection.id) {
            problem.report(format!("policyCollections[{index}]"), format!("The policy collection `{inner}` leads back to `{}`.", collection.id));
        }
    }
    problem.or_ok(())
}

fn reaches(state: &Remembered, from: &ScopedId, wanted: &ScopedId) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(id) = open.pop() {
        if id == *wanted {
            return true;
        }
        if let Some(collection) = state.collections.find(&id.key())
            && seen.insert(id)
        {
            open.extend(collection.policy_collections.iter().cloned());
        }
    }
    false
}
