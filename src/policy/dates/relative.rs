//! Dates relative to now: an anchor, moved, and the instants that lie so or so to it (semantics §5).

use super::super::documents::{DateUnit, PointInTime, RelativeDate, RelativeTo};
use super::calendar::Outside;
use super::{Day, Instant, Interval};

/// Beyond every distance that the calendar can hold, in any unit, and far from overflow.
const FAR: i64 = 10_000_000_000;

/// The set of instants of a relative date; none if it is empty.
pub(in super::super) fn span(date: &RelativeDate, now: Instant) -> Option<Interval> {
    let anchor = anchor(date, now);
    let (first, last) = match date.relative_to {
        RelativeTo::OnDayOf => {
            return Interval::between(Instant::start_of(anchor.day()), Instant::end_of(anchor.day()));
        }
        RelativeTo::Exactly => return Some(Interval::at(anchor)),
        // a unit of a day or longer compares days
        _ if date.unit.is_of_days() => (Instant::start_of(anchor.day()), Instant::end_of(anchor.day())),
        _ => (anchor, anchor),
    };
    match date.relative_to {
        RelativeTo::BeforeOrOn => Interval::between(Instant::MIN, last),
        RelativeTo::Before => Interval::between(Instant::MIN, first.before()?),
        RelativeTo::AfterOrOn => Interval::between(first, Instant::MAX),
        _ => Interval::between(last.after()?, Instant::MAX),
    }
}

/// The point in time that a relative date is relative to.
fn anchor(date: &RelativeDate, now: Instant) -> Instant {
    let start = point(date.date, now);
    let steps = date.adjustment.clamp(-FAR, FAR);
    match date.unit {
        DateUnit::Minute => start.plus_seconds(steps * 60),
        DateUnit::Hour => start.plus_seconds(steps * 3600),
        DateUnit::Day => start.plus_seconds(steps * 86_400),
        DateUnit::Weeks => start.plus_seconds(steps * 7 * 86_400),
        DateUnit::BusinessDay => on_day(start, start.day().plus_business_days(steps)),
        DateUnit::Months => by_months(start, steps),
        DateUnit::Years => by_months(start, steps * 12),
    }
}

fn on_day(start: Instant, number: i64) -> Instant {
    match Day::at(number) {
        Some(day) => start.on(day),
        None if number < 0 => Instant::MIN,
        None => Instant::MAX,
    }
}

fn by_months(start: Instant, months: i64) -> Instant {
    match start.day().plus_months(months) {
        Ok(day) => start.on(day),
        Err(Outside::Before) => Instant::MIN,
        Err(Outside::After) => Instant::MAX,
    }
}

fn point(point: PointInTime, now: Instant) -> Instant {
    let month = now.day().month();
    let (first, last) = (*month.start(), *month.end());
    let day = match point {
        PointInTime::Now => return now,
        PointInTime::FirstOfMonth => first,
        PointInTime::LastDayOfTheMonth => last,
        // every month has a business day within its first and its last three days
        PointInTime::FirstBusinessDayOfTheMonth => first_business_day(first, 1),
        PointInTime::LastBusinessDayOfMonth => first_business_day(last, -1),
        PointInTime::FirstDayOfYear => now.day().first_of_year(),
        PointInTime::LastDayOfYear => now.day().last_of_year(),
    };
    Instant::start_of(day)
}

fn first_business_day(day: Day, step: i64) -> Day {
    if day.is_business_day() {
        return day;
    }
    Day::at(day.plus_business_days(step)).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse_instant;
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn date(date: PointInTime, adjustment: i64, unit: DateUnit, relative_to: RelativeTo) -> RelativeDate {
        RelativeDate { date, adjustment, unit, relative_to }
    }

    fn at(point: PointInTime, adjustment: i64, unit: DateUnit, now: &str) -> String {
        anchor(&date(point, adjustment, unit, RelativeTo::Exactly), parse_instant(now).unwrap()).to_string()
    }

    fn span_of(adjustment: i64, unit: DateUnit, relative_to: RelativeTo) -> Option<(String, String)> {
        let span = span(&date(PointInTime::Now, adjustment, unit, relative_to), parse_instant(NOW).unwrap())?;
        Some((span.from().to_string(), span.to().to_string()))
    }

    #[test]
    fn anchors_are_midnights_of_the_month_or_year_of_now() {
        use PointInTime::*;
        for (point, expected) in [
            (Now, "2026-11-21T12:00:00Z"),
            (FirstOfMonth, "2026-11-01T00:00:00Z"),
            (FirstBusinessDayOfTheMonth, "2026-11-02T00:00:00Z"),
            (LastDayOfTheMonth, "2026-11-30T00:00:00Z"),
            (LastBusinessDayOfMonth, "2026-11-30T00:00:00Z"),
            (FirstDayOfYear, "2026-01-01T00:00:00Z"),
            (LastDayOfYear, "2026-12-31T00:00:00Z"),
        ] {
            assert_eq!(at(point, 0, DateUnit::Day, NOW), expected);
        }
        assert_eq!(at(LastBusinessDayOfMonth, 0, DateUnit::Day, "2026-10-05"), "2026-10-30T00:00:00Z");
    }

    #[test]
    fn every_unit_moves_the_anchor() {
        use PointInTime::Now;
        for (steps, unit, expected) in [
            (-90, DateUnit::Minute, "2026-11-21T10:30:00Z"),
            (-13, DateUnit::Hour, "2026-11-20T23:00:00Z"),
            (-21, DateUnit::Day, "2026-10-31T12:00:00Z"),
            (2, DateUnit::BusinessDay, "2026-11-24T12:00:00Z"),
            (-2, DateUnit::Weeks, "2026-11-07T12:00:00Z"),
            (3, DateUnit::Months, "2027-02-21T12:00:00Z"),
            (-1, DateUnit::Years, "2025-11-21T12:00:00Z"),
        ] {
            assert_eq!(at(Now, steps, unit, NOW), expected);
        }
        assert_eq!(at(Now, 1, DateUnit::Years, "2024-02-29"), "2025-02-28T00:00:00Z");
        assert_eq!(at(PointInTime::LastDayOfTheMonth, 1, DateUnit::Months, "2024-02-10"), "2024-03-29T00:00:00Z");
    }

    #[test]
    fn anchors_saturate_in_every_unit() {
        use DateUnit::*;
        for unit in [Minute, Hour, Day, BusinessDay, Weeks, Months, Years] {
            assert_eq!(at(PointInTime::Now, i64::MAX, unit, NOW), Instant::MAX.to_string());
            assert_eq!(at(PointInTime::Now, i64::MIN, unit, NOW), Instant::MIN.to_string());
        }
    }

    #[test]
    fn units_of_a_day_or_longer_compare_days() {
        let text = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        let (min, max) = (Instant::MIN.to_string(), Instant::MAX.to_string());
        assert_eq!(span_of(-7, DateUnit::Day, RelativeTo::BeforeOrOn), text(&min, "2026-11-14T23:59:59.999999999Z"));
        assert_eq!(span_of(-7, DateUnit::Day, RelativeTo::Before), text(&min, "2026-11-13T23:59:59.999999999Z"));
        assert_eq!(span_of(1, DateUnit::Weeks, RelativeTo::After), text("2026-11-29T00:00:00Z", &max));
        assert_eq!(span_of(1, DateUnit::Months, RelativeTo::AfterOrOn), text("2026-12-21T00:00:00Z", &max));
        assert_eq!(span_of(-2, DateUnit::Hour, RelativeTo::BeforeOrOn), text(&min, "2026-11-21T10:00:00Z"));
        assert_eq!(span_of(-2, DateUnit::Hour, RelativeTo::After), text("2026-11-21T10:00:00.000000001Z", &max));
        assert_eq!(span_of(0, DateUnit::Minute, RelativeTo::OnDayOf), text("2026-11-21T00:00:00Z", "2026-11-21T23:59:59.999999999Z"));
        assert_eq!(span_of(0, DateUnit::Day, RelativeTo::Exactly), text(NOW, NOW));
    }

    #[test]
    fn nothing_lies_before_the_first_instant_or_after_the_last() {
        assert_eq!(span_of(i64::MIN, DateUnit::Day, RelativeTo::Before), None);
        assert_eq!(span_of(i64::MAX, DateUnit::Hour, RelativeTo::After), None);
    }

    proptest! {
        #[test]
        fn an_instant_lies_in_the_span_as_it_compares_with_the_anchor(
            steps in prop_oneof![-40..40_i64, any::<i64>()],
            unit in prop::sample::select(vec![DateUnit::Minute, DateUnit::Hour, DateUnit::Day, DateUnit::BusinessDay, DateUnit::Months]),
            relative_to in prop::sample::select(vec![
                RelativeTo::BeforeOrOn, RelativeTo::Before, RelativeTo::OnDayOf, RelativeTo::AfterOrOn, RelativeTo::After, RelativeTo::Exactly,
            ]),
            seconds in prop_oneof![-200_000..200_000_i64, any::<i64>()],
        ) {
            let now = parse_instant(NOW).unwrap();
            let date = date(PointInTime::Now, steps, unit, relative_to);
            let (anchor, asked) = (anchor(&date, now), anchor(&date, now).plus_seconds(seconds));
            let order = if unit.is_of_days() { asked.day().cmp(&anchor.day()) } else { asked.cmp(&anchor) };
            let expected = match relative_to {
                RelativeTo::BeforeOrOn => order.is_le(),
                RelativeTo::Before => order.is_lt(),
                RelativeTo::AfterOrOn => order.is_ge(),
                RelativeTo::After => order.is_gt(),
                RelativeTo::OnDayOf => asked.day() == anchor.day(),
                RelativeTo::Exactly => asked == anchor,
            };
            let is_inside = span(&date, now).is_some_and(|set| Interval::at(asked).is_within(set));
            prop_assert_eq!(is_inside, expected);
        }
    }
}
