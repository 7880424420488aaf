//! Which roles a subject has, in order, and which policies a role has (semantics §2 and §8.3).

use std::collections::BTreeSet;

use super::super::dates::Instant;
use super::super::documents::{PolicyDocument, RoleResource, ScopedId, When};
use super::super::policies::Policies;
use super::super::subject::RoleSource;
use super::dates::civil;

/// A role that the subject is said to have.
pub(super) struct Standing<'p> {
    pub(super) id: ScopedId,
    /// `roleHierarchyIndex`; none for the administrator, a user-role, and a role that the snapshot does not have.
    pub(super) index: Option<i64>,
    pub(super) kind: Kind<'p>,
    /// Why it is not in force; none if it is.
    pub(super) obstacle: Option<String>,
}

/// What a role consists of.
#[derive(Clone, Copy)]
pub(super) enum Kind<'p> {
    /// Grants everything, whatever its entry says.
    Administrator,
    Role(&'p RoleResource),
    UserRole(&'p RoleResource),
    /// The snapshot does not have it.
    Missing,
}

/// All roles that the subject is said to have, the strongest first, then those that the snapshot lacks, then its user-role.
pub(super) fn standings<'p>(policies: &'p Policies, source: RoleSource<'_>, now: Instant) -> Vec<Standing<'p>> {
    let (user_id, named, administrator_counts) = match source {
        RoleSource::Snapshot(user) => {
            let own = policies.users().iter().find(|own| own.id == user.id);
            (&*user.id, own.map(|own| &*own.roles).unwrap_or_default(), true)
        }
        RoleSource::Claimed { user_id, roles, allow_administrator } => (user_id, roles, allow_administrator),
    };
    let named: BTreeSet<&ScopedId> = named.iter().collect();
    let mut standings: Vec<Standing<'p>> = named.into_iter().map(|id| standing(policies, id, administrator_counts, now)).collect();
    standings.sort_by_key(|standing| {
        let group = match standing.kind {
            Kind::Administrator => 0,
            Kind::Role(_) => 1,
            Kind::Missing => 2,
            Kind::UserRole(_) => 3,
        };
        // inside a group the ids are in order already
        (group, standing.index)
    });
    let own = policies.user_roles().iter().find(|role| &*role.id.scope == "_users" && &*role.id.code == user_id);
    standings.extend(own.map(|role| Standing { id: role.id.clone(), index: None, kind: Kind::UserRole(&role.resource), obstacle: None }));
    standings
}

fn standing<'p>(policies: &'p Policies, id: &ScopedId, administrator_counts: bool, now: Instant) -> Standing<'p> {
    if id.is_administrator() {
        let obstacle = (!administrator_counts).then(|| "a claim may not name the administrator here".to_owned());
        return Standing { id: id.clone(), index: None, kind: Kind::Administrator, obstacle };
    }
    match policies.roles().iter().find(|role| role.id == *id) {
        Some(role) => Standing {
            id: id.clone(),
            index: Some(role.hierarchy_index),
            kind: Kind::Role(&role.resource),
            obstacle: out_of_force(&role.when, now),
        },
        None => Standing { id: id.clone(), index: None, kind: Kind::Missing, obstacle: Some("the snapshot does not have it".to_owned()) },
    }
}

/// Why `activate ≤ now < deactivate` does not hold; none if it does.
pub(super) fn out_of_force(when: &When, now: Instant) -> Option<String> {
    if let Some(activate) = when.activate.filter(|activate| now < *activate) {
        return Some(format!("it begins at {}Z", civil(activate)));
    }
    when.deactivate.filter(|deactivate| *deactivate <= now).map(|deactivate| format!("it ended at {}Z", civil(deactivate)))
}

/// The policies of a role, its own and those of the roles it supervises, in order of scope and code, each once.
pub(super) fn policies_of<'p>(policies: &'p Policies, resource: &RoleResource, now: Instant) -> Vec<&'p PolicyDocument> {
    let mut ids = BTreeSet::new();
    own_policies(policies, resource, &mut ids);
    for supervised in policies.roles().iter().filter(|role| resource.supervised.contains(&role.id)) {
        if supervised.id.is_administrator() || out_of_force(&supervised.when, now).is_none() {
            own_policies(policies, &supervised.resource, &mut ids);
        }
    }
    let mut own: Vec<&PolicyDocument> = policies.policies().iter().filter(|policy| ids.contains(&policy.id)).collect();
    own.sort_by(|left, right| left.id.cmp(&right.id));
    own
}

/// Those it lists, and those of its collections and of the collections in them.
fn own_policies(policies: &Policies, resource: &RoleResource, ids: &mut BTreeSet<ScopedId>) {
    ids.extend(resource.policies.iter().cloned());
    let mut opened = BTreeSet::new();
    let mut unopened: Vec<&ScopedId> = resource.collections.iter().collect();
    while let Some(id) = unopened.pop() {
        let collection = policies.collections().iter().find(|collection| collection.id == *id);
        if let Some(collection) = collection.filter(|_| opened.insert(id)) {
            ids.extend(collection.policies.iter().cloned());
            unopened.extend(&collection.collections);
        }
    }
}
