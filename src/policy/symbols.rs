//! Entities and activities as small numbers, equal for names that differ in ASCII case only.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::lookup::{Lookup, hash_folded};
use super::question::EntityKind;
use super::selector::ANY;

/// The number of an entity or activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

impl Symbol {
    /// The activity `Any`, which [`Symbols::default`] puts first.
    pub(super) const ANY: Self = Self(0);
}

/// An entity and an activity: what the index is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ActionKey {
    pub(super) entity: Symbol,
    pub(super) activity: Symbol,
}

impl ActionKey {
    pub(super) const fn number(self) -> u64 {
        (self.entity.0 as u64) << 32 | self.activity.0 as u64
    }
}

impl Hash for ActionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number());
    }
}

/// All names that occur in actions.
#[derive(Debug)]
pub(super) struct Symbols {
    names: Vec<Arc<str>>,
    /// What each name is as an entity.
    kinds: Vec<EntityKind>,
    places: Lookup,
}

impl Default for Symbols {
    fn default() -> Self {
        let mut symbols = Self { names: Vec::new(), kinds: Vec::new(), places: Lookup::default() };
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

    pub(super) fn kind(&self, entity: Symbol) -> EntityKind {
        self.kinds.get(entity.0 as usize).copied().unwrap_or(EntityKind::Thing)
    }

    pub(super) fn add(&mut self, name: &Arc<str>) -> Symbol {
        if let Some(symbol) = self.find(name) {
            return symbol;
        }
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(Arc::clone(name));
        self.kinds.push(EntityKind::of(name));
        self.places.push(hash_folded(name.as_bytes()));
        Symbol(place)
    }
}
