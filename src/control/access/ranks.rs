//! The order of roles: `roleHierarchyIndex` is dense from 1 over all roles, the strongest first.
//!
//! `LUSID_SYSTEM/lusid-administrator` is always the first and cannot be moved; it counts also where it
//! is not kept, so that no other role ever has the index 1.

use super::super::defaults::administrator;
use crate::store::{Draft, Role, ScopedId, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where a role is to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Directly before this one, which it is stronger than.
    pub(super) before: Option<ScopedId>,
    /// Directly after this one, which it is weaker than.
    pub(super) after: Option<ScopedId>,
}

/// Why a role cannot stand there: the parameter that is to blame, and a sentence.
pub(super) type Misplaced = (&'static str, String);

/// All roles but the administrator, the strongest first; ties, which never are kept, by id.
pub(super) fn ranked(state: &State) -> Vec<Arc<Role>> {
    let mut roles: Vec<Arc<Role>> = state.roles.values().filter(|role| role.id != administrator()).cloned().collect();
    roles.sort_by(|left, right| (left.role_hierarchy_index, &left.id).cmp(&(right.role_hierarchy_index, &right.id)));
    roles
}

/// The ids of all roles but the administrator, the strongest first.
pub(super) fn order(state: &State) -> Vec<ScopedId> {
    ranked(state).iter().map(|role| role.id.clone()).collect()
}

/// The roles that stand on another side of `id` than before.
pub(super) fn passed(id: &ScopedId, before: &[ScopedId], after: &[ScopedId]) -> Vec<ScopedId> {
    let ahead = |order: &[ScopedId]| order.iter().take_while(|other| *other != id).cloned().collect::<BTreeSet<_>>();
    ahead(before).symmetric_difference(&ahead(after)).cloned().collect()
}

/// The index of a role that is made now: it is the weakest.
pub(super) fn weakest(state: &State) -> i64 {
    index_at(ranked(state).len())
}

/// Moves a role.
pub(super) fn shift(draft: &mut Draft, id: &ScopedId, place: &Place) -> Result<(), Misplaced> {
    if (&place.before, &place.after) == (&None, &None) {
        return Ok(());
    }
    let (moved, mut others): (Vec<_>, Vec<_>) = ranked(draft).into_iter().partition(|role| role.id == *id);
    let at = position(&others, id, place)?;
    others.splice(at..at, moved);
    renumber(draft, others);
    Ok(())
}

/// Numbers the roles anew, after one went.
pub(super) fn close_ranks(draft: &mut Draft) {
    let roles = ranked(draft);
    renumber(draft, roles);
}

/// Where among the others it is to be put.
fn position(others: &[Arc<Role>], id: &ScopedId, place: &Place) -> Result<usize, Misplaced> {
    let of = |other: &ScopedId, parameter: &'static str| match others.iter().position(|role| role.id == *other) {
        Some(at) => Ok(at),
        None if other == id => Err((parameter, format!("The role `{id}` cannot be placed by itself."))),
        None => Err((parameter, format!("There is no role `{other}`."))),
    };
    let before = place.before.as_ref().map(|other| match *other == administrator() {
        true => Err(("beforeCode", "No role can be stronger than the administrator.".to_owned())),
        false => of(other, "beforeCode"),
    });
    let after = place.after.as_ref().map(|other| if *other == administrator() { Ok(0) } else { of(other, "afterCode").map(|at| at + 1) });
    match (before.transpose()?, after.transpose()?) {
        (Some(before), Some(after)) if before != after => Err((
            "beforeCode",
            "The two roles do not stand next to each other: one place cannot be directly before the one and directly after the other.".to_owned(),
        )),
        (before, after) => Ok(before.or(after).unwrap_or(others.len())),
    }
}

fn renumber(draft: &mut Draft, roles: Vec<Arc<Role>>) {
    for (place, role) in roles.into_iter().enumerate() {
        let index = index_at(place);
        if role.role_hierarchy_index != index {
            draft.put(Role { role_hierarchy_index: index, ..(*role).clone() });
        }
    }
}

/// The index at a place behind the administrator.
fn index_at(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX - 2) + 2
}
