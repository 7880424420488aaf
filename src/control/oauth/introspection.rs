//! `POST /oauth2/default/v1/introspect` (RFC 7662): what a token is worth now. It is asked by
//! applications, which show their secret; of a token that is not good it says nothing but that.

use super::claims::groups;
use super::presented::Asked;
use super::refusal::OAuthRefusal;
use super::{secrets, sessions};
use crate::control::judge::verified;
use crate::control::plane::Plane;
use crate::observe::clock;
use crate::store::{PersonalAccessToken, State, User, UserStatus};
use crate::token::VerifiedToken;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers what a token is worth.
pub(super) async fn answer(plane: &Plane, asked: &Asked) -> Result<Value, OAuthRefusal> {
    let token = asked.form.text("token").ok_or_else(|| OAuthRefusal::request("`token` is needed"))?;
    let now = clock::now();
    if let Ok(verified) = verified(plane, token, now)? {
        return Ok(of_access_token(&asked.state, &verified, &payload(token), now));
    }
    let own_refresh_token = sessions::find(&asked.state, token, now).filter(|found| found.client_id == asked.client.client_id);
    if let Some(refresh) = own_refresh_token {
        let Some(user) = active(&asked.state, &refresh.user_id, now) else { return Ok(inactive()) };
        return Ok(json!({
            "active": true, "token_type": "refresh_token", "sub": user.id, "username": user.login, "client_id": refresh.client_id,
            "scope": refresh.scopes.join(" "), "exp": refresh.expires_at.as_second(),
        }));
    }
    Ok(of_personal_access_token(&asked.state, &plane.settings.issuer(), token, now))
}

/// An access token's own claims, and what its user is called.
fn of_access_token(state: &State, token: &VerifiedToken, payload: &Value, now: Timestamp) -> Value {
    let Some(user) = active(state, &token.user, now) else { return inactive() };
    if sessions::is_revoked(state, token.token_id.as_deref(), &user.id, token.issued_at) {
        return inactive();
    }
    let mut answer = json!({"active": true, "token_type": "Bearer", "username": user.login, "scope": scopes(token)});
    for (name, member) in [("client_id", "cid"), ("iss", "iss"), ("aud", "aud"), ("sub", "sub"), ("uid", "uid"), ("jti", "jti"), ("iat", "iat"), ("exp", "exp")]
    {
        if let Some(value) = payload.get(member) {
            set(&mut answer, name, value.clone());
        }
    }
    set(&mut answer, "groups", payload.get("groups").cloned().unwrap_or_else(|| json!([])));
    answer
}

fn set(answer: &mut Value, name: &str, value: Value) {
    if let Some(members) = answer.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// A personal access token holds no roles: they are those that its user has now.
fn of_personal_access_token(state: &State, issuer: &str, text: &str, now: Timestamp) -> Value {
    let Some(token) = personal_access_token(state, text).filter(|token| token.deactivation_date.is_none_or(|end| now < end)) else { return inactive() };
    let Some(user) = active(state, &token.user_id, now) else { return inactive() };
    let mut answer = json!({
        "active": true, "token_type": "Bearer", "iss": issuer, "sub": user.id, "uid": user.id, "username": user.login,
        "iat": token.created_date.as_second(), "groups": groups(state, user),
    });
    if let Some(end) = token.deactivation_date {
        set(&mut answer, "exp", end.as_second().into());
    }
    answer
}

/// The personal access token of this text.
pub(super) fn personal_access_token<'a>(state: &'a State, text: &str) -> Option<&'a Arc<PersonalAccessToken>> {
    let sha256 = secrets::sha256(text);
    state.personal_access_tokens.values().find(|token| token.sha256 == sha256)
}

/// The claims of a token that was verified.
pub(super) fn payload(token: &str) -> Value {
    let encoded = token.split('.').nth(1).unwrap_or_default();
    URL_SAFE_NO_PAD.decode(encoded).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn scopes(token: &VerifiedToken) -> String {
    token.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>().join(" ")
}

fn active<'a>(state: &'a State, user_id: &str, now: Timestamp) -> Option<&'a Arc<User>> {
    state.users.find(user_id).filter(|user| user.status_at(now) == UserStatus::Active)
}

fn inactive() -> Value {
    json!({"active": false})
}
