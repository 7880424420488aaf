//! The `filter` parameter: a parsed expression that says of a row whether it holds.

mod literal;
mod parse;
mod scan;

use serde_json::Value;

use super::path::Path;
use literal::{Literal, Relation};

/// Characters that an expression may have at most (LUSID's wire, conventions).
pub(super) const LONGEST_FILTER: usize = 16_384;

/// Why a text is no filter. Characters are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FilterError {
    /// It is too long to be read.
    #[error("more than {most} characters")]
    TooLong {
        /// How many it may have.
        most: usize,
    },
    /// It breaks the grammar.
    #[error("expected {expected} at character {position}")]
    Syntax {
        /// Where the part begins that cannot stand there.
        position: usize,
        /// What could.
        expected: &'static str,
    },
}

/// An expression such as `id.scope eq 'default' and not in …`, ready to be asked of rows.
///
/// A comparison holds of a row if it holds of one of the values that its field leads to. A field that is absent or
/// null has no value, so that only `not exists` holds of it. Text compares without ASCII case; a text that is a
/// date-time compares as an instant with values that are; values of different kinds are unequal and in no order.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// Run from the first to the last. Flat, so that no nesting is too deep to be asked, dropped or printed.
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Asks the row; the answer stands until the next.
    Ask(Comparison),
    /// Goes on at `to`, which is further ahead, if the last answer was `answer`.
    Skip { answer: bool, to: usize },
}

#[derive(Clone, Debug)]
struct Comparison {
    path: Path,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Is(Relation, Literal),
    StartsWith(Box<str>),
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
    Exists,
    NotExists,
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// The first place where the text breaks the grammar, or its length.
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        if text.chars().count() > LONGEST_FILTER {
            return Err(FilterError::TooLong { most: LONGEST_FILTER });
        }
        Ok(Self { steps: parse::steps(text)? })
    }

    /// The row's own members that it looks at.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Ask(comparison) => Some(comparison.path.first()),
            Step::Skip { .. } => None,
        })
    }

    /// Whether the expression holds of the row.
    pub(super) fn matches(&self, row: &Value) -> bool {
        let (mut at, mut holds) = (0, true);
        while let Some(step) = self.steps.get(at) {
            at += 1;
            match step {
                Step::Ask(comparison) => holds = comparison.holds(row),
                Step::Skip { answer, to } if *answer == holds => at = *to,
                Step::Skip { .. } => {}
            }
        }
        holds
    }
}

impl Comparison {
    fn holds(&self, row: &Value) -> bool {
        let any = |test: &dyn Fn(&Value) -> bool| self.path.find(row, test).is_some();
        match &self.test {
            Test::Is(relation, literal) => any(&|value| relation.holds(literal.order_of(value))),
            Test::StartsWith(start) => any(&|value| starts_with(value, start)),
            Test::In(list) => any(&|value| is_in(value, list)),
            Test::NotIn(list) => any(&|value| !is_in(value, list)),
            Test::Exists => any(&|_| true),
            Test::NotExists => !any(&|_| true),
        }
    }
}

fn is_in(value: &Value, list: &[Literal]) -> bool {
    list.iter().any(|literal| Relation::Equal.holds(literal.order_of(value)))
}

fn starts_with(value: &Value, start: &str) -> bool {
    let begins = |text: &str| text.as_bytes().get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes()));
    value.as_str().is_some_and(begins)
}

#[cfg(test)]
mod tests;
