//! What the identity log is told of signing in. It never holds a secret, nor what was typed for one.

use super::sign_in::{Refusal, Shown};
use crate::control::identity::logs::{self, Target};
use crate::control::plane::Plane;
use crate::store::Author;

/// Something that happened.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    /// What, as `user.session.start`.
    pub(super) kind: &'a str,
    /// The user's id, if it is known.
    pub(super) user: Option<&'a str>,
    /// The client's id, if one asked.
    pub(super) client: Option<&'a str>,
    /// Why it failed; none = it did not.
    pub(super) failure: Option<&'a str>,
    /// The id of the request.
    pub(super) request: &'a str,
}

/// In whose name changes are made that no caller asks for.
pub(super) fn author(user: Option<&str>, operation: &str, request: &str) -> Author {
    Author { user: user.unwrap_or("doorward").to_owned(), operation: operation.to_owned(), request: request.to_owned() }
}

/// Tells of an attempt to sign in.
pub(super) async fn sign_in(plane: &Plane, shown: &Shown<'_>, user: Option<&str>, refusal: Option<Refusal>) {
    let failure = refusal.map(Refusal::reason);
    let event = Event { kind: "user.session.start", user, client: Some(shown.client), failure, request: shown.request };
    tell(plane, event).await;
    let has_counted = matches!(refusal, Some(Refusal::WrongPassword | Refusal::SecondFactorWanted | Refusal::WrongSecondFactor));
    if has_counted && is_locked(plane, user) {
        tell(plane, Event { kind: "user.account.lock", failure: None, ..event }).await;
    }
}

/// Tells of an event.
pub(super) async fn tell(plane: &Plane, event: Event<'_>) {
    let targets = event.client.map(Target::application_id).unwrap_or_default();
    let (failure, request) = (event.failure.map(str::to_owned), Some(event.request.to_owned()));
    logs::write(plane, logs::Event { kind: event.kind, actor: event.user, targets, failure, request }).await;
}

/// Whether the attempt that was just counted was one too many.
fn is_locked(plane: &Plane, user: Option<&str>) -> bool {
    let state = plane.store.state();
    user.and_then(|id| state.credentials.find(id)).is_some_and(|credential| credential.locked_at.is_some())
}
