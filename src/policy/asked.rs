//! A question prepared for the index.

use smallvec::SmallVec;

use super::documents::DEFAULT_SCOPE;
use super::lookup::hash_folded;
use super::question::{EntityKind, PartOf, Question};
use super::symbols::{ActionKey, Symbol, Symbols};

/// A question with its keys.
pub(super) struct Asked<'q> {
    pub(super) question: &'q Question<'q>,
    pub(super) kind: EntityKind,
    /// The very activity, and `Any`; none where no policy names it.
    pub(super) keys: [Option<ActionKey>; 2],
    pub(super) is_of_default_scope: bool,
    parts: SmallVec<[(u64, PartOf<'q>); 4]>,
}

impl<'q> Asked<'q> {
    pub(super) fn new(question: &'q Question<'q>, symbols: &Symbols) -> Self {
        let part = |(name, value): &'q (&str, Option<_>)| {
            let value: Option<&std::borrow::Cow<'q, str>> = value.as_ref();
            (hash_folded(name.as_bytes()), value.map_or(PartOf::Unknown, |value| PartOf::Known(value)))
        };
        let keys = keys_of(question.activity, question.entity, symbols);
        let entity = keys.iter().flatten().next().map(|key| key.entity);
        Self {
            question,
            // an entity that no policy names is matched by none, whatever its kind
            kind: entity.map_or(EntityKind::Thing, |entity| symbols.kind(entity)),
            keys,
            is_of_default_scope: question.action_scope.eq_ignore_ascii_case(DEFAULT_SCOPE),
            parts: question.id.iter().map(part).collect(),
        }
    }

    /// The part whose name has that hash; of two, the first counts.
    pub(super) fn part(&self, hash: u64) -> PartOf<'q> {
        self.parts.iter().find(|(other, _)| *other == hash).map_or(PartOf::Unknown, |(_, part)| *part)
    }
}

/// Where the index keeps what can match that activity on that entity.
pub(super) fn keys_of(activity: &str, entity: &str, symbols: &Symbols) -> [Option<ActionKey>; 2] {
    let Some(entity) = symbols.find(entity) else {
        return [None; 2];
    };
    let activity = symbols.find(activity).filter(|activity| *activity != Symbol::ANY);
    [activity, Some(Symbol::ANY)].map(|activity| activity.map(|activity| ActionKey { entity, activity }))
}
