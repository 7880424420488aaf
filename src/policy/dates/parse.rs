//! Strict RFC 3339 date-times and plain dates.

use super::{Day, Instant, NANOS_OF_DAY};

/// Reads a strict RFC 3339 date-time, or a plain date, which means its midnight in UTC (semantics §5).
///
/// Fractional digits beyond the ninth are dropped; an offset that leaves the years 0001 to 9999 saturates.
#[must_use]
pub fn parse_instant(text: &str) -> Option<Instant> {
    let mut bytes = Bytes(text.as_bytes());
    let day = bytes.date()?;
    if bytes.0.is_empty() {
        return Some(Instant::start_of(day));
    }
    bytes.time_of(day)
}

/// The same for a query parameter, where a blank in place of the offset's sign is read as `+`.
#[must_use]
pub fn parse_query_instant(text: &str) -> Option<Instant> {
    let sign = text.len().checked_sub("+hh:mm".len());
    match sign.and_then(|at| Some((text.get(..at)?, text.get(at..)?.strip_prefix(' ')?))) {
        Some((before, offset)) => parse_date_time(&format!("{before}+{offset}")),
        None => parse_instant(text),
    }
}

/// Reads an RFC 3339 date-time; a plain date is none.
pub(in super::super) fn parse_date_time(text: &str) -> Option<Instant> {
    let mut bytes = Bytes(text.as_bytes());
    let day = bytes.date()?;
    bytes.time_of(day)
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn date(&mut self) -> Option<Day> {
        let year = self.digits(4)?;
        self.one_of(b"-")?;
        let month = self.digits(2)?;
        self.one_of(b"-")?;
        Day::of(year, month, self.digits(2)?)
    }

    fn time_of(&mut self, day: Day) -> Option<Instant> {
        self.one_of(b"Tt")?;
        let hour = self.at_most(23)?;
        self.one_of(b":")?;
        let minute = self.at_most(59)?;
        self.one_of(b":")?;
        let second = self.at_most(59)?;
        let nanos = self.fraction()?;
        let offset = self.offset()?;
        let seconds = u64::try_from(hour * 3600 + minute * 60 + second).ok()?;
        let local = Instant { day, nanos: (seconds * 1_000_000_000 + nanos).min(NANOS_OF_DAY - 1) };
        self.0.is_empty().then(|| local.plus_seconds(-offset))
    }

    /// Nanoseconds; zero when there is no fraction.
    fn fraction(&mut self) -> Option<u64> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
        (count > 0).then(|| padded.fold(0, |nanos, digit| nanos * 10 + u64::from(digit - b'0')))
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.at_most(23)?;
        self.one_of(b":")?;
        Some(sign * i64::from(hours * 3600 + self.at_most(59)? * 60))
    }

    fn at_most(&mut self, limit: i32) -> Option<i32> {
        self.digits(2).filter(|number| *number <= limit)
    }

    fn digits(&mut self, count: usize) -> Option<i32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0')))
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        allowed.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_strict_date_is_none() {
        for text in [
            "",
            "2026",
            "2026-11",
            "2026-1-1",
            "2026-02-29",
            "0000-01-01",
            "2026-11-21 12:00:00Z",
            "2026-11-21T12:00Z",
            "2026-11-21T12:00:00",
            "2026-11-21T24:00:00Z",
            "2026-11-21T12:60:00Z",
            "2026-11-21T12:00:60Z",
            "2026-11-21T12:00:00.Z",
            "2026-11-21T12:00:00+0100",
            "2026-11-21T12:00:00+24:00",
            "2026-11-21T12:00:00+01:60",
            "2026-11-21T12:00:00Zx",
            "2026-11-21x",
            " 2026-11-21",
            "+2026-11-21",
            "2024-01-01N17:00EOD",
            "２026-11-21",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn digits_beyond_the_ninth_are_dropped() {
        assert_eq!(parse_instant("2026-11-21T12:00:00.1234567899999Z"), parse_instant("2026-11-21t12:00:00.123456789z"));
    }

    #[test]
    fn offsets_count_and_saturate() {
        assert_eq!(parse_instant("2026-11-21T23:00:00-02:00"), parse_instant("2026-11-22T01:00:00Z"));
        assert_eq!(parse_instant("0001-01-01T03:00:00+12:00"), Some(Instant::MIN));
        assert_eq!(parse_instant("9999-12-31T23:00:00-03:00"), Some(Instant::MAX));
    }

    #[test]
    fn a_plain_date_is_its_midnight() {
        assert_eq!(parse_instant("2026-11-21"), parse_instant("2026-11-21T00:00:00Z"));
        assert_eq!(parse_date_time("2026-11-21"), None);
    }

    #[test]
    fn in_a_query_a_blank_is_the_plus_of_the_offset() {
        assert_eq!(parse_query_instant("2026-11-21T12:00:00.5 05:30"), parse_instant("2026-11-21T12:00:00.5+05:30"));
        assert_eq!(parse_query_instant("2026-11-21T12:00:00-01:00"), parse_instant("2026-11-21T12:00:00-01:00"));
        assert_eq!(parse_query_instant("2026-11-21 12:00"), None);
        assert_eq!(parse_query_instant("2026 11-21"), None);
        assert_eq!(parse_query_instant("äöü"), None);
    }
}
