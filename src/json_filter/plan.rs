//! What a filter is to do: rules, places to strip, and their compiled form.

use super::error::PatternError;
use super::pattern::{Pattern, Pointer};
use super::spots::Spots;

/// The names under which a property states its own key and date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyNames {
    /// The member of an array's element that holds its property key: `key`.
    pub key: Box<str>,
    /// The member that holds the property's own date: `effectiveFrom`.
    pub date: Box<str>,
}

impl Default for PropertyNames {
    fn default() -> Self {
        Self { key: "key".into(), date: "effectiveFrom".into() }
    }
}

/// One rule of a plan (interfaces §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where its items are, or its properties.
    pub place: Pattern,
    /// Whether the fixed part of the place, before its first star, may be missing.
    pub optional: bool,
    /// What is there.
    pub kind: RuleKind,
}

/// What a rule's place leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// Items, each judged by its facts; both members are relative to the item.
    Items {
        /// What the judge wants to see of each item.
        facts: Vec<Pointer>,
        /// Maps of properties, or arrays of objects with a key.
        properties: Vec<Pattern>,
    },
    /// Maps or arrays of properties, without an item.
    Properties,
    /// A known place that passes; it demands nothing.
    Pass,
}

/// A compiled plan. It never changes, so filters share it.
#[derive(Debug)]
pub struct FilterPlan {
    /// Everything, for the pass that writes.
    pub(super) spots: Spots,
    /// The single items alone, for the pass that decides them before anything is written.
    pub(super) scout: Spots,
    pub(super) rules: usize,
    /// Per rule, the number of facts if it names a single item.
    pub(super) singles: Vec<Option<usize>>,
}

impl FilterPlan {
    /// Compiles rules, the places to strip in any case, and the names looked up in properties.
    ///
    /// # Errors
    /// When the whole document would be stripped, or the places are too many to follow at once.
    pub fn new(rules: Vec<Rule>, strip: Vec<Pattern>, property: PropertyNames) -> Result<Self, PatternError> {
        if strip.iter().any(|place| place.segments().is_empty()) {
            return Err(PatternError::StripsAll);
        }
        let single = |rule: &Rule| match &rule.kind {
            RuleKind::Items { facts, .. } if rule.place.is_single() => Some(facts.len()),
            _ => None,
        };
        Ok(Self {
            spots: Spots::compile(&rules, &strip, &property)?,
            scout: Spots::compile_singles(&rules)?,
            rules: rules.len(),
            singles: rules.iter().map(single).collect(),
        })
    }
}
