//! How many decisions fell into each interval of a span.

use crate::control::wire::time;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// No histogram has more buckets.
const MOST_BUCKETS: i64 = 10_000;
const LONGEST_INTERVAL: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Buckets in the order of time, the empty ones between two others among them.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Histogram {
    buckets: Vec<Bucket>,
}

/// One interval.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    /// When it begins.
    start_time: String,
    /// How many decisions fell into it.
    item_count: u64,
}

/// Reads an interval: `1h 30m`, `PT90M` or `01:30:00`, with days in front as `7.00:00:00`; whole seconds.
pub(super) fn interval(text: &str) -> Option<SignedDuration> {
    let interval = if text.contains(':') { time_span(text)? } else { text.parse().ok()? };
    let is_whole = interval.subsec_nanos() == 0;
    (is_whole && (SignedDuration::from_secs(1)..=LONGEST_INTERVAL).contains(&interval)).then_some(interval)
}

/// `[d.]hh:mm:ss`, as .NET writes an interval.
fn time_span(text: &str) -> Option<SignedDuration> {
    let (days, clock) = text.split_once('.').unwrap_or(("0", text));
    let mut parts = clock.split(':').map(|part| part.parse::<u32>().ok().filter(|_| part.len() == 2));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60 && days.len() <= 3;
    let days = days.parse::<u32>().ok().filter(|_| fits)?;
    Some(SignedDuration::from_secs(i64::from(((days * 24 + hours) * 60 + minutes) * 60 + seconds)))
}

impl Histogram {
    /// Counts these times by intervals that begin at whole multiples of it since 1970; none if there would be too many.
    pub(super) fn of(times: impl Iterator<Item = Timestamp>, interval: SignedDuration) -> Option<Self> {
        let seconds = interval.as_secs().max(1);
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for at in times {
            *counts.entry(at.as_second().div_euclid(seconds)).or_default() += 1;
        }
        let (Some((&first, _)), Some((&last, _))) = (counts.first_key_value(), counts.last_key_value()) else { return Some(Self { buckets: Vec::new() }) };
        if last - first >= MOST_BUCKETS {
            return None;
        }
        let bucket = |index: i64| {
            let start = Timestamp::from_second(index.saturating_mul(seconds)).unwrap_or(Timestamp::MIN);
            Bucket { start_time: time(start), item_count: counts.get(&index).copied().unwrap_or_default() }
        };
        Some(Self { buckets: (first..=last).map(bucket).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_read_in_each_of_its_forms() {
        for (text, seconds) in [("1h 30m", 5400), ("PT90M", 5400), ("01:30:00", 5400), ("7.00:00:01", 604_801), ("1s", 1), ("366.00:00:00", 31_622_400)] {
            assert_eq!(interval(text), Some(SignedDuration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "-1h", "1.5s", "0.5s", "5", "1:2:3", "25:00:00", "00:60:00", "00:00", "01:02:03:04", "400.00:00:00", "often", "-1.00:00:00"] {
            assert_eq!(interval(text), None, "{text}");
        }
    }

    #[test]
    fn decisions_are_counted_by_interval_with_the_empty_ones_between() {
        let times = ["2026-11-21T10:59:59Z", "2026-11-21T08:00:00Z", "2026-11-21T10:00:00Z"].map(|text| text.parse().unwrap());
        let histogram = Histogram::of(times.into_iter(), SignedDuration::from_hours(1)).unwrap();
        let counts: Vec<_> = histogram.buckets.iter().map(|bucket| (bucket.start_time.get(11..16).unwrap(), bucket.item_count)).collect();
        assert_eq!(counts, [("08:00", 1), ("09:00", 0), ("10:00", 2)]);
        assert_eq!(Histogram::of(std::iter::empty(), SignedDuration::from_secs(1)).unwrap().buckets.len(), 0);
        assert_eq!(Histogram::of(times.into_iter(), SignedDuration::from_secs(1)), None);
    }
}
