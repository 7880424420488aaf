//! `[decisions]` and `[shadow]`: what is told of decisions, and what would be decided otherwise.

use super::Config;
use super::reader::Section;
use super::values::{path, snapshot_origin, url};
use crate::sources::{SnapshotOrigin, SnapshotSource, Surroundings};
use http::Uri;
use std::path::PathBuf;

/// `[decisions]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    /// Where records go; empty for nowhere.
    pub sinks: Vec<Sink>,
    /// Which decisions are recorded.
    pub when: When,
    /// What happens when a sink is slower than the decisions.
    pub on_full: OnFull,
    /// Where the control plane is, if not where the snapshot comes from.
    pub control_url: Option<Uri>,
}

/// Where decision records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Standard output, one JSON line each.
    Stdout,
    /// A file, one JSON line each.
    File(PathBuf),
    /// An OpenTelemetry collector.
    Otlp,
    /// The control plane.
    Control,
}

/// Which decisions are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// All of them.
    All,
    /// Refusals.
    Denied,
    /// This share of all, between 0 and 1.
    Sampled(f64),
}

/// What happens when a sink is slower than the decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Records are dropped and counted.
    Drop,
    /// Calls wait.
    Block,
}

/// `[shadow]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// A candidate that is evaluated beside the live snapshot.
    pub snapshot: Option<SnapshotOrigin>,
    /// Whether the live one is enforced.
    pub mode: ShadowMode,
}

/// Whether decisions are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowMode {
    /// They are.
    Enforce,
    /// They are only logged.
    Observe,
}

impl Decisions {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section_or_empty("decisions");
        let remedy = "write \"stdout\", \"file:\" and a path, \"control\" or \"none\"";
        let sinks = section.list("sink", remedy, sink).unwrap_or_else(|| vec![Some(Sink::Stdout)]);
        if sinks.len() > 1 && sinks.contains(&None) {
            section.problem("sink", "`none` stands beside others, remove it or them");
        }
        let on_full = |text: &str| match text {
            "drop" => Some(OnFull::Drop),
            "block" => Some(OnFull::Block),
            _ => None,
        };
        let remedy = "write \"all\", \"denied\" or \"sampled(0.01)\"";
        let decisions = Self {
            sinks: sinks.into_iter().flatten().collect(),
            when: section.parsed("when", remedy, when).unwrap_or(When::Denied),
            on_full: section.parsed("on_full", "write \"drop\" or \"block\"", on_full).unwrap_or(OnFull::Drop),
            control_url: section.parsed("control_url", "write an http or https URL, such as \"https://access.example\"", base_url),
        };
        section.finish();
        decisions
    }
}

impl Config {
    /// Where decision records are posted to: below `decisions.control_url`, or beside the snapshot.
    /// None where neither says it.
    #[must_use]
    pub fn decisions_url(&self) -> Option<Uri> {
        let base = match (&self.decisions.control_url, &self.snapshot.source) {
            (Some(url), _) => url.to_string(),
            (None, SnapshotOrigin::Http(url)) => url.to_string().strip_suffix("/snapshot")?.to_owned(),
            (None, SnapshotOrigin::File(_)) => return None,
        };
        url(&format!("{}/decisions", base.trim_end_matches('/')))
    }

    /// Where the candidate comes from, if there is one. A URL is held to what the snapshot's own is held
    /// to; the bearer is shown to the same server alone.
    #[must_use]
    pub fn candidate(&self, surroundings: &Surroundings) -> Option<SnapshotSource> {
        let origin = self.shadow.as_ref()?.snapshot.clone()?;
        let live = self.snapshot.as_source(surroundings);
        let server = |origin: &SnapshotOrigin| match origin {
            SnapshotOrigin::Http(url) => Some((url.scheme().cloned(), url.authority().cloned())),
            SnapshotOrigin::File(_) => None,
        };
        let of_candidate = server(&origin);
        let is_same = of_candidate.is_some() && of_candidate == server(&live.origin);
        Some(SnapshotSource {
            authorization: live.authorization.filter(|_| is_same),
            keys: live.keys.filter(|_| of_candidate.is_some()),
            cache: None,
            poll: live.poll,
            origin,
        })
    }

    pub(super) fn require_decisions_url(&self, root: &Section<'_>) {
        if self.decisions.sinks.contains(&Sink::Control) && self.decisions_url().is_none() {
            root.problem("decisions.control_url", "is needed: `snapshot.source` is no URL that ends in `/snapshot`, write where the control plane is");
        }
    }
}

/// A URL to which a path can be added.
fn base_url(text: &str) -> Option<Uri> {
    url(text).filter(|url| url.query().is_none() && !text.contains('#'))
}

/// A sink; the inner `None` is the word `none`.
fn sink(text: &str) -> Option<Option<Sink>> {
    Some(Some(match text {
        "stdout" => Sink::Stdout,
        "otlp" => Sink::Otlp,
        "control" => Sink::Control,
        "none" => return Some(None),
        _ => Sink::File(text.strip_prefix("file:").and_then(path)?),
    }))
}

fn when(text: &str) -> Option<When> {
    match text {
        "all" => Some(When::All),
        "denied" => Some(When::Denied),
        _ => {
            let share: f64 = text.strip_prefix("sampled(")?.strip_suffix(')')?.trim().parse().ok()?;
            (0.0..=1.0).contains(&share).then_some(When::Sampled(share))
        }
    }
}

impl Shadow {
    pub(super) fn read(section: Section<'_>) -> Self {
        let mode = |text: &str| match text {
            "enforce" => Some(ShadowMode::Enforce),
            "observe" => Some(ShadowMode::Observe),
            _ => None,
        };
        let remedy = "write an http or https URL, or \"file:\" and a path";
        let shadow = Self {
            snapshot: section.parsed("snapshot", remedy, snapshot_origin),
            mode: section.parsed("mode", "write \"enforce\" or \"observe\"", mode).unwrap_or(ShadowMode::Enforce),
        };
        section.finish();
        shadow
    }
}
