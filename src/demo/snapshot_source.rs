//! What the demo has in place of a control plane: it serves the snapshot as one does (interfaces §5)
//! and lets one policy after the other be replaced. It is for this machine only and asks nobody who
//! they are; a web page cannot use it, for a `PUT` of JSON is not a simple request.

use super::DemoError;
use super::signing::SigningKey;
use crate::observe::clock;
use crate::snapshot::Snapshot;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, put};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

/// No answer is held longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a change waits for the proxy to follow.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(5);

/// A revision as it is served.
struct Published {
    revision: u64,
    etag: String,
    bytes: Bytes,
    signature: String,
}

/// The snapshot and those who wait for the next one.
pub(super) struct SnapshotSource {
    key: SigningKey,
    document: Mutex<Value>,
    published: watch::Sender<Arc<Published>>,
    /// The newest revision that somebody who polls says to have.
    followed: watch::Sender<u64>,
}

impl SnapshotSource {
    /// Serves this document first, signed with this key.
    ///
    /// # Errors
    /// When it is no snapshot; a test loads it.
    pub(super) fn new(document: Value, key: SigningKey) -> Result<Self, DemoError> {
        let first = publish(&document, &key).map_err(DemoError::Snapshot)?;
        let (published, _) = watch::channel(Arc::new(first));
        let (followed, _) = watch::channel(0);
        Ok(Self { key, document: Mutex::new(document), published, followed })
    }

    /// Publishes the document with this policy replaced; the new revision, or every problem.
    async fn replace(&self, scope: &str, code: &str, policy: Value) -> Result<u64, Refusal> {
        let mut document = self.document.lock().await;
        let mut next = document.clone();
        let policies = next.get_mut("policies").and_then(Value::as_array_mut).ok_or(Refusal::NoSuchPolicy)?;
        let is_it = |policy: &&mut Value| policy.get("id") == Some(&json!({"scope": scope, "code": code}));
        let place = policies.iter_mut().find(is_it).ok_or(Refusal::NoSuchPolicy)?;
        *place = with_id(policy, scope, code).ok_or(Refusal::NoObject)?;
        if let Some(members) = next.as_object_mut() {
            members.insert("revision".to_owned(), json!(self.published.borrow().revision + 1));
            members.insert("issuedAt".to_owned(), json!(clock::now().to_string()));
        }
        let published = publish(&next, &self.key).map_err(Refusal::Problems)?;
        let revision = published.revision;
        *document = next;
        self.published.send_replace(Arc::new(published));
        Ok(revision)
    }

    /// Whether the proxy has come to that revision, soon.
    async fn is_followed(&self, revision: u64) -> bool {
        let mut followed = self.followed.subscribe();
        matches!(timeout(FOLLOWED_WITHIN, followed.wait_for(|at| *at >= revision)).await, Ok(Ok(_)))
    }
}

/// Why a policy stays as it is.
enum Refusal {
    NoSuchPolicy,
    NoObject,
    Problems(Vec<String>),
}

/// The policy under its id; `None` when it is no object.
fn with_id(mut policy: Value, scope: &str, code: &str) -> Option<Value> {
    policy.as_object_mut()?.insert("id".to_owned(), json!({"scope": scope, "code": code}));
    Some(policy)
}

fn publish(document: &Value, key: &SigningKey) -> Result<Published, Vec<String>> {
    let bytes = Bytes::from(document.to_string());
    let snapshot = Snapshot::load(&bytes, clock::now())
        .map_err(|problems| problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<Vec<_>>())?;
    let revision = snapshot.policies.revision();
    Ok(Published { revision, etag: format!("\"{revision}\""), signature: key.detached(&bytes), bytes })
}

/// The routes.
pub(super) fn router(source: Arc<SnapshotSource>) -> Router {
    Router::new().route("/snapshot", get(serve_snapshot)).route("/policies/{scope}/{code}", put(replace_policy).get(show_policy)).with_state(source)
}

/// The newest snapshot; or 304, when the caller has it and no other came while it was willing to wait.
async fn serve_snapshot(State(source): State<Arc<SnapshotSource>>, headers: HeaderMap) -> Response {
    let mut newest = source.published.subscribe();
    let mut published = Arc::clone(&*newest.borrow_and_update());
    let known = headers.get(IF_NONE_MATCH).and_then(|etag| etag.to_str().ok());
    if known == Some(&*published.etag) {
        source.followed.send_if_modified(|at| {
            let is_newer = published.revision > *at;
            *at = published.revision.max(*at);
            is_newer
        });
        if !matches!(timeout(wait(&headers), newest.changed()).await, Ok(Ok(()))) {
            return (StatusCode::NOT_MODIFIED, [(ETAG, published.etag.clone())]).into_response();
        }
        published = Arc::clone(&*newest.borrow_and_update());
    }
    let head =
        [(CONTENT_TYPE.as_str(), "application/json".to_owned()), (ETAG.as_str(), published.etag.clone()), ("doorward-signature", published.signature.clone())];
    (head, published.bytes.clone()).into_response()
}

/// `Prefer: wait=30`.
fn wait(headers: &HeaderMap) -> Duration {
    let preference = headers.get("prefer").and_then(|value| value.to_str().ok());
    let seconds = preference.and_then(|text| text.trim().strip_prefix("wait=")?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_WAIT)
}

async fn show_policy(State(source): State<Arc<SnapshotSource>>, Path((scope, code)): Path<(String, String)>) -> Response {
    let document = source.document.lock().await;
    let mut policies = document.get("policies").and_then(Value::as_array).into_iter().flatten();
    match policies.find(|policy| policy.get("id") == Some(&json!({"scope": scope, "code": code}))) {
        Some(policy) => Json(policy).into_response(),
        None => refused(Refusal::NoSuchPolicy),
    }
}

/// Replaces a policy, and answers when the proxy judges by it.
async fn replace_policy(State(source): State<Arc<SnapshotSource>>, Path((scope, code)): Path<(String, String)>, Json(policy): Json<Value>) -> Response {
    match source.replace(&scope, &code, policy).await {
        Ok(revision) => {
            let is_followed = source.is_followed(revision).await;
            Json(json!({"revision": revision, "inForce": is_followed})).into_response()
        }
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Response {
    let (status, problems) = match refusal {
        Refusal::NoSuchPolicy => (StatusCode::NOT_FOUND, vec!["there is no such policy".to_owned()]),
        Refusal::NoObject => (StatusCode::BAD_REQUEST, vec!["a policy is a JSON object".to_owned()]),
        Refusal::Problems(problems) => (StatusCode::BAD_REQUEST, problems),
    };
    (status, Json(json!({"problems": problems}))).into_response()
}
