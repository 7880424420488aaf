//! Qualities of dates: the first of a month, a business day, before midday.

use super::super::documents::{DateQuality, Grant};
use super::super::truth::Truth;
use super::{Day, Instant, Interval};

/// An interval that touches more UTC days than this has no known quality (semantics §5).
const MOST_DAYS: i64 = 3_700;

/// Whether a question's interval lies wholly (Allow) or in part (Deny) in the instants of that quality.
pub(in super::super) fn quality_holds(quality: DateQuality, grant: Grant, asked: Interval, now: Instant) -> Truth {
    let (first, last) = (asked.from().day(), asked.to().day());
    if i64::from(last.number()) - i64::from(first.number()) >= MOST_DAYS {
        return Truth::Unknown;
    }
    match quality {
        DateQuality::IsBeforeMidday => before_hour(12, grant, asked).into(),
        DateQuality::IsBefore5pm => before_hour(17, grant, asked).into(),
        DateQuality::IsAfter5pm => from_hour(17, grant, asked).into(),
        _ => days_have(quality, grant, first, last, now).into(),
    }
}

/// Every day begins with instants before that hour.
fn before_hour(hour: u64, grant: Grant, asked: Interval) -> bool {
    let one_day = asked.from().day() == asked.to().day();
    match grant {
        Grant::Allow => one_day && asked.to().hour() < hour,
        Grant::Deny => !one_day || asked.from().hour() < hour,
    }
}

/// Every day ends with instants from that hour on.
fn from_hour(hour: u64, grant: Grant, asked: Interval) -> bool {
    let one_day = asked.from().day() == asked.to().day();
    match grant {
        Grant::Allow => one_day && asked.from().hour() >= hour,
        Grant::Deny => !one_day || asked.to().hour() >= hour,
    }
}

fn days_have(quality: DateQuality, grant: Grant, first: Day, last: Day, now: Instant) -> bool {
    let has = |number: i32| Day::at(i64::from(number)).is_some_and(|day| day_has(quality, day));
    let (mut from, mut to) = (first, last);
    if quality.is_of_the_current_month() {
        let month = now.day().month();
        if grant == Grant::Allow && !(month.contains(&first) && month.contains(&last)) {
            return false;
        }
        (from, to) = (first.max(*month.start()), last.min(*month.end()));
    }
    let mut days = from.number()..=to.number();
    match grant {
        Grant::Allow => days.all(has),
        Grant::Deny => days.any(has),
    }
}

fn day_has(quality: DateQuality, day: Day) -> bool {
    match quality {
        DateQuality::IsFirstDayOfAnyMonth | DateQuality::IsFirstDayOfTheCurrentMonth => day.is_first_of_month(),
        DateQuality::IsLastDayOfAnyMonth | DateQuality::IsLastDayOfTheCurrentMonth => day.is_last_of_month(),
        DateQuality::IsBusinessDayOfAnyMonth | DateQuality::IsBusinessDayOfTheCurrentMonth => day.is_business_day(),
        DateQuality::IsBeforeMidday | DateQuality::IsBefore5pm | DateQuality::IsAfter5pm => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_instant;
    use super::*;

    fn holds(quality: DateQuality, grant: Grant, from: &str, to: &str) -> Truth {
        let asked = Interval::between(parse_instant(from).unwrap(), parse_instant(to).unwrap()).unwrap();
        quality_holds(quality, grant, asked, parse_instant("2026-11-21T12:00:00Z").unwrap())
    }

    #[test]
    fn an_allow_needs_all_days_and_a_deny_one() {
        use DateQuality::{IsBusinessDayOfAnyMonth, IsFirstDayOfAnyMonth};
        assert_eq!(holds(IsBusinessDayOfAnyMonth, Grant::Allow, "2026-11-16", "2026-11-20T23:00:00Z"), Truth::True);
        assert_eq!(holds(IsBusinessDayOfAnyMonth, Grant::Allow, "2026-11-20", "2026-11-23"), Truth::False);
        assert_eq!(holds(IsFirstDayOfAnyMonth, Grant::Deny, "2026-10-02", "2026-11-01"), Truth::True);
        assert_eq!(holds(IsFirstDayOfAnyMonth, Grant::Deny, "2026-10-02", "2026-10-31T23:59:59Z"), Truth::False);
    }

    #[test]
    fn the_current_month_is_that_of_now() {
        use DateQuality::{IsBusinessDayOfTheCurrentMonth, IsLastDayOfTheCurrentMonth};
        assert_eq!(holds(IsLastDayOfTheCurrentMonth, Grant::Allow, "2026-11-30", "2026-11-30"), Truth::True);
        assert_eq!(holds(IsLastDayOfTheCurrentMonth, Grant::Allow, "2026-10-31", "2026-10-31"), Truth::False);
        assert_eq!(holds(IsLastDayOfTheCurrentMonth, Grant::Deny, "2020-01-01", "2026-12-31"), Truth::True);
        assert_eq!(holds(IsBusinessDayOfTheCurrentMonth, Grant::Deny, "2020-01-01", "2026-10-31"), Truth::False);
    }

    #[test]
    fn times_of_day_over_an_interval() {
        use DateQuality::{IsAfter5pm, IsBeforeMidday};
        assert_eq!(holds(IsBeforeMidday, Grant::Allow, "2026-11-20", "2026-11-20T11:59:59.999999999Z"), Truth::True);
        assert_eq!(holds(IsBeforeMidday, Grant::Allow, "2026-11-20", "2026-11-20T12:00:00Z"), Truth::False);
        assert_eq!(holds(IsBeforeMidday, Grant::Deny, "2026-11-20T13:00:00Z", "2026-11-21"), Truth::True);
        assert_eq!(holds(IsBeforeMidday, Grant::Deny, "2026-11-20T13:00:00Z", "2026-11-20T23:59:59Z"), Truth::False);
        assert_eq!(holds(IsAfter5pm, Grant::Allow, "2026-11-20T17:00:00Z", "2026-11-20T18:00:00Z"), Truth::True);
        assert_eq!(holds(IsAfter5pm, Grant::Deny, "2026-11-20T11:00:00Z", "2026-11-21"), Truth::True);
    }

    #[test]
    fn more_than_3700_days_are_unknown() {
        use DateQuality::IsBeforeMidday;
        // 3,700 days: the first and the last both count
        assert_ne!(holds(IsBeforeMidday, Grant::Allow, "2000-01-01", "2010-02-16"), Truth::Unknown);
        assert_eq!(holds(IsBeforeMidday, Grant::Allow, "2000-01-01", "2010-02-17"), Truth::Unknown);
    }
}
