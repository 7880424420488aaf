//! The decision: Deny wins inside a role, the stronger role wins across roles (semantics §7).
//!
//! It is total and reads nothing but the policies, the subject and the question.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::asked::{Asked, keys_of};
use super::documents::{Condition, Grant, PolicyDocument, ScopedId};
use super::for_dates::dates_hold;
use super::policies::Policies;
use super::question::{EntityKind, Question};
use super::selector::{condition_holds, names_action};
use super::shelf::{Drawer, Entry};
use super::subject::{RolePlace, Stage, Subject};

/// What the policies say to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is granted.
    pub granted: bool,
    /// By what; none: no policy grants it.
    pub by: Option<Cause>,
}

/// The authoritative role, policy and selector of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    role: RolePlace,
    entry: Option<Entry>,
}

/// A cause by names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedCause<'a> {
    /// The role; a user-role has the scope `_users`.
    pub role: &'a ScopedId,
    /// The policy; none for the administrator, whose right is built in.
    pub policy: Option<&'a PolicyDocument>,
    /// The place of the selector in that policy.
    pub selector: Option<usize>,
}

impl Subject<'_> {
    /// Decides a question; what is unknown in it fails closed, so that a grant holds whatever the unknown turns out to be.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        if self.is_administrator {
            return Decision { granted: true, by: Some(Cause { role: RolePlace::Administrator, entry: None }) };
        }
        let asked = Asked::new(question, &self.policies.compiled.symbols);
        for stages in self.stages.chunk_by(|left, right| left.role == right.role) {
            let drawers = self.drawers(stages, &asked);
            for grant in [Grant::Deny, Grant::Allow] {
                let fits = |entry| self.fits(entry, &asked, grant);
                let first = drawers.iter().fold(None, |best, drawer| drawer.first(grant, &asked, best, &fits));
                if let (Some(entry), Some(stage)) = (first, stages.first()) {
                    return Decision { granted: grant == Grant::Allow, by: Some(Cause { role: stage.role, entry: Some(entry) }) };
                }
            }
        }
        Decision { granted: false, by: None }
    }

    /// Where a role keeps what may match the question.
    fn drawers(&self, stages: &[Stage], asked: &Asked<'_>) -> SmallVec<[Drawer<'_>; 4]> {
        let shelves = stages.iter().filter_map(|stage| self.policies.compiled.shelves.get(stage.shelf as usize));
        shelves.flat_map(|shelf| asked.keys.into_iter().flatten().filter_map(|key| shelf.drawer(key))).collect()
    }

    /// Whether a selector whose action may match does match, with everything else that its policy asks (semantics §3).
    fn fits(&self, entry: Entry, asked: &Asked<'_>, grant: Grant) -> bool {
        let Some(policy) = self.policies.documents.policies.get(entry.policy as usize) else {
            return false;
        };
        let Some(selector) = policy.selectors.get(entry.selector as usize) else {
            return false;
        };
        let question = asked.question;
        condition_holds(&selector.condition, question, asked.kind, grant).is_met(grant)
            && (asked.is_of_default_scope || names_action(selector, question, grant))
            && applies_to(policy, question.application)
            && self.is_in_play(entry.policy, policy)
            && (asked.kind == EntityKind::Feature || dates_hold(&policy.dates, grant, question, self.now).is_met(grant))
    }

    /// Whether some Allow policy of a role in force could match that action, whatever id, metadata and dates (semantics §9, per se).
    #[must_use]
    pub fn could_grant(&self, application: &str, activity: &str, entity: &str) -> bool {
        self.is_administrator || self.could_say(Grant::Allow, application, (activity, entity))
    }

    /// Whether some Deny policy of a role in force could match that action, in the same sense.
    #[must_use]
    pub fn could_deny(&self, application: &str, activity: &str, entity: &str) -> bool {
        !self.is_administrator && self.could_say(Grant::Deny, application, (activity, entity))
    }

    fn could_say(&self, grant: Grant, application: &str, (activity, entity): (&str, &str)) -> bool {
        let compiled = &self.policies.compiled;
        let kind = EntityKind::of(entity);
        let keys = keys_of(activity, entity, &compiled.symbols);
        self.stages.iter().any(|stage| {
            let shelf = compiled.shelves.get(stage.shelf as usize);
            let mut entries = shelf.into_iter().flat_map(|shelf| keys.into_iter().flatten().flat_map(|key| shelf.all(key, grant)));
            entries.any(|entry| self.could_match(*entry, application, kind))
        })
    }

    /// Whether the selector of a policy in play could match something, for that application and kind of entity.
    pub(super) fn could_match(&self, entry: Entry, application: &str, kind: EntityKind) -> bool {
        self.policies.documents.policies.get(entry.policy as usize).is_some_and(|policy| {
            let selector = policy.selectors.get(entry.selector as usize);
            selector.is_some_and(|selector| suits(&selector.condition, kind)) && applies_to(policy, application) && self.is_in_play(entry.policy, policy)
        })
    }
}

/// Whether a condition can hold at all for an entity of that kind.
pub(super) const fn suits(condition: &Condition, kind: EntityKind) -> bool {
    match condition {
        Condition::MatchAll | Condition::Identifier(_) => true,
        Condition::Metadata(_) => kind.has_metadata(),
        Condition::Policy(_) => matches!(kind, EntityKind::AboutPolicies),
    }
}

/// Whether the policy is one for that application.
pub(super) fn applies_to(policy: &PolicyDocument, application: &str) -> bool {
    policy.applications.is_empty() || policy.applications.iter().any(|own| own.eq_ignore_ascii_case(application))
}

impl<'a> NamedCause<'a> {
    /// What the selector is called: by its author, or by its place.
    #[must_use]
    pub fn selector_name(&self) -> Option<Cow<'a, str>> {
        let place = self.selector?;
        let name = self.policy.and_then(|policy| policy.selectors.get(place)).and_then(|selector| selector.name.as_deref());
        Some(name.map_or_else(|| Cow::Owned(format!("selectors[{place}]")), Cow::Borrowed))
    }
}

impl Cause {
    /// The names of role, policy and selector, in the policies that decided.
    #[must_use]
    pub fn named(self, policies: &Policies) -> Option<NamedCause<'_>> {
        let documents = &policies.documents;
        let role = match self.role {
            RolePlace::Administrator => &policies.administrator,
            RolePlace::Role(rank) => &documents.roles.get(rank as usize)?.id,
            RolePlace::UserRole(place) => &documents.user_roles.get(place as usize)?.id,
        };
        let policy = match self.entry {
            Some(entry) => Some(documents.policies.get(entry.policy as usize)?),
            None => None,
        };
        Some(NamedCause { role, policy, selector: self.entry.map(|entry| entry.selector as usize) })
    }
}
