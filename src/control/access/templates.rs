//! Policy templates: selectors that policies can be made of.

use super::super::body::{Body, OptionalBody};
use super::super::caller::Caller;
use super::super::parameters::Parameters;
use super::super::plane::Plane;
use super::super::problem::{Code, Problem, ProblemDetails};
use super::super::wire::ResourceList;
use super::generation::{self, GeneratePolicyFromTemplateRequest, GeneratedPolicyComponents};
use super::ids::id_in;
use super::lists;
use super::policy_check;
use super::selectors::{SelectorDefinition, all_kept};
use crate::store::{Draft, PolicyTemplate, ScopedId, State as Remembered};
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
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(generate)).routes(routes!(read, update, delete))
}

/// A template that is to be made, in the scope `default`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct PolicyTemplateCreationRequest {
    /// Unique in its scope.
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    code: String,
    #[serde(flatten)]
    content: PolicyTemplateUpdateRequest,
}

/// What a template says.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyTemplateUpdateRequest {
    /// What people call it.
    #[schema(min_length = 1, max_length = 512)]
    display_name: String,
    /// What it is for.
    #[schema(max_length = 1024)]
    description: String,
    /// Its selectors.
    #[schema(max_items = 2000)]
    templated_selectors: Vec<PolicyTemplatedSelector>,
}

/// A selector of a template.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct PolicyTemplatedSelector {
    /// The application it is for.
    #[schema(min_length = 1)]
    application: String,
    /// Its kind, such as `Data` or `Feature`.
    #[schema(min_length = 1)]
    tag: String,
    /// Any but a policySelectorDefinition.
    selector: SelectorDefinition,
}

/// A template.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyTemplateResponse {
    display_name: String,
    scope: String,
    code: String,
    description: String,
    /// The applications of its selectors.
    applications: Vec<String>,
    /// The tags of its selectors.
    tags: Vec<String>,
    #[schema(value_type = Vec<PolicyTemplatedSelector>)]
    templated_selectors: Vec<Value>,
}

impl From<&PolicyTemplate> for PolicyTemplateResponse {
    fn from(template: &PolicyTemplate) -> Self {
        let PolicyTemplate { id, display_name, description, templated_selectors } = template.clone();
        let (applications, tags) = (generation::texts(&templated_selectors, "application"), generation::texts(&templated_selectors, "tag"));
        Self { display_name, scope: id.scope, code: id.code, description, applications, tags, templated_selectors }
    }
}

/// List Policy Templates
///
/// The templates of all scopes, in order of scope and code unless another order is asked for; as they are or as they were at `asAt`.
#[utoipa::path(get, path = "/access/api/policytemplates", operation_id = "ListPolicyTemplates", tag = "PolicyTemplates",
    extensions(("x-status" = json!("EXPERIMENTAL"))),
    params(lists::PageParameters, lists::AsAtParameter),
    responses((status = 200, description = "A page of templates.", body = ResourceList<PolicyTemplateResponse>)))]
async fn list(State(plane): State<Plane>, _: Caller, uri: Uri, parameters: Parameters) -> Result<Json<ResourceList<Value>>, Problem> {
    let templates = plane.all_versions::<PolicyTemplate>(lists::as_at(&parameters)?).await?;
    let keyed: Vec<(String, &PolicyTemplate)> = templates.iter().map(|template| (template.id.key(), &**template)).collect();
    let list = lists::List { name: "policyTemplates", href: plane.settings.href(&lists::target(&uri)) };
    let row = |document| lists::Listed { document, answer: |template| PolicyTemplateResponse::from(template), is_shown: &|_: &PolicyTemplate| true };
    list.page(&parameters, keyed.iter().map(|(key, template)| (&**key, row(*template)))).map(Json)
}

/// Create a Policy Template
///
/// Makes a template in the scope `default`.
#[utoipa::path(post, path = "/access/api/policytemplates", operation_id = "CreatePolicyTemplate", tag = "PolicyTemplates",
    extensions(("x-status" = json!("EXPERIMENTAL"))),
    request_body = PolicyTemplateCreationRequest,
    responses((status = 201, description = "The template.", body = PolicyTemplateResponse), (status = 409, description = "There is one of that code.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn create(
    State(plane): State<Plane>,
    caller: Caller,
    Body(request): Body<PolicyTemplateCreationRequest>,
) -> Result<(StatusCode, Json<PolicyTemplateResponse>), Problem> {
    let template = plane.write(&caller, |draft| creation(draft, request)).await?;
    Ok((StatusCode::CREATED, Json(template)))
}

/// Generate policy from template
///
/// The selectors of templates, as they are or as they were at `asAt`, one after the other, with others that the request brings. It makes no policy.
#[utoipa::path(post, path = "/access/api/policytemplates/$generatepolicy", operation_id = "GeneratePolicyFromTemplate", tag = "PolicyTemplates",
    extensions(("x-status" = json!("EXPERIMENTAL"))),
    params(lists::AsAtParameter),
    request_body = GeneratePolicyFromTemplateRequest,
    responses((status = 200, description = "What a policy can be made of.", body = GeneratedPolicyComponents)))]
async fn generate(
    State(plane): State<Plane>,
    _: Caller,
    parameters: Parameters,
    Body(request): Body<GeneratePolicyFromTemplateRequest>,
) -> Result<Json<GeneratedPolicyComponents>, Problem> {
    let as_at = lists::as_at(&parameters)?;
    let templates = plane.versions(&request.keys(), as_at).await?;
    generation::generated(&templates, as_at.unwrap_or_else(|| crate::observe::clock::now().into()), request).map(Json)
}

/// Retrieving one Policy Template
///
/// One template, as it is or as it was at `asAt`.
#[utoipa::path(get, path = "/access/api/policytemplates/{code}", operation_id = "GetPolicyTemplate", tag = "PolicyTemplates",
    extensions(("x-status" = json!("EXPERIMENTAL"))),
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said."),
        lists::AsAtParameter),
    responses((status = 200, description = "The template.", body = PolicyTemplateResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn read(State(plane): State<Plane>, _: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<Json<PolicyTemplateResponse>, Problem> {
    let (id, as_at) = (id_in(parameters.text("scope")?, &code), lists::as_at(&parameters)?);
    let template = plane.versions::<PolicyTemplate>(&[id.key()], as_at).await?.pop().flatten().ok_or_else(|| missing(&id))?;
    Ok(Json(PolicyTemplateResponse::from(&*template)))
}

/// Update a Policy Template
///
/// Replaces everything that a template of the scope `default` says; without a body it stays as it is.
#[utoipa::path(put, path = "/access/api/policytemplates/{code}", operation_id = "UpdatePolicyTemplate", tag = "PolicyTemplates",
    extensions(("x-status" = json!("EXPERIMENTAL"))),
    params(("code" = String, Path, description = "The code.")),
    request_body = Option<PolicyTemplateUpdateRequest>,
    responses((status = 200, description = "The template.", body = PolicyTemplateResponse), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    OptionalBody(request): OptionalBody<PolicyTemplateUpdateRequest>,
) -> Result<Json<PolicyTemplateResponse>, Problem> {
    plane.write(&caller, |draft| replacement(draft, &id_in(None, &code), request)).await.map(Json)
}

/// Deleting a policy template
///
/// Deletes a template. Policies that were made of it stay as they are.
#[utoipa::path(delete, path = "/access/api/policytemplates/{code}", operation_id = "DeletePolicyTemplate", tag = "PolicyTemplates",
    extensions(("x-status" = json!("EXPERIMENTAL"))),
    params(("code" = String, Path, description = "The code."), ("scope" = Option<String>, Query, description = "The scope; `default` unless said.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none.", body = ProblemDetails, content_type = "application/problem+json")))]
async fn delete(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>, parameters: Parameters) -> Result<StatusCode, Problem> {
    let id = id_in(parameters.text("scope")?, &code);
    plane.write(&caller, |draft| if draft.remove::<PolicyTemplate>(&id.key()) { Ok(()) } else { Err(missing(&id)) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn missing(id: &ScopedId) -> Problem {
    Problem::of(Code::TemplateMissing).detail(format!("There is no policy template `{id}`."))
}

fn found(state: &Remembered, id: &ScopedId) -> Result<Arc<PolicyTemplate>, Problem> {
    state.templates.find(&id.key()).cloned().ok_or_else(|| missing(id))
}

fn creation(draft: &mut Draft, request: PolicyTemplateCreationRequest) -> Result<PolicyTemplateResponse, Problem> {
    let id = id_in(None, &request.code);
    if draft.templates.has(&id.key()) {
        return Err(Problem::of(Code::TemplateExists).detail(format!("There is a policy template `{id}` already.")));
    }
    kept(draft, id, request.content)
}

fn replacement(draft: &mut Draft, id: &ScopedId, request: Option<PolicyTemplateUpdateRequest>) -> Result<PolicyTemplateResponse, Problem> {
    let before = found(draft, id)?;
    match request {
        Some(request) => kept(draft, id.clone(), request),
        None => Ok(PolicyTemplateResponse::from(&*before)),
    }
}

fn kept(draft: &mut Draft, id: ScopedId, request: PolicyTemplateUpdateRequest) -> Result<PolicyTemplateResponse, Problem> {
    let templated_selectors = all_kept(&request.templated_selectors);
    let selectors: Vec<&Value> = templated_selectors.iter().filter_map(|templated| templated.get("selector")).collect();
    policy_check::check_templated(&selectors, |index| format!("templatedSelectors[{index}].selector"))?;
    let template = PolicyTemplate { id, display_name: request.display_name, description: request.description, templated_selectors };
    let response = PolicyTemplateResponse::from(&template);
    draft.put(template);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{denied_fields, request};
    use super::*;
    use serde_json::json;

    fn draft() -> Draft {
        Draft::new(&Remembered::default(), "2026-11-21T12:00:00Z".parse().unwrap())
    }

    fn selector(entity: &str) -> Value {
        json!({ "matchAllSelectorDefinition": { "name": null, "actions": [{ "scope": "default", "activity": "Any", "entity": entity }] } })
    }

    fn template(selectors: &[(&str, &str)]) -> Value {
        let templated: Vec<Value> =
            selectors.iter().map(|(application, tag)| json!({ "application": application, "tag": tag, "selector": selector("Portfolio") })).collect();
        json!({ "code": "readers", "displayName": "Readers", "description": "", "templatedSelectors": templated })
    }

    #[test]
    fn applications_and_tags_follow_from_the_selectors() {
        let mut draft = draft();
        let made = creation(&mut draft, request(template(&[("LUSID", "Data"), ("Drive", "Feature"), ("LUSID", "Feature")]))).unwrap();
        assert_eq!((made.applications.join(" "), made.tags.join(" ")), ("LUSID Drive".to_owned(), "Data Feature".to_owned()));
        assert!(!serde_json::to_string(&made).unwrap().contains("null"));
        assert_eq!(creation(&mut draft, request(template(&[]))).unwrap_err().status(), 409);
    }

    #[test]
    fn a_template_about_policies_is_refused() {
        let mut unfit = template(&[("LUSID", "Data"), ("LUSID", "Data")]);
        unfit["templatedSelectors"][1]["selector"] =
            json!({ "policySelectorDefinition": { "actions": [{ "scope": "default", "activity": "Any", "entity": "Policy" }] } });
        assert_eq!(denied_fields(creation(&mut draft(), request(unfit))), ["templatedSelectors[1].selector"]);
    }

    #[test]
    fn an_update_without_a_body_changes_nothing() {
        let mut draft = draft();
        creation(&mut draft, request(template(&[("LUSID", "Data")]))).unwrap();
        let id = id_in(None, "readers");
        assert_eq!(replacement(&mut draft, &id, None).unwrap().applications, ["LUSID"]);
        assert_eq!(replacement(&mut draft, &id_in(None, "writers"), None).unwrap_err().status(), 404);
    }
}
