//! Entities and activities as small numbers, equal for names that differ in ASCII case only.

use std::sync::Arc;

use super::lookup::{Lookup, hash_folded};
use super::selector::ANY;

/// The number of an entity or activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

impl Symbol {
    /// The activity `Any`, which [`Symbols::default`] puts first.
    pub(super) const ANY: Self = Self(0);
}

/// An entity and an activity: what the index is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ActionKey {
    pub(super) entity: Symbol,
    pub(super) activity: Symbol,
}

impl ActionKey {
    pub(super) const fn hash(self) -> u64 {
        (self.entity.0 as u64) << 32 | self.activity.0 as u64
    }
}

/// All names that occur in actions.
#[derive(Debug)]
pub(super) struct Symbols {
    names: Vec<Arc<str>>,
    places: Lookup,
}

impl Default for Symbols {
    fn default() -> Self {
        let mut symbols = Self { names: Vec::new(), places: Lookup::default() };
        symbols.add(&ANY.into());
        symbols
    }
}

impl Symbols {
    pub(super) fn find(&self, name: &str) -> Option<Symbol> {
        let is = |place: usize| self.names.get(place).is_some_and(|other| other.eq_ignore_ascii_case(name));
        let place = self.places.find(hash_folded(name.as_bytes()), is)?;
        u32::try_from(place).ok().map(Symbol)
    }

    pub(super) fn add(&mut self, name: &Arc<str>) -> Symbol {
        if let Some(symbol) = self.find(name) {
            return symbol;
        }
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(Arc::clone(name));
        self.places.insert(hash_folded(name.as_bytes()), place);
        Symbol(place)
    }
}
