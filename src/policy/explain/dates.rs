//! `for`, read literally: a set of instants, and whether the question's interval lies in it or touches it (semantics §5).
//!
//! The calendar is jiff's civil one, in UTC, not that of the fast evaluator.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Span};

use super::super::dates::{Dates, Instant, Interval};
use super::super::documents::{AsAtEnd, DateQuality, DateUnit, ForSpec, Grant, PointInTime, RelativeDate, RelativeTo};
use super::super::question::Question;
use super::truth::{Finding, Truth};

/// Intervals that touch more days are not looked through.
const MOST_DAYS: i64 = 3_700;

/// The first instant of all.
const FIRST: DateTime = DateTime::constant(1, 1, 1, 0, 0, 0, 0);
/// More days than there are.
const EVERY_DAY: i64 = 3_700_000;

/// One entry of `for`.
pub(super) fn holds(entry: &ForSpec, grant: Grant, question: &Question<'_>, now: Instant) -> Finding {
    let (dimension, dates) = match entry {
        ForSpec::EffectiveRange { .. } | ForSpec::EffectiveRelative(_) | ForSpec::EffectiveQuality(_) => ("effective", question.effective),
        ForSpec::AsAtRange { .. } | ForSpec::AsAtRelative(_) => ("asAt", question.as_at),
    };
    let asked = match dates {
        Dates::Unknown => {
            return Finding::unknown(format!("the {dimension} date asked about is unknown"));
        }
        Dates::LeftToRows => {
            return Finding::new(Truth::left_for_later(grant), format!("the {dimension} date is left to the rows of the answer"));
        }
        Dates::Between(interval) => Asked { dimension, from: civil(interval.from()), to: civil(interval.to()), interval },
    };
    match entry {
        ForSpec::EffectiveRange { from, to } => asked.in_range(from.map(civil), to.map(civil), grant),
        ForSpec::AsAtRange { from, to } => asked.in_range(Some(end(*from, now)), Some(end(*to, now)), grant),
        ForSpec::EffectiveRelative(relative) | ForSpec::AsAtRelative(relative) => asked.relative(relative, civil(now), grant),
        ForSpec::EffectiveQuality(quality) => asked.quality(*quality, civil(now), grant),
    }
}

fn end(end: AsAtEnd, now: Instant) -> DateTime {
    match end {
        AsAtEnd::Latest => civil(now),
        AsAtEnd::At(instant) => civil(instant),
    }
}

/// The interval asked about, in one dimension.
struct Asked {
    dimension: &'static str,
    from: DateTime,
    to: DateTime,
    interval: Interval,
}

impl Asked {
    fn told(&self) -> String {
        if self.from == self.to { format!("{} {}Z", self.dimension, self.from) } else { format!("{} {}Z to {}Z", self.dimension, self.from, self.to) }
    }

    /// In an Allow policy all of it must lie in the set, in a Deny policy some of it.
    fn judged(&self, grant: Grant, lies_in: bool, touches: bool, set: &str) -> Finding {
        let asked = self.told();
        let (holds, verb, set) = match grant {
            Grant::Allow => (lies_in, ["lies", "does not lie"], format!("wholly in {set}")),
            Grant::Deny => (touches, ["touches", "does not touch"], set.to_owned()),
        };
        let [yes, no] = verb;
        Finding::of(holds, format!("{asked} {} {set}", if holds { yes } else { no }))
    }

    fn in_range(&self, from: Option<DateTime>, to: Option<DateTime>, grant: Grant) -> Finding {
        let written = |end: Option<DateTime>| end.map_or_else(|| "any time".to_owned(), |end| format!("{end}Z"));
        let set = format!("{} to {}", written(from), written(to));
        let (from, to) = (from.unwrap_or(FIRST), to.unwrap_or(DateTime::MAX));
        let lies_in = from <= self.from && self.to <= to;
        let touches = self.from.max(from) <= self.to.min(to);
        self.judged(grant, lies_in, touches, &set)
    }

    fn relative(&self, relative: &RelativeDate, now: DateTime, grant: Grant) -> Finding {
        let anchor = anchor(relative, now);
        let is_in = |at: DateTime| stands(at, relative, anchor);
        // the set has no gaps, and holds the anchor or reaches to the end of time
        let lies_in = is_in(self.from) && is_in(self.to);
        let touches = is_in(self.from) || is_in(self.to) || (self.from < anchor && anchor < self.to && is_in(anchor));
        let set = format!("{} {anchor}Z ({} {:+} {})", relative.relative_to.name(), relative.date.name(), relative.adjustment, relative.unit.name());
        self.judged(grant, lies_in, touches, &set)
    }

    fn quality(&self, quality: DateQuality, now: DateTime, grant: Grant) -> Finding {
        let (first, _) = self.interval.from().day_and_nanos();
        let (last, _) = self.interval.to().day_and_nanos();
        if i64::from(last) - i64::from(first) + 1 > MOST_DAYS {
            return Finding::unknown(format!("{} touches more than {MOST_DAYS} days", self.told()));
        }
        let days: Vec<[bool; 2]> = (first..=last).map(|day| self.quality_on(date(day), quality, now)).collect();
        let lies_in = days.iter().all(|[wholly, _]| *wholly);
        let touches = days.iter().any(|[_, touched]| *touched);
        self.judged(grant, lies_in, touches, quality.name())
    }

    /// Of the part of the interval that lies on that day: whether all of it, and whether some of it, has the quality.
    fn quality_on(&self, day: Date, quality: DateQuality, now: DateTime) -> [bool; 2] {
        let first = if self.from.date() == day { self.from } else { day.at(0, 0, 0, 0) };
        let last = if self.to.date() == day { self.to } else { day.at(23, 59, 59, 999_999_999) };
        let is_this_month = day.first_of_month() == now.date().first_of_month();
        let of_day = |has| [has, has];
        match quality {
            DateQuality::IsFirstDayOfAnyMonth => of_day(day == day.first_of_month()),
            DateQuality::IsLastDayOfAnyMonth => of_day(day == day.last_of_month()),
            DateQuality::IsBusinessDayOfAnyMonth => of_day(!is_weekend(day)),
            DateQuality::IsFirstDayOfTheCurrentMonth => of_day(is_this_month && day == day.first_of_month()),
            DateQuality::IsLastDayOfTheCurrentMonth => of_day(is_this_month && day == day.last_of_month()),
            DateQuality::IsBusinessDayOfTheCurrentMonth => of_day(is_this_month && !is_weekend(day)),
            DateQuality::IsBeforeMidday => [last.hour() < 12, first.hour() < 12],
            DateQuality::IsBefore5pm => [last.hour() < 17, first.hour() < 17],
            DateQuality::IsAfter5pm => [first.hour() >= 17, last.hour() >= 17],
        }
    }
}

/// Whether an instant stands to the anchor as the policy says.
fn stands(at: DateTime, relative: &RelativeDate, anchor: DateTime) -> bool {
    let by_days = match relative.unit {
        DateUnit::Minute | DateUnit::Hour => false,
        DateUnit::Day | DateUnit::BusinessDay | DateUnit::Weeks | DateUnit::Months | DateUnit::Years => true,
    };
    let place = if by_days { at.date().cmp(&anchor.date()) } else { at.cmp(&anchor) };
    match relative.relative_to {
        RelativeTo::BeforeOrOn => place.is_le(),
        RelativeTo::Before => place.is_lt(),
        RelativeTo::AfterOrOn => place.is_ge(),
        RelativeTo::After => place.is_gt(),
        RelativeTo::OnDayOf => at.date() == anchor.date(),
        RelativeTo::Exactly => at == anchor,
    }
}

fn anchor(relative: &RelativeDate, now: DateTime) -> DateTime {
    let today = now.date();
    let midnight = |day: Date| day.at(0, 0, 0, 0);
    let start = match relative.date {
        PointInTime::Now => now,
        PointInTime::FirstOfMonth => midnight(today.first_of_month()),
        PointInTime::FirstBusinessDayOfTheMonth => to_business_day(midnight(today.first_of_month()), 1),
        PointInTime::LastDayOfTheMonth => midnight(today.last_of_month()),
        PointInTime::LastBusinessDayOfMonth => to_business_day(midnight(today.last_of_month()), -1),
        PointInTime::FirstDayOfYear => midnight(today.first_of_year()),
        PointInTime::LastDayOfYear => midnight(today.last_of_year()),
    };
    moved(start, relative.adjustment, relative.unit)
}

fn moved(start: DateTime, adjustment: i64, unit: DateUnit) -> DateTime {
    // a count that leads past either end of time from anywhere
    let months = adjustment.clamp(-150_000, 150_000);
    let by_seconds = |seconds: i64| plus(start, SignedDuration::from_secs(adjustment.clamp(-1_000_000_000_000, 1_000_000_000_000).saturating_mul(seconds)));
    match unit {
        DateUnit::Minute => by_seconds(60),
        DateUnit::Hour => by_seconds(3600),
        DateUnit::Day => by_seconds(86_400),
        DateUnit::Weeks => by_seconds(7 * 86_400),
        DateUnit::BusinessDay => by_business_days(start, adjustment),
        DateUnit::Months => within_the_years(start.saturating_add(Span::new().months(months))),
        DateUnit::Years => within_the_years(start.saturating_add(Span::new().years(adjustment.clamp(-15_000, 15_000)))),
    }
}

fn by_business_days(start: DateTime, adjustment: i64) -> DateTime {
    if adjustment == 0 {
        return start;
    }
    let step = adjustment.signum();
    // a weekend start first moves against the direction, to Friday or Monday
    let mut at = to_business_day(start, -step);
    // five business days from a business day are a week
    at = moved(at, adjustment / 5, DateUnit::Weeks);
    for _ in 0..(adjustment % 5).abs() {
        at = to_business_day(moved(at, step, DateUnit::Day), step);
    }
    at
}

/// Day by day until it is one from Monday to Friday.
fn to_business_day(start: DateTime, step: i64) -> DateTime {
    let mut at = start;
    while is_weekend(at.date()) {
        at = moved(at, step, DateUnit::Day);
    }
    at
}

fn is_weekend(day: Date) -> bool {
    day.weekday().to_monday_one_offset() > 5
}

/// The first day of all is a Monday and the last a Friday, so that business days never run against an end.
pub(super) fn plus(start: DateTime, duration: SignedDuration) -> DateTime {
    const DAY: i64 = 86_400;
    // By days first: jiff takes a duration that is longer than from 1970 to the last day for one without end.
    let days = (duration.as_secs() / DAY).clamp(-EVERY_DAY, EVERY_DAY);
    let rest = SignedDuration::new(duration.as_secs() % DAY, duration.subsec_nanos());
    within_the_years(start.saturating_add(Span::new().days(days)).saturating_add(rest))
}

/// The last instant of jiff's is ours; its first lies further back.
pub(super) fn within_the_years(at: DateTime) -> DateTime {
    at.max(FIRST)
}

fn date(day: i32) -> Date {
    Date::constant(1970, 1, 1).saturating_add(Span::new().days(day))
}

/// The instant as a date and time of UTC.
pub(super) fn civil(instant: Instant) -> DateTime {
    let (day, nanos) = instant.day_and_nanos();
    let since_midnight = SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(0));
    date(day).at(0, 0, 0, 0).saturating_add(since_midnight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_of_thousands_of_years_ends_where_it_ends() {
        let (first, last) = (DateTime::constant(1, 1, 2, 3, 4, 5, 0), DateTime::constant(9999, 12, 1, 3, 4, 5, 0));
        for (start, days, expected) in
            [(first, 3_000_000, "8214-09-23T03:04:05"), (first, 2_932_897, "8031-01-02T03:04:05"), (last, -3_000_000, "1786-03-12T03:04:05")]
        {
            assert_eq!(moved(start, days, DateUnit::Day).to_string(), expected);
            assert_eq!(moved(start, days * 24, DateUnit::Hour).to_string(), expected);
        }
        assert_eq!(moved(first, i64::MAX, DateUnit::Weeks), DateTime::MAX);
        assert_eq!(moved(last, i64::MIN, DateUnit::Weeks), FIRST);
    }
}
