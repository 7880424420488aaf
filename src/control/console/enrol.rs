//! The second factor: its first code enrols it, every later one completes a session.

use super::form::Form;
use super::led_to;
use super::page::{Page, field};
use super::session::{self, SignedIn};
use crate::control::oauth::second_factor;
use crate::control::oauth::sign_in::{self, Shown};
use crate::control::peer::Peer;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::RequestId;
use crate::store::Session;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};

const WRONG: &str = "The code is wrong, or was used already; wait for the next one.";

pub(super) async fn show(State(plane): State<Plane>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(found) = waiting(&plane, &headers).await? else { return Ok(led_to(&plane, "/console/sign-in", None)) };
    if is_enrolled(&plane, &found).await? {
        return Ok(Page::new("Second factor", code_form()).into_response());
    }
    Ok(Page::new("Set up a second factor", enrolment(&plane, &found).await?).into_response())
}

pub(super) async fn submit(
    State(plane): State<Plane>,
    peer: Peer,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let Some(found) = waiting(&plane, &headers).await? else { return Ok(led_to(&plane, "/console/sign-in", None)) };
    let code = form.text("code").trim().to_owned();
    if is_enrolled(&plane, &found).await? {
        let login = [found.user.login.clone()];
        let shown = Shown { logins: &login, passwords: &[], client: "console", request: &request.0, peer };
        if let Err(refusal) = sign_in::with_code(&plane, &found.user.id, &code, shown).await? {
            return Ok(Page::new("Second factor", code_form()).complaining(StatusCode::FORBIDDEN, refusal.told()).into_response());
        }
    } else {
        let author = session::author(&found.user.id, "console-enrol");
        let is_right = plane.write_as(&author, |draft| Ok(second_factor::confirm(draft, &plane.oauth.vault, &found.user.id, &code))).await?;
        if !is_right {
            let page = Page::new("Set up a second factor", enrolment(&plane, &found).await?);
            return Ok(page.complaining(StatusCode::FORBIDDEN, WRONG).into_response());
        }
    }
    complete(&plane, &found).await
}

/// The session goes on under another cookie: whoever knew the first one knows nothing now.
async fn complete(plane: &Plane, found: &SignedIn) -> Result<Response, Problem> {
    let author = session::author(&found.user.id, "console-signin");
    let cookie = plane.write_as(&author, |draft| {
        draft.remove::<Session>(&found.session.sha256);
        session::begin(draft, &found.user.id, true).map_err(|_| Problem::of(Code::Internal))
    });
    Ok(led_to(plane, "/console/account", Some(&cookie.await?)))
}

/// One whose password was right and whose second factor is still missing.
async fn waiting(plane: &Plane, headers: &HeaderMap) -> Result<Option<SignedIn>, Problem> {
    Ok(session::find(plane, headers).await?.filter(|found| !found.session.is_complete))
}

async fn is_enrolled(plane: &Plane, found: &SignedIn) -> Result<bool, Problem> {
    let state = plane.state().await?;
    Ok(state.credentials.find(&found.user.id).is_some_and(|credential| second_factor::is_enrolled(credential)))
}

/// A new secret each time the page is shown, until a code confirms one.
async fn enrolment(plane: &Plane, found: &SignedIn) -> Result<Markup, Problem> {
    let author = session::author(&found.user.id, "console-enrol");
    let enrolment = plane.write_as(&author, |draft| Ok(second_factor::begin(draft, &plane.oauth.vault, &found.user)?)).await?;
    Ok(html! {
        p { "Add this account to an authenticator app, then enter the code that it shows." }
        p { "Key: " code { (enrolment.secret) } }
        p { a href=(enrolment.url) { "Open in an authenticator on this device" } }
        (code_form())
    })
}

fn code_form() -> Markup {
    html! {
        form method="post" action="/console/second-factor" {
            (field("Code", "code", "text", "one-time-code"))
            button { "Confirm" }
        }
    }
}
