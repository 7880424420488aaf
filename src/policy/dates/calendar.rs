//! UTC days and the proleptic Gregorian calendar between the years 0001 and 9999.

use std::ops::RangeInclusive;

/// A UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(i32);

impl Day {
    pub(super) const MIN: Self = Self(-719_162);
    pub(super) const MAX: Self = Self(2_932_896);
    pub(super) const EPOCH: Self = Self(0);

    pub(super) const fn number(self) -> i32 {
        self.0
    }

    /// The day of this number; none outside the years 0001 to 9999.
    pub(super) fn at(number: i64) -> Option<Self> {
        let day = Self(i32::try_from(number).ok()?);
        (Self::MIN..=Self::MAX).contains(&day).then_some(day)
    }

    /// The day of a date that exists; none for 30 February and the like.
    pub(super) fn of(year: i32, month: i32, day: i32) -> Option<Self> {
        let is_date = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
        is_date.then(|| Self::of_date(year, month, day))
    }

    /// Years are counted from 1 March, so that the leap day is the last of its year.
    fn of_date(year: i32, month: i32, day: i32) -> Self {
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days_before_month = (153 * month + 2) / 5;
        let days_before_year = year * 365 + year / 4 - year / 100 + year / 400;
        // 719,468 days lie between 0000-03-01 and 1970-01-01
        Self(days_before_year + days_before_month + day - 1 - 719_468)
    }

    /// Year, month and day of the month.
    pub(super) fn civil(self) -> (i32, i32, i32) {
        let days = self.0 + 719_468;
        let (century, in_era) = (days / 146_097, days % 146_097);
        let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (year * 365 + year / 4 - year / 100);
        let month = (5 * in_year + 2) / 153;
        let day = in_year - (153 * month + 2) / 5 + 1;
        let year = century * 400 + year;
        if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
    }

    /// Monday is 0, Sunday 6.
    pub(super) const fn weekday(self) -> i32 {
        (self.0 + 3).rem_euclid(7)
    }

    pub(super) const fn is_business_day(self) -> bool {
        self.weekday() < 5
    }

    pub(super) fn is_first_of_month(self) -> bool {
        self.civil().2 == 1
    }

    pub(super) fn is_last_of_month(self) -> bool {
        let (year, month, day) = self.civil();
        day == days_of_month(year, month)
    }

    /// The days of the month that it lies in.
    pub(super) fn month(self) -> RangeInclusive<Self> {
        let (year, month, _) = self.civil();
        Self::of_date(year, month, 1)..=Self::of_date(year, month, days_of_month(year, month))
    }

    pub(super) fn first_of_year(self) -> Self {
        Self::of_date(self.civil().0, 1, 1)
    }

    pub(super) fn last_of_year(self) -> Self {
        Self::of_date(self.civil().0, 12, 31)
    }

    /// Moved by months, clamped to the month's last day; the error says on which side it left the calendar.
    pub(super) fn plus_months(self, months: i64) -> Result<Self, Outside> {
        let (year, month, day) = self.civil();
        let total = (i64::from(year) * 12 + i64::from(month) - 1).saturating_add(months);
        let outside = if total < 12 { Outside::Before } else { Outside::After };
        let year = i32::try_from(total.div_euclid(12)).map_err(|_| outside)?;
        let month = i32::try_from(total.rem_euclid(12)).map_err(|_| outside)? + 1;
        Self::of(year, month, day.min(days_of_month(year, month))).ok_or(outside)
    }

    /// The weekday `steps` business days away; a weekend counts from its Friday (forward) or Monday (back).
    pub(super) fn plus_business_days(self, steps: i64) -> i64 {
        let number = i64::from(self.0);
        let weekday = i64::from(self.weekday());
        let (number, weekday) = match (steps.signum(), weekday) {
            (0, _) => return number,
            (1, 5..) => (number - (weekday - 4), 4),
            (-1, 5..) => (number + (7 - weekday), 0),
            _ => (number, weekday),
        };
        let total = weekday.saturating_add(steps);
        let moved = total.div_euclid(5).saturating_mul(7).saturating_add(total.rem_euclid(5));
        number.saturating_add(moved).saturating_sub(weekday)
    }
}

/// On which side of the years 0001 to 9999 a computation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    Before,
    After,
}

const fn days_of_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years_converts_both_ways() {
        let mut previous = (0, 12, 31);
        for number in Day::MIN.0..=Day::MAX.0 {
            let date = Day(number).civil();
            assert!(date > previous, "{date:?} after {previous:?}");
            assert_eq!(Day::of(date.0, date.1, date.2), Some(Day(number)));
            previous = date;
        }
        assert_eq!(Day::MIN.civil(), (1, 1, 1));
        assert_eq!(Day::MAX.civil(), (9999, 12, 31));
        assert_eq!(Day::EPOCH.civil(), (1970, 1, 1));
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        for (year, month, day) in [(2023, 2, 29), (1900, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (0, 1, 1)] {
            assert_eq!(Day::of(year, month, day), None, "{year}-{month}-{day}");
        }
        assert!(Day::of(2000, 2, 29).is_some());
    }

    #[test]
    fn weekdays_count_from_monday() {
        assert_eq!(Day::EPOCH.weekday(), 3);
        assert_eq!(Day::of(2026, 11, 21).unwrap().weekday(), 5);
        assert_eq!(Day::of(1, 1, 1).unwrap().weekday(), 0);
    }

    #[test]
    fn business_days_skip_weekends_and_leave_a_weekend_alone_when_zero() {
        let day = |d| Day::of(2026, 11, d).unwrap();
        let moved = |from, steps| Day::at(day(from).plus_business_days(steps)).unwrap();
        assert_eq!(moved(21, 0), day(21));
        assert_eq!(moved(21, 1), day(23));
        assert_eq!(moved(21, -1), day(20));
        assert_eq!(moved(22, 1), day(23));
        assert_eq!(moved(22, -1), day(20));
        assert_eq!(moved(20, 1), day(23));
        assert_eq!(moved(20, 5), day(27));
        assert_eq!(moved(23, -1), day(20));
        assert_eq!(moved(18, -3), day(13));
    }

    #[test]
    fn months_clamp_to_the_last_day() {
        let moved = |y, m, d, months| Day::of(y, m, d).unwrap().plus_months(months);
        assert_eq!(moved(2024, 2, 29, 1), Ok(Day::of(2024, 3, 29).unwrap()));
        assert_eq!(moved(2024, 2, 29, 12), Ok(Day::of(2025, 2, 28).unwrap()));
        assert_eq!(moved(2024, 12, 31, -1), Ok(Day::of(2024, 11, 30).unwrap()));
        assert_eq!(moved(1, 1, 1, -1), Err(Outside::Before));
        assert_eq!(moved(9999, 12, 1, 1), Err(Outside::After));
        assert_eq!(moved(2024, 1, 1, i64::MAX), Err(Outside::After));
    }
}
