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
    plane
        .write(&caller, |draft| {
            sign_out(draft, id, end);
            Ok(())
        })
        .await?;
    let author = caller.author();
    let (user, request) = (Some(caller.user()), author.request.as_str());
    events::tell(&plane, events::Event { kind: "user.session.end", user, client: None, failure: None, request }).await;
    Ok(StatusCode::NO_CONTENT)
}

fn sign_out(draft: &mut Draft, token_id: &str, end: Timestamp) {
    end_family_of(draft, token_id);
    draft.put(Revocation::Token { jti: token_id.to_owned(), until: end });
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::authorize::{self, Identity};
    use crate::control::caller::Facts;
    use crate::control::caller::testing::administrator;
    use crate::control::plane::empty;
    use crate::control::wire::RequestId;
    use crate::observe::clock;
    use crate::snapshot::{Snapshot, World};
    use crate::store::{RefreshToken, Span};
    use serde_json::json;
    use sha2::{Digest, Sha256};
    use std::sync::Arc;

    #[test]
    fn a_token_and_what_it_could_be_renewed_with_end_together() {
        let mut draft = testing::draft();
        let token = |sha256: &str, family: &str, access: &str| RefreshToken {
            sha256: sha256.into(),
            family: family.into(),
            user_id: "00uada".into(),
            client_id: "client".into(),
            scopes: Vec::new(),
            access_token_id: access.into(),
            signed_in_at: testing::start(),
            expires_at: testing::later(3600),
            used_at: None,
        };
        draft.put(token("a", "one", "token-1"));
        draft.put(token("b", "two", "token-2"));
        sign_out(&mut draft, "token-1", testing::later(1800));
        assert!(!draft.refresh_tokens.has("a") && draft.refresh_tokens.has("b"));
        let revoked = Revocation::Token { jti: "token-1".into(), until: testing::later(1800) };
        assert_eq!(**draft.revocations.find("jti/token-1").unwrap(), revoked);
        assert_eq!(draft.revocations.len(), 1);
    }

    #[tokio::test]
    async fn who_signs_out_has_a_revoked_token_and_an_event() {
        let plane = empty().await;
        assert_eq!(invalidate(State(plane.clone()), administrator()).await.unwrap(), StatusCode::NO_CONTENT);
        assert!(plane.store.state().revocations.has("jti/token-1"));
        let span = Span { from: None, to: None, before: None, limit: 10 };
        let told = plane.store.events(&span, Some("00uadministrator00001"), true).await.unwrap();
        assert_eq!(told.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["user.session.end"]);
    }

    #[tokio::test]
    async fn a_personal_access_token_is_not_ended_by_signing_out() {
        let now = clock::now();
        let digest: [u8; 32] = Sha256::digest("key").into();
        let snapshot = json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-11-21T12:00:00Z",
            "users": [{"id": "00uada", "login": "ada@example.com", "type": "Personal", "status": "ACTIVE"}],
            "personalAccessTokens": [{"sha256": crate::control::wire::hexadecimal(&digest), "userId": "00uada"}]});
        let snapshot = Snapshot::load(snapshot.to_string().as_bytes(), now).unwrap();
        let user = authorize::Caller::find(&Identity::Opaque(digest), &snapshot.policies, now).unwrap();
        let world = Arc::new(World { snapshot: Arc::new(snapshot), ..World::default() });
        let (feature, request) = ("Identity/identity-tokens-invalidatetoken".to_owned(), RequestId("1".to_owned()));
        let caller = Caller::new(Facts { user, world, token: None, by_personal_access_token: true, feature, request, headers: http::HeaderMap::new() });
        let plane = empty().await;
        assert_eq!(invalidate(State(plane.clone()), caller).await.unwrap_err().status(), 400);
        assert!(plane.store.state().revocations.is_empty());
    }
}
