//! What is wrong with a document, and where.

use super::super::OneLine;
use std::fmt;

/// One reason why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The key path, such as `policies[0].for[0].effectiveRange.from`; empty for the document itself.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return OneLine(&self.message).fmt(f);
        }
        write!(f, "{}: {}", OneLine(&self.path), OneLine(&self.message))
    }
}

/// A place in the document, as a chain back to its root: nothing is allocated unless there is a problem.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    parent: Option<&'s Place<'s>>,
    step: Step<'s>,
}

#[derive(Clone, Copy)]
enum Step<'s> {
    Root,
    Member(&'s str),
    Item(usize),
}

impl<'s> Place<'s> {
    pub(super) const ROOT: Self = Self { parent: None, step: Step::Root };

    pub(super) const fn member(&'s self, name: &'s str) -> Self {
        Self { parent: Some(self), step: Step::Member(name) }
    }

    pub(super) const fn item(&'s self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Item(index) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Member(name) if self.parent.is_none_or(|parent| matches!(parent.step, Step::Root)) => f.write_str(name),
            Step::Member(name) => write!(f, ".{name}"),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}
