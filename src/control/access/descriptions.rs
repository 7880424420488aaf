//! What the Access API says of itself: its operations, and what of it policies can be about.

use super::super::access_metadata;
use super::super::caller::Caller;
use super::super::plane::Plane;
use super::super::problem::Problem;
use super::super::wire::{Link, ResourceList};
use super::selectors::{ActionId, IdSelectorDefinition};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The application of the Access API's own policies.
const APPLICATION: &str = "Access";

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(resources)).routes(routes!(endpoints))
}

/// The operations of the API.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ServiceApiEndpoints {
    application: String,
    endpoints: Vec<ApiEndpoint>,
    href: String,
    links: Vec<Link>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiEndpoint {
    /// Its `operationId`.
    operation: String,
    http_method: String,
    path: String,
    /// `EXPERIMENTAL`, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<String>,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
}

/// Something that policies can be about.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessControlledResource {
    application: String,
    /// What actions call it.
    name: String,
    description: String,
    actions: Vec<AccessControlledAction>,
    identifier_parts: Vec<IdentifierPartSchema>,
    links: Vec<Link>,
}

/// Something that can be done to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessControlledAction {
    description: String,
    action: ActionId,
    /// Everything that it can be done to, where that is known beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limited_set: Option<Vec<IdSelectorDefinition>>,
    links: Vec<Link>,
}

/// A part of its id.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentifierPartSchema {
    index: i32,
    name: String,
    display_name: String,
    description: String,
    required: bool,
    links: Vec<Link>,
}

/// Get resources available for access control
///
/// What policies of the application `Access` can be about.
#[utoipa::path(get, path = "/access/api/metadata/access/resources", operation_id = "ListAccessControlledResources", tag = "ApplicationMetadata",
    responses((status = 200, description = "The resources.", body = ResourceList<AccessControlledResource>)))]
async fn resources(State(plane): State<Plane>, _: Caller) -> Result<Json<ResourceList<AccessControlledResource>>, Problem> {
    let world = plane.world.load();
    let operations = world.maps.operations().iter().filter(|operation| *operation.application == *APPLICATION);
    let features = operations.map(|operation| operation.feature.to_string()).collect();
    Ok(Json(ResourceList::whole(controlled(features), plane.settings.href("/access/api/metadata/access/resources"))))
}

/// Get the API endpoints available
///
/// Every operation of the Access API.
#[utoipa::path(get, path = "/access/api/metadata/endpoints", operation_id = "ListApiEndpoints", tag = "ApplicationMetadata",
    responses((status = 200, description = "The operations.", body = ServiceApiEndpoints)))]
async fn endpoints(State(plane): State<Plane>, _: Caller) -> Json<ServiceApiEndpoints> {
    // The routes say it themselves, so that the list cannot be of other operations.
    static OPERATIONS: LazyLock<Vec<ApiEndpoint>> = LazyLock::new(|| described(super::routes().merge(access_metadata::routes())));
    let href = plane.settings.href("/access/api/metadata/endpoints");
    Json(ServiceApiEndpoints { application: APPLICATION.to_owned(), endpoints: OPERATIONS.clone(), href, links: Vec::new() })
}

/// The operations of these routes, by path.
pub(super) fn described(routes: OpenApiRouter<Plane>) -> Vec<ApiEndpoint> {
    let document = routes.into_openapi();
    document.paths.paths.iter().flat_map(|(path, item)| of_path(path, item)).collect()
}

fn of_path<'a>(path: &'a str, item: &'a PathItem) -> impl Iterator<Item = ApiEndpoint> + 'a {
    let methods = [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("PATCH", &item.patch), ("DELETE", &item.delete)];
    methods.into_iter().filter_map(move |(method, operation)| Some(of_operation(path, method, operation.as_ref()?)))
}

fn of_operation(path: &str, method: &str, operation: &Operation) -> ApiEndpoint {
    let status = operation.extensions.as_ref().and_then(|extensions| extensions.get("x-status")).and_then(|status| status.as_str());
    ApiEndpoint {
        operation: operation.operation_id.clone().unwrap_or_default(),
        http_method: method.to_owned(),
        path: path.to_owned(),
        status: status.map(str::to_owned),
        summary: operation.summary.clone().unwrap_or_default(),
        description: operation.description.clone(),
    }
}

/// What policies of the Access API can be about: policies, collections, handing them on, and its features.
pub(super) fn controlled(features: Vec<String>) -> Vec<AccessControlledResource> {
    const READ: (&str, &str) = ("Read", "Read it");
    const ADD: (&str, &str) = ("Add", "Make one");
    const UPDATE: (&str, &str) = ("Update", "Change it");
    const DELETE: (&str, &str) = ("Delete", "Delete it");
    const ANY: (&str, &str) = ("Any", "All of these");
    const GIVE: (&str, &str) = ("Add", "Give it to a role, a user-role or a collection");
    const MOVE: (&str, &str) = ("Update", "Change the rank or the time of a role that has it");
    const TAKE: (&str, &str) = ("Delete", "Take it from a role, a user-role or a collection");
    vec![
        resource("Policy", "A policy", &[READ, ADD, UPDATE, DELETE, ANY]),
        resource("PolicyCollection", "A policy collection", &[READ, ADD, UPDATE, DELETE, ANY]),
        resource("Delegation", "A policy that is handed on", &[GIVE, MOVE, TAKE, ANY]),
        executable(features),
    ]
}

fn resource(name: &str, description: &str, actions: &[(&str, &str)]) -> AccessControlledResource {
    let action = |(activity, description): &(&str, &str)| AccessControlledAction {
        description: (*description).to_owned(),
        action: action(activity, name),
        limited_set: None,
        links: Vec::new(),
    };
    AccessControlledResource {
        application: APPLICATION.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        actions: actions.iter().map(action).collect(),
        identifier_parts: vec![part(0, "scope", "Scope"), part(1, "code", "Code")],
        links: Vec::new(),
    }
}

fn executable(features: Vec<String>) -> AccessControlledResource {
    let id = |code: String| BTreeMap::from([("scope".to_owned(), APPLICATION.to_owned()), ("code".to_owned(), code)]);
    let mut feature = resource("Feature", "An operation of the API", &[("Execute", "Call it")]);
    for action in &mut feature.actions {
        let set = features.iter().map(|code| IdSelectorDefinition::of(id(code.clone()), action.action.clone())).collect();
        action.limited_set = Some(set);
    }
    feature
}

fn action(activity: &str, entity: &str) -> ActionId {
    ActionId { scope: "default".to_owned(), activity: activity.to_owned(), entity: entity.to_owned() }
}

fn part(index: i32, name: &str, display_name: &str) -> IdentifierPartSchema {
    let description = format!("The {name}.");
    IdentifierPartSchema { index, name: name.to_owned(), display_name: display_name.to_owned(), description, required: true, links: Vec::new() }
}
