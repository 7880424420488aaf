//! The routes of signing in. Those under `/oauth2` are open to whoever knows an application's secret,
//! or to everybody, and stand outside the judge.

use super::presented::{Asked, asked};
use super::refusal::{OAuthRefusal, keep_out_of_caches};
use super::signing::published_keys;
use super::{discovery, grants, introspection, revocation, signing_out};
use crate::control::plane::Plane;
use crate::observe::clock;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, HeaderValue};
use utoipa_axum::router::OpenApiRouter;

/// A key is published an hour before it signs; whoever asks every five minutes knows it in time.
const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// What is open.
pub(in crate::control) fn open_routes() -> Router<Plane> {
    Router::new()
        .route("/oauth2/default/v1/token", post(token))
        .route("/oauth2/default/v1/introspect", post(introspect))
        .route("/oauth2/default/v1/revoke", post(revoke))
        .route("/oauth2/default/v1/keys", get(keys))
        .route("/oauth2/default/.well-known/openid-configuration", get(metadata))
        .route("/oauth2/default/.well-known/oauth-authorization-server", get(metadata))
}

/// What is judged.
pub(in crate::control) fn routes() -> OpenApiRouter<Plane> {
    signing_out::routes()
}

pub(super) async fn token(State(plane): State<Plane>, request: Request) -> Response {
    answered(respond(&plane, request, async |plane, asked| grants::answer(plane, &asked).await.map(Json)).await)
}

pub(super) async fn introspect(State(plane): State<Plane>, request: Request) -> Response {
    answered(respond(&plane, request, async |plane, asked| introspection::answer(plane, &asked).await.map(Json)).await)
}

pub(super) async fn revoke(State(plane): State<Plane>, request: Request) -> Response {
    answered(respond(&plane, request, async |plane, asked| revocation::answer(plane, &asked).await).await)
}

async fn respond<T>(plane: &Plane, request: Request, answer: impl AsyncFnOnce(&Plane, Asked) -> Result<T, OAuthRefusal>) -> Result<T, OAuthRefusal> {
    let asked = asked(plane, request).await?;
    answer(plane, asked).await
}

fn answered(answer: Result<impl IntoResponse, OAuthRefusal>) -> Response {
    let mut response = answer.into_response();
    keep_out_of_caches(response.headers_mut());
    response
}

pub(super) async fn keys(State(plane): State<Plane>) -> Response {
    match plane.state().await {
        Ok(state) => ([(CACHE_CONTROL, PUBLIC)], Json(published_keys(&state, clock::now()))).into_response(),
        Err(problem) => OAuthRefusal::from(problem).into_response(),
    }
}

async fn metadata(State(plane): State<Plane>) -> Response {
    let metadata = discovery::metadata(&plane.settings.issuer(), plane.oauth.signing.algorithm());
    ([(CACHE_CONTROL, PUBLIC)], Json(metadata)).into_response()
}
