//! How the OAuth endpoints refuse: JSON with `error` and `error_description` (RFC 6749 §5.2), never
//! anything else, for clients read it.

use crate::control::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use std::borrow::Cow;

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// The form cannot be read, or lacks something.
    InvalidRequest,
    /// The client is not known, or its secret is another.
    InvalidClient,
    /// What was shown for the token is not good.
    InvalidGrant,
    /// The client may not ask in this way.
    UnauthorizedClient,
    /// Tokens are not given for that.
    UnsupportedGrantType,
    /// Nothing of what was asked for is known.
    InvalidScope,
    /// Tokens of this kind are not revoked here (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// The store does not answer.
    TemporarilyUnavailable,
    /// Something that must not happen.
    Broken,
}

/// A refusal with a sentence for the developer.
#[derive(Clone, Debug)]
pub(super) struct OAuthRefusal {
    /// What it is.
    pub(super) error: Error,
    description: Cow<'static, str>,
    /// The client used HTTP Basic and is told so.
    is_by_header: bool,
}

impl OAuthRefusal {
    pub(super) fn new(error: Error, description: impl Into<Cow<'static, str>>) -> Self {
        Self { error, description: description.into(), is_by_header: false }
    }

    pub(super) fn request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Error::InvalidRequest, description)
    }

    /// A client that is not known or showed another secret; which of both is not told.
    pub(super) fn client(is_by_header: bool) -> Self {
        Self { is_by_header, ..Self::new(Error::InvalidClient, "the client is not known or its secret is another") }
    }

    const fn row(&self) -> (&'static str, StatusCode) {
        match self.error {
            Error::InvalidRequest => ("invalid_request", StatusCode::BAD_REQUEST),
            Error::InvalidClient => ("invalid_client", StatusCode::UNAUTHORIZED),
            Error::InvalidGrant => ("invalid_grant", StatusCode::BAD_REQUEST),
            Error::UnauthorizedClient => ("unauthorized_client", StatusCode::BAD_REQUEST),
            Error::UnsupportedGrantType => ("unsupported_grant_type", StatusCode::BAD_REQUEST),
            Error::InvalidScope => ("invalid_scope", StatusCode::BAD_REQUEST),
            Error::UnsupportedTokenType => ("unsupported_token_type", StatusCode::BAD_REQUEST),
            Error::TemporarilyUnavailable => ("temporarily_unavailable", StatusCode::SERVICE_UNAVAILABLE),
            Error::Broken => ("server_error", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl From<Problem> for OAuthRefusal {
    fn from(problem: Problem) -> Self {
        match problem.status() {
            StatusCode::SERVICE_UNAVAILABLE => Self::new(Error::TemporarilyUnavailable, "the store does not answer; try again"),
            _ => Self::new(Error::Broken, "the token could not be made"),
        }
    }
}

impl IntoResponse for OAuthRefusal {
    fn into_response(self) -> Response {
        let (name, status) = self.row();
        let mut response = (status, Json(json!({"error": name, "error_description": self.description}))).into_response();
        let headers = response.headers_mut();
        keep_out_of_caches(headers);
        if self.error == Error::InvalidClient && self.is_by_header {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"doorward\""));
        }
        if self.error == Error::TemporarilyUnavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// RFC 6749 §5.1.
pub(super) fn keep_out_of_caches(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
}
