//! Rules of an operation: what is asked at the request, of its body, and of the answer.

use super::binding::{Binding, Source};
use super::entity::{DatePointers, MetadataSource};
use crate::json_filter::{Pattern, Pointer};

/// Something named by the request that is asked before anything is sent upstream.
#[derive(Clone, Debug)]
pub struct Target {
    /// The activity asked.
    pub activity: Box<str>,
    /// What it is.
    pub kind: TargetKind,
}

/// An entity, or property keys in a parameter.
#[derive(Clone, Debug)]
pub enum TargetKind {
    /// An entity by its id.
    Entity {
        /// The index of the entity.
        entity: usize,
        /// Its id parts.
        id: Vec<Binding>,
    },
    /// Property keys to be deleted or written; every repetition of the parameter is asked.
    Property {
        /// The parameter's name in lower case.
        parameter: Box<str>,
    },
}

/// Where items, or properties without an item, are in the request body.
#[derive(Clone, Debug)]
pub struct BodyRule {
    /// The place, as a pattern over the whole body.
    pub place: Pattern,
    /// Whether the place may be missing.
    pub optional: bool,
    /// The activity asked.
    pub activity: Box<str>,
    /// The item, or `None` for properties without one.
    pub item: Option<ItemRule>,
}

/// One rule of the answer; its index is the index of the filter's rule.
#[derive(Clone, Debug)]
pub enum ResponseRule {
    /// Items of an entity.
    Items {
        /// Whether the place names a single item.
        is_single: bool,
        /// The activity asked, usually `Read`.
        activity: Box<str>,
        /// What is asked of each item.
        item: Box<ItemRule>,
        /// What the filter looks up in each item.
        facts: Facts,
    },
    /// Properties without an item.
    Properties(PropertyRule),
    /// A place that is known and passes.
    Pass,
}

/// Properties at a place of the answer itself.
#[derive(Clone, Debug)]
pub struct PropertyRule {
    /// The entity they belong to.
    pub entity: usize,
}

/// What an item is and where its id, metadata, dates and properties are.
#[derive(Clone, Debug)]
pub struct ItemRule {
    /// The index of the entity.
    pub entity: usize,
    /// Its id parts: the rule's laid over the entity's.
    pub id: Vec<Binding>,
    /// Where its metadata comes from.
    pub metadata: MetadataSource,
    /// Its own dates.
    pub dates: DatePointers,
    /// Its properties.
    pub properties: Vec<Pattern>,
}

/// The pointers that judging an item needs, each once, and which of them serve what.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The pointers, in the order in which the filter hands over what they find.
    pub pointers: Vec<Pointer>,
    /// The index of the metadata's pointer.
    pub metadata: Option<usize>,
    /// The index of the effective date's pointer.
    pub effective: Option<usize>,
    /// The index of the asAt date's pointer.
    pub as_at: Option<usize>,
}

impl Facts {
    /// Collects the pointers of an item rule, and tells its id sources their index.
    pub(super) fn of(item: &mut ItemRule) -> Self {
        let mut facts = Self::default();
        for source in item.id.iter_mut().flat_map(|binding| &mut binding.sources) {
            if let Source::Item { pointer, fact } = source {
                *fact = facts.index(pointer);
            }
        }
        if let MetadataSource::Body(pointer) = &item.metadata {
            facts.metadata = Some(facts.index(pointer));
        }
        facts.effective = item.dates.effective.as_ref().map(|pointer| facts.index(pointer));
        facts.as_at = item.dates.as_at.as_ref().map(|pointer| facts.index(pointer));
        facts
    }

    fn index(&mut self, pointer: &Pointer) -> usize {
        self.pointers.iter().position(|known| known == pointer).unwrap_or_else(|| {
            self.pointers.push(pointer.clone());
            self.pointers.len() - 1
        })
    }
}
