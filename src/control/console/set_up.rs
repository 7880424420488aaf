//! A set-up link: its owner chooses a password, once.

use super::form::Form;
use super::page::{Page, field};
use crate::control::oauth::{OAuthError, credentials};
use crate::control::parameters::Parameters;
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::observe::clock;
use crate::store::User;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::html;

pub(super) async fn show(State(plane): State<Plane>, query: Parameters) -> Result<Page, Problem> {
    let secret = query.text("link")?.unwrap_or_default();
    let state = plane.state().await?;
    Ok(credentials::link_owner(&state, secret, clock::now()).map_or_else(expired, |user| form(user, secret)))
}

fn form(user: &User, secret: &str) -> Page {
    let content = html! {
        p { "Choose the password of " strong { (user.login) } "." }
        form method="post" action="/console/setup" {
            input type="hidden" name="link" value=(secret);
            input type="hidden" name="username" value=(user.login) autocomplete="username";
            (field("Password", "password", "password", "new-password"))
            (field("The same again", "again", "password", "new-password"))
            button { "Set the password" }
        }
    };
    Page::new("Set up the account", content)
}

fn expired() -> Page {
    let content = html! { p { "Ask an administrator for a new one." } };
    Page::new("Set up the account", content).complaining(StatusCode::GONE, "This link was used already, or its time is over.")
}

pub(super) async fn submit(State(plane): State<Plane>, form: Form) -> Result<Response, Problem> {
    let (secret, password) = (form.text("link").to_owned(), form.text("password").to_owned());
    let state = plane.state().await?;
    let Some(user) = credentials::link_owner(&state, &secret, clock::now()) else { return Ok(expired().into_response()) };
    let again = |complaint: String| Ok(self::form(user, &secret).complaining(StatusCode::BAD_REQUEST, complaint).into_response());
    if password != form.text("again") {
        return again("The two passwords differ.".to_owned());
    }
    let chosen = match plane.oauth.passwords.choose(&state, user, &password).await {
        Ok(chosen) => chosen,
        Err(OAuthError::Password(flaws)) => return again(flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        Err(error) => return Err(error.into()),
    };
    let author = super::session::author(&user.id, "console-setup");
    plane.write_as(&author, |draft| Ok(credentials::redeem(draft, &secret, chosen)?)).await?;
    let content = html! { p.told { "The password is set." } p { a href="/console/sign-in" { "Sign in" } } };
    Ok(Page::new("Set up the account", content).into_response())
}
