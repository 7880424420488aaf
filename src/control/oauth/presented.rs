//! What comes to the OAuth endpoints: a form, from an application that is known.

use super::client;
use super::form::{Form, LONGEST_FORM};
use super::refusal::OAuthRefusal;
use crate::control::identity::SessionType;
use crate::control::peer::Peer;
use crate::control::plane::Plane;
use crate::control::wire::RequestId;
use crate::observe::clock;
use crate::store::{Application, State};
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use std::sync::Arc;

/// A request of an application.
pub(super) struct Asked {
    /// What it says.
    pub(super) form: Form,
    /// Who asks.
    pub(super) client: Arc<Application>,
    /// What was remembered when it came.
    pub(super) state: Arc<State>,
    /// The id of the request.
    pub(super) request: String,
    /// From where.
    pub(super) peer: Peer,
}

impl Asked {
    /// Whether a network zone blocks this user from there.
    pub(super) fn is_blocked(&self, plane: &Plane, user: Option<&str>) -> bool {
        self.peer.may_not_sign_in(plane, &self.state, SessionType::AccessToken, user)
    }
}

/// Reads the form and knows the application.
///
/// # Errors
/// When either fails.
pub(super) async fn asked(plane: &Plane, request: Request) -> Result<Asked, OAuthRefusal> {
    let (parts, body) = request.into_parts();
    let media_type = parts.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    let is_form = |name: &str| name.split(';').next().is_some_and(|name| name.trim() == "application/x-www-form-urlencoded");
    if media_type.as_deref().is_some_and(|name| !is_form(name)) {
        return Err(OAuthRefusal::request("send a form: application/x-www-form-urlencoded"));
    }
    let body = axum::body::to_bytes(body, LONGEST_FORM).await.map_err(|_| OAuthRefusal::request("the form is too long or did not come whole"))?;
    let form = Form::parse(&body)?;
    let state = plane.state().await?;
    let client = client::authenticate(&state, &plane.oauth.vault, (&parts.headers, &form), clock::now())?;
    let request = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    Ok(Asked { form, client, state, request, peer: Peer::of(&parts.extensions) })
}
