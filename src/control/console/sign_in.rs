//! Signing in, and out.

use super::form::Form;
use super::page::{Page, field};
use super::{led_to, session};
use crate::control::oauth::second_factor;
use crate::control::oauth::sign_in::{self, SecondFactor, Shown};
use crate::control::peer::Peer;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::RequestId;
use crate::store::{Session, UserKind};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use maud::html;
use std::slice;

pub(super) async fn show() -> Page {
    form()
}

fn form() -> Page {
    let content = html! {
        form method="post" action="/console/sign-in" {
            (field("Login", "login", "text", "username"))
            (field("Password", "password", "password", "current-password"))
            button { "Sign in" }
        }
    };
    Page::new("Sign in", content)
}

/// The password alone: the second factor has a page of its own.
pub(super) async fn submit(State(plane): State<Plane>, peer: Peer, Extension(request): Extension<RequestId>, form: Form) -> Result<Response, Problem> {
    let (login, password) = (form.text("login").to_owned(), form.text("password").to_owned());
    let shown = Shown { logins: slice::from_ref(&login), passwords: slice::from_ref(&password), client: "console", request: &request.0, peer };
    let user = match sign_in::with_password(&plane, shown, SecondFactor::Later).await? {
        Ok(user) => user,
        Err(refusal) => return Ok(self::form().complaining(StatusCode::FORBIDDEN, refusal.told()).into_response()),
    };
    let is_enrolled = plane.state().await?.credentials.find(&user.id).is_some_and(|credential| second_factor::is_enrolled(credential));
    // A service user has no second factor unless it enrolled one.
    let is_complete = user.kind == UserKind::Service && !is_enrolled;
    let author = session::author(&user.id, "console-signin");
    let cookie = plane.write_as(&author, |draft| session::begin(draft, &user.id, is_complete).map_err(|_| Problem::of(Code::Internal))).await?;
    Ok(led_to(&plane, if is_complete { "/console/account" } else { "/console/second-factor" }, Some(&cookie)))
}

pub(super) async fn leave(State(plane): State<Plane>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(found) = session::find(&plane, &headers).await? {
        let author = session::author(&found.user.id, "console-signout");
        plane.write_as(&author, |draft| Ok(draft.remove::<Session>(&found.session.sha256))).await?;
    }
    Ok(led_to(&plane, "/console/sign-in", None))
}
