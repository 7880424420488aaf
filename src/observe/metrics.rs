//! The metrics of interfaces §7, each as a typed handle. Every combination of labels is registered
//! at the start from closed sets, so counting is one atomic addition and a scrape is complete from
//! the first second. It never looks a label up on the path of a call, the API map's entities aside.

use super::family::{Family, INTROSPECTIONS, IssuerMetrics, KEYS_REFRESHES, verdicts};
use crate::authorize::{Difference, Door, RefusalName};
use crate::sources::SourceObserver;
use prometheus::{Encoder, Gauge, Histogram, IntCounter, IntGauge, Registry, TextEncoder};
use std::collections::HashMap;
use std::time::Duration;

/// Why the metrics could not be set up or written.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A metric was refused by the registry, or could not be written as text.
    #[error("metrics: {0}")]
    Registry(#[from] prometheus::Error),
    /// The exposition is not text.
    #[error("metrics are not valid text")]
    Text,
}

/// How a call ended, in the words of interfaces §7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream's answer went through as it is.
    Passed,
    /// The upstream's answer went through the filter.
    Filtered,
    /// We refused.
    Refused,
    /// The upstream failed, or its answer could not be filtered.
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Passed, Self::Filtered, Self::Refused, Self::Failed];

    /// The label's value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Filtered => "filtered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// What a refusal of this name means for the outcome: the upstream's faults are failures.
    #[must_use]
    pub fn of(refusal: RefusalName) -> Self {
        if refusal.is_ours() { Self::Refused } else { Self::Failed }
    }
}

/// The label values that the configuration closes: the API maps' entities and the issuers.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// Every entity that a filter may count.
    pub entities: Vec<String>,
    /// Every issuer whose keys are fetched, or who is asked about tokens.
    pub issuers: Vec<String>,
}

/// The counters of one door.
#[derive(Debug)]
pub struct DoorMetrics {
    outcomes: [IntCounter; 4],
    refusals: [IntCounter; RefusalName::ALL.len()],
}

impl DoorMetrics {
    /// Counts one call that ended so.
    pub fn count(&self, outcome: Outcome) {
        if let Some(counter) = self.outcomes.get(outcome as usize) {
            counter.inc();
        }
    }

    /// Counts what was refused before it was a call: of it there is no record.
    pub fn turn_away(&self, name: RefusalName) {
        self.count(Outcome::Refused);
        self.refuse(name);
    }

    /// Counts one refusal by its name.
    pub fn refuse(&self, name: RefusalName) {
        if let Some(counter) = self.refusals.get(name as usize) {
            counter.inc();
        }
    }
}

/// Kept and removed, of an entity's items or of properties.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// What stayed in an answer.
    pub kept: IntCounter,
    /// What disappeared from it.
    pub removed: IntCounter,
}

/// Hits and misses of a cache.
#[derive(Debug)]
pub struct Cached {
    /// Found.
    pub hit: IntCounter,
    /// Worked out anew.
    pub miss: IntCounter,
}

/// How an attempt to load a snapshot may end, as `sources` names it.
const SNAPSHOT_LOADS: [&str; 4] = ["ok", "unchanged", "refused", "failed"];
/// Every metric there is.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    doors: [DoorMetrics; 4],
    shadow: [IntCounter; Difference::ALL.len()],
    /// The time `authorize` takes.
    pub decision: Histogram,
    /// The time from a request's head to its answer's, without the upstream's.
    pub added_latency: Histogram,
    /// The time from sending a request to the head of the upstream's answer.
    pub upstream: Histogram,
    items: HashMap<String, Verdicts>,
    other_items: Verdicts,
    /// Properties kept and removed.
    pub properties: Verdicts,
    /// Bytes that went into filters.
    pub filter_read: IntCounter,
    /// Bytes that came out of filters.
    pub filter_written: IntCounter,
    /// The revision in force.
    pub snapshot_revision: IntGauge,
    /// Seconds since the snapshot's source last confirmed it.
    pub snapshot_age: Gauge,
    /// The size of the snapshot in force.
    pub snapshot_bytes: IntGauge,
    snapshot_loads: [IntCounter; SNAPSHOT_LOADS.len()],
    /// The cache of verified tokens.
    pub token_cache: Cached,
    issuers: HashMap<String, IssuerMetrics>,
    /// Decision records written.
    pub log_written: IntCounter,
    /// Decision records dropped because the sink could not keep up.
    pub log_dropped: IntCounter,
    /// Decision records that the sink refused.
    pub log_failed: IntCounter,
    /// Connections that clients hold open.
    pub open_connections: IntGauge,
    /// Upstreams that fail their health checks.
    pub upstreams_down: IntGauge,
}

impl Metrics {
    /// Counts a call that was compared with what the candidate says of it.
    pub fn shadow(&self, difference: Difference) {
        if let Some(counter) = self.shadow.get(difference as usize) {
            counter.inc();
        }
    }

    /// Registers everything.
    ///
    /// # Errors
    /// When the registry refuses a metric.
    pub fn new(labels: &Labels) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let family = Family::of(&registry);
        let requests = family.counters("doorward_requests_total", "Calls by door and outcome.", &["door", "outcome"])?;
        let refusals = family.counters("doorward_refusals_total", "Refusals by door and name.", &["door", "name"])?;
        let items = family.counters("doorward_items_total", "Items of answers, kept and removed.", &["entity", "verdict"])?;
        let log = family.counters("doorward_decision_log_total", "Decision records by result.", &["result"])?;
        let shadow = family.counters("doorward_shadow_total", "Calls that the candidate snapshot would treat otherwise.", &["difference"])?;
        family.build_info()?;
        let doors = [Door::Proxy, Door::ExtAuthz, Door::ExtProc, Door::ForwardAuth];
        let filter_bytes = family.counters("doorward_filter_bytes_total", "Bytes read and written by filters.", &["direction"])?;
        let cache = family.counters("doorward_token_cache_total", "Look-ups of verified tokens.", &["result"])?;
        let loads = family.counters("doorward_snapshot_loads_total", "Attempts to load a snapshot.", &["result"])?;
        let properties = family.counters("doorward_properties_total", "Properties of answers, kept and removed.", &["verdict"])?;
        let issuers = family.issuers(&labels.issuers)?;
        Ok(Self {
            shadow: Difference::ALL.map(|difference| shadow.with_label_values(&[difference.name()])),
            doors: doors.map(|door| DoorMetrics {
                outcomes: Outcome::ALL.map(|outcome| requests.with_label_values(&[door.name(), outcome.name()])),
                refusals: RefusalName::ALL.map(|name| refusals.with_label_values(&[door.name(), name.as_str()])),
            }),
            decision: family.histogram("doorward_decision_seconds", "Time to decide a call.", &DECISION_BUCKETS)?,
            added_latency: family.histogram("doorward_added_latency_seconds", "Time added to a call.", &LATENCY_BUCKETS)?,
            upstream: family.histogram("doorward_upstream_seconds", "Time of the upstream to the head of its answer.", &LATENCY_BUCKETS)?,
            items: labels.entities.iter().map(|entity| (entity.clone(), verdicts(&items, Some(entity)))).collect(),
            other_items: verdicts(&items, Some("other")),
            properties: verdicts(&properties, None),
            filter_read: filter_bytes.with_label_values(&["in"]),
            filter_written: filter_bytes.with_label_values(&["out"]),
            snapshot_revision: family.integer("doorward_snapshot_revision", "Revision of the snapshot in force.")?,
            snapshot_age: family.gauge("doorward_snapshot_age_seconds", "Time since the snapshot was last confirmed by its source.")?,
            snapshot_bytes: family.integer("doorward_snapshot_bytes", "Size of the snapshot in force.")?,
            snapshot_loads: SNAPSHOT_LOADS.map(|result| loads.with_label_values(&[result])),
            token_cache: Cached { hit: cache.with_label_values(&["hit"]), miss: cache.with_label_values(&["miss"]) },
            issuers,
            log_written: log.with_label_values(&["written"]),
            log_dropped: log.with_label_values(&["dropped"]),
            log_failed: log.with_label_values(&["failed"]),
            open_connections: family.integer("doorward_open_connections", "Connections that clients hold open.")?,
            upstreams_down: family.integer("doorward_upstreams_down", "Upstreams that fail their health checks.")?,
            registry,
        })
    }

    /// The counters of a door.
    #[must_use]
    pub fn door(&self, door: Door) -> &DoorMetrics {
        let [proxy, ext_authz, ext_proc, forward_auth] = &self.doors;
        match door {
            Door::Proxy => proxy,
            Door::ExtAuthz => ext_authz,
            Door::ExtProc => ext_proc,
            // The control plane is no door of a data plane: nothing counts its calls here.
            Door::ForwardAuth | Door::Control => forward_auth,
        }
    }

    /// The counters of an entity's items; an entity that no map names is counted as `other`.
    #[must_use]
    pub fn items(&self, entity: &str) -> &Verdicts {
        self.items.get(entity).unwrap_or(&self.other_items)
    }

    /// Sets the age of an issuer's keys.
    pub fn keys_age(&self, issuer: &str, age: Duration) {
        if let Some(metrics) = self.issuers.get(issuer) {
            metrics.age.set(age.as_secs_f64());
        }
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// When the registry cannot be written as text.
    pub fn render(&self) -> Result<String, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|_| MetricsError::Text)
    }
}

impl SourceObserver for Metrics {
    fn snapshot_load(&self, result: &'static str, bytes: usize) {
        count(&SNAPSHOT_LOADS, &self.snapshot_loads, result);
        if result == "ok" {
            self.snapshot_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    fn keys_refresh(&self, issuer: &str, result: &'static str) {
        if let Some(metrics) = self.issuers.get(issuer) {
            count(&KEYS_REFRESHES, &metrics.refreshes, result);
        }
    }

    fn introspection(&self, issuer: &str, result: &'static str) {
        if let Some(metrics) = self.issuers.get(issuer) {
            count(&INTROSPECTIONS, &metrics.introspections, result);
        }
    }

    fn token_cache(&self, hit: bool) {
        if hit { self.token_cache.hit.inc() } else { self.token_cache.miss.inc() }
    }
}

/// Counts one result; a name that is not of the closed set opens no label.
fn count(names: &[&str], counters: &[IntCounter], result: &str) {
    if let Some((_, counter)) = names.iter().zip(counters).find(|(name, _)| **name == result) {
        counter.inc();
    }
}

/// 100 ns to 10 ms: a decision is a matter of memory, not of networks.
const DECISION_BUCKETS: [f64; 11] = [1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 1e-3, 1e-2];
/// 10 µs to 10 s.
const LATENCY_BUCKETS: [f64; 13] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 2.5, 10.0];

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&Labels { entities: vec!["Portfolio".into()], issuers: vec!["https://id.example".into()] }).unwrap()
    }

    #[test]
    fn every_metric_is_there_before_the_first_call() {
        let text = metrics().render().unwrap();
        for name in [
            "doorward_requests_total{door=\"proxy\",outcome=\"passed\"} 0",
            "doorward_refusals_total{door=\"ext_authz\",name=\"AccessDenied\"} 0",
            "doorward_decision_seconds_count 0",
            "doorward_added_latency_seconds_count 0",
            "doorward_items_total{entity=\"Portfolio\",verdict=\"removed\"} 0",
            "doorward_properties_total{verdict=\"kept\"} 0",
            "doorward_filter_bytes_total{direction=\"in\"} 0",
            "doorward_snapshot_revision 0",
            "doorward_snapshot_age_seconds 0",
            "doorward_snapshot_loads_total{result=\"refused\"} 0",
            "doorward_snapshot_bytes 0",
            "doorward_token_cache_total{result=\"miss\"} 0",
            "doorward_jwks_age_seconds{issuer=\"https://id.example\"} 0",
            "doorward_jwks_refreshes_total{issuer=\"https://id.example\",result=\"failed\"} 0",
            "doorward_introspections_total{issuer=\"https://id.example\",result=\"failed\"} 0",
            "doorward_decision_log_total{result=\"dropped\"} 0",
            "doorward_shadow_total{difference=\"none\"} 0",
            "doorward_upstream_seconds_count 0",
            "doorward_open_connections 0",
            "doorward_upstreams_down 0",
            "doorward_build_info{version=\"",
        ] {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
    }

    #[test]
    fn an_entity_that_no_map_names_opens_no_label() {
        let metrics = metrics();
        metrics.items("Nobody").kept.inc_by(3);
        let text = metrics.render().unwrap();
        assert!(text.contains("doorward_items_total{entity=\"other\",verdict=\"kept\"} 3"), "{text}");
        assert!(!text.contains("Nobody"), "{text}");
    }

    #[test]
    fn sources_count_under_names_of_the_closed_set_only() {
        let metrics = metrics();
        metrics.snapshot_load("ok", 17);
        metrics.keys_refresh("https://id.example", "failed");
        metrics.keys_refresh("https://nobody.example", "ok");
        metrics.keys_refresh("https://id.example", "odd");
        metrics.token_cache(true);
        metrics.introspection("https://id.example", "refused");
        metrics.introspection("https://nobody.example", "refused");
        let text = metrics.render().unwrap();
        for line in [
            "doorward_snapshot_loads_total{result=\"ok\"} 1",
            "doorward_snapshot_bytes 17",
            "doorward_jwks_refreshes_total{issuer=\"https://id.example\",result=\"failed\"} 1",
            "doorward_introspections_total{issuer=\"https://id.example\",result=\"refused\"} 1",
            "doorward_token_cache_total{result=\"hit\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("nobody") && !text.contains("odd"), "{text}");
    }

    #[test]
    fn every_refusal_is_counted_under_its_own_name() {
        let metrics = metrics();
        for name in RefusalName::ALL {
            metrics.door(Door::Proxy).refuse(name);
        }
        let text = metrics.render().unwrap();
        for name in RefusalName::ALL {
            let line = format!("doorward_refusals_total{{door=\"proxy\",name=\"{}\"}} 1", name.as_str());
            assert!(text.contains(&line), "{line}");
        }
    }
}
