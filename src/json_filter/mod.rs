//! Drops items and members of a JSON stream in bounded memory. It knows places, facts and verdicts,
//! and nothing of policies; it never does I/O, never reads a clock, never logs.
//!
//! Reading order: `plan` (what to do), `judge` (who decides), `filter` (the stream), `walk` (the
//! pass that does it), `document` (request bodies, whole in memory).

mod document;
mod error;
mod filter;
mod hold;
mod judge;
mod pattern;
mod plan;
mod scan;
mod scout;
mod skim;
mod spots;
mod tape;
mod text;
mod utf8;
mod walk;

#[cfg(test)]
mod tests;

pub use document::{Document, Found, NameMatch, Node, fold_case};
pub use error::{DuplicateName, FilterError, PatternError};
pub use filter::{Filter, Progress};
pub use judge::{ItemVerdict, Judge, Property, RuleCounts};
pub use pattern::{Pattern, Pointer};
pub use plan::{FilterPlan, PropertyNames, Rule, RuleKind};
pub use text::text;

/// What one answer or body may demand of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one item, and of what is held back for undecided single items; 1 GiB at most.
    pub item_bytes: usize,
    /// Brackets open at once.
    pub depth: usize,
}
