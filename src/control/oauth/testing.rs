//! Users, drafts and vaults for the tests of this room.

use super::OAuth;
use super::claims::Given;
use super::passwords::Passwords;
use super::signing::Signing;
use super::vault::Vault;
use crate::config::Store;
use crate::store::{Credential, Draft, State, User, UserKind, UserStatus};
use crate::token::Algorithm;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// What signing in works with, as for a small configuration.
pub(in crate::control) fn oauth() -> OAuth {
    let vault = vault();
    let signing = Arc::new(Signing::new(Arc::clone(&vault), Algorithm::EdDsa, Duration::from_secs(90 * 24 * 60 * 60)));
    OAuth { vault, passwords: Passwords::default(), signing }
}

/// The refresh token of what was given.
pub(super) fn refresh_token(given: &Given) -> String {
    given.refresh_token().unwrap().to_owned()
}

/// The time at which tests begin.
pub(super) fn start() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// So many seconds after.
pub(super) fn later(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// A draft of nothing.
pub(super) fn draft() -> Draft {
    Draft::new(&State::default(), start())
}

/// The draft's content, in a draft that is made so many seconds after the start.
pub(super) fn at(draft: &Draft, seconds: i64) -> Draft {
    Draft::new(draft, later(seconds))
}

/// An active user with the login `<name>@example.com`.
pub(super) fn user(name: &str, kind: UserKind) -> Arc<User> {
    Arc::new(User {
        id: format!("00u{name}"),
        login: format!("{name}@example.com"),
        email_address: format!("{name}@example.com"),
        second_email_address: None,
        first_name: "Grace".into(),
        last_name: "Hopper".into(),
        kind,
        status: UserStatus::Active,
        user_expiry: None,
        roles: Vec::new(),
        alternative_user_ids: Default::default(),
        created: start(),
        last_updated: start(),
    })
}

/// Puts a user with a credential whose password has this hash.
pub(super) fn put(draft: &mut Draft, user: &User, password: &str) {
    draft.put(user.clone());
    let credential = Credential {
        user_id: user.id.clone(),
        password: Some(password.to_owned()),
        password_changed: Some(draft.now()),
        ..Credential::default()
    };
    draft.put(credential);
}

/// A vault with a key.
pub(super) fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(Some(&"0123456789abcdef".to_owned().into()), &Store::Sqlite("x.db".into())).unwrap())
}
