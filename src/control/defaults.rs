//! What a new store begins with: the default roles in their order, their policies, and the built-in
//! administrator. They stand in `config/control/defaults.json`.

use super::wire::{END_OF_TIME, NoRandomness, new_id, time};
use crate::store::{Draft, IdentityRole, Policy, PolicyCollection, PolicyIds, Resource, Role, ScopedId, When};
use serde::Deserialize;
use serde_json::Value;

const DEFAULTS: &str = include_str!("../../config/control/defaults.json");

/// Why the defaults cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub(super) enum DefaultsError {
    /// The file that is built in cannot be read; a test reads it.
    #[error("the built-in defaults cannot be read: {0}")]
    File(#[from] serde_json::Error),
    /// No ids can be made.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Defaults {
    policies: Vec<DefaultPolicy>,
    policy_collections: Vec<DefaultCollection>,
    roles: Vec<DefaultRole>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultPolicy {
    id: ScopedId,
    description: String,
    applications: Vec<String>,
    grant: String,
    selectors: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultCollection {
    id: ScopedId,
    description: String,
    policies: Vec<ScopedId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DefaultRole {
    id: ScopedId,
    description: String,
    #[serde(default)]
    policies: Vec<ScopedId>,
    #[serde(default)]
    policy_collections: Vec<ScopedId>,
}

/// The administrator's role.
pub(super) fn administrator() -> ScopedId {
    ScopedId::new("LUSID_SYSTEM", "lusid-administrator")
}

/// Lays out the defaults in an empty store.
///
/// # Errors
/// When they cannot be read or no ids can be made.
pub(super) fn lay_out(draft: &mut Draft) -> Result<(), DefaultsError> {
    let defaults: Defaults = serde_json::from_str(DEFAULTS)?;
    let when = When { activate: time(draft.now()), deactivate: END_OF_TIME.to_owned() };
    for policy in defaults.policies {
        let DefaultPolicy { id, description, applications, grant, selectors } = policy;
        let (description, when) = (Some(description), when.clone());
        draft.put(Policy { id, description, applications, grant, selectors, dates: None, conditions: None, when, how: None, template_metadata: None });
    }
    for collection in defaults.policy_collections {
        let DefaultCollection { id, description, policies } = collection;
        draft.put(PolicyCollection { id, policies, policy_collections: Vec::new(), metadata: None, description: Some(description) });
    }
    for (role_hierarchy_index, role) in (1..).zip(defaults.roles) {
        let DefaultRole { id, description, policies, policy_collections } = role;
        draft.put(IdentityRole {
            id: new_id("00g")?,
            role_id: id.clone(),
            source: "LusidUser".to_owned(),
            name: id.code.clone(),
            description: Some(description.clone()),
        });
        let resource = Resource { policy_id_role_resource: Some(PolicyIds { policies, policy_collections }), ..Resource::default() };
        draft.put(Role {
            id,
            role_hierarchy_index,
            description: Some(description),
            resource,
            when: when.clone(),
            permission: "Read".to_owned(),
            limit: None,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyDocument;
    use crate::store::State;

    #[test]
    fn the_administrator_is_first_and_every_reference_leads_somewhere() {
        let mut draft = Draft::new(&State::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        lay_out(&mut draft).unwrap();
        let first = draft.roles.find(&administrator().key()).unwrap();
        assert_eq!(first.role_hierarchy_index, 1);
        assert_eq!(draft.roles.len(), 6);
        for policy in draft.policies.values() {
            PolicyDocument::parse(&serde_json::to_vec(&**policy).unwrap()).unwrap();
        }
        for role in draft.roles.values() {
            let own = role.resource.policy_id_role_resource.as_ref().unwrap();
            assert!(own.policies.iter().all(|id| draft.policies.has(&id.key())), "{role:?}");
            assert!(own.policy_collections.iter().all(|id| draft.collections.has(&id.key())), "{role:?}");
        }
    }
}
