//! A small API in LUSID's wire shapes over the demo's books. It checks no token and hides nothing:
//! that is what stands in front of it for. What is written to it lasts as long as the demo.

mod answers;
mod writes;

use super::data::{Books, Portfolio};
use answers::{list, not_found, page, unusable};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Query parameters; of a repeated one all values, in order.
type Parameters = Vec<(String, String)>;
type Id = Path<(String, String)>;

/// The books that the routes read and write.
#[derive(Clone)]
pub(super) struct Library {
    books: Arc<RwLock<Books>>,
}

impl Library {
    fn read(&self) -> RwLockReadGuard<'_, Books> {
        // A writer that panicked left whole rows: they are pushed or removed in one step.
        self.books.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Books> {
        self.books.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes.
pub(super) fn router(books: Books) -> Router {
    Router::new()
        .route("/api/portfolios", get(list_portfolios))
        .route("/api/portfolios/{scope}", get(list_portfolios_for_scope))
        .route("/api/portfolios/{scope}/{code}", get(show_portfolio).delete(writes::delete_portfolio))
        .route("/api/portfolios/{scope}/{code}/properties", get(portfolio_properties))
        .route("/api/transactionportfolios/{scope}", post(writes::create_portfolio))
        .route("/api/transactionportfolios/{scope}/{code}/transactions", get(transactions))
        .route("/api/transactionportfolios/{scope}/{code}/holdings", get(holdings))
        .route("/api/instruments", get(list_instruments))
        .route("/api/instruments/$get", post(some_instruments))
        .route("/api/quotes/{scope}/$get", post(quotes))
        .route("/api/scopes", get(scopes))
        .fallback(|| async { unusable(StatusCode::NOT_FOUND, "the demo's upstream has no such route") })
        .with_state(Library { books: Arc::new(RwLock::new(books)) })
}

fn find<'b>(books: &'b Books, scope: &str, code: &str) -> Option<&'b Portfolio> {
    books.portfolios.iter().find(|portfolio| portfolio.scope == scope && portfolio.code == code)
}

async fn list_portfolios(State(library): State<Library>, Query(parameters): Query<Parameters>) -> Response {
    let documents = library.read().portfolios.iter().map(|portfolio| portfolio.document.clone()).collect();
    page(decorated(documents, &parameters), &parameters, Map::new())
}

async fn list_portfolios_for_scope(State(library): State<Library>, Path(scope): Path<String>, Query(parameters): Query<Parameters>) -> Response {
    let books = library.read();
    let of_scope = books.portfolios.iter().filter(|portfolio| portfolio.scope == scope);
    page(decorated(of_scope.map(|portfolio| portfolio.document.clone()).collect(), &parameters), &parameters, Map::new())
}

async fn show_portfolio(State(library): State<Library>, Path((scope, code)): Id, Query(parameters): Query<Parameters>) -> Response {
    match find(&library.read(), &scope, &code) {
        Some(portfolio) => Json(decorated(vec![portfolio.document.clone()], &parameters).pop()).into_response(),
        None => not_found(&scope, &code),
    }
}

async fn portfolio_properties(State(library): State<Library>, Path((scope, code)): Id) -> Response {
    match find(&library.read(), &scope, &code) {
        Some(portfolio) => {
            let member = |name: &str| portfolio.document.get(name).cloned();
            Json(json!({"properties": member("properties"), "version": member("version"), "links": []})).into_response()
        }
        None => not_found(&scope, &code),
    }
}

async fn transactions(State(library): State<Library>, Path((scope, code)): Id, Query(parameters): Query<Parameters>) -> Response {
    let books = library.read();
    let Some(portfolio) = find(&books, &scope, &code) else { return not_found(&scope, &code) };
    let bounds = (date(&parameters, "fromTransactionDate"), date(&parameters, "toTransactionDate"));
    let (Ok(from), Ok(to)) = bounds else {
        return unusable(StatusCode::BAD_REQUEST, "a transaction date is neither a date nor an RFC 3339 time");
    };
    let is_within = |time: Timestamp| from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to);
    let within = portfolio.transactions.iter().filter(|(time, _)| is_within(*time));
    page(within.map(|(_, document)| document.clone()).collect(), &parameters, versioned(portfolio))
}

async fn holdings(State(library): State<Library>, Path((scope, code)): Id, Query(parameters): Query<Parameters>) -> Response {
    match find(&library.read(), &scope, &code) {
        Some(portfolio) => {
            let mut members = versioned(portfolio);
            members.insert("warnings".to_owned(), json!([]));
            page(portfolio.holdings.clone(), &parameters, members)
        }
        None => not_found(&scope, &code),
    }
}

fn versioned(portfolio: &Portfolio) -> Map<String, Value> {
    Map::from_iter([("version".to_owned(), portfolio.document.get("version").cloned().unwrap_or_default())])
}

async fn list_instruments(State(library): State<Library>, Query(parameters): Query<Parameters>) -> Response {
    page(library.read().instruments.clone(), &parameters, Map::new())
}

/// `POST /api/instruments/$get?identifierType=…` with an array of identifiers.
async fn some_instruments(State(library): State<Library>, Query(parameters): Query<Parameters>, Json(identifiers): Json<Vec<String>>) -> Response {
    let books = library.read();
    let kind = first(&parameters, "identifierType").unwrap_or("LusidInstrumentId");
    let (mut values, mut failed) = (Map::new(), Map::new());
    for identifier in identifiers {
        let is_it = |row: &&Value| row.pointer(&format!("/identifiers/{kind}")).and_then(Value::as_str) == Some(&*identifier);
        match books.instruments.iter().find(is_it) {
            Some(row) => values.insert(identifier, row.clone()),
            None => failed.insert(identifier.clone(), answers::failure(&identifier, "InstrumentNotFound", "no instrument has this identifier")),
        };
    }
    Json(json!({"values": values, "failed": failed, "links": []})).into_response()
}

/// `POST /api/quotes/{scope}/$get` with a map of keys, each answered by the latest quote up to its date.
async fn quotes(State(library): State<Library>, Json(keys): Json<HashMap<String, Value>>) -> Response {
    let books = library.read();
    let (mut values, mut missing) = (Map::new(), Map::new());
    for (name, key) in keys {
        let instrument = key.pointer("/quoteSeriesId/instrumentId").and_then(Value::as_str).unwrap_or_default();
        let until = key.get("effectiveAt").and_then(Value::as_str).and_then(instant);
        let fits = |quote: &&super::data::Quote| quote.instrument == instrument && until.is_none_or(|until| quote.effective_at <= until);
        match books.quotes.iter().rev().find(fits) {
            Some(quote) => values.insert(name, quote.document.clone()),
            None => missing.insert(name.clone(), answers::failure(&name, "QuoteNotFound", "there is no quote of this instrument up to this date")),
        };
    }
    Json(json!({"values": values, "notFound": missing, "failed": {}, "links": []})).into_response()
}

async fn scopes(State(library): State<Library>) -> Response {
    let scopes: BTreeSet<String> = library.read().portfolios.iter().map(|portfolio| portfolio.scope.clone()).collect();
    list(scopes.into_iter().map(|scope| json!({"scope": scope})).collect(), Map::new())
}

/// With `propertyKeys`, only those properties; without, all of them.
fn decorated(mut documents: Vec<Value>, parameters: &Parameters) -> Vec<Value> {
    let keys: Vec<&str> = parameters.iter().filter(|(name, _)| name == "propertyKeys").map(|(_, key)| &**key).collect();
    if !keys.is_empty() {
        for properties in documents.iter_mut().filter_map(|document| document.get_mut("properties")?.as_object_mut()) {
            properties.retain(|key, _| keys.contains(&&**key));
        }
    }
    documents
}

fn first<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    parameters.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
}

/// A date of the query; an error when it is none.
fn date(parameters: &Parameters, name: &str) -> Result<Option<Timestamp>, ()> {
    first(parameters, name).map(|text| instant(text).ok_or(())).transpose()
}

/// A time, or midnight (UTC) of a date.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}
