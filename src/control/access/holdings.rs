//! Policies and collections that a role, a user-role or a collection has, and who may hand them on.

use super::super::caller::{Activity, Caller};
use super::super::problem::Problem;
use crate::store::{Resource, ScopedId, State};
use std::collections::BTreeSet;

/// What one of them has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    /// Policies.
    pub(super) policies: Vec<ScopedId>,
    /// Collections.
    pub(super) collections: Vec<ScopedId>,
}

impl Holdings {
    /// What a role has; of the roles that it supervises what they have themselves.
    pub(super) fn of(state: &State, resource: &Resource) -> Self {
        let mut held = Self::default();
        held.take(resource);
        for id in resource.non_transitive_supervisor_role_resource.iter().flat_map(|supervised| &supervised.roles) {
            if let Some(role) = state.roles.find(&id.key()) {
                held.take(&role.resource);
            }
        }
        held
    }

    fn take(&mut self, resource: &Resource) {
        if let Some(own) = &resource.policy_id_role_resource {
            add(&mut self.policies, own.policies.iter().cloned());
            add(&mut self.collections, own.policy_collections.iter().cloned());
        }
    }

    /// Every policy, also those in the collections, however deep, without doubles, in order of scope and code.
    pub(super) fn all_policies(&self, state: &State) -> BTreeSet<ScopedId> {
        let mut found: BTreeSet<ScopedId> = self.policies.iter().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut open = self.collections.clone();
        while let Some(id) = open.pop() {
            let Some(collection) = state.collections.find(&id.key()) else { continue };
            if seen.insert(id) {
                found.extend(collection.policies.iter().cloned());
                open.extend(collection.policy_collections.iter().cloned());
            }
        }
        found
    }

    fn without(&self, other: &Self) -> Self {
        let left = |own: &[ScopedId], other: &[ScopedId]| own.iter().filter(|id| !other.contains(id)).cloned().collect();
        Self { policies: left(&self.policies, &other.policies), collections: left(&self.collections, &other.collections) }
    }
}

/// Appends ids that are not yet in a list.
pub(super) fn add(own: &mut Vec<ScopedId>, more: impl IntoIterator<Item = ScopedId>) {
    for id in more {
        if !own.contains(&id) {
            own.push(id);
        }
    }
}

/// # Errors
/// 403 unless the caller may hand on what is new, and take away what is gone.
pub(super) fn require_handover(state: &State, caller: &Caller, before: &Holdings, after: &Holdings) -> Result<(), Problem> {
    let (new, gone) = (after.without(before), before.without(after));
    caller.require_delegation(state, Activity::Add, &new.policies, &new.collections)?;
    caller.require_delegation(state, Activity::Delete, &gone.policies, &gone.collections)
}
