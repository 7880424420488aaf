//! `/decisions/{id}`: the record of a decision, while it is remembered.

use super::Admin;
use crate::authorize::DecisionId;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// The record as it stands in the log.
pub(super) async fn show(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    match DecisionId::parse(&id).and_then(|id| admin.recent.find(id)) {
        Some(record) => ([(CONTENT_TYPE, "application/json")], record).into_response(),
        None => (StatusCode::NOT_FOUND, "no such decision is remembered here\n").into_response(),
    }
}
