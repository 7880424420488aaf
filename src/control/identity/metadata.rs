//! What the Identity API says of itself: its operations, and the features that policies can name.
//! Both are read from the very routes that serve it.

use crate::control::plane::Plane;
use crate::control::wire::{Link, ResourceList};
use axum::Json;
use axum::extract::{OriginalUri, State};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The application, in policies and here.
const APPLICATION: &str = "Identity";

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(endpoints)).routes(routes!(resources))
}

/// One operation of an API
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiEndpoint {
    /// The name of the operation
    operation: String,
    /// The method
    http_method: &'static str,
    /// The path
    path: String,
    /// How far it is: EARLY ACCESS, EXPERIMENTAL or NOT IMPLEMENTED
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<String>,
    /// What it does, in a few words
    summary: String,
    /// What it does
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    #[serde(skip)]
    tag: String,
}

/// The operations of an API
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ServiceApiEndpoints {
    /// The application
    application: &'static str,
    /// Its operations
    endpoints: Vec<ApiEndpoint>,
    /// The request's own address
    href: String,
    /// Empty
    links: Vec<Link>,
}

/// Something that policies can name
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessControlledResource {
    /// Its application
    application: &'static str,
    /// Its entity
    name: &'static str,
    /// What it is
    description: &'static str,
    /// What can be done to it
    actions: Vec<AccessControlledAction>,
    /// What its ids consist of
    identifier_parts: Vec<IdentifierPartSchema>,
    /// Empty
    links: Vec<Link>,
}

/// Something that can be done
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessControlledAction {
    /// What it is
    description: &'static str,
    /// How policies name it
    action: ActionId,
    /// The resources that there are
    limited_set: Vec<IdSelectorDefinition>,
    /// Empty
    links: Vec<Link>,
}

/// An action
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct ActionId {
    /// Its scope
    scope: &'static str,
    /// What is done
    activity: &'static str,
    /// To what
    entity: &'static str,
}

/// A resource by its id
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct IdSelectorDefinition {
    /// Its id
    identifier: BTreeMap<&'static str, String>,
    /// What can be done to it
    actions: Vec<ActionId>,
    /// What it is called
    name: String,
    /// What it is
    description: String,
}

/// A part of an id
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentifierPartSchema {
    /// Its place
    index: i32,
    /// Its name
    name: &'static str,
    /// What it is called
    display_name: &'static str,
    /// What it is
    description: &'static str,
    /// Whether it is always there
    required: bool,
    /// Empty
    links: Vec<Link>,
}

impl ApiEndpoint {
    fn of(path: &str, http_method: &'static str, operation: &Operation) -> Option<Self> {
        let status = operation.extensions.as_ref().and_then(|extensions| extensions.get("x-status")?.as_str());
        Some(Self {
            operation: operation.operation_id.clone()?,
            http_method,
            path: path.to_owned(),
            status: status.map(str::to_owned),
            summary: operation.summary.clone().unwrap_or_default(),
            description: operation.description.clone().filter(|description| !description.is_empty()),
            tag: operation.tags.as_ref().and_then(|tags| tags.first().cloned()).unwrap_or_default(),
        })
    }

    /// The code of the feature that admits it (`interfaces.md` §9).
    fn feature(&self) -> String {
        format!("identity-{}-{}", self.tag, self.operation).to_ascii_lowercase()
    }
}

/// Every operation below `/identity/api`, by path and method.
static ENDPOINTS: LazyLock<Vec<ApiEndpoint>> = LazyLock::new(|| {
    let documents = [super::routes().into_openapi(), crate::control::oauth::routes().into_openapi()];
    let paths = documents.iter().flat_map(|document| &document.paths.paths).filter(|(path, _)| path.starts_with("/identity/api/"));
    let mut found: Vec<ApiEndpoint> =
        paths.flat_map(|(path, item)| operations(item).filter_map(move |(method, operation)| ApiEndpoint::of(path, method, operation))).collect();
    found.sort_by(|one, other| (&one.path, one.http_method).cmp(&(&other.path, other.http_method)));
    found
});

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("PATCH", &item.patch), ("DELETE", &item.delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// The features: the only thing of this API that policies can name.
fn features() -> AccessControlledResource {
    let action = ActionId { scope: APPLICATION, activity: "Execute", entity: "Feature" };
    let selector = |endpoint: &ApiEndpoint| IdSelectorDefinition {
        identifier: BTreeMap::from([("scope", APPLICATION.to_owned()), ("code", endpoint.feature())]),
        actions: vec![action],
        name: endpoint.operation.clone(),
        description: endpoint.summary.clone(),
    };
    let part = |index, name, display_name, description| IdentifierPartSchema { index, name, display_name, description, required: true, links: Vec::new() };
    let mut limited_set: Vec<IdSelectorDefinition> = ENDPOINTS.iter().map(selector).collect();
    limited_set.sort_by(|one, other| one.identifier.get("code").cmp(&other.identifier.get("code")));
    AccessControlledResource {
        application: APPLICATION,
        name: "Feature",
        description: "The operations of the Identity API",
        actions: vec![AccessControlledAction { description: "Call the operation", action, limited_set, links: Vec::new() }],
        identifier_parts: vec![part(0, "scope", "Scope", "The application"), part(1, "code", "Code", "The code of the feature")],
        links: Vec::new(),
    }
}

/// Get the API endpoints available
///
/// Operation, method, path, status, summary and description of each.
#[utoipa::path(get, path = "/identity/api/metadata/endpoints", operation_id = "ListApiEndpoints", tag = "ApplicationMetadata",
    responses((status = 200, body = ServiceApiEndpoints)))]
async fn endpoints(State(plane): State<Plane>, uri: OriginalUri) -> Json<ServiceApiEndpoints> {
    let href = plane.settings.href(&uri.to_string());
    Json(ServiceApiEndpoints { application: APPLICATION, endpoints: ENDPOINTS.clone(), href, links: Vec::new() })
}

/// Get resources available for access control
///
/// Everything of this API that policies can name.
#[utoipa::path(get, path = "/identity/api/metadata/access/resources", operation_id = "ListAccessControlledResources", tag = "ApplicationMetadata",
    responses((status = 200, body = ResourceList<AccessControlledResource>)))]
async fn resources(State(plane): State<Plane>, uri: OriginalUri) -> Json<ResourceList<AccessControlledResource>> {
    Json(ResourceList::whole(vec![features()], plane.settings.href(&uri.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    /// The operations of the founding reference.
    fn listed() -> Vec<Value> {
        serde_json::from_str(include_str!("../../../tests/data/identity-operations.json")).unwrap()
    }

    #[test]
    fn every_operation_of_the_reference_is_served_and_one_of_our_own() {
        let row = |operation: &Value| {
            let text = |name: &str| operation[name].as_str().unwrap().to_owned();
            (text("operation"), text("tag"), text("method"), text("path"))
        };
        let mut expected: BTreeSet<_> = listed().iter().map(row).collect();
        assert_eq!(expected.len(), 76);
        let own = json!({"operation": "CreateSetupLink", "tag": "Users", "method": "POST", "path": "/identity/api/users/{id}/lifecycle/$setuplink"});
        expected.insert(row(&own));
        let served =
            ENDPOINTS.iter().map(|endpoint| (endpoint.operation.clone(), endpoint.tag.clone(), endpoint.http_method.to_owned(), endpoint.path.clone()));
        assert_eq!(served.collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn what_is_not_served_says_so_and_everything_else_has_the_status_and_summary_of_the_reference() {
        for operation in listed() {
            let id = operation["operation"].as_str().unwrap();
            let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.operation == id).unwrap();
            let is_absent = ["CellManagement", "MCPTools", "IdentityProvider"].contains(&endpoint.tag.as_str()) || id.contains("Support");
            match is_absent {
                true => assert_eq!(endpoint.status.as_deref(), Some("NOT IMPLEMENTED"), "{id}"),
                false => {
                    assert_eq!(endpoint.status.as_deref(), operation["status"].as_str(), "{id}");
                    assert_eq!(endpoint.summary, operation["summary"].as_str().unwrap(), "{id}");
                }
            }
        }
    }

    #[test]
    fn every_operation_declares_the_success_of_the_reference() {
        let document = super::super::routes().into_openapi();
        for operation in listed() {
            let id = operation["operation"].as_str().unwrap();
            let found = document.paths.paths.values().flat_map(operations).find(|(_, found)| found.operation_id.as_deref() == Some(id));
            let Some((_, found)) = found else { continue };
            let statuses: Vec<&str> = found.responses.responses.keys().map(String::as_str).filter(|status| status.starts_with(['2', '5'])).collect();
            let expected = match statuses.as_slice() {
                ["501"] => "501".to_owned(),
                _ => operation["success"].to_string(),
            };
            assert_eq!(statuses, [expected], "{id}");
        }
    }

    #[test]
    fn features_are_listed_by_the_rule() {
        let resource = serde_json::to_value(features()).unwrap();
        let set = resource["actions"][0]["limitedSet"].as_array().unwrap();
        assert_eq!(set.len(), 77);
        let expected = json!({"scope": "Identity", "code": "identity-users-createuser"});
        assert!(set.iter().any(|selector| selector["identifier"] == expected));
        assert_eq!(set[0]["actions"], json!([{"scope": "Identity", "activity": "Execute", "entity": "Feature"}]));
    }
}
