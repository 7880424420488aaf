//! `GET /snapshot`: the newest one, or nothing until there is a newer one than the caller has.

use super::Publication;
use super::negotiation::{Coding, Known, wait};
use super::served::Served;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem, ProblemDetails};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const SIGNATURE: HeaderName = HeaderName::from_static("doorward-signature");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The routes of this room.
pub(in crate::control) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(get_snapshot))
}

/// The snapshot
///
/// The whole document that data planes judge by. With `If-None-Match` the answer is 304 while there is no newer
/// one; with `Prefer: wait=30` it is held for as long.
#[utoipa::path(get, path = "/snapshot", operation_id = "GetSnapshot", tag = "Data planes",
    params(
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the snapshot that is known."),
        ("Prefer" = Option<String>, Header, description = "`wait=` and the seconds, at most 60, that the answer may be held."),
    ),
    responses(
        (status = 200, description = "The newest snapshot.", body = Object, headers(
            ("ETag" = String, description = "Revision and digest."),
            ("Doorward-Signature" = String, description = "A detached JWS of the bytes without content coding (RFC 7515 appendix F)."),
        )),
        (status = 304, description = "There is no newer one."),
        (status = 503, description = "There is none yet.", body = ProblemDetails, content_type = "application/problem+json"),
    ))]
async fn get_snapshot(State(plane): State<Plane>, headers: HeaderMap) -> Result<Response, Problem> {
    answer(&plane.publication, &headers).await
}

/// The answer to a request with these headers; 304 when the caller has the newest, held before as long
/// as the caller prefers.
///
/// # Errors
/// 503 while there is no snapshot.
pub(super) async fn answer(publication: &Publication, headers: &HeaderMap) -> Result<Response, Problem> {
    let (known, wait) = (Known::read(headers), wait(headers));
    let mut response = match news(publication, &known, wait).await {
        Some(served) => whole(&served, Coding::wanted(headers)).await?,
        None => unchanged(publication, &known)?,
    };
    let head = response.headers_mut();
    head.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    head.insert(VARY, HeaderValue::from_static("Accept-Encoding, Authorization"));
    let applied = wait.and_then(|wait| HeaderValue::try_from(format!("wait={}", wait.as_secs())).ok());
    head.extend(applied.map(|applied| (PREFERENCE_APPLIED, applied)));
    Ok(response)
}

/// What the caller does not have yet: at once, or as soon as it is there; none when the time is over or
/// nothing more will come.
async fn news(publication: &Publication, known: &Known, wait: Option<Duration>) -> Option<Arc<Served>> {
    let mut newest = publication.newest.clone();
    let is_news = |served: &Option<Arc<Served>>| served.as_ref().is_some_and(|served| known.is_news(served.etag(), served.revision));
    let found = newest.borrow().clone().filter(|served| known.is_news(served.etag(), served.revision));
    match (found, wait) {
        (None, Some(wait)) => timeout(wait, async { newest.wait_for(is_news).await.ok()?.clone() }).await.ok()?,
        (found, _) => found,
    }
}

async fn whole(served: &Served, coding: Coding) -> Result<Response, Problem> {
    let bytes = served.bytes(coding).await.map_err(|error| {
        tracing::error!(%error, "the snapshot cannot be compressed");
        Problem::of(Code::Internal)
    })?;
    let mut response = Response::new(Body::from(bytes));
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.extend(HeaderValue::try_from(served.etag()).ok().map(|etag| (ETAG, etag)));
    head.insert(SIGNATURE, served.signature.clone());
    head.extend(coding.name().map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name))));
    Ok(response)
}

fn unchanged(publication: &Publication, known: &Known) -> Result<Response, Problem> {
    let newest = publication.newest.borrow().clone();
    let newest = newest.ok_or_else(|| Problem::of(Code::Unavailable).detail("There is no snapshot yet; try again."))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    // What the caller has may be newer than what is known here; it keeps its own tag then.
    if known.has(newest.etag()) {
        response.headers_mut().extend(HeaderValue::try_from(newest.etag()).ok().map(|etag| (ETAG, etag)));
    }
    Ok(response)
}
