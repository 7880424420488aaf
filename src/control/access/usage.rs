//! Who uses what: nothing is deleted that something else names.

use super::super::problem::{Code, Problem};
use crate::store::{PolicyIds, Resource, ScopedId, State};

/// The names of everything that uses one thing, by kind.
#[derive(Default)]
struct Users {
    roles: Vec<String>,
    user_roles: Vec<String>,
    collections: Vec<String>,
}

/// # Errors
/// When a role, a user-role or a collection has this policy.
pub(super) fn policy_is_free(state: &State, id: &ScopedId) -> Result<(), Problem> {
    let mut users = Users::of_resources(state, |resource| policies_of(resource).is_some_and(|own| own.policies.contains(id)));
    users.collections = collections_with(state, |policies, _| policies.contains(id));
    users.must_be_none("policy", id)
}

/// # Errors
/// When a role, a user-role or another collection has this collection.
pub(super) fn collection_is_free(state: &State, id: &ScopedId) -> Result<(), Problem> {
    let mut users = Users::of_resources(state, |resource| policies_of(resource).is_some_and(|own| own.policy_collections.contains(id)));
    users.collections = collections_with(state, |_, collections| collections.contains(id));
    users.must_be_none("policy collection", id)
}

/// # Errors
/// When another role supervises this role.
pub(super) fn role_is_free(state: &State, id: &ScopedId) -> Result<(), Problem> {
    let supervises = |resource: &Resource| resource.non_transitive_supervisor_role_resource.as_ref().is_some_and(|own| own.roles.contains(id));
    let own = id.to_string();
    let mut users = Users::of_resources(state, supervises);
    users.roles.retain(|user| *user != own);
    users.must_be_none("role", id)
}

const fn policies_of(resource: &Resource) -> Option<&PolicyIds> {
    resource.policy_id_role_resource.as_ref()
}

fn collections_with(state: &State, has: impl Fn(&[ScopedId], &[ScopedId]) -> bool) -> Vec<String> {
    state
        .collections
        .values()
        .filter(|collection| has(&collection.policies, &collection.policy_collections))
        .map(|collection| collection.id.to_string())
        .collect()
}

impl Users {
    fn of_resources(state: &State, uses: impl Fn(&Resource) -> bool) -> Self {
        Self {
            roles: state.roles.values().filter(|role| uses(&role.resource)).map(|role| role.id.to_string()).collect(),
            user_roles: state.user_roles.values().filter(|role| uses(&role.resource)).map(|role| role.id.to_string()).collect(),
            collections: Vec::new(),
        }
    }

    fn must_be_none(self, kind: &str, id: &ScopedId) -> Result<(), Problem> {
        let kinds = [("roles", self.roles), ("user-roles", self.user_roles), ("policy collections", self.collections)];
        let named: Vec<String> = kinds.iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| format!("{kind}: {}", names.join(", "))).collect();
        if named.is_empty() {
            return Ok(());
        }
        Err(Problem::of(Code::Conflicting).detail(format!("The {kind} `{id}` is in use and cannot be deleted; {}.", named.join("; "))))
    }
}
