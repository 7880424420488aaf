//! `POST /oauth2/default/v1/revoke` (RFC 7009): an application gives a token back. Of a refresh
//! token the whole sign-in ends; of an access token that token.

use super::events;
use super::introspection::{payload, personal_access_token};
use super::presented::Asked;
use super::refusal::{Error, OAuthRefusal};
use super::secrets;
use super::sessions::end_family;
use crate::control::judge::verified;
use crate::control::plane::Plane;
use crate::observe::clock;
use crate::store::{Draft, Revocation};

/// Ends a token. One that is not known is as good as ended.
pub(super) async fn answer(plane: &Plane, asked: &Asked) -> Result<(), OAuthRefusal> {
    let token = asked.form.text("token").ok_or_else(|| OAuthRefusal::request("`token` is needed"))?;
    let client = asked.client.client_id.as_str();
    let change: Box<dyn FnOnce(&mut Draft) + Send> = if let Ok(verified) = verified(plane, token, clock::now())? {
        if payload(token).get("cid").and_then(serde_json::Value::as_str) != Some(client) {
            return Err(of_another());
        }
        let Some(jti) = verified.token_id.clone() else { return Ok(()) };
        Box::new(move |draft| draft.put(Revocation::Token { jti: jti.into(), until: verified.expires_at }))
    } else if let Some(refresh) = asked.state.refresh_tokens.find(&secrets::sha256(token)) {
        if refresh.client_id != client {
            return Err(of_another());
        }
        let family = refresh.family.clone();
        Box::new(move |draft| end_family(draft, &family))
    } else if personal_access_token(&asked.state, token).is_some() {
        return Err(OAuthRefusal::new(Error::UnsupportedTokenType, "a personal access token is deleted by its user, at /identity/api/keys"));
    } else {
        return Ok(());
    };
    let author = events::author(None, "Revoke", &asked.request);
    plane
        .write_as(&author, |draft| {
            change(draft);
            Ok(())
        })
        .await?;
    let event = events::Event { kind: "app.oauth2.token.revoke", user: None, client: Some(client), failure: None, request: &asked.request };
    events::tell(plane, event).await;
    Ok(())
}

fn of_another() -> OAuthRefusal {
    OAuthRefusal::new(Error::UnauthorizedClient, "the token was given to another client")
}
