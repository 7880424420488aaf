//! What a subject may do, as a digest: two equal digests answer alike (interfaces §6, entity tags).

use super::asked::keys_of;
use super::decide::{applies_to, suits};
use super::documents::{Condition, ForSpec, Grant, PolicyDocument};
use super::fingerprint::append;
use super::question::EntityKind;
use super::shelf::Entry;
use super::subject::{Stage, Subject};
use super::symbols::ActionKey;

/// What stands behind the answers to some actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rights {
    /// Every policy that could match one of the actions, in order of roles; the same in every process.
    pub digest: u128,
    /// Whether time alone can change an answer.
    pub depends_on_now: bool,
    /// Whether access metadata can change an answer.
    pub depends_on_metadata: bool,
    /// Whether the effective dates of a question count.
    pub uses_effective: bool,
    /// Whether the asAt dates of a question count.
    pub uses_as_at: bool,
}

impl Subject<'_> {
    /// The rights behind all questions of these activities on these entities, as `when` and `if` stand now.
    #[must_use]
    pub fn rights(&self, application: &str, actions: &[(&str, &str)]) -> Rights {
        let mut rights = Rights::default();
        if self.is_administrator {
            rights.digest = append(0, 1);
            return rights;
        }
        rights.depends_on_now = self.roles_change();
        for stages in self.stages.chunk_by(|left, right| left.role == right.role) {
            // every role leaves a mark: the same policies in other roles are other rights
            rights.digest = append(rights.digest, 2);
            for (number, (activity, entity)) in (3..).zip(actions) {
                rights.digest = append(rights.digest, number);
                let keys = keys_of(activity, entity, &self.policies.compiled.symbols);
                self.add_action(&mut rights, stages, application, &keys, EntityKind::of(entity));
            }
        }
        rights
    }

    fn add_action(&self, rights: &mut Rights, stages: &[Stage], application: &str, keys: &[Option<ActionKey>], kind: EntityKind) {
        let mut entries = Vec::new();
        for shelf in stages.iter().filter_map(|stage| self.policies.compiled.shelves.get(stage.shelf as usize)) {
            for key in keys.iter().flatten() {
                entries.extend_from_slice(shelf.all(*key, Grant::Deny));
                entries.extend_from_slice(shelf.all(*key, Grant::Allow));
            }
        }
        entries.sort_unstable();
        entries.dedup();
        let mut last = None;
        for entry in entries {
            if let Some(policy) = self.policies.documents.policies.get(entry.policy as usize)
                && self.counts(entry, policy, application, kind, rights)
            {
                let is_new = last.replace(entry.policy) != Some(entry.policy);
                let traits = self.policies.compiled.traits.get(entry.policy as usize).filter(|_| is_new);
                rights.digest = traits.map_or(rights.digest, |traits| append(rights.digest, traits.fingerprint));
            }
        }
    }

    /// Whether the selector could match now; notes on what its match depends.
    fn counts(&self, entry: Entry, policy: &PolicyDocument, application: &str, kind: EntityKind, rights: &mut Rights) -> bool {
        let Some(selector) = policy.selectors.get(entry.selector as usize) else {
            return false;
        };
        if !suits(&selector.condition, kind) || !applies_to(policy, application) {
            return false;
        }
        rights.depends_on_now |= policy.when.changes_after(self.now);
        if !self.is_in_play(entry.policy, policy) {
            return false;
        }
        rights.depends_on_metadata |= matches!(selector.condition, Condition::Metadata(_));
        if kind != EntityKind::Feature {
            for date in &policy.dates {
                rights.depends_on_now |= ForSpec::depends_on_now(date);
                *(if date.is_effective() { &mut rights.uses_effective } else { &mut rights.uses_as_at }) = true;
            }
        }
        true
    }
}
