//! What the identity log is told of signing in. It never holds a secret, nor what was typed for one.

use super::sign_in::{Refusal, Shown};
use crate::control::plane::Plane;
use crate::control::wire::{hexadecimal, random, time};
use crate::observe::clock;
use crate::store::{Author, EventRow, State};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Something that happened.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    /// What, as `user.session.start`.
    pub(super) kind: &'a str,
    /// The same in words.
    pub(super) message: &'a str,
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
    let event = Event { kind: "user.session.start", message: "Sign in", user, client: Some(shown.client), failure, request: shown.request };
    tell(plane, event).await;
    let was_locked = |state: &State| user.and_then(|id| state.credentials.find(id)).is_some_and(|credential| credential.locked_at.is_some());
    let has_counted = matches!(refusal, Some(Refusal::WrongPassword | Refusal::SecondFactorWanted | Refusal::WrongSecondFactor));
    if has_counted && was_locked(&plane.store.state()) {
        tell(plane, Event { kind: "user.account.lock", message: "Lock account after too many attempts", failure: None, ..event }).await;
    }
}

/// Tells of an event. What it tells of stands in the audit log too: that it cannot be written keeps nobody from going on.
pub(super) async fn tell(plane: &Plane, event: Event<'_>) {
    let Some(row) = row(&plane.store.state(), event, clock::now()) else { return };
    if let Err(error) = plane.store.append_events(&[row]).await {
        tracing::error!(%error, "an event of the identity log was not written");
    }
}

/// The event in the shape of the identity log (reference: `SystemLog`).
fn row(state: &State, event: Event<'_>, now: Timestamp) -> Option<EventRow> {
    let id = hexadecimal(&random::<16>().ok()?);
    let at = Timestamp::from_microsecond(now.as_microsecond()).ok()?;
    let (severity, result) = if event.failure.is_some() { ("WARN", "FAILURE") } else { ("INFO", "SUCCESS") };
    let mut body = json!({
        "uuid": id,
        "published": time(at),
        "eventType": event.kind,
        "displayMessage": event.message,
        "version": "0",
        "severity": {"value": severity},
        "outcome": {"result": result},
        "target": event.client.iter().map(|id| json!({"id": id, "type": "AppInstance"})).collect::<Vec<_>>(),
        "transaction": {"type": "WEB", "id": event.request},
    });
    if let Some(reason) = event.failure {
        body["outcome"]["reason"] = reason.into();
    }
    if let Some(actor) = event.user.map(|id| actor(state, id)) {
        body["actor"] = actor;
    }
    Some(EventRow { id, at, user: event.user.map(str::to_owned), kind: event.kind.to_owned(), body: body.to_string() })
}

fn actor(state: &State, id: &str) -> Value {
    match state.users.find(id) {
        Some(user) => json!({"id": id, "type": "User", "alternateId": user.login, "displayName": format!("{} {}", user.first_name, user.last_name)}),
        None => json!({"id": id, "type": "User"}),
    }
}
