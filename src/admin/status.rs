//! `/status`: what runs, where, under which revision, and how old what it works with is.

use super::{Admin, Listening};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// The document of `/status`. Ages are in seconds; `null` is never.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    version: &'static str,
    listening: Listening,
    uptime_seconds: f64,
    revision: u64,
    snapshot_age_seconds: Option<f64>,
    key_age_seconds: BTreeMap<String, Option<f64>>,
    open_connections: usize,
}

impl Status {
    pub(super) fn of(admin: &Admin, now: Timestamp) -> Self {
        let world = admin.world.load();
        let ages = admin.keys.ages(now).map(|(issuer, age)| (issuer.to_owned(), age.map(|age| age.as_secs_f64())));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            listening: admin.listening.clone(),
            uptime_seconds: admin.started.elapsed().as_secs_f64(),
            revision: world.snapshot.policies.revision(),
            snapshot_age_seconds: world.snapshot.confirmed_at().map(|confirmed| seconds_between(confirmed, now)),
            key_age_seconds: ages.collect(),
            open_connections: admin.connections.load(Ordering::Relaxed),
        }
    }
}

/// Seconds from one instant to another, never negative.
pub(super) fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}
