//! Signs the demo's people in: a token endpoint with the password grant, its keys, and a short way to
//! a token for the curl lines. It is for this machine only: whoever reaches it can be anybody.

use super::DemoError;
use super::company::Person;
use super::signing::{SigningKey, secret};
use crate::observe::clock;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;

/// The `aud` of the tokens.
pub(super) const AUDIENCE: &str = "doorward-demo";
/// How long a token is good, in seconds.
const LIFETIME: i64 = 12 * 60 * 60;

/// One who can sign in.
pub(super) struct Account {
    pub(super) person: Person,
    /// Another one in every demo.
    pub(super) password: String,
    refresh_token: String,
}

/// The issuer of the demo's tokens.
pub(super) struct Issuer {
    /// The tokens' `iss`, and the address of everything here but `/token/…`.
    pub(super) url: String,
    pub(super) accounts: Vec<Account>,
    key: SigningKey,
    /// Public keys that are not ours but published beside it.
    further_keys: Vec<Value>,
}

impl Issuer {
    /// An issuer at `base`, an address without a path.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub(super) fn new(base: &str, people: &[Person], further_keys: Vec<Value>) -> Result<Self, DemoError> {
        let account = |person: &Person| Ok(Account { person: person.clone(), password: secret()?, refresh_token: secret()? });
        Ok(Self {
            url: format!("{base}/oauth2/default"),
            accounts: people.iter().map(account).collect::<Result<_, DemoError>>()?,
            key: SigningKey::generate("demo-tokens")?,
            further_keys,
        })
    }

    /// A fresh access token of this person.
    pub(super) fn token(&self, person: &Person) -> String {
        let now = clock::now().as_second();
        self.key.token(&json!({
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": person.id,
            "iat": now,
            "exp": now + LIFETIME,
            "cid": "demo",
            "scp": ["openid", "client", "groups"],
            "groups": person.groups().collect::<Vec<_>>(),
        }))
    }

    fn find(&self, is_it: impl Fn(&Account) -> bool) -> Option<&Account> {
        self.accounts.iter().find(|account| is_it(account))
    }

    fn keys(&self) -> Value {
        let keys = std::iter::once(self.key.jwk()).chain(self.further_keys.iter().cloned());
        json!({"keys": keys.collect::<Vec<_>>()})
    }
}

/// The routes.
pub(super) fn router(issuer: Arc<Issuer>) -> Router {
    Router::new()
        .route("/oauth2/default/v1/token", post(grant))
        .route("/oauth2/default/v1/keys", get(keys))
        .route("/oauth2/default/.well-known/openid-configuration", get(discovery))
        .route("/token/{user}", get(bare_token))
        .with_state(issuer)
}

async fn keys(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(issuer.keys())
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/v1/keys"),
        "token_endpoint": format!("{url}/v1/token"),
        "grant_types_supported": ["password", "refresh_token"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    }))
}

/// A token and nothing else, for `$(curl …)`.
async fn bare_token(State(issuer): State<Arc<Issuer>>, Path(user): Path<String>) -> Response {
    match issuer.find(|account| account.person.id == user) {
        Some(account) => ([(CONTENT_TYPE, "text/plain"), (CACHE_CONTROL, "no-store")], issuer.token(&account.person)).into_response(),
        None => (StatusCode::NOT_FOUND, "no such user\n").into_response(),
    }
}

async fn grant(State(issuer): State<Arc<Issuer>>, body: String) -> Response {
    let value = |name: &str| field(&body, name).unwrap_or_default();
    let account = match &*value("grant_type") {
        "password" => {
            let (login, password) = (value("username"), value("password"));
            issuer.find(|account| account.person.login == login && account.password == password)
        }
        "refresh_token" => issuer.find(|account| account.refresh_token == value("refresh_token")),
        _ => return refused("unsupported_grant_type", "this endpoint knows `password` and `refresh_token`"),
    };
    let Some(account) = account else {
        return refused("invalid_grant", "the credentials provided were invalid, or the refresh token is invalid or expired");
    };
    let body = json!({
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "access_token": issuer.token(&account.person),
        "scope": "client groups openid offline_access",
        "refresh_token": account.refresh_token,
    });
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn refused(error: &str, description: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error, "error_description": description}))).into_response()
}

/// A field of a form. LUSID's clients build it by hand and leave blanks and `@` as they are.
fn field(form: &str, name: &str) -> Option<String> {
    let (_, value) = form.split('&').filter_map(|pair| pair.split_once('=')).find(|(other, _)| *other == name)?;
    Some(percent_decode_str(&value.replace('+', " ")).decode_utf8().ok()?.into_owned())
}
