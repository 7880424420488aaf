//! Sessions: refresh tokens in families, and how everything that a sign-in gave away is ended.

use super::error::OAuthError;
use super::password_policy::SessionPolicy;
use super::secrets;
use crate::store::{Draft, RefreshToken, Revocation, Session, SetupLink, State};
use jiff::{SignedDuration, Timestamp};

/// An access token lives so long.
pub(super) const ACCESS_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// A revocation is remembered beyond the token's end, for the clocks of the doors may be late.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);
/// Tokens of other issuers, which a revocation of a user covers too, may live longer than ours.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a refresh token goes on with.
pub(super) struct Continued<'a> {
    /// The sign-in's own id.
    pub(super) family: &'a str,
    /// Whose it is.
    pub(super) user_id: &'a str,
    /// The client it is given to.
    pub(super) client_id: &'a str,
    /// What was asked for at the sign-in.
    pub(super) scopes: &'a [String],
    /// When that was.
    pub(super) signed_in_at: Timestamp,
    /// The access token given with it.
    pub(super) access_token_id: &'a str,
}

/// Why a refresh token is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is not known, was given to another client, or its time has passed.
    Unknown,
    /// It was used before: somebody else has it too. Its family has ended.
    UsedTwice,
    /// Its user may not sign in any more. Its family has ended.
    UserInactive,
}

/// Makes a refresh token and returns its text, which is not kept.
///
/// # Errors
/// When the machine gives no randomness.
pub(super) fn give(draft: &mut Draft, continued: &Continued<'_>) -> Result<String, OAuthError> {
    let text = secrets::secret()?;
    let policy = SessionPolicy::of(draft);
    let idle = after(draft.now(), minutes(policy.max_session_idle_minutes));
    let end = policy.max_session_lifetime_minutes.map_or(Timestamp::MAX, |lifetime| after(continued.signed_in_at, minutes(lifetime)));
    draft.put(RefreshToken {
        sha256: secrets::sha256(&text),
        family: continued.family.to_owned(),
        user_id: continued.user_id.to_owned(),
        client_id: continued.client_id.to_owned(),
        scopes: continued.scopes.to_vec(),
        access_token_id: continued.access_token_id.to_owned(),
        signed_in_at: continued.signed_in_at,
        expires_at: idle.min(end),
        used_at: None,
    });
    Ok(text)
}

/// Uses a refresh token up. The change has to be kept when it is refused too, for its family may have ended by it.
///
/// # Errors
/// Why it is of no use.
pub(super) fn take(draft: &mut Draft, text: &str, client_id: &str) -> Result<RefreshToken, Unusable> {
    let now = draft.now();
    let found = draft.refresh_tokens.find(&secrets::sha256(text)).filter(|token| token.client_id == client_id);
    let token = found.map(|token| (**token).clone()).ok_or(Unusable::Unknown)?;
    if token.used_at.is_some() {
        end_family(draft, &token.family);
        return Err(Unusable::UsedTwice);
    }
    if token.expires_at <= now {
        return Err(Unusable::Unknown);
    }
    draft.put(RefreshToken { used_at: Some(now), ..token.clone() });
    Ok(token)
}

/// The refresh token of this text, if it is of use to the client.
pub(super) fn find<'a>(state: &'a State, text: &str, now: Timestamp) -> Option<&'a RefreshToken> {
    let token = state.refresh_tokens.find(&secrets::sha256(text))?;
    (token.used_at.is_none() && now < token.expires_at).then_some(token)
}

/// Ends a sign-in: its refresh tokens are gone, its access tokens are revoked.
pub(super) fn end_family(draft: &mut Draft, family: &str) {
    let now = draft.now();
    for token in refresh_tokens(draft, |token| token.family == family) {
        // The access token that came with it was made no later than it was used.
        let until = after(token.used_at.unwrap_or(now), ACCESS_TOKEN_LIFETIME);
        if now < until {
            draft.put(Revocation::Token { jti: token.access_token_id.clone(), until });
        }
        draft.remove::<RefreshToken>(&token.sha256);
    }
}

/// Ends the sign-in that an access token comes from.
pub(super) fn end_family_of(draft: &mut Draft, access_token_id: &str) {
    for token in refresh_tokens(draft, |token| token.access_token_id == access_token_id) {
        end_family(draft, &token.family);
    }
}

/// Ends everything that a user has signed in with: refresh tokens, console sessions, and every access
/// token up to now. Personal access tokens are another matter.
pub(in crate::control) fn end_all(draft: &mut Draft, user_id: &str) {
    end_renewable(draft, user_id);
    // Tokens tell whole seconds only. One that is made in the rest of this one says it was made after it.
    let issued_before = whole_second_after(draft.now());
    draft.put(Revocation::User { user_id: user_id.to_owned(), issued_before });
}

/// Ends what a user could go on with: refresh tokens and console sessions.
pub(super) fn end_renewable(draft: &mut Draft, user_id: &str) {
    for token in refresh_tokens(draft, |token| token.user_id == user_id) {
        draft.remove::<RefreshToken>(&token.sha256);
    }
    for sha256 in keys(draft.sessions.values().filter(|session| session.user_id == user_id).map(|session| &session.sha256)) {
        draft.remove::<Session>(&sha256);
    }
}

/// When a token of this user that is made now says it was made: a whole second, and not one whose tokens are revoked.
pub(super) fn issued_at(state: &State, user_id: &str, now: Timestamp) -> Timestamp {
    let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
    revoked_before(state, user_id).map_or(second, |revoked| second.max(revoked))
}

/// Whether a token of ours is of no use although it is well signed.
pub(super) fn is_revoked(state: &State, token_id: Option<&str>, user_id: &str, issued_at: Option<Timestamp>) -> bool {
    let by_id = token_id.is_none_or(|id| state.revocations.has(&format!("jti/{id}")));
    let by_user = revoked_before(state, user_id).is_some_and(|before| issued_at.is_none_or(|issued_at| issued_at < before));
    by_id || by_user
}

/// Forgets what has ended.
pub(super) fn sweep(draft: &mut Draft) {
    let now = draft.now();
    for token in refresh_tokens(draft, |token| token.expires_at <= now) {
        draft.remove::<RefreshToken>(&token.sha256);
    }
    for sha256 in keys(draft.setup_links.values().filter(|link| link.expires_at <= now).map(|link| &link.sha256)) {
        draft.remove::<SetupLink>(&sha256);
    }
    let policy = SessionPolicy::of(draft);
    let has_ended = |session: &&std::sync::Arc<Session>| {
        let is_over = policy.max_session_lifetime_minutes.is_some_and(|lifetime| after(session.created, minutes(lifetime)) <= now);
        is_over || after(session.last_seen, minutes(policy.max_session_idle_minutes)) <= now
    };
    for sha256 in keys(draft.sessions.values().filter(has_ended).map(|session| &session.sha256)) {
        draft.remove::<Session>(&sha256);
    }
    let is_past = |revocation: &Revocation| match revocation {
        Revocation::Token { until, .. } => after(*until, CLOCKS_DIFFER) <= now,
        Revocation::User { issued_before, .. } => after(*issued_before, LONGEST_LIFE) <= now,
    };
    let past: Vec<String> = draft.revocations.iter().filter(|(_, revocation)| is_past(revocation)).map(|(key, _)| key.to_owned()).collect();
    for key in past {
        draft.remove::<Revocation>(&key);
    }
}

fn revoked_before(state: &State, user_id: &str) -> Option<Timestamp> {
    match &**state.revocations.find(&format!("user/{user_id}"))? {
        Revocation::User { issued_before, .. } => Some(*issued_before),
        Revocation::Token { .. } => None,
    }
}

fn refresh_tokens(state: &State, is_wanted: impl Fn(&RefreshToken) -> bool) -> Vec<RefreshToken> {
    state.refresh_tokens.values().filter(|token| is_wanted(token)).map(|token| (**token).clone()).collect()
}

fn keys<'a>(keys: impl Iterator<Item = &'a String>) -> Vec<String> {
    keys.cloned().collect()
}

fn minutes(minutes: u32) -> SignedDuration {
    SignedDuration::from_mins(i64::from(minutes))
}

fn whole_second_after(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_add(1)).unwrap_or(time)
}

pub(super) fn after(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::store::Setting;
    use serde_json::json;

    const MINUTE: i64 = 60;

    fn given(draft: &mut Draft, family: &str, number: u32) -> String {
        let continued = Continued {
            family,
            user_id: "00uada",
            client_id: "client",
            scopes: &["groups".to_owned()],
            signed_in_at: testing::start(),
            access_token_id: &format!("{family}-{number}"),
        };
        give(draft, &continued).unwrap()
    }

    fn revoked(draft: &Draft) -> Vec<String> {
        draft.revocations.iter().map(|(key, _)| key.to_owned()).collect()
    }

    #[test]
    fn a_refresh_token_is_kept_as_its_digest_and_taken_once_by_its_client() {
        let mut draft = testing::draft();
        let text = given(&mut draft, "one", 1);
        assert!(!serde_json::to_string(&**draft.refresh_tokens.values().next().unwrap()).unwrap().contains(&text));
        assert_eq!(take(&mut draft, &text, "another").unwrap_err(), Unusable::Unknown);
        assert_eq!(take(&mut draft, "other text", "client").unwrap_err(), Unusable::Unknown);
        assert_eq!(take(&mut draft, &text, "client").unwrap().user_id, "00uada");
        assert_eq!(take(&mut draft, &text, "client").unwrap_err(), Unusable::UsedTwice);
    }

    #[test]
    fn one_that_is_used_twice_ends_its_family_and_the_access_tokens_of_it() {
        let mut draft = testing::draft();
        let (first, other) = (given(&mut draft, "one", 1), given(&mut draft, "two", 1));
        take(&mut draft, &first, "client").unwrap();
        let second = given(&mut draft, "one", 2);
        assert_eq!(take(&mut draft, &first, "client").unwrap_err(), Unusable::UsedTwice);
        assert_eq!(revoked(&draft), ["jti/one-1", "jti/one-2"]);
        assert_eq!(take(&mut draft, &second, "client").unwrap_err(), Unusable::Unknown);
        assert!(take(&mut draft, &other, "client").is_ok());
    }

    #[test]
    fn access_tokens_that_have_ended_are_not_revoked() {
        let mut draft = testing::draft();
        let first = given(&mut draft, "one", 1);
        take(&mut draft, &first, "client").unwrap();
        let mut draft = testing::at(&draft, 60 * MINUTE);
        given(&mut draft, "one", 2);
        take(&mut draft, &first, "client").unwrap_err();
        assert_eq!(revoked(&draft), ["jti/one-2"]);
    }

    #[test]
    fn a_session_ends_when_it_idles_and_when_it_has_lasted_long_enough() {
        let mut draft = testing::draft();
        let idle = given(&mut draft, "idle", 1);
        assert!(take(&mut testing::at(&draft, 60 * MINUTE - 1), &idle, "client").is_ok());
        assert_eq!(take(&mut testing::at(&draft, 60 * MINUTE), &idle, "client").unwrap_err(), Unusable::Unknown);

        let mut late = testing::at(&draft, 719 * MINUTE);
        let last = given(&mut late, "long", 9);
        assert!(take(&mut testing::at(&late, 720 * MINUTE - 1), &last, "client").is_ok());
        assert_eq!(take(&mut testing::at(&late, 720 * MINUTE), &last, "client").unwrap_err(), Unusable::Unknown);

        draft.put(Setting { name: SessionPolicy::SETTING.into(), value: json!({"maxSessionIdleMinutes": 5}) });
        let short = given(&mut draft, "short", 1);
        assert!(take(&mut testing::at(&draft, 5 * MINUTE), &short, "client").is_err());
    }

    #[test]
    fn what_a_user_signed_in_with_is_ended_at_once_and_nothing_of_others() {
        let mut draft = testing::at(&testing::draft(), 0);
        let text = given(&mut draft, "one", 1);
        let session = |sha256: &str, user_id: &str| Session {
            sha256: sha256.into(),
            user_id: user_id.into(),
            created: testing::start(),
            last_seen: testing::start(),
            is_complete: true,
        };
        draft.put(session("a", "00uada"));
        draft.put(session("b", "00ueve"));
        end_all(&mut draft, "00uada");
        assert_eq!(take(&mut draft, &text, "client").unwrap_err(), Unusable::Unknown);
        assert!(!draft.sessions.has("a") && draft.sessions.has("b"));
        assert!(is_revoked(&draft, Some("any"), "00uada", Some(testing::start())));
        assert!(!is_revoked(&draft, Some("any"), "00ueve", Some(testing::start())));
    }

    #[test]
    fn a_token_that_is_made_right_after_everything_was_ended_is_good() {
        let half = testing::start() + SignedDuration::from_millis(500);
        let mut draft = Draft::new(&State::default(), half);
        assert_eq!(issued_at(&draft, "00uada", half), testing::start());
        end_all(&mut draft, "00uada");
        assert!(is_revoked(&draft, Some("old"), "00uada", Some(testing::start())));
        assert!(!is_revoked(&draft, Some("new"), "00uada", Some(issued_at(&draft, "00uada", half))));
    }

    #[test]
    fn a_token_without_an_id_or_a_time_counts_as_revoked() {
        let mut draft = testing::draft();
        assert!(is_revoked(&draft, None, "00uada", Some(testing::start())));
        end_all(&mut draft, "00uada");
        assert!(is_revoked(&draft, Some("any"), "00uada", None));
    }

    #[test]
    fn what_has_ended_is_forgotten_and_the_rest_is_not() {
        let mut draft = testing::draft();
        let text = given(&mut draft, "one", 1);
        draft.put(Revocation::Token { jti: "t".into(), until: testing::later(60 * MINUTE) });
        draft.put(Revocation::User { user_id: "00uada".into(), issued_before: testing::start() });
        draft.put(SetupLink { sha256: "s".into(), user_id: "00uada".into(), expires_at: testing::later(10 * MINUTE) });
        let left = |seconds: i64| {
            let mut draft = testing::at(&draft, seconds);
            sweep(&mut draft);
            (draft.refresh_tokens.len(), draft.revocations.len(), draft.setup_links.len())
        };
        assert_eq!(left(10 * MINUTE - 1), (1, 2, 1));
        assert_eq!(left(10 * MINUTE), (1, 2, 0));
        assert_eq!(left(60 * MINUTE), (0, 2, 0), "{text}");
        assert_eq!(left(70 * MINUTE), (0, 1, 0));
        assert_eq!(left(30 * 24 * 60 * MINUTE), (0, 0, 0));
    }
}
