//! One's own account: who one is here, and one's personal access tokens.

use super::form::Form;
use super::led_to;
use super::page::{Page, field};
use super::session::{self, SignedIn};
use crate::control::identity::{create_key, delete_key};
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::control::wire::time;
use crate::store::State as Remembered;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use maud::{Markup, html};

pub(super) async fn show(State(plane): State<Plane>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(found) = complete(&plane, &headers).await? else { return Ok(led_to(&plane, "/console", None)) };
    let state = plane.state().await?;
    Ok(page(&state, &found, None).into_response())
}

pub(super) async fn make_token(State(plane): State<Plane>, headers: HeaderMap, form: Form) -> Result<Response, Problem> {
    let Some(found) = complete(&plane, &headers).await? else { return Ok(led_to(&plane, "/console", None)) };
    let name = form.text("name").to_owned();
    let author = session::author(&found.user.id, "console-createapikey");
    let made = plane.write_as(&author, |draft| create_key(draft, &found.user.id, name)).await;
    let state = plane.state().await?;
    Ok(match made {
        Ok(key) => page(&state, &found, Some(&key)).into_response(),
        Err(problem) => page(&state, &found, None).complaining(problem.status(), problem.told()).into_response(),
    })
}

pub(super) async fn end_token(State(plane): State<Plane>, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Problem> {
    let Some(found) = complete(&plane, &headers).await? else { return Ok(led_to(&plane, "/console", None)) };
    let author = session::author(&found.user.id, "console-deleteapikey");
    plane.write_as(&author, |draft| delete_key(draft, &found.user.id, &id)).await?;
    let state = plane.state().await?;
    Ok(page(&state, &found, None).into_response())
}

/// One who is signed in with everything that is asked for.
async fn complete(plane: &Plane, headers: &HeaderMap) -> Result<Option<SignedIn>, Problem> {
    Ok(session::find(plane, headers).await?.filter(|found| found.session.is_complete))
}

fn page(state: &Remembered, found: &SignedIn, made: Option<&str>) -> Page {
    let user = &found.user;
    let content = html! {
        p { (user.first_name) " " (user.last_name) ", " strong { (user.login) } ", id " code { (user.id) } }
        p { "Roles: " (user.roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
        h2 { "Personal access tokens" }
        @if let Some(key) = made {
            p.told { "The new token, shown only now: " code { (key) } }
        }
        (tokens(state, &user.id))
        form method="post" action="/console/account/tokens" {
            (field("What it is for", "name", "text", "off"))
            button { "Make a token" }
        }
        h2 { "Session" }
        form method="post" action="/console/sign-out" { button { "Sign out" } }
    };
    Page::new("Account", content)
}

fn tokens(state: &Remembered, user: &str) -> Markup {
    let prefix = format!("{user}/");
    let mut tokens: Vec<_> = state.personal_access_tokens.beginning(&prefix).map(|(_, token)| token).collect();
    tokens.sort_by_key(|token| token.created_date);
    html! {
        @if !tokens.is_empty() {
            table {
                tr { th { "For" } th { "Made" } th { "Ends" } th {} }
                @for token in tokens {
                    tr {
                        td { (token.display_name) }
                        td { (time(token.created_date)) }
                        td { (token.deactivation_date.map(time).unwrap_or_default()) }
                        td { form method="post" action=(format!("/console/account/tokens/{}", token.id)) { button { "End" } } }
                    }
                }
            }
        }
    }
}
