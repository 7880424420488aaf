//! Signs the demo's people in at its control plane, by the password grant that any client uses, and
//! offers a short way to a token for the curl lines. It is for this machine only: whoever reaches it
//! can be anybody.

use super::DemoError;
use crate::http_client::{Answer, Ask, Authorities, HttpClient};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The longest that the control plane may take, and the longest answer that is read.
const PATIENCE: Duration = Duration::from_secs(20);
const LONGEST: usize = 1 << 20;
/// The application that everybody signs in by.
pub(super) const CLIENT_ID: &str = "doorward-demo";

/// One who can sign in.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// The user's id.
    pub(super) id: String,
    pub(super) login: String,
    /// Another one in every demo.
    pub(super) password: String,
}

/// A client of the demo's control plane.
pub(super) struct SignIn {
    control: String,
    client_secret: String,
    http: HttpClient,
}

impl SignIn {
    /// A client of the control plane at this address.
    ///
    /// # Errors
    /// When the machine's TLS cannot be set up.
    pub(super) fn new(control: String, client_secret: String) -> Result<Self, DemoError> {
        Ok(Self { control, client_secret, http: HttpClient::new(Authorities::Native)? })
    }

    /// The secret of the application.
    pub(super) fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// A fresh access token.
    ///
    /// # Errors
    /// When the control plane does not give one.
    pub(super) async fn token(&self, account: &Account) -> Result<String, DemoError> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (login, password, secret) = (encoded(&account.login), encoded(&account.password), encoded(&self.client_secret));
        let form = format!("grant_type=password&username={login}&password={password}&scope=openid client groups&client_id={CLIENT_ID}&client_secret={secret}");
        let mut ask = self.ask(Method::POST, "/oauth2/default/v1/token")?;
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        ask.body = Bytes::from(form);
        text(self.http.ask(ask).await?, "access_token")
    }

    /// A new password for a user, which the control plane makes up.
    ///
    /// # Errors
    /// When the control plane does not give one.
    pub(super) async fn password(&self, owner: &str, user_id: &str) -> Result<String, DemoError> {
        let mut ask = self.ask(Method::POST, &format!("/identity/api/users/{user_id}/lifecycle/$expirepassword"))?;
        let bearer = HeaderValue::from_str(&format!("Bearer {owner}")).map_err(|_| DemoError::SignIn(String::new()))?;
        ask.headers.insert(AUTHORIZATION, bearer);
        text(self.http.ask(ask).await?, "password")
    }

    fn ask(&self, method: Method, path: &str) -> Result<Ask, DemoError> {
        let url = format!("{}{path}", self.control).parse().map_err(|_| DemoError::SignIn(self.control.clone()))?;
        Ok(Ask { method, ..Ask::get(url, PATIENCE, LONGEST) })
    }
}

/// A textual member of an answer.
fn text(answer: Answer, member: &str) -> Result<String, DemoError> {
    let document = serde_json::from_slice::<Value>(&answer.body).ok();
    let value = document.as_ref().and_then(|document| document.get(member)?.as_str().map(str::to_owned));
    value.ok_or_else(|| DemoError::SignIn(String::from_utf8_lossy(&answer.body).into_owned()))
}

/// The routes.
pub(super) fn router(sign_in: Arc<SignIn>, accounts: Arc<[Account]>) -> Router {
    Router::new().route("/token/{user}", get(bare_token)).with_state((sign_in, accounts))
}

/// A token and nothing else, for `$(curl …)`.
async fn bare_token(State((sign_in, accounts)): State<(Arc<SignIn>, Arc<[Account]>)>, Path(user): Path<String>) -> Response {
    let Some(account) = accounts.iter().find(|account| account.id == user) else {
        return (StatusCode::NOT_FOUND, "no such user\n").into_response();
    };
    match sign_in.token(account).await {
        Ok(token) => ([(CONTENT_TYPE, "text/plain"), (CACHE_CONTROL, "no-store")], token).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    }
}
