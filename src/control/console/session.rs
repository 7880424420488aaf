//! A session at the console: a cookie whose SHA-256 is remembered, ended by idleness and by age.
//! Before a personal user has shown a second factor it is incomplete, and opens nothing but the page
//! that asks for one.

use crate::control::oauth::SessionPolicy;
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::control::wire::{NoRandomness, hexadecimal, random};
use crate::observe::clock;
use crate::store::{Author, Draft, Session, State, User, UserStatus};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const NAME: &str = "doorward-session";
/// A session that is used is written down again after so long.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// No incomplete session lives longer.
const INCOMPLETE: SignedDuration = SignedDuration::from_mins(10);

/// One who is signed in.
pub(super) struct SignedIn {
    pub(super) session: Arc<Session>,
    pub(super) user: Arc<User>,
}

/// Begins a session; its cookie is told once.
///
/// # Errors
/// Without randomness.
pub(super) fn begin(draft: &mut Draft, user_id: &str, is_complete: bool) -> Result<String, NoRandomness> {
    let cookie = hexadecimal(&random::<32>()?);
    let now = draft.now();
    draft.put(Session { sha256: digest(&cookie), user_id: user_id.to_owned(), created: now, last_seen: now, is_complete });
    Ok(cookie)
}

/// The `Set-Cookie` of a session; without a cookie, the one that takes it away.
pub(super) fn cookie(plane: &Plane, cookie: Option<&str>) -> Option<(http::HeaderName, HeaderValue)> {
    let secure = if plane.settings.public_url.starts_with("https:") { "; Secure" } else { "" };
    let age = if cookie.is_some() { "" } else { "; Max-Age=0" };
    let text = format!("{NAME}={}; Path=/console; HttpOnly; SameSite=Strict{secure}{age}", cookie.unwrap_or_default());
    Some((SET_COOKIE, HeaderValue::from_str(&text).ok()?))
}

/// Who a request comes from. It is noted, now and then, that the session is in use.
///
/// # Errors
/// 503 when the store does not answer.
pub(super) async fn find(plane: &Plane, headers: &HeaderMap) -> Result<Option<SignedIn>, Problem> {
    let state = plane.state().await?;
    let now = clock::now();
    let Some(found) = find_in(&state, headers, now) else { return Ok(None) };
    if now.duration_since(found.session.last_seen) >= SEEN_EVERY {
        let seen = Session { last_seen: now, ..Session::clone(&found.session) };
        let change = |draft: &mut Draft| {
            draft.put(seen);
            Ok(())
        };
        plane.write_as(&author(&found.user.id, "console-use"), change).await?;
    }
    Ok(Some(found))
}

fn find_in(state: &State, headers: &HeaderMap, now: Timestamp) -> Option<SignedIn> {
    let session = state.sessions.find(&digest(cookie_of(headers)?))?;
    let user = state.users.find(&session.user_id)?;
    let is_alive = lasts(state, session, now) && user.status_at(now) == UserStatus::Active;
    is_alive.then(|| SignedIn { session: Arc::clone(session), user: Arc::clone(user) })
}

/// Whether the session policy still admits it.
fn lasts(state: &State, session: &Session, now: Timestamp) -> bool {
    let policy = SessionPolicy::of(state);
    let idle = SignedDuration::from_mins(policy.max_session_idle_minutes.into());
    let life = policy.max_session_lifetime_minutes.map(|minutes| SignedDuration::from_mins(minutes.into()));
    let age = now.duration_since(session.created);
    now.duration_since(session.last_seen) < idle && life.is_none_or(|life| age < life) && (session.is_complete || age < INCOMPLETE)
}

/// The one cookie of that name; of two none is trusted.
fn cookie_of(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == NAME).map(|(_, value)| value);
    let first = ours.next()?;
    ours.next().is_none().then_some(first)
}

/// Who changes something at the console.
pub(super) fn author(user_id: &str, operation: &str) -> Author {
    Author { user: user_id.to_owned(), operation: operation.to_owned(), request: String::new() }
}

fn digest(cookie: &str) -> String {
    hexadecimal(&Sha256::digest(cookie))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Setting, UserKind};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn user(status: UserStatus) -> User {
        let now = at("2026-11-21T12:00:00Z");
        User {
            id: "00u1".to_owned(),
            login: "a@b.example".to_owned(),
            email_address: "a@b.example".to_owned(),
            second_email_address: None,
            first_name: "A".to_owned(),
            last_name: "Bc".to_owned(),
            kind: UserKind::Personal,
            status,
            user_expiry: None,
            roles: Vec::new(),
            alternative_user_ids: BTreeMap::new(),
            created: now,
            last_updated: now,
        }
    }

    fn signed_in(status: UserStatus, is_complete: bool) -> (Draft, HeaderMap) {
        let mut draft = Draft::new(&State::default(), at("2026-11-21T12:00:00Z"));
        draft.put(user(status));
        let cookie = begin(&mut draft, "00u1", is_complete).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("a=b; {NAME}={cookie}").parse().unwrap());
        (draft, headers)
    }

    #[test]
    fn an_idle_session_ends() {
        let (draft, headers) = signed_in(UserStatus::Active, true);
        assert!(find_in(&draft, &headers, at("2026-11-21T12:59:59Z")).is_some());
        assert!(find_in(&draft, &headers, at("2026-11-21T13:00:00Z")).is_none());
    }

    #[test]
    fn a_session_without_a_second_factor_ends_soon() {
        let (draft, headers) = signed_in(UserStatus::Active, false);
        assert!(find_in(&draft, &headers, at("2026-11-21T12:09:59Z")).is_some());
        assert!(find_in(&draft, &headers, at("2026-11-21T12:10:00Z")).is_none());
    }

    #[test]
    fn the_policy_bounds_its_whole_life() {
        let (mut draft, headers) = signed_in(UserStatus::Active, true);
        draft.put(Setting { name: "session-policy".to_owned(), value: json!({"maxSessionIdleMinutes": 600, "maxSessionLifetimeMinutes": 30}) });
        assert!(find_in(&draft, &headers, at("2026-11-21T12:29:00Z")).is_some());
        assert!(find_in(&draft, &headers, at("2026-11-21T12:30:00Z")).is_none());
    }

    #[test]
    fn a_suspended_user_is_signed_in_no_more() {
        let (draft, headers) = signed_in(UserStatus::Suspended, true);
        assert!(find_in(&draft, &headers, at("2026-11-21T12:00:01Z")).is_none());
    }

    #[test]
    fn two_cookies_of_that_name_are_none() {
        let (draft, mut headers) = signed_in(UserStatus::Active, true);
        headers.append(COOKIE, format!("{NAME}=other").parse().unwrap());
        assert!(find_in(&draft, &headers, at("2026-11-21T12:00:01Z")).is_none());
    }
}
