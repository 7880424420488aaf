//! The `sortBy` parameter: an order of rows.

use serde_json::Value;

use super::decimal::Decimal;
use super::path::Path;
use crate::policy::parse_instant;

/// Characters that `sortBy` may have at most (LUSID's wire, conventions).
const LONGEST_ORDER: usize = 16_384;

/// Fields that an order may name. Every row is looked at once for each, so that the length of the text alone is no bound.
const MOST_FIELDS: usize = 32;

/// Why a text is no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OrderError {
    /// It is empty, or too long to be read.
    #[error("not between 1 and {LONGEST_ORDER} characters")]
    Length,
    /// It names too many fields.
    #[error("more than {MOST_FIELDS} fields")]
    TooMany,
    /// One of its parts is no field with a direction.
    #[error("part {part} is not `field`, `-field`, `field asc` or `field desc`")]
    Part {
        /// Which of the parts between commas, counted from 1.
        part: usize,
    },
}

/// An order by fields, the first of them most. The empty order leaves rows in the order of their natural keys.
///
/// Ascending: rows without a value (absent, null, or an object), `false` and `true`, numbers by value, date-times by
/// instant, then texts, first without ASCII case and then by code points. Of an array the first element counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Field {
    path: Path,
    is_descending: bool,
}

impl Order {
    /// Reads fields with commas between them.
    ///
    /// # Errors
    /// The first part that is no field, or the length.
    pub(super) fn parse(text: &str) -> Result<Self, OrderError> {
        if text.is_empty() || text.chars().count() > LONGEST_ORDER {
            return Err(OrderError::Length);
        }
        let field = |(at, part)| Field::parse(part).ok_or(OrderError::Part { part: at + 1 });
        let fields: Vec<Field> = text.split(',').take(MOST_FIELDS + 1).enumerate().map(field).collect::<Result<_, _>>()?;
        if fields.len() > MOST_FIELDS {
            return Err(OrderError::TooMany);
        }
        Ok(Self { fields })
    }

    /// Whether it names no field.
    pub(super) const fn is_natural(&self) -> bool {
        self.fields.is_empty()
    }

    /// The row's own members that it looks at.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.path.first())
    }

    /// Bytes that order as the rows do; rows that are equal in all fields order as the bytes of their natural keys.
    pub(super) fn key(&self, row: &Value, natural: &str) -> Vec<u8> {
        let mut key = Vec::new();
        for field in &self.fields {
            let start = key.len();
            write(field.path.find(row, |_| true), &mut key);
            if field.is_descending {
                key.iter_mut().skip(start).for_each(|byte| *byte = !*byte);
            }
        }
        key.extend(natural.bytes());
        key
    }
}

impl Field {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let first = words.next()?;
        let (name, is_descending) = match (first.strip_prefix('-'), words.next()) {
            (Some(name), None) => (name, true),
            (None, None) => (first, false),
            (None, Some(word)) if word.eq_ignore_ascii_case("desc") => (first, true),
            (None, Some(word)) if word.eq_ignore_ascii_case("asc") => (first, false),
            _ => return None,
        };
        words.next().is_none().then_some(())?;
        Some(Self { path: Path::parse(name)?, is_descending })
    }
}

const NONE: u8 = 0;
const TRUTH: u8 = 1;
const NUMBER: u8 = 2;
const INSTANT: u8 = 3;
const TEXT: u8 = 4;

/// INVARIANT: no value's bytes begin another's, so that keys can be joined and turned around.
fn write(value: Option<&Value>, key: &mut Vec<u8>) {
    match value {
        Some(Value::Bool(truth)) => key.extend([TRUTH, u8::from(*truth)]),
        Some(Value::Number(number)) => match Decimal::of(number) {
            Some(decimal) => {
                key.push(NUMBER);
                key.extend(decimal.bytes());
            }
            None => key.push(NONE),
        },
        Some(Value::String(text)) => write_text(text, key),
        _ => key.push(NONE),
    }
}

fn write_text(text: &str, key: &mut Vec<u8>) {
    if let Some(instant) = parse_instant(text) {
        key.push(INSTANT);
        // without its end, a shorter fraction of a second comes first as it should
        key.extend(instant.to_string().trim_end_matches('Z').bytes());
        key.push(0);
        return;
    }
    key.push(TEXT);
    write_closed(text.bytes().map(|byte| byte.to_ascii_lowercase()), key);
    // of the texts that differ in case only, the one without capitals is the last
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        key.push(0);
        write_closed(text.bytes(), key);
    } else {
        key.push(1);
    }
}

/// Ends with a 0, which no other byte becomes.
fn write_closed(bytes: impl Iterator<Item = u8>, key: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            0 | 1 => key.extend([1, byte]),
            byte => key.push(byte),
        }
    }
    key.push(0);
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn order(text: &str) -> Order {
        Order::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn compare(order: &Order, left: &Value, right: &Value) -> Ordering {
        order.key(left, "").cmp(&order.key(right, ""))
    }

    #[test]
    fn values_of_every_kind_have_their_place() {
        let ascending = [
            json!({ "none": 1 }),
            json!({ "x": false }),
            json!({ "x": true }),
            json!({ "x": -1e30 }),
            json!({ "x": 9 }),
            json!({ "x": [10.5, 1] }),
            json!({ "x": 11 }),
            json!({ "x": "2024-01-01T01:00:00+02:00" }),
            json!({ "x": "2024-01-01" }),
            json!({ "x": "2024-01-01T00:00:00.0000001Z" }),
            json!({ "x": "2024-01-01T00:00:00.5+00:00" }),
            json!({ "x": "9999-12-31T23:59:59.9999999+00:00" }),
            json!({ "x": "" }),
            json!({ "x": "\u{0}" }),
            json!({ "x": "\u{1}" }),
            json!({ "x": "A" }),
            json!({ "x": "a" }),
            json!({ "x": "a b" }),
            json!({ "x": "AB" }),
            json!({ "x": "Ab" }),
            json!({ "x": "aB" }),
            json!({ "x": "ab" }),
            json!({ "x": "Abc" }),
            json!({ "x": "b" }),
            json!({ "x": "Ä" }),
            json!({ "x": "ä" }),
        ];
        for (at, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(compare(&order("X"), left, right), at.cmp(&other), "{left} {right}");
                assert_eq!(compare(&order("-x"), left, right), other.cmp(&at), "{left} {right}");
            }
        }
    }

    #[test]
    fn what_is_no_value_and_the_same_instant_are_ties() {
        let tied = |left: Value, right: Value| assert_eq!(compare(&order("x"), &left, &right), Ordering::Equal);
        tied(json!({}), json!({ "x": null }));
        tied(json!({}), json!({ "x": {} }));
        tied(json!({ "x": "2024-01-01" }), json!({ "x": "2024-01-01T01:00:00.000+01:00" }));
        tied(json!({ "x": 1 }), json!({ "x": 1.0 }));
    }

    #[test]
    fn ties_are_left_to_the_next_field_and_then_to_the_natural_key() {
        let row = |x: i32, y: &str| json!({ "x": x, "y": { "z": y } });
        for text in ["-x,y.z", " x desc , Y.Z ASC"] {
            assert!(compare(&order(text), &row(2, "b"), &row(1, "a")).is_lt());
            assert!(compare(&order(text), &row(1, "a"), &row(1, "b")).is_lt());
        }
        let by_x = order("-x");
        assert!(by_x.key(&row(1, "b"), "k1") < by_x.key(&row(1, "a"), "k2"));
    }

    #[test]
    fn what_is_no_order_is_refused() {
        assert_eq!(Order::parse("").unwrap_err(), OrderError::Length);
        assert_eq!(Order::parse(&"x".repeat(LONGEST_ORDER + 1)).unwrap_err(), OrderError::Length);
        assert!(Order::parse(&"ä".repeat(LONGEST_ORDER)).is_ok());
        for (text, part) in [(" ", 1), ("a,", 2), (",a", 1), ("--a", 1), ("-a desc", 1), ("a b", 1), ("a desc x", 1), ("a,b,c d", 3), ("-", 1), ("a;b", 1)] {
            assert_eq!(Order::parse(text).unwrap_err(), OrderError::Part { part }, "{text}");
        }
        assert_eq!(Order::parse(&vec!["a"; MOST_FIELDS + 1].join(",")).unwrap_err(), OrderError::TooMany);
        assert!(Order::parse(&vec!["a"; MOST_FIELDS].join(",")).is_ok());
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[aAbB\\x00\\x01é ]{0,4}", Just("2024-01-01".to_owned()), Just("2024-01-01T00:00:00.1Z".to_owned())];
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..3i32).prop_map(Value::from),
            (-2.0..2.0f64).prop_map(Value::from),
            text.prop_map(Value::from)
        ]
    }

    /// The order of two values, told again.
    fn told(left: &Value, right: &Value) -> Ordering {
        let kind = |value: &Value| match value {
            Value::Bool(_) => 1,
            Value::Number(_) => 2,
            Value::String(text) if parse_instant(text).is_some() => 3,
            Value::String(_) => 4,
            _ => 0,
        };
        let within = match (left, right) {
            (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
            (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()).unwrap(),
            (Value::String(left), Value::String(right)) => match (parse_instant(left), parse_instant(right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.to_ascii_lowercase().cmp(&right.to_ascii_lowercase()).then_with(|| left.cmp(right)),
            },
            _ => Ordering::Equal,
        };
        kind(left).cmp(&kind(right)).then(within)
    }

    proptest! {
        #[test]
        fn keys_order_as_rows_do(left in prop::array::uniform3(value()), right in prop::array::uniform3(value()), keys: (String, String), down: (bool, bool)) {
            let row = |values: &[Value; 3]| json!({ "a": values[0], "b": values[1], "c": values[2] });
            let sign = |is_down: bool| if is_down { "-" } else { "" };
            let order = order(&format!("{}a,{}b,c", sign(down.0), sign(down.1)));
            let turned = |is_down: bool, order: Ordering| if is_down { order.reverse() } else { order };
            let expected = turned(down.0, told(&left[0], &right[0])).then(turned(down.1, told(&left[1], &right[1])));
            let expected = expected.then(told(&left[2], &right[2])).then_with(|| keys.0.cmp(&keys.1));
            prop_assert_eq!(order.key(&row(&left), &keys.0).cmp(&order.key(&row(&right), &keys.1)), expected);
        }

        #[test]
        fn any_text_is_an_order_or_refused(text: String, row in value()) {
            if let Ok(order) = Order::parse(&text) {
                order.key(&row, "");
            }
        }
    }
}
