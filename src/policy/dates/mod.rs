//! Instants, intervals and the sets of instants that `for` entries describe (semantics §5).
//!
//! All in UTC and saturating at the years 0001 and 9999. It never reads a clock: now is an argument.

mod calendar;
mod interval;
mod parse;
mod quality;
mod relative;

use calendar::Day;
pub use interval::{Dates, Interval};
pub(super) use parse::parse_date_time;
pub use parse::{parse_instant, parse_query_instant};
pub(super) use quality::quality_holds;
pub(super) use relative::span;

use std::fmt;

use jiff::Timestamp;

const NANOS_OF_DAY: u64 = 86_400_000_000_000;
const SECONDS_OF_DAY: i64 = 86_400;

/// An instant between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z, to the nanosecond.
///
/// `jiff::Timestamp` ends a day earlier, so policies that last to the end of 9999 need their own type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    day: Day,
    /// Nanoseconds since that day's midnight; below [`NANOS_OF_DAY`].
    nanos: u64,
}

impl Instant {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self { day: Day::MIN, nanos: 0 };
    /// 9999-12-31T23:59:59.999999999Z.
    pub const MAX: Self = Self { day: Day::MAX, nanos: NANOS_OF_DAY - 1 };

    /// The midnight that opens 31 December 9999, the wire's word for never.
    pub(super) const NEVER: Self = Self::start_of(Day::MAX);

    const fn day(self) -> Day {
        self.day
    }

    /// Its UTC day counted from 1970-01-01, and the nanoseconds since that day's midnight.
    pub(super) const fn day_and_nanos(self) -> (i32, u64) {
        (self.day.number(), self.nanos)
    }

    const fn hour(self) -> u64 {
        self.nanos / 3_600_000_000_000
    }

    const fn start_of(day: Day) -> Self {
        Self { day, nanos: 0 }
    }

    const fn end_of(day: Day) -> Self {
        Self { day, nanos: NANOS_OF_DAY - 1 }
    }

    /// The same time of another day.
    const fn on(self, day: Day) -> Self {
        Self { day, nanos: self.nanos }
    }

    /// Moved by whole seconds; saturates.
    fn plus_seconds(self, seconds: i64) -> Self {
        let second_of_day = i64::try_from(self.nanos / 1_000_000_000).unwrap_or(0);
        let total = second_of_day.saturating_add(seconds);
        let days = i64::from(self.day.number()).saturating_add(total.div_euclid(SECONDS_OF_DAY));
        let rest = total.rem_euclid(SECONDS_OF_DAY).unsigned_abs() * 1_000_000_000;
        match Day::at(days) {
            Some(day) => Self { day, nanos: rest + self.nanos % 1_000_000_000 },
            None if days < 0 => Self::MIN,
            None => Self::MAX,
        }
    }

    /// The instant just before; none before the first.
    fn before(self) -> Option<Self> {
        match self.nanos.checked_sub(1) {
            Some(nanos) => Some(Self { nanos, ..self }),
            None => Some(Self::end_of(Day::at(i64::from(self.day.number()) - 1)?)),
        }
    }

    /// The instant just after; none after the last.
    fn after(self) -> Option<Self> {
        if self.nanos + 1 < NANOS_OF_DAY {
            return Some(Self { nanos: self.nanos + 1, ..self });
        }
        Some(Self::start_of(Day::at(i64::from(self.day.number()) + 1)?))
    }
}

impl From<Timestamp> for Instant {
    /// Saturates at the years 0001 and 9999.
    fn from(timestamp: Timestamp) -> Self {
        let seconds = timestamp.as_second();
        let nanos = i64::from(timestamp.subsec_nanosecond());
        // before 1970 jiff counts both down from the epoch
        let (seconds, nanos) = if nanos < 0 { (seconds - 1, nanos + 1_000_000_000) } else { (seconds, nanos) };
        let whole = Self::start_of(Day::EPOCH).plus_seconds(seconds);
        if whole == Self::MIN && seconds < i64::from(Day::MIN.number()) * SECONDS_OF_DAY {
            return Self::MIN;
        }
        Self { nanos: whole.nanos + nanos.unsigned_abs(), ..whole }
    }
}

impl From<Instant> for Timestamp {
    /// Saturates at `Timestamp::MAX`, which is 26 hours before the end of 9999.
    fn from(instant: Instant) -> Self {
        let seconds = i64::from(instant.day.number()) * SECONDS_OF_DAY + i64::try_from(instant.nanos / 1_000_000_000).unwrap_or(0);
        let nanos = i32::try_from(instant.nanos % 1_000_000_000).unwrap_or(0);
        Self::new(seconds, nanos).unwrap_or(Self::MAX)
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC, with as many fractional digits as it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.day.civil();
        let seconds = self.nanos / 1_000_000_000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match self.nanos % 1_000_000_000 {
            0 => f.write_str("Z"),
            nanos => write!(f, ".{}Z", format!("{nanos:09}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant(text: &str) -> Instant {
        parse_instant(text).unwrap()
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(instant("0001-01-01").plus_seconds(-1), Instant::MIN);
        assert_eq!(instant("9999-12-31T23:59:59Z").plus_seconds(1), Instant::MAX);
        assert_eq!(instant("2026-11-21").plus_seconds(i64::MAX), Instant::MAX);
        assert_eq!(instant("2026-11-21").plus_seconds(i64::MIN), Instant::MIN);
    }

    #[test]
    fn timestamps_convert_both_ways() {
        for text in ["1969-12-31T23:59:59.5Z", "2026-11-21T12:00:00.000000001Z", "0001-01-01T00:00:00Z"] {
            let timestamp: Timestamp = text.parse().unwrap();
            assert_eq!(Instant::from(timestamp), instant(text));
            assert_eq!(Timestamp::from(instant(text)), timestamp);
            assert_eq!(instant(text).to_string(), text);
        }
        assert_eq!(Instant::from(Timestamp::MIN), Instant::MIN);
        assert_eq!(Timestamp::from(Instant::MAX), Timestamp::MAX);
    }

    #[test]
    fn neighbours_cross_midnight() {
        assert_eq!(instant("2026-11-21").before(), parse_instant("2026-11-20T23:59:59.999999999Z"));
        assert_eq!(instant("2026-11-20T23:59:59.999999999Z").after(), parse_instant("2026-11-21"));
        assert_eq!(Instant::MIN.before(), None);
        assert_eq!(Instant::MAX.after(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in any::<i64>(), nanos in 0..1_000_000_000_u64) {
            let whole = Instant::start_of(Day::EPOCH).plus_seconds(seconds % 300_000_000_000);
            let instant = Instant { nanos: whole.nanos / 1_000_000_000 * 1_000_000_000 + nanos, ..whole };
            prop_assert_eq!(parse_instant(&instant.to_string()), Some(instant));
            prop_assert!((Instant::MIN..=Instant::MAX).contains(&instant));
        }

        #[test]
        fn any_text_is_a_date_or_none(text in "[0-9TtZz:+. -]{0,32}") {
            prop_assert_eq!(parse_instant(&text).is_some(), parse_instant(&text).and_then(|date| parse_instant(&date.to_string())).is_some());
            prop_assert!(parse_instant(&text).is_none() || parse_query_instant(&text).is_some());
        }
    }
}
