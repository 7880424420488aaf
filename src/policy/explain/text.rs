//! Texts as policies compare them: patterns, lists, operators, orderings (semantics §4 and §6).

use std::cmp::Ordering;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};

use super::super::documents::{TextOperator, TextTest};
use super::dates::{plus, within_the_years};

/// Whether case counts, which is ASCII case throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Counts,
    Ignored,
}

fn same_letter(left: char, right: char, case: Case) -> bool {
    left == right || (case == Case::Ignored && left.eq_ignore_ascii_case(&right))
}

/// Whether the text is of the pattern, in which `*` stands for any run of characters and nothing else is special.
pub(super) fn is_like(text: &str, pattern: &str, case: Case) -> bool {
    let text: Vec<char> = text.chars().collect();
    // reached: after which counts of characters of the text the pattern so far can stand
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for letter in pattern.chars() {
        reached = if letter == '*' { from_first_on(&reached) } else { one_further(&reached, &text, letter, case) };
    }
    reached.last().copied().unwrap_or(false)
}

fn from_first_on(reached: &[bool]) -> Vec<bool> {
    let first = reached.iter().position(|reached| *reached);
    (0..reached.len()).map(|place| first.is_some_and(|first| first <= place)).collect()
}

fn one_further(reached: &[bool], text: &[char], letter: char, case: Case) -> Vec<bool> {
    let steps = reached.iter().zip(text).map(|(reached, own)| *reached && same_letter(*own, letter, case));
    std::iter::once(false).chain(steps).collect()
}

/// The items of a list: split on commas, trimmed of ASCII white space, empty ones left out.
pub(super) fn listed(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim_ascii).filter(|item| !item.is_empty()).collect()
}

/// What a text operator says of a text, or of there being none.
pub(super) fn satisfies(actual: Option<&str>, test: &TextTest) -> bool {
    let value = &*test.value;
    let Some(actual) = actual else {
        return matches!(test.operator, TextOperator::NotPresent | TextOperator::NotPresentOrNotContainsCaseSensitive);
    };
    match test.operator {
        TextOperator::EqualsCaseSensitive => actual == value,
        TextOperator::EqualsCaseInsensitive => actual.eq_ignore_ascii_case(value),
        TextOperator::NotEqualsCaseSensitive => actual != value,
        TextOperator::NotEqualsCaseInsensitive => !actual.eq_ignore_ascii_case(value),
        TextOperator::ContainsCaseSensitive => actual.contains(value),
        TextOperator::NotPresentOrNotContainsCaseSensitive => !actual.contains(value),
        TextOperator::NotPresent => false,
        TextOperator::InCaseInsensitive => listed(value).iter().any(|item| item.eq_ignore_ascii_case(actual)),
    }
}

/// Of several values, whether all must satisfy the operator rather than one (semantics §6).
pub(super) fn asks_all_values(operator: TextOperator) -> bool {
    match operator {
        TextOperator::NotEqualsCaseSensitive
        | TextOperator::NotEqualsCaseInsensitive
        | TextOperator::NotPresentOrNotContainsCaseSensitive
        | TextOperator::NotPresent => true,
        TextOperator::EqualsCaseSensitive | TextOperator::EqualsCaseInsensitive | TextOperator::ContainsCaseSensitive | TextOperator::InCaseInsensitive => {
            false
        }
    }
}

/// As decimal numbers if both are, as instants if both are, otherwise by code points.
pub(super) fn order(left: &str, right: &str) -> Ordering {
    if let (Some(left), Some(right)) = (Number::read(left), Number::read(right)) {
        return left.compared(&right);
    }
    if let (Some(left), Some(right)) = (instant(left), instant(right)) {
        return left.cmp(&right);
    }
    left.chars().cmp(right.chars())
}

/// A number of the form `-?digits[.digits]`.
struct Number<'t> {
    is_negative: bool,
    whole: &'t str,
    fraction: &'t str,
}

impl<'t> Number<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if all_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (unsigned, ""),
        };
        all_digits(whole).then_some(Self { is_negative: unsigned.len() < text.len(), whole, fraction })
    }

    /// Written to the same width, numbers are ordered as texts.
    fn compared(&self, other: &Self) -> Ordering {
        let (before, after) = (self.whole.len().max(other.whole.len()), self.fraction.len().max(other.fraction.len()));
        let (own, others) = (self.written(before, after), other.written(before, after));
        let are_zero = [&own, &others].iter().all(|digits| digits.chars().all(|digit| digit == '0'));
        match (self.is_negative, other.is_negative) {
            _ if are_zero => Ordering::Equal,
            (false, false) => own.cmp(&others),
            (true, true) => others.cmp(&own),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    fn written(&self, before: usize, after: usize) -> String {
        format!("{:0>before$}{:0<after$}", self.whole, self.fraction)
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit())
}

fn number(digits: &str) -> Option<i64> {
    if all_digits(digits) { digits.parse().ok() } else { None }
}

/// Reads a strict RFC 3339 date and time (semantics §5), in UTC.
fn instant(text: &str) -> Option<DateTime> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let (clock, ahead) = match rest.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => with_offset(rest)?,
    };
    let (whole, fraction) = match clock.split_once('.') {
        Some((whole, fraction)) if all_digits(fraction) => (whole, fraction),
        Some(_) => return None,
        None => (clock, ""),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(whole, ':', [2, 2, 2])?;
    let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    if year == 0 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let since_midnight = SignedDuration::from_secs(hour * 3600 + minute * 60 + second) + SignedDuration::from_nanos(number(&nanos)?);
    Some(within_the_years(plus(plus(date.at(0, 0, 0, 0), since_midnight), SignedDuration::from_secs(-ahead))))
}

/// The time of day, and how many seconds it is ahead of UTC.
fn with_offset(text: &str) -> Option<(&str, i64)> {
    let (clock, sign, offset) = match (text.split_once('+'), text.split_once('-')) {
        (Some((clock, offset)), None) => (clock, 1, offset),
        (None, Some((clock, offset))) => (clock, -1, offset),
        _ => return None,
    };
    let [hours, minutes] = numbers(offset, ':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then_some((clock, sign * (hours * 3600 + minutes * 60)))
}

/// Numbers of exactly these widths.
fn numbers<const N: usize>(text: &str, between: char, widths: [usize; N]) -> Option<[i64; N]> {
    let parts: Vec<&str> = text.split(between).collect();
    let parts: [&str; N] = parts.try_into().ok()?;
    if parts.iter().zip(widths).any(|(part, width)| part.len() != width) {
        return None;
    }
    let read: Vec<i64> = parts.into_iter().map(number).collect::<Option<_>>()?;
    read.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (text, pattern) in [("", ""), ("", "*"), ("abc", "a*c"), ("ac", "a*c"), ("abcbc", "a*bc"), ("x*y", "x**y"), ("é-1", "é*")] {
            assert!(is_like(text, pattern, Case::Counts), "{text} {pattern}");
        }
        for (text, pattern) in [("", "a"), ("a", ""), ("abd", "a*c"), ("A", "a"), ("ab", "a?"), ("É", "é*")] {
            assert!(!is_like(text, pattern, Case::Counts), "{text} {pattern}");
        }
        assert!(is_like("UK-Eq", "uk*eQ", Case::Ignored));
        assert!(!is_like("É", "é", Case::Ignored));
    }

    #[test]
    fn instants_are_strict() {
        let utc = |text: &str| instant(text).map(|at| at.to_string());
        assert_eq!(utc("2024-02-29t23:59:59.1234567899z").as_deref(), Some("2024-02-29T23:59:59.123456789"));
        assert_eq!(utc("2024-01-01T00:30:00+01:00").as_deref(), Some("2023-12-31T23:30:00"));
        assert_eq!(utc("0001-01-01T00:00:00+01:00").as_deref(), Some("0001-01-01T00:00:00"));
        assert_eq!(utc("9999-12-31T23:59:59-01:00").as_deref(), Some("9999-12-31T23:59:59.999999999"));
        for text in [
            "2024-01-01",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00",
            "2024-1-01T00:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "+024-01-01T00:00:00Z",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_ordered_exactly() {
        for (left, right, expected) in [
            ("9", "10", Ordering::Less),
            ("-0", "0.0", Ordering::Equal),
            ("-2", "-10", Ordering::Greater),
            ("1.05", "1.5", Ordering::Less),
            ("007", "7", Ordering::Equal),
            ("-1", "0", Ordering::Less),
            ("1.", "1", Ordering::Greater),
            ("+1", "1", Ordering::Less),
        ] {
            assert_eq!(order(left, right), expected, "{left} {right}");
        }
    }
}
