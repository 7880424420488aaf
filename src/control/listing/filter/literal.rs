//! The values that an expression names, and how a row's values compare with them.

use std::cmp::Ordering;

use serde_json::Value;

use super::super::decimal::Decimal;
use crate::policy::{Instant, parse_instant, parse_query_instant};

/// A value in an expression.
#[derive(Clone, Debug)]
pub(super) enum Literal {
    /// `true` or `false`.
    Truth(bool),
    /// A number.
    Number(Decimal),
    /// A date or date-time without quotes.
    Instant(Instant),
    /// A text in quotes; with the instant that it also is, if it is one.
    Text(Box<str>, Option<Instant>),
}

impl Literal {
    /// A word without quotes; none if it is no value.
    pub(super) fn bare(word: &str) -> Option<Self> {
        let truth = [true, false].into_iter().find(|truth| word.eq_ignore_ascii_case(if *truth { "true" } else { "false" }));
        let number = || Decimal::parse(word).map(Self::Number);
        truth.map(Self::Truth).or_else(number).or_else(|| instant_of(word).map(Self::Instant))
    }

    /// What stood in quotes.
    pub(super) fn text(text: Box<str>) -> Self {
        let instant = instant_of(&text);
        Self::Text(text, instant)
    }

    /// How the value stands to this one; none if they cannot be compared.
    pub(super) fn order_of(&self, value: &Value) -> Option<Ordering> {
        match (self, value) {
            (Self::Truth(truth), Value::Bool(value)) => Some(value.cmp(truth)),
            (Self::Number(number), Value::Number(value)) => Some(Decimal::of(value)?.cmp(number)),
            (Self::Instant(instant), Value::String(value)) => Some(parse_instant(value)?.cmp(instant)),
            (Self::Text(text, None), Value::String(value)) => Some(compare_texts(value, text)),
            (Self::Text(text, Some(instant)), Value::String(value)) => {
                Some(parse_instant(value).map_or_else(|| compare_texts(value, text), |value| value.cmp(instant)))
            }
            _ => None,
        }
    }
}

/// A date, or a date-time with or without an offset: without one it is in UTC, as LUSID's own examples are.
fn instant_of(text: &str) -> Option<Instant> {
    parse_query_instant(text).or_else(|| parse_instant(&format!("{text}Z")))
}

/// By code points, without ASCII case.
fn compare_texts(left: &str, right: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    left.bytes().map(lower).cmp(right.bytes().map(lower))
}

/// How a value may stand to a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// `eq`
    Equal,
    /// `neq`
    NotEqual,
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
}

impl Relation {
    /// The relation that a word names.
    pub(super) fn named(word: &str) -> Option<Self> {
        let relations = [
            ("eq", Self::Equal),
            ("neq", Self::NotEqual),
            ("gt", Self::Greater),
            ("gte", Self::GreaterOrEqual),
            ("lt", Self::Less),
            ("lte", Self::LessOrEqual),
        ];
        relations.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, relation)| relation)
    }

    /// Whether it holds; what cannot be compared is unequal and nothing else.
    pub(super) fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
        }
    }
}
