//! Applications: the clients that ask for tokens.

use super::accounts;
use super::administrators::{Actor, is_administrator};
use super::logs::{Target, tell};
use super::{made, secret};
use crate::control::body::OptionalBody;
use crate::control::caller::Caller;
use crate::control::judge::AUDIENCE;
use crate::control::parameters::Parameters;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::{hexadecimal, new_id, random};
use crate::store::{Application, ApplicationKind, Draft, RefreshToken, State as Remembered, UserKind};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long the secret before is good after a new one was made.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, remove)).routes(routes!(rotate))
}

/// A request to create an application for authenticating the source of token requests
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateApplicationRequest {
    /// The display name of the application
    #[schema(min_length = 1, max_length = 50, pattern = r"^[\s\S]*$")]
    display_name: String,
    /// The OpenID Connect client id of the application
    #[schema(min_length = 6, max_length = 50, pattern = "^[a-zA-Z][a-zA-Z0-9-]{5,49}$")]
    client_id: String,
    /// The type of the application: Native or Web
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 20, pattern = "^[a-zA-Z]*$")]
    kind: String,
    /// A web application's acceptable list of post-login redirect URIs
    #[schema(max_items = 50)]
    redirect_uris: Option<Vec<String>>,
    /// A web application's acceptable list of post-logout redirect URIs
    #[schema(max_items = 50)]
    post_logout_redirect_uris: Option<Vec<String>>,
    /// An extension: the service user that the application acts as by the grant `client_credentials`. Administrators alone set it
    #[serde(alias = "serviceUserId")]
    #[schema(min_length = 1, max_length = 64, pattern = r"^[a-zA-Z0-9\-_]+$")]
    user_id: Option<String>,
}

/// An application
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OAuthApplication {
    /// Its id
    #[schema(min_length = 1)]
    id: String,
    /// Its type: Native or Web
    #[serde(rename = "type")]
    #[schema(min_length = 1)]
    kind: &'static str,
    /// Its display name
    #[schema(min_length = 1, max_length = 512, pattern = r"^[\s\S]*$")]
    display_name: String,
    /// Its secret, where it is shown
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
    /// Its OpenID Connect client id
    #[schema(min_length = 1)]
    client_id: String,
    /// Who issues its tokens; `/v1/token` behind it is where they are asked for
    #[schema(min_length = 1)]
    issuer: String,
}

impl OAuthApplication {
    fn of(application: &Application, issuer: String, secret: Option<String>) -> Self {
        Self {
            id: application.id.clone(),
            kind: kind_name(application.kind),
            display_name: application.display_name.clone(),
            secret,
            client_id: application.client_id.clone(),
            issuer,
        }
    }
}

const fn kind_name(kind: ApplicationKind) -> &'static str {
    match kind {
        ApplicationKind::Native => "Native",
        ApplicationKind::Web => "Web",
    }
}

/// The application with that id.
fn find<'a>(state: &'a Remembered, id: &str) -> Result<&'a Arc<Application>, Problem> {
    state.applications.find(id).ok_or_else(|| Problem::of(Code::ApplicationMissing).detail("There is no application with this id."))
}

/// Whether the actor may have what the application signs in by.
///
/// # Errors
/// 403 where that is as good as being an administrator.
fn may_hold(state: &Remembered, actor: Actor, application: &Application) -> Result<(), Problem> {
    let user = application.user_id.as_deref().and_then(|id| state.users.find(id));
    match user {
        Some(user) if is_administrator(user) => actor.must_be_administrator("The application acts as an administrator: only administrators have its secret."),
        _ => Ok(()),
    }
}

/// Makes an application that has this secret, which came sealed.
fn creation(draft: &mut Draft, actor: Actor, request: CreateApplicationRequest, sealed: String) -> Result<Application, Problem> {
    let mut problem = Problem::invalid();
    let kinds = [ApplicationKind::Native, ApplicationKind::Web];
    let kind = kinds.into_iter().find(|kind| kind_name(*kind) == request.kind).unwrap_or_else(|| {
        problem.report("type", "The type is neither Native nor Web.");
        ApplicationKind::Native
    });
    if request.client_id.eq_ignore_ascii_case(AUDIENCE) {
        // Its id tokens would have the audience of access tokens.
        problem.report("clientId", "The name is taken by the API itself.");
    }
    let redirect_uris = request.redirect_uris.unwrap_or_default();
    let post_logout_redirect_uris = request.post_logout_redirect_uris.unwrap_or_default();
    for (field, uris) in [("redirectUris", &redirect_uris), ("postLogoutRedirectUris", &post_logout_redirect_uris)] {
        for (index, _) in uris.iter().enumerate().filter(|(_, uri)| !is_web_address(uri)) {
            problem.report(format!("{field}[{index}]"), "The value is no http or https URL without a fragment.");
        }
    }
    if let Some(id) = &request.user_id {
        actor.must_be_administrator("Only an administrator lets an application act as a user.")?;
        if accounts::living(draft, id).map_or(true, |user| user.kind != UserKind::Service) {
            problem.report("userId", "There is no service user with this id.");
        }
    }
    problem.or_ok(())?;
    if draft.applications.values().any(|other| other.client_id.eq_ignore_ascii_case(&request.client_id)) {
        return Err(Problem::of(Code::ApplicationExists).detail("There is an application with this client id already."));
    }
    let application = Application {
        id: made(new_id("0oa"))?,
        kind,
        display_name: request.display_name,
        client_id: request.client_id,
        secret: sealed,
        previous_secret: None,
        redirect_uris,
        post_logout_redirect_uris,
        user_id: request.user_id,
    };
    draft.put(application.clone());
    Ok(application)
}

/// An absolute http or https URL.
fn is_web_address(text: &str) -> bool {
    let is_whole = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    !text.contains('#') && text.parse::<Uri>().is_ok_and(|uri| is_whole(&uri))
}

/// Gives an application another secret; the one before is good for a day.
fn rotation(draft: &mut Draft, actor: Actor, id: &str, sealed: String) -> Result<Application, Problem> {
    let before = find(draft, id)?.as_ref().clone();
    may_hold(draft, actor, &before)?;
    let previous_secret = Some((before.secret, draft.now() + OVERLAP));
    let application = Application { secret: sealed, previous_secret, ..before };
    draft.put(application.clone());
    Ok(application)
}

/// Removes an application, and what could be refreshed through it.
fn removal(draft: &mut Draft, id: &str) -> Result<(), Problem> {
    let client_id = find(draft, id)?.client_id.clone();
    let tokens: Vec<String> = draft.refresh_tokens.iter().filter(|(_, token)| token.client_id == client_id).map(|(key, _)| key.to_owned()).collect();
    for key in tokens {
        draft.remove::<RefreshToken>(&key);
    }
    draft.remove::<Application>(id);
    Ok(())
}

/// A new secret, plain and sealed.
fn new_secret(plane: &Plane) -> Result<(String, String), Problem> {
    let plain = hexadecimal(&made(random::<32>())?);
    let sealed = plane.oauth.vault.seal(plain.as_bytes()).map_err(|_| Problem::of(Code::Internal).detail("The secret could not be sealed."))?;
    Ok((plain, sealed))
}

/// List Applications
///
/// Every application by its client id, without the secrets.
#[utoipa::path(get, path = "/identity/api/applications", operation_id = "ListApplications", tag = "Applications", responses((status = 200, body = Vec<OAuthApplication>)))]
async fn list(State(plane): State<Plane>) -> Result<Json<Vec<OAuthApplication>>, Problem> {
    let state = plane.state().await?;
    let issuer = plane.settings.issuer();
    let mut found: Vec<OAuthApplication> = state.applications.values().map(|application| OAuthApplication::of(application, issuer.clone(), None)).collect();
    found.sort_by(|one, other| one.client_id.cmp(&other.client_id));
    Ok(Json(found))
}

/// Create Application
///
/// The answer shows the secret.
#[utoipa::path(post, path = "/identity/api/applications", operation_id = "CreateApplication", tag = "Applications",
    request_body = CreateApplicationRequest,
    responses((status = 200, body = OAuthApplication), (status = 409, description = "There is an application with this client id.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn create(State(plane): State<Plane>, caller: Caller, OptionalBody(request): OptionalBody<CreateApplicationRequest>) -> Result<Response, Problem> {
    let request = request.ok_or_else(|| Problem::invalid().field("", "A request body is needed."))?;
    let (plain, sealed) = new_secret(&plane)?;
    let application = plane.write(&caller, |draft| creation(draft, (&caller).into(), request, sealed)).await?;
    tell(&plane, &caller, "application.lifecycle.create", Target::application(&application)).await;
    Ok(secret(OAuthApplication::of(&application, plane.settings.issuer(), Some(plain))))
}

/// Get Application
#[utoipa::path(get, path = "/identity/api/applications/{id}", operation_id = "GetApplication", tag = "Applications",
    params(("id" = String, Path, description = "The unique identifier for the application"),
        ("includeSecret" = Option<bool>, Query, description = "Whether the secret is shown; false if absent")),
    responses((status = 200, body = OAuthApplication), (status = 404, description = "There is no such application.")))]
async fn read(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>, parameters: Parameters) -> Result<Response, Problem> {
    let include_secret = parameters.flag("includeSecret")?;
    let state = plane.state().await?;
    let application = find(&state, &id)?;
    if !include_secret {
        return Ok(secret(OAuthApplication::of(application, plane.settings.issuer(), None)));
    }
    may_hold(&state, (&caller).into(), application)?;
    let plain = plane.oauth.vault.open_text(&application.secret);
    let plain = plain.ok_or_else(|| Problem::of(Code::Internal).detail("The secret was sealed under another key than the configured one."))?;
    tell(&plane, &caller, "application.secret.read", Target::application(application)).await;
    Ok(secret(OAuthApplication::of(application, plane.settings.issuer(), Some(plain))))
}

/// Delete Application
#[utoipa::path(delete, path = "/identity/api/applications/{id}", operation_id = "DeleteApplication", tag = "Applications",
    params(("id" = String, Path, description = "The unique identifier for the application")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is no such application.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn remove(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| removal(draft, &id)).await?;
    tell(&plane, &caller, "application.lifecycle.delete", Target::application_id(&id)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate Application Secrets
///
/// The answer shows the new secret. The one before is good for another 24 hours.
#[utoipa::path(post, path = "/identity/api/applications/{id}/lifecycle/$newsecret", operation_id = "RotateApplicationSecrets", tag = "Applications",
    params(("id" = String, Path, description = "The unique identifier for the application")),
    responses((status = 200, body = OAuthApplication), (status = 404, description = "There is no such application.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn rotate(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let (plain, sealed) = new_secret(&plane)?;
    let application = plane.write(&caller, |draft| rotation(draft, (&caller).into(), &id, sealed)).await?;
    tell(&plane, &caller, "application.lifecycle.update", Target::application(&application)).await;
    Ok(secret(OAuthApplication::of(&application, plane.settings.issuer(), Some(plain))))
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{CLERK, OWNER, active, administrator, at, draft};
    use super::*;
    use crate::store::User;

    fn request(client_id: &str, more: serde_json::Value) -> CreateApplicationRequest {
        let mut body = serde_json::json!({"displayName": "Nightly", "clientId": client_id, "type": "Native"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn create(draft: &mut Draft, actor: Actor, client_id: &str, more: serde_json::Value) -> Result<Application, Problem> {
        creation(draft, actor, request(client_id, more), "sealed".to_owned())
    }

    fn fields(problem: &Problem) -> Vec<&str> {
        problem.errors().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_client_id_is_given_once_and_free_when_its_application_is_gone() {
        let mut draft = draft();
        let application = create(&mut draft, CLERK, "nightly", serde_json::json!({})).unwrap();
        assert_eq!((application.id.len(), application.id.get(..3)), (20, Some("0oa")));
        assert_eq!(create(&mut draft, CLERK, "Nightly", serde_json::json!({})).unwrap_err().code(), Code::ApplicationExists);
        removal(&mut draft, &application.id).unwrap();
        create(&mut draft, CLERK, "nightly", serde_json::json!({})).unwrap();
        assert_eq!(removal(&mut draft, &application.id).unwrap_err().code(), Code::ApplicationMissing);
    }

    #[test]
    fn nothing_is_refreshed_through_an_application_that_is_gone() {
        let mut draft = draft();
        let application = create(&mut draft, CLERK, "nightly", serde_json::json!({})).unwrap();
        for client in ["nightly", "another"] {
            draft.put(RefreshToken {
                sha256: client.to_owned(),
                family: "f".to_owned(),
                user_id: "00u1".to_owned(),
                client_id: client.to_owned(),
                scopes: Vec::new(),
                access_token_id: "j".to_owned(),
                signed_in_at: at("2026-11-21T00:00:00Z"),
                expires_at: at("2026-11-22T00:00:00Z"),
                used_at: None,
            });
        }
        removal(&mut draft, &application.id).unwrap();
        assert_eq!(draft.refresh_tokens.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["another"]);
    }

    #[test]
    fn the_type_and_the_addresses_are_looked_at() {
        let mut draft = draft();
        let wrong =
            serde_json::json!({"type": "Desktop", "redirectUris": ["https://a.b/c", "/c", "ftp://a.b/c", "https://a.b/c#d"], "postLogoutRedirectUris": ["x"]});
        let problem = create(&mut draft, CLERK, "nightly", wrong).unwrap_err();
        assert_eq!(fields(&problem), ["postLogoutRedirectUris[0]", "redirectUris[1]", "redirectUris[2]", "redirectUris[3]", "type"]);
        let web = create(&mut draft, CLERK, "nightly", serde_json::json!({"type": "Web", "redirectUris": ["http://127.0.0.1:8000/back"]})).unwrap();
        assert_eq!(web.kind, ApplicationKind::Web);
    }

    #[test]
    fn no_client_is_called_like_the_audience_of_access_tokens() {
        assert_eq!(fields(&create(&mut draft(), OWNER, "LUSID-api", serde_json::json!({})).unwrap_err()), ["clientId"]);
    }

    #[test]
    fn only_an_administrator_lets_an_application_act_as_a_user_and_only_as_a_service_user() {
        let mut draft = draft();
        draft.put(active("00u1", "job@acme.com"));
        draft.put(User { kind: UserKind::Personal, ..active("00u2", "ada@acme.com") });
        let of = |id: &str| serde_json::json!({"userId": id});
        assert_eq!(create(&mut draft, CLERK, "nightly", of("00u1")).unwrap_err().code(), Code::AccessDenied);
        assert_eq!(fields(&create(&mut draft, OWNER, "nightly", of("00u2")).unwrap_err()), ["userId"]);
        assert_eq!(fields(&create(&mut draft, OWNER, "nightly", of("00u3")).unwrap_err()), ["userId"]);
        assert_eq!(create(&mut draft, OWNER, "nightly", of("00u1")).unwrap().user_id.as_deref(), Some("00u1"));
        let alias = create(&mut draft, OWNER, "nightly-2", serde_json::json!({"serviceUserId": "00u1"})).unwrap();
        assert_eq!(alias.user_id.as_deref(), Some("00u1"));
    }

    #[test]
    fn a_purged_user_is_acted_as_no_more() {
        let mut draft = draft();
        draft.put(active("00u1", "job@acme.com"));
        let application = create(&mut draft, OWNER, "nightly", serde_json::json!({"userId": "00u1"})).unwrap();
        accounts::purge(&mut draft, OWNER, "00u1").unwrap();
        assert_eq!(find(&draft, &application.id).unwrap().user_id, None);
    }

    #[test]
    fn the_secret_before_is_good_for_a_day() {
        let mut draft = draft();
        let application = create(&mut draft, CLERK, "nightly", serde_json::json!({})).unwrap();
        let rotated = rotation(&mut draft, CLERK, &application.id, "another".to_owned()).unwrap();
        assert_eq!(rotated.secret, "another");
        assert_eq!(rotated.previous_secret, Some(("sealed".to_owned(), at("2026-11-22T12:00:00Z"))));
        assert_eq!(rotation(&mut draft, CLERK, "0oa0", String::new()).unwrap_err().code(), Code::ApplicationMissing);
    }

    #[test]
    fn the_secret_of_an_application_that_acts_as_an_administrator_is_for_administrators() {
        let mut draft = draft();
        draft.put(administrator("00u1", "job@acme.com"));
        let application = create(&mut draft, OWNER, "nightly", serde_json::json!({"userId": "00u1"})).unwrap();
        assert_eq!(rotation(&mut draft, CLERK, &application.id, "mine".to_owned()).unwrap_err().code(), Code::AccessDenied);
        assert_eq!(may_hold(&draft, CLERK, &application).unwrap_err().code(), Code::AccessDenied);
        may_hold(&draft, OWNER, &application).unwrap();
        rotation(&mut draft, OWNER, &application.id, "mine".to_owned()).unwrap();
    }
}
