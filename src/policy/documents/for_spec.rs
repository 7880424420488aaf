//! Entries of `for`: conditions on the dates of a question.

use super::super::dates::Instant;
use super::reading::{Cursor, choice};
use super::selector::only_member;

/// One entry of `for`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForSpec {
    /// `effectiveRange`; a missing end is unbounded.
    EffectiveRange {
        /// The first instant.
        from: Option<Instant>,
        /// The last instant.
        to: Option<Instant>,
    },
    /// `asAtRangeForSpec`.
    AsAtRange {
        /// The first instant.
        from: AsAtEnd,
        /// The last instant.
        to: AsAtEnd,
    },
    /// `effectiveDateRelative`.
    EffectiveRelative(RelativeDate),
    /// `asAtRelative`.
    AsAtRelative(RelativeDate),
    /// `effectiveDateHasQuality`.
    EffectiveQuality(DateQuality),
}

/// An end of `asAtRangeForSpec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsAtEnd {
    /// `value: "AsAt=Latest"`, which is now.
    Latest,
    /// `dateTimeOffset`.
    At(Instant),
}

/// A date relative to now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelativeDate {
    /// Where to start; default `Now`.
    pub date: PointInTime,
    /// How many units to move; default 0.
    pub adjustment: i64,
    /// Default `Day`.
    pub unit: DateUnit,
    /// How the question's date must lie to it.
    pub relative_to: RelativeTo,
}

choice! {
    /// Where a relative date starts.
    pub enum PointInTime {
        /// This very instant.
        Now = "Now",
        /// The midnight that opens the first day of the month.
        FirstOfMonth = "FirstOfMonth",
        /// The midnight that opens the first day from Monday to Friday.
        FirstBusinessDayOfTheMonth = "FirstBusinessDayOfTheMonth",
        /// The midnight that opens the last day of the month.
        LastDayOfTheMonth = "LastDayOfTheMonth",
        /// The midnight that opens the last day from Monday to Friday.
        LastBusinessDayOfMonth = "LastBusinessDayOfMonth",
        /// The midnight that opens 1 January.
        FirstDayOfYear = "FirstDayOfYear",
        /// The midnight that opens 31 December.
        LastDayOfYear = "LastDayOfYear",
    }
}

choice! {
    /// By what a relative date is moved.
    pub enum DateUnit {
        /// 60 seconds.
        Minute = "Minute",
        /// 60 minutes.
        Hour = "Hour",
        /// 24 hours.
        Day = "Day",
        /// The next day from Monday to Friday.
        BusinessDay = "BusinessDay",
        /// Seven days.
        Weeks = "Weeks",
        /// Calendar months, clamped to the last day.
        Months = "Months",
        /// Calendar years, clamped to the last day.
        Years = "Years",
    }
}

impl DateUnit {
    /// A day or longer.
    #[must_use]
    pub const fn is_of_days(self) -> bool {
        !matches!(self, Self::Minute | Self::Hour)
    }
}

choice! {
    /// How a date must lie to the relative date.
    pub enum RelativeTo {
        /// Not later.
        BeforeOrOn = "BeforeOrOn",
        /// Earlier.
        Before = "Before",
        /// On the same UTC day.
        OnDayOf = "OnDayOf",
        /// Not earlier.
        AfterOrOn = "AfterOrOn",
        /// Later.
        After = "After",
        /// The same instant.
        Exactly = "Exactly",
    }
}

choice! {
    /// A quality of a date in UTC.
    pub enum DateQuality {
        /// The first day of a month.
        IsFirstDayOfAnyMonth = "IsFirstDayOfAnyMonth",
        /// The last day of a month.
        IsLastDayOfAnyMonth = "IsLastDayOfAnyMonth",
        /// Monday to Friday.
        IsBusinessDayOfAnyMonth = "IsBusinessDayOfAnyMonth",
        /// The first day of now's month.
        IsFirstDayOfTheCurrentMonth = "IsFirstDayOfTheCurrentMonth",
        /// The last day of now's month.
        IsLastDayOfTheCurrentMonth = "IsLastDayOfTheCurrentMonth",
        /// Monday to Friday in now's month.
        IsBusinessDayOfTheCurrentMonth = "IsBusinessDayOfTheCurrentMonth",
        /// Before 12:00.
        IsBeforeMidday = "IsBeforeMidday",
        /// Before 17:00.
        IsBefore5pm = "IsBefore5pm",
        /// From 17:00 on.
        IsAfter5pm = "IsAfter5pm",
    }
}

impl DateQuality {
    /// Whether it depends on now's month.
    #[must_use]
    pub const fn is_of_the_current_month(self) -> bool {
        matches!(self, Self::IsFirstDayOfTheCurrentMonth | Self::IsLastDayOfTheCurrentMonth | Self::IsBusinessDayOfTheCurrentMonth)
    }
}

const KINDS: [&str; 5] = ["effectiveRange", "asAtRangeForSpec", "effectiveDateRelative", "asAtRelative", "effectiveDateHasQuality"];

impl ForSpec {
    pub(super) fn read(entry: Cursor<'_>) -> Option<Self> {
        let (kind, spec) = only_member(&entry, &KINDS)?;
        if !spec.expect_object() {
            return None;
        }
        Some(match kind {
            "effectiveRange" => {
                Self::EffectiveRange { from: spec.member("from").and_then(|from| from.instant()), to: spec.member("to").and_then(|to| to.instant()) }
            }
            "asAtRangeForSpec" => {
                let from = spec.required("from").and_then(AsAtEnd::read);
                let to = spec.required("to").and_then(AsAtEnd::read);
                Self::AsAtRange { from: from?, to: to? }
            }
            "effectiveDateRelative" => Self::EffectiveRelative(RelativeDate::read(&spec)?),
            "asAtRelative" => Self::AsAtRelative(RelativeDate::read(&spec)?),
            _ => Self::EffectiveQuality(spec.required("quality")?.choice()?),
        })
    }
}

impl AsAtEnd {
    fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        match (cursor.member("value"), cursor.member("dateTimeOffset")) {
            (None, Some(instant)) => instant.instant().map(Self::At),
            (Some(value), None) if value.text()? == "AsAt=Latest" => Some(Self::Latest),
            (Some(value), None) => {
                value.problem("must be `AsAt=Latest`; for a date use dateTimeOffset");
                None
            }
            _ => {
                cursor.problem("must have either `value` or `dateTimeOffset`");
                None
            }
        }
    }
}

impl RelativeDate {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let date = cursor.member("date").map_or(Some(PointInTime::Now), |date| date.choice());
        let adjustment = cursor.member("adjustment").map_or(Some(0), |adjustment| adjustment.integer());
        let unit = cursor.member("unit").map_or(Some(DateUnit::Day), |unit| unit.choice());
        let relative_to = cursor.required("relativeToDateTime").and_then(|relative| relative.choice());
        Some(Self { date: date?, adjustment: adjustment?, unit: unit?, relative_to: relative_to? })
    }
}
