//! What an operator can see: metrics as typed handles, the decision log, and the clock.
//! It never decides anything, and no secret ever reaches it: it is given records and counts only.

pub mod clock;
mod decision_log;
mod family;
mod metrics;

pub use decision_log::{DecisionLog, DecisionLogError, LogEntry, LogSettings, OnFull, Sink, When};
pub use metrics::{Cached, DoorMetrics, Labels, Metrics, MetricsError, Outcome, Verdicts};
