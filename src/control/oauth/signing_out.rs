//! Signing out: the caller's token is of no use any more, nor is what it could be renewed with.

use super::events;
use super::sessions::end_family_of;
use crate::control::caller::Caller;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::store::{Draft, Revocation};
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(invalidate))
}

/// Invalidate current JWT token (sign out)
///
/// The access token that the request bears and the refresh tokens of the same sign-in are of no use any more. A personal access token is not ended by
/// signing out: it is deleted at `/identity/api/keys/{id}`.
#[utoipa::path(delete, path = "/identity/api/tokens", operation_id = "InvalidateToken", tag = "Tokens", responses((status = 204, description = "Signed out")))]
async fn invalidate(State(plane): State<Plane>, caller: Caller) -> Result<StatusCode, Problem> {
    let Some((id, end)) = caller.token() else {
        return Err(Problem::of(Code::Conflicting).detail("A personal access token is not ended by signing out; delete it at /identity/api/keys/{id}."));
    };
    plane.write(&caller, |draft| Ok(sign_out(draft, id, end))).await?;
    let author = caller.author();
    let (user, request) = (Some(caller.user()), author.request.as_str());
    events::tell(&plane, events::Event { kind: "user.session.end", message: "Sign out", user, client: "", failure: None, request }).await;
    Ok(StatusCode::NO_CONTENT)
}

fn sign_out(draft: &mut Draft, token_id: &str, end: Timestamp) {
    end_family_of(draft, token_id);
    draft.put(Revocation::Token { jti: token_id.to_owned(), until: end });
}
