//! Closed intervals of instants, and what a question says of its dates.

use jiff::Timestamp;

use super::Instant;

/// All instants from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    from: Instant,
    to: Instant,
}

impl Interval {
    /// From one instant to another; none if the end is before the start.
    #[must_use]
    pub fn between(from: impl Into<Instant>, to: impl Into<Instant>) -> Option<Self> {
        let (from, to) = (from.into(), to.into());
        (from <= to).then_some(Self { from, to })
    }

    /// A single instant.
    #[must_use]
    pub fn at(instant: impl Into<Instant>) -> Self {
        let instant = instant.into();
        Self { from: instant, to: instant }
    }

    /// All times.
    #[must_use]
    pub const fn everything() -> Self {
        Self { from: Instant::MIN, to: Instant::MAX }
    }

    /// The first instant.
    #[must_use]
    pub const fn from(self) -> Instant {
        self.from
    }

    /// The last instant.
    #[must_use]
    pub const fn to(self) -> Instant {
        self.to
    }

    /// Whether it lies wholly in `set`.
    #[must_use]
    pub fn is_within(self, set: Self) -> bool {
        set.from <= self.from && self.to <= set.to
    }

    /// Whether it has an instant in common with `set`.
    #[must_use]
    pub fn touches(self, set: Self) -> bool {
        self.from <= set.to && set.from <= self.to
    }
}

impl From<Timestamp> for Interval {
    fn from(timestamp: Timestamp) -> Self {
        Self::at(timestamp)
    }
}

/// What is known of a question's dates in one dimension (semantics §5 and §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// There is a date, but it cannot be read.
    Unknown,
    /// The rows will be judged by their own dates: here an entry holds in an Allow policy and does not in a Deny policy.
    LeftToRows,
    /// The interval asked about.
    Between(Interval),
}

impl From<Interval> for Dates {
    fn from(interval: Interval) -> Self {
        Self::Between(interval)
    }
}
