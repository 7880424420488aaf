//! The state as a snapshot document (interfaces §5): written straight into bytes, in the order of the
//! keys, so that every replica makes the same bytes of the same revision.

use crate::policy;
use crate::store::{Document, PersonalAccessToken, Policy, PolicyCollection, Resource, Role, ScopedId, State, User, UserKind, UserRole, UserStatus, When};
use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

const SCHEMA: &str = "doorward.snapshot/1";
/// Roughly what a user takes, and what any other document takes.
const BYTES_OF_A_USER: usize = 224;
const BYTES_OF_A_DOCUMENT: usize = 640;

/// The snapshot document of that state. What a role, user-role or collection has that is not there
/// any more is left out: it grants nothing, and the document must have no reference that leads nowhere.
///
/// # Errors
/// When a document cannot be written as JSON, which no document of the store is.
pub(super) fn document(state: &State) -> Result<Vec<u8>, serde_json::Error> {
    let others = state.policies.len() + state.roles.len() + state.user_roles.len() + state.collections.len() + state.access_metadata.len();
    let mut bytes = Vec::with_capacity(1024 + state.users.len() * BYTES_OF_A_USER + others * BYTES_OF_A_DOCUMENT);
    serde_json::to_writer(&mut bytes, &Snapshot(state))?;
    Ok(bytes)
}

struct Snapshot<'a>(&'a State);

impl Serialize for Snapshot<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let state = self.0;
        let mut snapshot = serializer.serialize_struct("Snapshot", 11)?;
        snapshot.serialize_field("schema", SCHEMA)?;
        snapshot.serialize_field("revision", &state.revision)?;
        snapshot.serialize_field("issuedAt", &state.revised_at.unwrap_or(Timestamp::UNIX_EPOCH))?;
        snapshot.serialize_field("users", &Each(|| state.users.values().map(|user| WrittenUser::of(user))))?;
        snapshot.serialize_field("roles", &Each(|| state.roles.values().map(|role| WrittenRole::of(role, state))))?;
        snapshot.serialize_field("userRoles", &Each(|| state.user_roles.values().map(|role| WrittenUserRole::of(role, state))))?;
        snapshot.serialize_field("policies", &Each(|| state.policies.values().map(|policy| &**policy)))?;
        snapshot.serialize_field("policyCollections", &Each(|| state.collections.values().map(|collection| WrittenCollection::of(collection, state))))?;
        snapshot.serialize_field("accessMetadata", &Each(|| state.access_metadata.values().map(|metadata| &**metadata)))?;
        let tokens = || state.personal_access_tokens.values().filter(|token| state.users.has(&token.user_id)).map(|token| WrittenToken::of(token));
        snapshot.serialize_field("personalAccessTokens", &Each(tokens))?;
        snapshot.serialize_field("revokedTokens", &Each(|| state.revocations.values().map(|revocation| &**revocation)))?;
        snapshot.end()
    }
}

/// An array of what the function goes through.
struct Each<F>(F);

impl<I: Iterator<Item: Serialize>, F: Fn() -> I> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenUser<'a> {
    id: &'a str,
    login: &'a str,
    #[serde(rename = "type")]
    kind: UserKind,
    /// As written: whoever judges knows the time, and looks at the expiry.
    status: UserStatus,
    user_expiry: Option<Timestamp>,
    roles: &'a [ScopedId],
}

impl<'a> WrittenUser<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            id: &user.id,
            login: &user.login,
            kind: user.kind,
            status: user.status,
            user_expiry: user.user_expiry,
            roles: &user.roles,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRole<'a> {
    id: &'a ScopedId,
    role_hierarchy_index: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    resource: WrittenResource<'a>,
    when: &'a When,
    permission: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a BTreeMap<String, String>>,
}

impl<'a> WrittenRole<'a> {
    fn of(role: &'a Role, state: &'a State) -> Self {
        Self {
            id: &role.id,
            role_hierarchy_index: role.role_hierarchy_index,
            description: role.description.as_deref(),
            resource: WrittenResource { resource: &role.resource, state },
            when: &role.when,
            permission: &role.permission,
            limit: role.limit.as_ref(),
        }
    }
}

#[derive(Serialize)]
struct WrittenUserRole<'a> {
    id: &'a ScopedId,
    resource: WrittenResource<'a>,
}

impl<'a> WrittenUserRole<'a> {
    fn of(role: &'a UserRole, state: &'a State) -> Self {
        Self { id: &role.id, resource: WrittenResource { resource: &role.resource, state } }
    }
}

/// A resource with those references that lead somewhere.
struct WrittenResource<'a> {
    resource: &'a Resource,
    state: &'a State,
}

impl Serialize for WrittenResource<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let state = self.state;
        let own = self.resource.policy_id_role_resource.as_ref();
        let supervised = self.resource.non_transitive_supervisor_role_resource.as_ref();
        let own = own.map(|own| WrittenPolicyIds { policies: Known::of(&own.policies, state), policy_collections: Known::of(&own.policy_collections, state) });
        let supervised = supervised.map(|supervised| WrittenRoleIds { roles: Known::of(&supervised.roles, state) });
        let mut resource = serializer.serialize_struct("Resource", 2)?;
        match supervised {
            Some(supervised) => resource.serialize_field("nonTransitiveSupervisorRoleResource", &supervised)?,
            None => resource.skip_field("nonTransitiveSupervisorRoleResource")?,
        }
        match own {
            Some(own) => resource.serialize_field("policyIdRoleResource", &own)?,
            None => resource.skip_field("policyIdRoleResource")?,
        }
        resource.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenPolicyIds<'a> {
    policies: Known<'a, Policy>,
    policy_collections: Known<'a, PolicyCollection>,
}

#[derive(Serialize)]
struct WrittenRoleIds<'a> {
    roles: Known<'a, Role>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenCollection<'a> {
    id: &'a ScopedId,
    policies: Known<'a, Policy>,
    policy_collections: Known<'a, PolicyCollection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

impl<'a> WrittenCollection<'a> {
    fn of(collection: &'a PolicyCollection, state: &'a State) -> Self {
        Self {
            id: &collection.id,
            policies: Known::of(&collection.policies, state),
            policy_collections: Known::of(&collection.policy_collections, state),
            metadata: collection.metadata.as_ref(),
            description: collection.description.as_deref(),
        }
    }
}

/// Those of the ids whose document is there.
struct Known<'a, T> {
    ids: &'a [ScopedId],
    state: &'a State,
    kind: std::marker::PhantomData<T>,
}

impl<'a, T: Document> Known<'a, T> {
    fn of(ids: &'a [ScopedId], state: &'a State) -> Self {
        Self { ids, state, kind: std::marker::PhantomData }
    }
}

impl<T: Document> Serialize for Known<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The administrator's role is built in and needs no document.
        let is_built_in = |id: &ScopedId| T::KIND == Role::KIND && policy::ScopedId::new(&id.scope, &id.code).is_administrator();
        serializer.collect_seq(self.ids.iter().filter(|id| T::table(self.state).has(&id.key()) || is_built_in(id)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenToken<'a> {
    sha256: &'a str,
    user_id: &'a str,
    deactivation_date: Option<Timestamp>,
}

impl<'a> WrittenToken<'a> {
    fn of(token: &'a PersonalAccessToken) -> Self {
        Self { sha256: &token.sha256, user_id: &token.user_id, deactivation_date: token.deactivation_date }
    }
}
