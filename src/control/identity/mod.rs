//! The Identity API: users, their roles, keys and applications, and the rules by which they sign in.
//!
//! Every operation is a function on a [`crate::store::State`] or a [`crate::store::Draft`]; the
//! handlers around them only read the request and write the answer. What users may do is said by
//! the Access API: here is who they are.

mod absent;
mod accounts;
mod administrators;
mod applications;
mod authentication;
mod directory;
mod issuers;
mod keys;
mod lifecycle;
mod log_filter;
pub(super) mod logs;
mod me;
mod members;
mod metadata;
mod roles;
#[cfg(test)]
mod tests;
mod user_bodies;
mod user_schema;
mod users;
mod zone_verdict;
mod zones;

use super::plane::Plane;
use super::problem::{Code, Problem};
use super::wire::NoRandomness;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa_axum::router::OpenApiRouter;

pub(super) use keys::{create_key, delete_key};
pub(super) use zone_verdict::{SessionType, Verdict, verdict};

/// Every route below `/identity/api` but the one that signs out.
pub(super) fn routes() -> OpenApiRouter<Plane> {
    let rooms = [
        absent::routes,
        applications::routes,
        authentication::routes,
        directory::routes,
        issuers::routes,
        keys::routes,
        lifecycle::routes,
        logs::routes,
        me::routes,
        members::routes,
        metadata::routes,
        roles::routes,
        user_schema::routes,
        users::routes,
        zones::routes,
    ];
    rooms.into_iter().fold(OpenApiRouter::new(), |all, room| all.merge(room()))
}

/// An answer that holds a secret: no cache keeps it.
fn secret<T: Serialize>(body: T) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// What was to be made at random.
fn made<T>(random: Result<T, NoRandomness>) -> Result<T, Problem> {
    random.map_err(|_| Problem::of(Code::Internal).detail("The system's random source failed."))
}

/// A time of a request, or null. Times past what the calendar here reaches (clients send the end of the year 9999
/// for "never") are its end.
fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    match text.parse::<Timestamp>() {
        Ok(time) => Ok(Some(time)),
        Err(_) if text.starts_with("9999-12-3") => Ok(Some(Timestamp::MAX)),
        Err(_) => Err(serde::de::Error::custom(format!("`{text}` is no date; write it like 2026-01-31T12:00:00Z"))),
    }
}

/// The same where it makes a difference whether the member was there at all: absent = `None`, null = `Some(None)`.
#[expect(clippy::option_option, reason = "absent and null mean different things")]
fn read_time_if_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    read_time(deserializer).map(Some)
}

/// Any other member where that makes a difference.
#[expect(clippy::option_option, reason = "absent and null mean different things")]
fn read_if_there<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}
