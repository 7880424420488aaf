//! On what, beside ids, the answers to some action can depend: what nobody looks at need not be read.

use super::asked::keys_of;
use super::documents::{Condition, PolicyDocument, Selector};
use super::subject::Subject;

/// What can change an answer. It may name too much, never too little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The effective dates of a question.
    pub effective: bool,
    /// The asAt dates of a question.
    pub as_at: bool,
    /// The access metadata of a thing.
    pub metadata: bool,
}

impl Uses {
    /// Everything that can be looked at.
    pub const ALL: Self = Self { effective: true, as_at: true, metadata: true };

    /// What one selector of a policy looks at.
    pub(super) fn of(policy: &PolicyDocument, selector: Option<&Selector>) -> Self {
        Self {
            effective: policy.dates.iter().any(|date| date.is_effective()),
            as_at: policy.dates.iter().any(|date| !date.is_effective()),
            metadata: selector.is_some_and(|selector| matches!(selector.condition, Condition::Metadata(_))),
        }
    }

    /// What either looks at.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            effective: self.effective || other.effective,
            as_at: self.as_at || other.as_at,
            metadata: self.metadata || other.metadata,
        }
    }
}

impl Subject<'_> {
    /// What the policies of the roles in force look at when they are asked about that activity on
    /// that entity, for the length of this subject.
    #[must_use]
    pub fn uses(&self, activity: &str, entity: &str) -> Uses {
        if self.is_administrator {
            return Uses::default();
        }
        let compiled = &self.policies.compiled;
        let keys = keys_of(activity, entity, &compiled.symbols);
        let shelves = self.stages.iter().filter_map(|stage| compiled.shelves.get(stage.shelf as usize));
        shelves.flat_map(|shelf| keys.iter().flatten().map(|key| shelf.uses(*key))).fold(Uses::default(), Uses::or)
    }
}
