//! What the small API lets be written: portfolios come and go.

use super::answers::{not_found, problem, unusable};
use super::{Id, Library, find};
use crate::demo::data::Portfolio;
use crate::demo::rows;
use crate::observe::clock;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

/// `POST /api/transactionportfolios/{scope}`: 201 with the new portfolio, without transactions.
pub(super) async fn create_portfolio(State(library): State<Library>, Path(scope): Path<String>, Json(body): Json<Value>) -> Response {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let (Some(code), Some(name), Some(currency)) = (text("code"), text("displayName"), text("baseCurrency")) else {
        return unusable(StatusCode::BAD_REQUEST, "a portfolio needs `code`, `displayName` and `baseCurrency`, all texts");
    };
    let now = clock::now();
    let document = json!({
        "id": {"scope": scope, "code": code},
        "type": "Transaction",
        "displayName": name,
        "description": body.get("description"),
        "created": text("created").map_or_else(|| rows::written(now), str::to_owned),
        "version": rows::version(now),
        "isDerived": false,
        "baseCurrency": currency,
        "properties": body.get("properties").cloned().unwrap_or_else(|| json!({})),
        "links": [],
    });
    let mut books = library.write();
    if find(&books, &scope, code).is_some() {
        let detail = format!("there already is a portfolio `{code}` in the scope `{scope}`");
        return problem(StatusCode::BAD_REQUEST, "PortfolioWithIdAlreadyExists", 112, &detail);
    }
    let code = code.to_owned();
    books.portfolios.push(Portfolio { scope, code, document: document.clone(), transactions: Vec::new(), holdings: Vec::new() });
    (StatusCode::CREATED, Json(document)).into_response()
}

/// `DELETE /api/portfolios/{scope}/{code}`.
pub(super) async fn delete_portfolio(State(library): State<Library>, Path((scope, code)): Id) -> Response {
    let mut books = library.write();
    let Some(place) = books.portfolios.iter().position(|portfolio| portfolio.scope == scope && portfolio.code == code) else {
        return not_found(&scope, &code);
    };
    books.portfolios.remove(place);
    let now = rows::written(clock::now());
    Json(json!({"effectiveFrom": now, "asAt": now, "entityType": "Portfolio", "links": []})).into_response()
}
