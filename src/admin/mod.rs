//! The operator's door, on a listener of its own: health, readiness, metrics and status, which show no
//! policy and no user; and for the question why a call was denied, what is recorded of a decision and
//! the explanation of a supposed call, which show both. It never shows a credential, and nothing of it
//! is on the data port.

mod decisions;
mod explain;
mod rebinding;
mod serving;
mod status;

pub use serving::{Limits, Serving, serve};

use crate::observe::{Metrics, Recent, clock};
use crate::snapshot::WorldStore;
use crate::sources::KeySets;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// What the operator's door tells of.
#[derive(Clone)]
pub struct Admin {
    /// The world in force.
    pub world: Arc<WorldStore>,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
    /// The newest decision records.
    pub recent: Arc<Recent>,
    /// The issuers' keys.
    pub keys: Arc<KeySets>,
    /// Connections that clients of the proxy hold open.
    pub connections: Arc<AtomicUsize>,
    /// The addresses of every door.
    pub listening: Listening,
    /// When the process began to serve.
    pub started: Instant,
    /// Whether it was told to stop.
    pub is_stopping: Arc<AtomicBool>,
}

/// The bound addresses of every door; as JSON, the line that `serve` prints (interfaces §2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Listening {
    /// The reverse proxy.
    pub proxy: Vec<SocketAddr>,
    /// Envoy's services.
    pub envoy: Vec<SocketAddr>,
    /// Forward auth.
    pub forward_auth: Vec<SocketAddr>,
    /// The operator's door.
    pub admin: Vec<SocketAddr>,
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/status", get(show_status))
        .route("/decisions/{id}", get(decisions::show))
        .route("/explain", post(explain::explain).layer(DefaultBodyLimit::max(explain::LONGEST_QUESTION)))
        .route_layer(from_fn_with_state(admin.clone(), rebinding::guard))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

/// The process is alive.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether calls can be judged (interfaces §6); otherwise why not, one reason a line.
async fn readyz(State(admin): State<Admin>) -> Response {
    let reasons = admin.missing(clock::now());
    if reasons.is_empty() {
        return "ok\n".into_response();
    }
    let text = reasons.iter().map(|reason| format!("{reason}\n")).collect::<String>();
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    admin.measure(clock::now());
    match admin.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn show_status(State(admin): State<Admin>) -> Json<status::Status> {
    Json(status::Status::of(&admin, clock::now()))
}

impl Admin {
    /// What is in the way of new calls; nothing when the process is ready.
    #[must_use]
    pub fn missing(&self, now: Timestamp) -> Vec<&'static str> {
        let world = self.world.load();
        let mut reasons = Vec::new();
        if self.is_stopping.load(Ordering::Relaxed) {
            reasons.push("the process is told to stop");
        }
        if world.snapshot.policies.revision() == 0 {
            reasons.push("no snapshot is in force");
        } else if !world.snapshot.is_in_force(world.settings.max_staleness, now) {
            reasons.push("the snapshot is staler than allowed");
        }
        if !self.keys.tried_once() {
            reasons.push("an issuer's keys were not tried yet");
        }
        reasons
    }

    /// Brings the gauges up to date that change by time alone.
    fn measure(&self, now: Timestamp) {
        let world = self.world.load();
        self.metrics.snapshot_revision.set(i64::try_from(world.snapshot.policies.revision()).unwrap_or(i64::MAX));
        if let Some(confirmed) = world.snapshot.confirmed_at() {
            self.metrics.snapshot_age.set(status::seconds_between(confirmed, now));
        }
        for (issuer, age) in self.keys.ages(now) {
            // Of an issuer whose keys never came, how long that lasts: an alert on old keys rings for it too.
            self.metrics.keys_age(issuer, age.unwrap_or_else(|| self.started.elapsed()));
        }
    }
}
