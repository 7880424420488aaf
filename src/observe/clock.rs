//! The only place that reads the time. Wall time is handed on as an argument; monotonic time only
//! measures, at the edges. It never sleeps.

use jiff::Timestamp;
use std::time::Instant;

/// The wall time, in UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The monotonic time, for measuring and for deadlines.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}
