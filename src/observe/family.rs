//! Makes families of metrics and registers them, with every label value there can be.

use super::MetricsError;
use super::metrics::Verdicts;
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use std::collections::HashMap;

/// How a refresh of a key set may end, as `sources` names it.
pub(super) const KEYS_REFRESHES: [&str; 3] = ["ok", "unchanged", "failed"];

/// How a question to an issuer about a token may end, as `sources` names it.
pub(super) const INTROSPECTIONS: [&str; 3] = ["active", "refused", "failed"];

/// The metrics of one issuer's keys, or of the questions it is asked.
#[derive(Debug)]
pub(super) struct IssuerMetrics {
    pub(super) age: Gauge,
    pub(super) refreshes: [IntCounter; KEYS_REFRESHES.len()],
    pub(super) introspections: [IntCounter; INTROSPECTIONS.len()],
}

/// The two counters of an entity's items, or of a family without entities.
pub(super) fn verdicts(family: &IntCounterVec, entity: Option<&str>) -> Verdicts {
    let counter = |verdict| match entity {
        Some(entity) => family.with_label_values(&[entity, verdict]),
        None => family.with_label_values(&[verdict]),
    };
    Verdicts { kept: counter("kept"), removed: counter("removed") }
}

/// Makes metrics and registers them.
pub(super) struct Family<'a> {
    registry: &'a Registry,
}

impl<'a> Family<'a> {
    pub(super) fn of(registry: &'a Registry) -> Self {
        Self { registry }
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricsError> {
        let family = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, MetricsError> {
        let family = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), &[])?;
        self.registry.register(Box::new(family.clone()))?;
        let none: &[&str] = &[];
        Ok(family.with_label_values(none))
    }

    pub(super) fn integer(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        let gauge = IntGauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        let gauge = Gauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    pub(super) fn issuers(&self, issuers: &[String]) -> Result<HashMap<String, IssuerMetrics>, MetricsError> {
        let ages = GaugeVec::new(Opts::new("doorward_jwks_age_seconds", "Age of an issuer's keys."), &["issuer"])?;
        self.registry.register(Box::new(ages.clone()))?;
        let refreshes = self.counters("doorward_jwks_refreshes_total", "Refreshes of key sets.", &["issuer", "result"])?;
        let introspections = self.counters("doorward_introspections_total", "Questions to issuers about tokens.", &["issuer", "result"])?;
        let metrics = |issuer: &String| IssuerMetrics {
            age: ages.with_label_values(&[issuer]),
            refreshes: KEYS_REFRESHES.map(|result| refreshes.with_label_values(&[issuer.as_str(), result])),
            introspections: INTROSPECTIONS.map(|result| introspections.with_label_values(&[issuer.as_str(), result])),
        };
        Ok(issuers.iter().map(|issuer| (issuer.clone(), metrics(issuer))).collect())
    }

    pub(super) fn build_info(&self) -> Result<(), MetricsError> {
        let info = IntGaugeVec::new(Opts::new("doorward_build_info", "The version that runs."), &["version"])?;
        self.registry.register(Box::new(info.clone()))?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(())
    }
}
