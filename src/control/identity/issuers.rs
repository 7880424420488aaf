//! External token issuers: whose tokens besides our own name users, and by which claims.

use super::administrators::Actor;
use super::logs::{Target, tell};
use super::read_if_there;
use crate::control::body::Body;
use crate::control::caller::Caller;
use crate::control::foreign_tokens::is_usable;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::store::{Draft, ExternalTokenIssuer, State as Remembered};
use axum::Json;
use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How many there may be.
const MOST: usize = 5;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update, remove))
}

/// Names of claims; a value in quotes is meant literally
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimMappings {
    /// The claim with the user's id
    #[schema(min_length = 1)]
    user_id: String,
    /// The claim with the user's login
    #[schema(min_length = 1)]
    login: String,
    /// The claim with the user's e-mail address
    #[schema(min_length = 1)]
    email: String,
    /// The claim with the user's first name
    #[schema(min_length = 1)]
    first_name: String,
    /// The claim with the user's last name
    #[schema(min_length = 1)]
    last_name: String,
    /// The claim with the user's type
    #[schema(min_length = 1)]
    user_type: String,
    /// The claim with the user's roles
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<String>,
}

/// Client input for creating an external token issuer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateExternalTokenIssuerRequest {
    /// Its code
    #[schema(min_length = 1, max_length = 64, pattern = r"^[a-zA-Z0-9\-_]+$")]
    code: String,
    /// `iss` of its tokens
    #[schema(min_length = 0, max_length = 500)]
    issuer: String,
    /// `aud` of its tokens
    #[schema(min_length = 0, max_length = 500)]
    audience: String,
    /// What it is for
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// Which claims say what
    claim_mappings: Option<ClaimMappings>,
    /// Where one signs out
    #[schema(min_length = 1, max_length = 16384)]
    logout_url: String,
}

/// What becomes of an external token issuer. What is absent stays as it is.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateExternalTokenIssuerRequest {
    /// `iss` of its tokens
    #[schema(min_length = 0, max_length = 500)]
    issuer: Option<String>,
    /// `aud` of its tokens
    #[schema(min_length = 0, max_length = 500)]
    audience: Option<String>,
    /// What it is for; null takes it away
    #[serde(default, deserialize_with = "read_if_there")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Option<Option<String>>,
    /// Which claims say what
    claim_mappings: Option<ClaimMappings>,
    /// Where one signs out
    #[schema(min_length = 1, max_length = 16384)]
    logout_url: Option<String>,
}

/// An external token issuer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExternalTokenIssuerResponse {
    /// Its code
    code: String,
    /// `iss` of its tokens
    issuer: String,
    /// `aud` of its tokens
    audience: String,
    /// What it is for
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// Which claims say what
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claim_mappings: Option<ClaimMappings>,
    /// Where one signs out
    logout_url: String,
}

impl From<&ExternalTokenIssuer> for ExternalTokenIssuerResponse {
    fn from(issuer: &ExternalTokenIssuer) -> Self {
        Self {
            code: issuer.code.clone(),
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            description: issuer.description.clone(),
            claim_mappings: issuer.claim_mappings.clone().and_then(|mappings| serde_json::from_value(mappings).ok()),
            logout_url: issuer.logout_url.clone(),
        }
    }
}

fn find<'a>(state: &'a Remembered, code: &str) -> Result<&'a Arc<ExternalTokenIssuer>, Problem> {
    state.external_token_issuers.find(code).ok_or_else(|| Problem::of(Code::IssuerMissing).detail("There is no external token issuer with this code."))
}

fn kept(mappings: ClaimMappings) -> Option<serde_json::Value> {
    serde_json::to_value(mappings).ok()
}

/// Whether an issuer may be written: whoever names one names every user it speaks of.
fn check(state: &Remembered, own_issuer: &str, issuer: &ExternalTokenIssuer) -> Result<(), Problem> {
    let mut problem = Problem::invalid();
    let others = state.external_token_issuers.values().filter(|other| other.code != issuer.code);
    if !is_usable(&issuer.issuer) {
        problem.report("issuer", "Its keys are asked for at this address: write an https URL, or an http one of this machine.");
    } else if issuer.issuer == own_issuer {
        problem.report("issuer", "This is the issuer of our own tokens.");
    } else if others.into_iter().any(|other| other.issuer == issuer.issuer) {
        problem.report("issuer", "There is another entry for this issuer.");
    }
    if issuer.audience.trim().is_empty() {
        problem.report("audience", "Tokens without an audience are never accepted.");
    }
    if !issuer.logout_url.parse::<Uri>().is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https"))) {
        problem.report("logoutUrl", "The value is no http or https URL.");
    }
    let login = issuer.claim_mappings.as_ref().and_then(|mappings| mappings.get("login")).and_then(|login| login.as_str());
    if login.is_some_and(|login| login.starts_with(['\'', '"'])) {
        problem.report("claimMappings.login", "A literal would name the same user in every token: write the name of a claim.");
    }
    problem.or_ok(())
}

const FOR_ADMINISTRATORS: &str = "An external token issuer vouches for every user: only an administrator may change it.";

fn creation(draft: &mut Draft, actor: Actor, own_issuer: &str, request: CreateExternalTokenIssuerRequest) -> Result<ExternalTokenIssuer, Problem> {
    actor.must_be_administrator(FOR_ADMINISTRATORS)?;
    let issuer = ExternalTokenIssuer {
        code: request.code,
        issuer: request.issuer,
        audience: request.audience,
        description: request.description,
        claim_mappings: request.claim_mappings.and_then(kept),
        logout_url: request.logout_url,
    };
    if draft.external_token_issuers.has(&issuer.code) {
        return Err(Problem::of(Code::IssuerExists).detail("There is an external token issuer with this code already."));
    }
    check(draft, own_issuer, &issuer)?;
    if draft.external_token_issuers.len() >= MOST {
        return Err(Problem::of(Code::Conflicting).detail(format!("There are at most {MOST} external token issuers: delete one first.")));
    }
    draft.put(issuer.clone());
    Ok(issuer)
}

fn change(
    draft: &mut Draft,
    (actor, own_issuer): (Actor, &str),
    code: &str,
    request: UpdateExternalTokenIssuerRequest,
) -> Result<ExternalTokenIssuer, Problem> {
    actor.must_be_administrator(FOR_ADMINISTRATORS)?;
    let before = find(draft, code)?.as_ref().clone();
    let issuer = ExternalTokenIssuer {
        issuer: request.issuer.unwrap_or(before.issuer),
        audience: request.audience.unwrap_or(before.audience),
        description: request.description.unwrap_or(before.description),
        claim_mappings: request.claim_mappings.and_then(kept).or(before.claim_mappings),
        logout_url: request.logout_url.unwrap_or(before.logout_url),
        code: before.code,
    };
    check(draft, own_issuer, &issuer)?;
    draft.put(issuer.clone());
    Ok(issuer)
}

fn removal(draft: &mut Draft, actor: Actor, code: &str) -> Result<(), Problem> {
    actor.must_be_administrator(FOR_ADMINISTRATORS)?;
    find(draft, code)?;
    draft.remove::<ExternalTokenIssuer>(code);
    Ok(())
}

/// Lists all External Token Issuers for a domain
#[utoipa::path(get, path = "/identity/api/externaltokenissuers", operation_id = "ListExternalTokenIssuers", tag = "ExternalTokenIssuers",
    responses((status = 200, body = Vec<ExternalTokenIssuerResponse>)), extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn list(State(plane): State<Plane>) -> Result<Json<Vec<ExternalTokenIssuerResponse>>, Problem> {
    let state = plane.state().await?;
    Ok(Json(state.external_token_issuers.values().map(|issuer| issuer.as_ref().into()).collect()))
}

/// Create an External Token Issuer
///
/// At most five; for administrators alone, whoever has the feature.
#[utoipa::path(post, path = "/identity/api/externaltokenissuers", operation_id = "CreateExternalTokenIssuer", tag = "ExternalTokenIssuers",
    request_body = CreateExternalTokenIssuerRequest,
    responses((status = 201, body = ExternalTokenIssuerResponse), (status = 409, description = "There is one with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn create(
    State(plane): State<Plane>,
    caller: Caller,
    Body(request): Body<CreateExternalTokenIssuerRequest>,
) -> Result<(StatusCode, Json<ExternalTokenIssuerResponse>), Problem> {
    let own_issuer = plane.settings.issuer();
    let issuer = plane.write(&caller, |draft| creation(draft, (&caller).into(), &own_issuer, request)).await?;
    tell(&plane, &caller, "system.idp.lifecycle.create", Target::issuer(&issuer.code)).await;
    Ok((StatusCode::CREATED, Json((&issuer).into())))
}

/// Gets an External Token Issuer with code
#[utoipa::path(get, path = "/identity/api/externaltokenissuers/{code}", operation_id = "GetExternalTokenIssuer", tag = "ExternalTokenIssuers",
    params(("code" = String, Path, description = "The code of the external token issuer")),
    responses((status = 200, body = ExternalTokenIssuerResponse), (status = 404, description = "There is none with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn read(State(plane): State<Plane>, Path(code): Path<String>) -> Result<Json<ExternalTokenIssuerResponse>, Problem> {
    let state = plane.state().await?;
    find(&state, &code).map(|issuer| Json(issuer.as_ref().into()))
}

/// Updates an existing External Token Issuer
#[utoipa::path(put, path = "/identity/api/externaltokenissuers/{code}", operation_id = "UpdateExternalTokenIssuer", tag = "ExternalTokenIssuers",
    params(("code" = String, Path, description = "The code of the external token issuer")), request_body = UpdateExternalTokenIssuerRequest,
    responses((status = 200, body = ExternalTokenIssuerResponse), (status = 404, description = "There is none with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    Body(request): Body<UpdateExternalTokenIssuerRequest>,
) -> Result<Json<ExternalTokenIssuerResponse>, Problem> {
    let own_issuer = plane.settings.issuer();
    let issuer = plane.write(&caller, |draft| change(draft, ((&caller).into(), &own_issuer), &code, request)).await?;
    tell(&plane, &caller, "system.idp.lifecycle.update", Target::issuer(&code)).await;
    Ok(Json((&issuer).into()))
}

/// Deletes an External Token Issuer by code
#[utoipa::path(delete, path = "/identity/api/externaltokenissuers/{code}", operation_id = "DeleteExternalTokenIssuer", tag = "ExternalTokenIssuers",
    params(("code" = String, Path, description = "The code of the external token issuer")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn remove(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| removal(draft, (&caller).into(), &code)).await?;
    tell(&plane, &caller, "system.idp.lifecycle.delete", Target::issuer(&code)).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{CLERK, OWNER, draft};
    use super::*;

    const OURS: &str = "https://access.example/oauth2/default";

    fn request(code: &str, issuer: &str) -> CreateExternalTokenIssuerRequest {
        let mappings =
            serde_json::json!({"userId": "sub", "login": "mail", "email": "mail", "firstName": "given", "lastName": "family", "userType": "'Service'"});
        serde_json::from_value(serde_json::json!({
            "code": code, "issuer": issuer, "audience": "lusid-api", "claimMappings": mappings, "logoutUrl": "https://id.example/logout"
        }))
        .unwrap()
    }

    fn fields(problem: &Problem) -> Vec<&str> {
        problem.errors().keys().map(String::as_str).collect()
    }

    #[test]
    fn there_are_five_at_most_and_each_code_and_issuer_once() {
        let mut draft = draft();
        for number in 1..=5 {
            creation(&mut draft, OWNER, OURS, request(&format!("idp-{number}"), &format!("https://id-{number}.example"))).unwrap();
        }
        let mut code = |code: &str, issuer: &str| creation(&mut draft, OWNER, OURS, request(code, issuer)).unwrap_err();
        assert_eq!(code("idp-1", "https://id.example").code(), Code::IssuerExists);
        assert_eq!(fields(&code("idp-6", "https://id-1.example")), ["issuer"]);
        assert_eq!(code("idp-6", "https://id-6.example").code(), Code::Conflicting);
        removal(&mut draft, OWNER, "idp-5").unwrap();
        creation(&mut draft, OWNER, OURS, request("idp-6", "https://id-6.example")).unwrap();
        assert_eq!(removal(&mut draft, OWNER, "idp-5").unwrap_err().code(), Code::IssuerMissing);
    }

    #[test]
    fn nobody_speaks_for_us_or_for_nobody() {
        let mut draft = draft();
        let mut wrong = |change: fn(&mut CreateExternalTokenIssuerRequest)| {
            let mut request = request("idp", "https://id.example");
            change(&mut request);
            fields(&creation(&mut draft, OWNER, OURS, request).unwrap_err()).join(",")
        };
        assert_eq!(wrong(|request| request.issuer = OURS.to_owned()), "issuer");
        assert_eq!(wrong(|request| request.issuer = String::new()), "issuer");
        assert_eq!(wrong(|request| request.issuer = "http://id.example".to_owned()), "issuer", "nobody knows whose keys those are");
        assert_eq!(wrong(|request| request.claim_mappings.as_mut().unwrap().login = "'owner@example.com'".to_owned()), "claimMappings.login");
        assert_eq!(wrong(|request| request.audience = " ".to_owned()), "audience");
        assert_eq!(wrong(|request| request.logout_url = "javascript:alert(1)".to_owned()), "logoutUrl");
    }

    #[test]
    fn only_an_administrator_lets_others_vouch_for_users() {
        let mut draft = draft();
        assert_eq!(creation(&mut draft, CLERK, OURS, request("idp", "https://id.example")).unwrap_err().code(), Code::AccessDenied);
        creation(&mut draft, OWNER, OURS, request("idp", "https://id.example")).unwrap();
        let update: UpdateExternalTokenIssuerRequest = serde_json::from_str(r#"{"issuer":"https://mine.example"}"#).unwrap();
        assert_eq!(change(&mut draft, (CLERK, OURS), "idp", update).unwrap_err().code(), Code::AccessDenied);
        assert_eq!(removal(&mut draft, CLERK, "idp").unwrap_err().code(), Code::AccessDenied);
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let mut draft = draft();
        let before =
            creation(&mut draft, OWNER, OURS, CreateExternalTokenIssuerRequest { description: Some("d".to_owned()), ..request("idp", "https://id.example") });
        let update = serde_json::from_str(r#"{"audience":"other","description":null}"#).unwrap();
        let after = change(&mut draft, (OWNER, OURS), "idp", update).unwrap();
        assert_eq!(after, ExternalTokenIssuer { audience: "other".to_owned(), description: None, ..before.unwrap() });
        assert_eq!(serde_json::to_value(ExternalTokenIssuerResponse::from(&after)).unwrap()["claimMappings"]["userType"], "'Service'");
    }
}
