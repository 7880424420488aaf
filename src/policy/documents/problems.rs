//! What is wrong with a document, and where.

use super::super::OneLine;
use std::fmt::{self, Write as _};

/// So much memory, in bytes, may the problems of a document take, some ten thousand of them; those behind are
/// counted. Whoever writes a document that is wrong everywhere decides over our time and memory otherwise.
const MOST: usize = 1 << 20;
/// Bytes of a path or of a message; a document may hold names as long as itself.
const LONGEST: usize = 2000;

/// One reason why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The key path, such as `policies[0].for[0].effectiveRange.from`; empty for the document itself.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    fn new(place: Place<'_>, message: &str) -> Self {
        Self { path: shortened(place), message: shortened(message) }
    }

    /// What stands for the problems that are not said one by one. What refers to what is not looked at any more
    /// then, so there may be others.
    fn more(count: usize) -> Self {
        Self { path: String::new(), message: format!("… and at least {count} more") }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.path.len() + self.message.len()
    }
}

/// The problems of a document: the first of them, and how many are behind those.
#[derive(Default)]
pub(super) struct Problems {
    said: Vec<Problem>,
    bytes: usize,
    unsaid: usize,
}

impl Problems {
    pub(super) fn add(&mut self, place: Place<'_>, message: &str) {
        if self.unsaid == 0 {
            let problem = Problem::new(place, message);
            self.bytes += problem.bytes();
            if self.bytes <= MOST {
                return self.said.push(problem);
            }
        }
        self.unsaid += 1;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Whether more was found than is said.
    pub(super) const fn is_full(&self) -> bool {
        self.unsaid > 0
    }

    /// Those that are said; a last one stands for the others.
    pub(super) fn into_said(mut self) -> Vec<Problem> {
        self.said.extend((self.unsaid > 0).then(|| Problem::more(self.unsaid)));
        self.said
    }
}

/// A text that is cut where it is too long, so that it is never whole in memory.
struct Shortened(String);

impl fmt::Write for Shortened {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.0.len());
        let fits = text.floor_char_boundary(room);
        self.0.push_str(text.get(..fits).unwrap_or_default());
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

fn shortened(text: impl fmt::Display) -> String {
    let mut short = Shortened(String::new());
    if write!(short, "{text}").is_err() {
        short.0.push('…');
    }
    short.0
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
