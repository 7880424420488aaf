//! What an operator can see: metrics as typed handles, the decision log with its sinks, and the clock.
//! It never decides anything, and no caller's secret ever reaches it: it is given records and counts only.

pub mod clock;
mod decision_log;
mod family;
mod metrics;
mod posts;
mod recent;

pub use decision_log::{DecisionLog, DecisionLogError, LogEntry, LogSettings, OnFull, Sink, When};
pub use metrics::{Cached, DoorMetrics, Labels, Metrics, MetricsError, Outcome, Verdicts};
pub use posts::PostSettings;
pub use recent::Recent;
