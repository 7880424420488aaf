//! The console: pages for people, on which an account is set up and its own tokens are made. It is
//! plain HTML without scripts; everything else is done by the APIs.
//!
//! A personal user shows a second factor here, always; one who has none yet enrols it first.

mod account;
mod enrol;
mod form;
mod guard;
mod page;
mod session;
mod set_up;
mod sign_in;

use super::plane::Plane;
use super::problem::Problem;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// The pages, behind their guard.
pub(super) fn routes(plane: &Plane) -> Router<Plane> {
    Router::new()
        .route("/console", get(first))
        .route("/console/style.css", get(style))
        .route("/console/setup", get(set_up::show).post(set_up::submit))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/console/second-factor", get(enrol::show).post(enrol::submit))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/account", get(account::show))
        .route("/console/account/tokens", post(account::make_token))
        .route("/console/account/tokens/{id}", post(account::end_token))
        .route_layer(middleware::from_fn_with_state(plane.clone(), guard::guard))
}

/// Where one belongs: to the account, to the second factor, or to the sign-in.
async fn first(State(plane): State<Plane>, headers: HeaderMap) -> Result<Response, Problem> {
    let found = session::find(&plane, &headers).await?;
    Ok(Redirect::to(match found {
        Some(found) if found.session.is_complete => "/console/account",
        Some(_) => "/console/second-factor",
        None => "/console/sign-in",
    })
    .into_response())
}

async fn style() -> Response {
    let mut response = page::STYLE.into_response();
    page::protect(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response
}

/// A redirect that sets or takes away the session's cookie.
fn led_to(plane: &Plane, place: &'static str, cookie: Option<&str>) -> Response {
    let mut response = Redirect::to(place).into_response();
    page::protect(response.headers_mut());
    if let Some((name, value)) = session::cookie(plane, cookie) {
        response.headers_mut().insert(name, value);
    }
    response
}
