//! Documents → what `decide` walks: ranks of roles, policies of roles as shared shelves, slots for conditions.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::documents::{Documents, IfSpec, PolicyCollection, PolicyDocument, RoleResource, ScopedId, User};
use super::fingerprint::fingerprint;
use super::selector::activities;
use super::shelf::Shelf;
use super::symbols::Symbols;

/// Collections with more policies than this are indexed once for all roles that list them.
const WORTH_SHARING: usize = 64;

/// What a role consists of, by places.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    pub(super) shelves: Box<[u32]>,
    /// Roles whose own shelves it has too, while they are in force.
    pub(super) supervised: Box<[u32]>,
}

/// The roles of a user, strongest first.
#[derive(Debug, Default)]
pub(super) struct RolesOfUser {
    pub(super) is_administrator: bool,
    pub(super) ranks: Box<[u32]>,
}

/// What the engine notes about a policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    /// Where its `if` is remembered during a call; none if it has none.
    pub(super) slot: Option<u32>,
    pub(super) fingerprint: u128,
}

/// Everything made from the documents.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    pub(super) symbols: Symbols,
    pub(super) shelves: Vec<Shelf>,
    pub(super) roles: Box<[Holdings]>,
    pub(super) user_roles: Box<[Holdings]>,
    pub(super) users: Box<[RolesOfUser]>,
    pub(super) traits: Box<[Traits]>,
    /// How many policies have an `if`.
    pub(super) slots: u32,
    /// Headers named in any `if`, in lower case, in order.
    pub(super) headers: Box<[Arc<str>]>,
}

type Places<'a> = HashMap<&'a ScopedId, u32, FixedState>;

/// Compiles checked documents, whose roles are in order of rank and whose policies are in order of id.
pub(super) fn compile(documents: &Documents) -> Compiled {
    let mut compiled = Compiled { symbols: symbols(&documents.policies), ..Compiled::default() };
    let roles = places(documents.roles.iter().map(|role| &role.id));
    let mut shelving = Shelving {
        policies: &documents.policies,
        collections: &documents.collections,
        policy_places: places(documents.policies.iter().map(|policy| &policy.id)),
        collection_places: places(documents.collections.iter().map(|collection| &collection.id)),
        symbols: &compiled.symbols,
        shelves: Vec::new(),
        of_sets: HashMap::default(),
    };
    compiled.roles = documents.roles.iter().map(|role| shelving.holdings(&role.resource, &roles)).collect();
    compiled.user_roles = documents.user_roles.iter().map(|role| shelving.holdings(&role.resource, &roles)).collect();
    compiled.shelves = shelving.shelves;
    compiled.users = documents.users.iter().map(|user| roles_of(user, &roles)).collect();
    (compiled.traits, compiled.slots) = traits(&documents.policies);
    compiled.headers = headers(&documents.policies);
    compiled
}

fn places<'a>(ids: impl Iterator<Item = &'a ScopedId>) -> Places<'a> {
    ids.zip(0..).collect()
}

fn symbols(policies: &[PolicyDocument]) -> Symbols {
    let mut symbols = Symbols::default();
    for policy in policies {
        for action in policy.selectors.iter().flat_map(|selector| &selector.actions) {
            symbols.add(&action.entity);
            for activity in activities(&action.activity, policy.grant) {
                symbols.add(&activity.into());
            }
        }
    }
    symbols
}

fn roles_of(user: &User, roles: &Places<'_>) -> RolesOfUser {
    // a role that is not there is passed over
    let ordinary = user.roles.iter().filter(|id| !id.is_administrator());
    let mut ranks: Vec<u32> = ordinary.filter_map(|id| roles.get(id).copied()).collect();
    ranks.sort_unstable();
    ranks.dedup();
    RolesOfUser { is_administrator: user.roles.iter().any(ScopedId::is_administrator), ranks: ranks.into() }
}

fn traits(policies: &[PolicyDocument]) -> (Box<[Traits]>, u32) {
    let mut slots = 0;
    let traits = policies.iter().map(|policy| {
        let slot = (!policy.conditions.is_empty()).then_some(slots);
        slots += u32::from(slot.is_some());
        Traits { slot, fingerprint: fingerprint(policy) }
    });
    (traits.collect(), slots)
}

fn headers(policies: &[PolicyDocument]) -> Box<[Arc<str>]> {
    let conditions = policies.iter().flat_map(|policy| &policy.conditions);
    let mut headers: Vec<Arc<str>> = conditions
        .filter_map(|condition| match condition {
            IfSpec::Header { name, .. } => Some(Arc::clone(name)),
            _ => None,
        })
        .collect();
    headers.sort_unstable();
    headers.dedup();
    headers.into()
}

/// Makes shelves, one for each different set of policies.
struct Shelving<'a> {
    policies: &'a [PolicyDocument],
    collections: &'a [PolicyCollection],
    policy_places: Places<'a>,
    collection_places: Places<'a>,
    symbols: &'a Symbols,
    shelves: Vec<Shelf>,
    of_sets: HashMap<Box<[u32]>, u32, FixedState>,
}

impl Shelving<'_> {
    fn holdings(&mut self, resource: &RoleResource, roles: &Places<'_>) -> Holdings {
        let mut own = self.policies_of(&resource.policies);
        let mut shelves = Vec::new();
        for collection in &resource.collections {
            let expanded = self.expand(collection);
            if expanded.len() > WORTH_SHARING {
                shelves.push(self.shelf(expanded));
            } else {
                own.extend(expanded);
            }
        }
        if !own.is_empty() {
            shelves.push(self.shelf(own));
        }
        shelves.sort_unstable();
        shelves.dedup();
        let supervised = resource.supervised.iter().filter_map(|id| roles.get(id).copied()).collect();
        Holdings { shelves: shelves.into(), supervised }
    }

    fn policies_of(&self, ids: &[ScopedId]) -> Vec<u32> {
        ids.iter().filter_map(|id| self.policy_places.get(id).copied()).collect()
    }

    /// All policies of a collection and of the collections in it, each once.
    fn expand(&self, collection: &ScopedId) -> Vec<u32> {
        let mut policies = Vec::new();
        let mut seen = vec![false; self.collections.len()];
        let mut open: Vec<u32> = self.collection_places.get(collection).copied().into_iter().collect();
        while let Some(place) = open.pop() {
            let place = place as usize;
            let (Some(collection), Some(seen)) = (self.collections.get(place), seen.get_mut(place)) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                policies.extend(self.policies_of(&collection.policies));
                open.extend(collection.collections.iter().filter_map(|id| self.collection_places.get(id).copied()));
            }
        }
        policies
    }

    fn shelf(&mut self, mut policies: Vec<u32>) -> u32 {
        policies.sort_unstable();
        policies.dedup();
        if let Some(shelf) = self.of_sets.get(&*policies) {
            return *shelf;
        }
        let place = u32::try_from(self.shelves.len()).unwrap_or(u32::MAX);
        self.shelves.push(Shelf::build(&policies, self.policies, self.symbols));
        self.of_sets.insert(policies.into(), place);
        place
    }
}
