//! What a user signs in with: set, replaced for a while, given back by a link, unlocked, forgotten.

use super::error::OAuthError;
use super::passwords::{NewPassword, TemporaryPassword};
use super::{secrets, sessions};
use crate::store::{Credential, Draft, SetupLink, State, User, UserStatus};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// A temporary password is good for so long.
const TEMPORARY: SignedDuration = SignedDuration::from_hours(24);
/// A set-up link is good for so long.
const LINK: SignedDuration = SignedDuration::from_hours(72);
/// A lock ends by itself after so long: who can guess wrongly must not be able to keep anybody out for good.
const LOCK: SignedDuration = SignedDuration::from_hours(1);
/// So many passwords before are kept, whatever the policy asks for today.
const LONGEST_HISTORY: usize = 24;

/// Sets a lasting password: the lock and the failures are gone, an account that waited for it is
/// active, and refresh tokens and console sessions have ended.
///
/// # Errors
/// When the user is gone, or the password was changed since the new one was chosen.
pub(in crate::control) fn set_password(draft: &mut Draft, user_id: &str, password: NewPassword) -> Result<(), OAuthError> {
    require_user(draft, user_id)?;
    let mut credential = of(draft, user_id);
    password.enter(&mut credential)?;
    renew(draft, credential, None);
    activate(draft, user_id);
    Ok(())
}

/// Sets a password that is good until the time that is returned.
///
/// # Errors
/// When the user is gone.
pub(in crate::control) fn set_temporary_password(draft: &mut Draft, user_id: &str, password: &TemporaryPassword) -> Result<Timestamp, OAuthError> {
    require_user(draft, user_id)?;
    let until = sessions::after(draft.now(), TEMPORARY);
    let mut credential = of(draft, user_id);
    password.enter(&mut credential);
    renew(draft, credential, Some(until));
    Ok(until)
}

/// Makes a link that sets the user's password once: what stands in it, and when it ends. Earlier ones are of no use any more.
///
/// # Errors
/// When the user is gone, or the machine gives no randomness.
pub(in crate::control) fn setup_link(draft: &mut Draft, user_id: &str) -> Result<(String, Timestamp), OAuthError> {
    require_user(draft, user_id)?;
    remove_links(draft, user_id);
    let (secret, expires_at) = (secrets::secret()?, sessions::after(draft.now(), LINK));
    draft.put(SetupLink { sha256: secrets::sha256(&secret), user_id: user_id.to_owned(), expires_at });
    Ok((secret, expires_at))
}

/// Whose link it is, if it is still good; it stays so.
#[must_use]
pub(in crate::control) fn link_owner<'a>(state: &'a State, secret: &str, now: Timestamp) -> Option<&'a Arc<User>> {
    let link = state.setup_links.find(&secrets::sha256(secret)).filter(|link| now < link.expires_at)?;
    state.users.find(&link.user_id).filter(|user| user.status != UserStatus::Deprovisioned)
}

/// Uses a link up and sets the password; whose it is.
///
/// # Errors
/// [`OAuthError::UsedLink`], or as [`set_password`].
pub(in crate::control) fn redeem(draft: &mut Draft, secret: &str, password: NewPassword) -> Result<Arc<User>, OAuthError> {
    let user = link_owner(draft, secret, draft.now()).map(Arc::clone).ok_or(OAuthError::UsedLink)?;
    remove_links(draft, &user.id);
    set_password(draft, &user.id, password)?;
    draft.users.find(&user.id).map(Arc::clone).ok_or(OAuthError::NoUser)
}

/// Whether too many wrong attempts keep the user out.
#[must_use]
pub(in crate::control) fn is_locked(credential: &Credential, now: Timestamp) -> bool {
    credential.locked_at.is_some_and(|locked_at| now < sessions::after(locked_at, LOCK))
}

/// Lets a user in again; whether that was needed.
pub(in crate::control) fn unlock(draft: &mut Draft, user_id: &str) -> bool {
    let mut credential = of(draft, user_id);
    let was_locked = is_locked(&credential, draft.now());
    if credential.locked_at.take().is_some() {
        credential.failed_attempts = 0;
        draft.put(credential);
    }
    was_locked
}

/// Forgets everything that a user could sign in with, personal access tokens excepted.
pub(in crate::control) fn forget(draft: &mut Draft, user_id: &str) {
    sessions::end_renewable(draft, user_id);
    remove_links(draft, user_id);
    draft.remove::<Credential>(user_id);
}

/// The user's credential, or a new one.
pub(super) fn of(state: &State, user_id: &str) -> Credential {
    match state.credentials.find(user_id) {
        Some(credential) => (**credential).clone(),
        None => Credential { user_id: user_id.to_owned(), ..Credential::default() },
    }
}

/// Makes an account active that waited for its first password.
pub(super) fn activate(draft: &mut Draft, user_id: &str) {
    let waiting = draft.users.find(user_id).filter(|user| user.status == UserStatus::Provisioned);
    if let Some(user) = waiting.map(|user| (**user).clone()) {
        let last_updated = draft.now();
        draft.put(User { status: UserStatus::Active, last_updated, ..user });
    }
}

fn renew(draft: &mut Draft, credential: Credential, temporary_until: Option<Timestamp>) {
    let mut credential = Credential { password_changed: Some(draft.now()), temporary_until, failed_attempts: 0, locked_at: None, ..credential };
    credential.history.truncate(LONGEST_HISTORY);
    sessions::end_renewable(draft, &credential.user_id);
    draft.put(credential);
}

fn require_user(state: &State, user_id: &str) -> Result<(), OAuthError> {
    state.users.find(user_id).map(drop).ok_or(OAuthError::NoUser)
}

fn remove_links(draft: &mut Draft, user_id: &str) {
    let links: Vec<String> = draft.setup_links.values().filter(|link| link.user_id == user_id).map(|link| link.sha256.clone()).collect();
    for sha256 in links {
        draft.remove::<SetupLink>(&sha256);
    }
}

#[cfg(test)]
mod tests {
    use super::super::passwords::Passwords;
    use super::super::testing;
    use super::*;
    use crate::store::UserKind;

    fn provisioned() -> Draft {
        let mut draft = testing::draft();
        draft.put(User { status: UserStatus::Provisioned, ..(*testing::user("ada", UserKind::Personal)).clone() });
        draft
    }

    async fn chosen(state: &State, password: &str) -> NewPassword {
        Passwords::default().choose(state, &testing::user("ada", UserKind::Personal), password).await.unwrap()
    }

    #[tokio::test]
    async fn a_lasting_password_makes_an_account_active_and_takes_the_lock_away() {
        let mut draft = provisioned();
        draft.put(Credential { locked_at: Some(testing::start()), failed_attempts: 10, ..of(&draft, "00uada") });
        let new = chosen(&draft, "correct horse battery").await;
        set_password(&mut draft, "00uada", new).unwrap();
        let credential = of(&draft, "00uada");
        assert_eq!((credential.locked_at, credential.failed_attempts, credential.temporary_until), (None, 0, None));
        assert_eq!(credential.password_changed, Some(testing::start()));
        assert_eq!(draft.users.find("00uada").unwrap().status, UserStatus::Active);
    }

    #[tokio::test]
    async fn a_password_that_is_set_ends_what_the_old_one_had_begun() {
        let mut draft = provisioned();
        let continued =
            sessions::Continued { family: "one", user_id: "00uada", client_id: "client", scopes: &[], signed_in_at: testing::start(), access_token_id: "t" };
        sessions::give(&mut draft, &continued).unwrap();
        let new = chosen(&draft, "correct horse battery").await;
        set_password(&mut draft, "00uada", new).unwrap();
        assert!(draft.refresh_tokens.is_empty());
    }

    #[tokio::test]
    async fn a_temporary_password_has_an_end_and_the_one_before_moves_into_the_history() {
        let mut draft = provisioned();
        let new = chosen(&draft, "correct horse battery").await;
        set_password(&mut draft, "00uada", new).unwrap();
        let before = of(&draft, "00uada").password.unwrap();
        let temporary = Passwords::default().temporary().await.unwrap();
        assert_eq!(set_temporary_password(&mut draft, "00uada", &temporary).unwrap(), testing::later(24 * 3600));
        let credential = of(&draft, "00uada");
        assert_eq!(credential.history, [before]);
        assert_eq!(credential.temporary_until, Some(testing::later(24 * 3600)));
    }

    #[tokio::test]
    async fn a_link_sets_a_password_once_and_the_newest_link_alone_does() {
        let mut draft = provisioned();
        let (older, _) = setup_link(&mut draft, "00uada").unwrap();
        let (link, end) = setup_link(&mut draft, "00uada").unwrap();
        assert_eq!(end, testing::later(72 * 3600));
        assert!(link_owner(&draft, &older, testing::start()).is_none());
        assert!(link_owner(&draft, &link, testing::later(72 * 3600 - 1)).is_some());
        assert!(link_owner(&draft, &link, testing::later(72 * 3600)).is_none());
        assert!(link_owner(&draft, "another", testing::start()).is_none());
        let (new, again) = (chosen(&draft, "correct horse battery").await, chosen(&draft, "correct horse battery").await);
        assert_eq!(redeem(&mut draft, &link, new).unwrap().status, UserStatus::Active);
        assert!(matches!(redeem(&mut draft, &link, again), Err(OAuthError::UsedLink)));
        assert!(draft.setup_links.is_empty());
    }

    #[test]
    fn nobody_is_let_in_who_is_not_there() {
        let mut draft = testing::draft();
        assert!(matches!(setup_link(&mut draft, "00uada"), Err(OAuthError::NoUser)));
        draft.put(User { status: UserStatus::Deprovisioned, ..(*testing::user("ada", UserKind::Personal)).clone() });
        let (link, _) = setup_link(&mut draft, "00uada").unwrap();
        assert!(link_owner(&draft, &link, testing::start()).is_none());
    }

    #[test]
    fn a_lock_ends_by_hand_or_after_an_hour() {
        let mut draft = provisioned();
        draft.put(Credential { locked_at: Some(testing::start()), failed_attempts: 10, ..of(&draft, "00uada") });
        assert!(is_locked(&of(&draft, "00uada"), testing::later(3599)));
        assert!(!is_locked(&of(&draft, "00uada"), testing::later(3600)));
        assert!(unlock(&mut draft, "00uada") && !unlock(&mut draft, "00uada"));
        assert_eq!(of(&draft, "00uada").failed_attempts, 0);
    }

    #[test]
    fn a_user_is_forgotten_whole() {
        let mut draft = provisioned();
        testing::put(&mut draft, &testing::user("ada", UserKind::Personal), "hash");
        setup_link(&mut draft, "00uada").unwrap();
        forget(&mut draft, "00uada");
        assert!(draft.credentials.is_empty() && draft.setup_links.is_empty());
    }
}
