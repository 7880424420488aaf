//! What the small API answers with: lists in pages, and problems in LUSID's shape.

use super::{Parameters, first};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A `ResourceListOf…` with these rows and further members.
pub(super) fn list(rows: Vec<Value>, members: Map<String, Value>) -> Response {
    let mut body = members;
    body.insert("values".to_owned(), Value::Array(rows));
    body.insert("links".to_owned(), json!([]));
    Json(body).into_response()
}

/// The page of the list that `limit` and `page` ask for. Filters and orders are refused, not passed over.
pub(super) fn page(rows: Vec<Value>, parameters: &Parameters, members: Map<String, Value>) -> Response {
    if first(parameters, "filter").or_else(|| first(parameters, "sortBy")).is_some() {
        return unusable(StatusCode::BAD_REQUEST, "the demo's upstream neither filters nor sorts");
    }
    let limit = first(parameters, "limit").map_or(Ok(usize::MAX), str::parse);
    let start = first(parameters, "page").map_or(Some(0), place);
    let (Ok(limit @ 1..), Some(start)) = (limit, start) else {
        return unusable(StatusCode::BAD_REQUEST, "`limit` is no number above 0, or `page` is no page of this list");
    };
    let next = start.saturating_add(limit);
    let mut members = members;
    if next < rows.len() {
        members.insert("nextPage".to_owned(), Value::String(STANDARD.encode(next.to_string())));
    }
    list(rows.into_iter().skip(start).take(limit).collect(), members)
}

/// Where a page begins.
fn place(token: &str) -> Option<usize> {
    String::from_utf8(STANDARD.decode(token).ok()?).ok()?.parse().ok()
}

/// An `ErrorDetail` of one entry of a batch.
pub(super) fn failure(id: &str, kind: &str, detail: &str) -> Value {
    json!({"id": id, "type": kind, "detail": detail, "errorDetails": []})
}

/// There is no such portfolio.
pub(super) fn not_found(scope: &str, code: &str) -> Response {
    let detail = format!("there is no portfolio `{code}` in the scope `{scope}`");
    problem(StatusCode::NOT_FOUND, "PortfolioNotFound", 109, &detail)
}

/// The call cannot be answered as it is.
pub(super) fn unusable(status: StatusCode, detail: &str) -> Response {
    problem(status, "InvalidRequest", 157, detail)
}

/// A `LusidProblemDetails`.
pub(super) fn problem(status: StatusCode, name: &str, code: u16, detail: &str) -> Response {
    let body = json!({
        "name": name,
        "errorDetails": [],
        "code": code,
        "type": format!("https://docs.lusid.com/#section/Error-Codes/{code}"),
        "title": name,
        "status": status.as_u16(),
        "detail": detail,
    });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
