//! Who asks, for the length of one call: the roles in force, in order of precedence.

use std::cell::{Cell, OnceCell};
use std::fmt;

use smallvec::SmallVec;

use super::compile::Holdings;
use super::conditions::conditions_hold;
use super::context::Context;
use super::dates::Instant;
use super::documents::{PolicyDocument, RoleId, ScopedId, User};
use super::policies::Policies;
use super::truth::Truth;

/// Where the roles of a call come from.
#[derive(Clone, Copy, Debug)]
pub enum RoleSource<'a> {
    /// From the snapshot.
    Snapshot(&'a User),
    /// From a claim of the token (semantics §8.3); the user-role counts all the same.
    Claimed {
        /// The user, who need not be in the snapshot.
        user_id: &'a str,
        /// The roles that the claim names.
        roles: &'a [RoleId],
        /// Whether the claim may name the administrator.
        allow_administrator: bool,
    },
}

/// Everything that stays the same within one call; remembers which conditions hold.
pub struct Subject<'a> {
    pub(super) policies: &'a Policies,
    pub(super) now: Instant,
    pub(super) is_administrator: bool,
    /// The shelves of all roles in force, the strongest role first.
    pub(super) stages: SmallVec<[Stage; 6]>,
    ranks: SmallVec<[u32; 6]>,
    context: Context<'a>,
    conditions: OnceCell<Box<[Cell<Option<Truth>>]>>,
}

/// A shelf that a role in force has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) role: RolePlace,
    pub(super) shelf: u32,
}

/// A role, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RolePlace {
    Administrator,
    Role(u32),
    UserRole(u32),
}

impl<'a> Subject<'a> {
    /// The subject of a call.
    #[must_use]
    pub fn new(policies: &'a Policies, roles: RoleSource<'a>, context: Context<'a>) -> Self {
        let mut subject = Self {
            policies,
            now: context.now.into(),
            is_administrator: false,
            stages: SmallVec::new(),
            ranks: SmallVec::new(),
            context,
            conditions: OnceCell::new(),
        };
        let user_id = match roles {
            RoleSource::Snapshot(user) => {
                if let Some(own) = policies.roles_of(user) {
                    subject.is_administrator = own.is_administrator;
                    subject.ranks = SmallVec::from_slice(&own.ranks);
                }
                &*user.id
            }
            RoleSource::Claimed { user_id, roles, allow_administrator } => {
                subject.is_administrator = allow_administrator && roles.iter().any(ScopedId::is_administrator);
                subject.claim(roles);
                user_id
            }
        };
        subject.ranks.retain(|rank| policies.is_in_force(*rank, subject.now));
        subject.take_up_roles(user_id);
        subject
    }

    fn claim(&mut self, roles: &[RoleId]) {
        let ordinary = roles.iter().filter(|id| !id.is_administrator());
        self.ranks = ordinary.filter_map(|id| u32::try_from(self.policies.rank(id)?).ok()).collect();
        self.ranks.sort_unstable();
        self.ranks.dedup();
    }

    fn take_up_roles(&mut self, user_id: &str) {
        let compiled = &self.policies.compiled;
        for place in 0..self.ranks.len() {
            if let Some((rank, holdings)) = self.ranks.get(place).and_then(|rank| Some((*rank, compiled.roles.get(*rank as usize)?))) {
                self.take_up(RolePlace::Role(rank), holdings);
            }
        }
        if let Some(place) = self.policies.user_role_place(user_id)
            && let (Some(holdings), Ok(place)) = (compiled.user_roles.get(place), u32::try_from(place))
        {
            self.take_up(RolePlace::UserRole(place), holdings);
        }
    }

    fn take_up(&mut self, role: RolePlace, holdings: &Holdings) {
        self.stages.extend(holdings.shelves.iter().map(|shelf| Stage { role, shelf: *shelf }));
        for supervised in holdings.supervised.iter().filter(|rank| self.policies.is_in_force(**rank, self.now)) {
            let own = self.policies.compiled.roles.get(*supervised as usize);
            let shelves = own.into_iter().flat_map(|own| &own.shelves);
            self.stages.extend(shelves.map(|shelf| Stage { role, shelf: *shelf }));
        }
    }

    /// `scope/code` of the roles in force, the strongest first, without the user-role.
    pub fn role_names(&self) -> impl Iterator<Item = String> {
        let administrator = self.is_administrator.then_some(&self.policies.administrator);
        let roles = self.ranks.iter().filter_map(|rank| self.policies.documents.roles.get(*rank as usize));
        administrator.into_iter().chain(roles.map(|role| &role.id)).map(ToString::to_string)
    }

    /// Whether the policy is in force and its `if` holds; looked at once for a call.
    pub(super) fn is_in_play(&self, place: u32, policy: &PolicyDocument) -> bool {
        policy.when.holds(self.now) && self.conditions_met(place, policy)
    }

    fn conditions_met(&self, place: u32, policy: &PolicyDocument) -> bool {
        let slot = self.policies.compiled.traits.get(place as usize).and_then(|traits| traits.slot);
        let Some(slot) = slot else {
            return true;
        };
        let slots = self.policies.compiled.slots as usize;
        let remembered = self.conditions.get_or_init(|| vec![Cell::new(None); slots].into());
        let cell = remembered.get(slot as usize);
        let truth = cell.and_then(Cell::get).unwrap_or_else(|| conditions_hold(&policy.conditions, policy.grant, &self.context));
        if let Some(cell) = cell {
            cell.set(Some(truth));
        }
        truth.is_met(policy.grant)
    }
}

impl Subject<'_> {
    /// Whether time will put one of the roles in force out of it; a role that is yet to come is not looked at:
    /// its policies are other rights then.
    pub(super) fn roles_change(&self) -> bool {
        let mut roles = self.ranks.iter().filter_map(|rank| self.policies.documents.roles.get(*rank as usize));
        roles.any(|role| role.when.changes_after(self.now))
    }
}

impl Policies {
    /// Whether a role is in force; nothing in its entry can put the administrator out of force.
    pub(super) fn is_in_force(&self, rank: u32, now: Instant) -> bool {
        self.documents.roles.get(rank as usize).is_some_and(|role| role.id.is_administrator() || role.when.holds(now))
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("roles", &self.role_names().collect::<Vec<_>>()).field("context", &self.context).finish_non_exhaustive()
    }
}
