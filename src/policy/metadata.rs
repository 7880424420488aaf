//! Access metadata: keys with values, and the operators that compare them (semantics §4).

use std::cmp::Ordering;

use super::dates::parse_date_time;
use super::documents::{MetadataExpression, MetadataOperator};

/// The access metadata of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Metadata(Box<[Entry]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: Box<str>,
    /// A null value is kept: it equals and satisfies nothing.
    values: Box<[Option<Box<str>>]>,
}

impl<K: Into<Box<str>>> FromIterator<(K, Vec<Option<Box<str>>>)> for Metadata {
    /// Keys are given once each.
    fn from_iter<I: IntoIterator<Item = (K, Vec<Option<Box<str>>>)>>(pairs: I) -> Self {
        let entries = pairs.into_iter().map(|(key, values)| Entry { key: key.into(), values: values.into() });
        Self(entries.collect())
    }
}

impl Metadata {
    /// Reads `{"Desk":[{"value":"EQ","provider":"x"}]}`; none for any other shape, which is unknown.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        super::documents::read_metadata(json)
    }

    /// Every key with its values, null ones as none.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Option<Box<str>>])> {
        self.0.iter().map(|entry| (&*entry.key, &*entry.values))
    }

    /// Whether the expression holds.
    #[must_use]
    pub fn satisfies(&self, expression: &MetadataExpression) -> bool {
        let values = self.0.iter().find(|entry| *entry.key == *expression.key).map(|entry| &*entry.values);
        let mut present = values.unwrap_or_default().iter().flatten();
        match expression.operator {
            MetadataOperator::NotEquals => present.all(|value| **value != *expression.text),
            operator => present.any(|value| satisfies(value, operator, &expression.text)),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let of_value = |value: &Option<Box<str>>| size_of::<Option<Box<str>>>() + value.as_ref().map_or(0, |value| value.len() + 16);
        let of_entry = |entry: &Entry| size_of::<Entry>() + entry.key.len() + 32 + entry.values.iter().map(of_value).sum::<usize>();
        self.0.iter().map(of_entry).sum()
    }
}

fn satisfies(value: &str, operator: MetadataOperator, text: &str) -> bool {
    match operator {
        MetadataOperator::Equals => value == text,
        MetadataOperator::NotEquals => value != text,
        MetadataOperator::In => items(text).any(|item| item == value),
        MetadataOperator::GreaterThan => compare(value, text).is_gt(),
        MetadataOperator::GreaterThanOrEqualTo => compare(value, text).is_ge(),
        MetadataOperator::LessThan => compare(value, text).is_lt(),
        MetadataOperator::LessThanOrEqualTo => compare(value, text).is_le(),
    }
}

/// The items of a list: split on commas, trimmed of ASCII white space, empty ones left out.
pub(super) fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim_ascii).filter(|item| !item.is_empty())
}

/// As decimal numbers if both are, as RFC 3339 instants if both are, otherwise by code points.
fn compare(left: &str, right: &str) -> Ordering {
    if let (Some(left), Some(right)) = (Decimal::parse(left), Decimal::parse(right)) {
        return left.cmp(&right);
    }
    if let (Some(left), Some(right)) = (parse_date_time(left), parse_date_time(right)) {
        return left.cmp(&right);
    }
    left.cmp(right)
}

/// A decimal number of any length, exact; zeros that do not count are stripped.
#[derive(PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// Reads `-?digits[.digits]`.
    fn parse(text: &'a str) -> Option<Self> {
        let digits = text.strip_prefix('-');
        let (whole, fraction) = digits.unwrap_or(text).split_once('.').map_or((digits.unwrap_or(text), None), |(whole, fraction)| (whole, Some(fraction)));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !fraction.is_none_or(is_digits) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.unwrap_or_default().trim_end_matches('0');
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: digits.is_some() && !is_zero, whole, fraction })
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = |left: &Self, right: &Self| {
            let whole = left.whole.len().cmp(&right.whole.len()).then_with(|| left.whole.cmp(right.whole));
            whole.then_with(|| left.fraction.cmp(right.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => magnitude(self, other),
            (true, true) => magnitude(other, self),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(values: &[Option<&str>]) -> Metadata {
        [("K", values.iter().map(|value| value.map(Into::into)).collect())].into_iter().collect()
    }

    fn holds(values: &[Option<&str>], operator: MetadataOperator, text: &str) -> bool {
        metadata(values).satisfies(&MetadataExpression { key: "K".into(), operator, text: text.into() })
    }

    #[test]
    fn some_value_is_enough_but_not_equals_needs_none_to_equal() {
        use MetadataOperator::{Equals, NotEquals};
        assert!(holds(&[Some("a"), Some("b")], Equals, "b"));
        assert!(!holds(&[Some("a"), Some("b")], NotEquals, "b"));
        assert!(holds(&[Some("a")], NotEquals, "b"));
        assert!(!holds(&[Some("A")], Equals, "a"));
    }

    #[test]
    fn not_equals_holds_for_an_absent_key_and_nothing_else_does() {
        let none = Metadata::default();
        for (operator, expected) in
            [(MetadataOperator::NotEquals, true), (MetadataOperator::Equals, false), (MetadataOperator::LessThan, false), (MetadataOperator::In, false)]
        {
            assert_eq!(none.satisfies(&MetadataExpression { key: "K".into(), operator, text: "x".into() }), expected);
        }
    }

    #[test]
    fn a_null_value_equals_and_satisfies_nothing() {
        use MetadataOperator::*;
        assert!(holds(&[None], NotEquals, ""));
        for operator in [Equals, GreaterThan, GreaterThanOrEqualTo, LessThan, LessThanOrEqualTo, In] {
            assert!(!holds(&[None], operator, ""));
        }
    }

    #[test]
    fn in_splits_on_commas_trims_items_and_ignores_empty_ones() {
        assert!(holds(&[Some("EQ")], MetadataOperator::In, "FX, EQ\t,Rates"));
        assert!(!holds(&[Some("EQ ")], MetadataOperator::In, "FX, EQ ,Rates"));
        assert!(!holds(&[Some("")], MetadataOperator::In, "FX,,"));
    }

    #[test]
    fn orderings_compare_decimals_exactly() {
        for (left, right, expected) in [
            ("9", "10", Ordering::Less),
            ("10", "10.00", Ordering::Equal),
            ("-0", "0", Ordering::Equal),
            ("-1", "1", Ordering::Less),
            ("-2", "-10", Ordering::Greater),
            ("007", "7", Ordering::Equal),
            ("1.05", "1.5", Ordering::Less),
            ("-1.5", "-1.05", Ordering::Less),
            ("9.99999999999999999999999999999999999", "10", Ordering::Less),
            ("0.1", "0.09", Ordering::Greater),
        ] {
            assert_eq!(compare(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn orderings_compare_instants_by_time_and_the_rest_by_code_points() {
        assert_eq!(compare("2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z"), Ordering::Equal);
        assert_eq!(compare("high", "9"), Ordering::Greater);
        assert_eq!(compare("1.", "1"), Ordering::Greater);
        assert_eq!(compare("+1", "1"), Ordering::Less);
        assert_eq!(compare("\u{ffff}", "\u{10000}"), Ordering::Less);
        // a plain date is no RFC 3339 instant
        assert_eq!(compare("2024-01-01", "2024-01-01T00:00:00Z"), Ordering::Less);
    }

    #[test]
    fn another_shape_is_unknown() {
        for json in
            ["[]", "1", "{\"a\":1}", "{\"a\":[1]}", "{\"a\":[{\"value\":1}]}", "{\"a\":[],\"a\":[]}", "{\"a\":[{\"value\":\"x\",\"value\":\"y\"}]}", "{", ""]
        {
            assert_eq!(Metadata::parse(json.as_bytes()), None, "{json}");
        }
        let parsed = Metadata::parse(br#"{"K":[{"value":"EQ","provider":"x"},{"value":null},{}],"L":null}"#).unwrap();
        assert_eq!(parsed.iter().count(), 2);
        assert!(parsed.satisfies(&MetadataExpression { key: "K".into(), operator: MetadataOperator::Equals, text: "EQ".into() }));
    }

    #[test]
    fn of_values_that_say_nothing_one_is_kept() {
        let parsed = Metadata::parse(br#"{"K":[{},{"value":"EQ"},{"value":null},{},{"value":"EQ"}]}"#).unwrap();
        assert_eq!(parsed, metadata(&[None, Some("EQ"), Some("EQ")]));
    }

    #[test]
    fn a_value_with_a_world_of_its_own_is_unknown() {
        let of = |size: usize| format!(r#"{{"K":[{{"value":"EQ","provider":[{}]}}]}}"#, vec!["0"; size].join(","));
        assert!(Metadata::parse(of(900).as_bytes()).is_some());
        assert_eq!(Metadata::parse(of(1000).as_bytes()), None);
    }
}
