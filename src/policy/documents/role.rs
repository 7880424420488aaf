//! Roles and user-roles.

use super::id::ScopedId;
use super::policy::When;
use super::reading::Cursor;

/// A role as the Access API returns it; `permission` and `limit` have no part in a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: ScopedId,
    /// `roleHierarchyIndex`: 1 is the strongest.
    pub hierarchy_index: i64,
    /// What it consists of.
    pub resource: RoleResource,
    /// When it is in force.
    pub when: When,
}

/// The role of a single user, weaker than any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRole {
    /// `_users` and the id of the user.
    pub id: ScopedId,
    /// What it consists of.
    pub resource: RoleResource,
}

/// What a role consists of.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RoleResource {
    /// `policyIdRoleResource.policies`.
    pub policies: Box<[ScopedId]>,
    /// `policyIdRoleResource.policyCollections`.
    pub collections: Box<[ScopedId]>,
    /// `nonTransitiveSupervisorRoleResource.roles`.
    pub supervised: Box<[ScopedId]>,
}

impl Role {
    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let id = cursor.required("id").and_then(ScopedId::read);
        let index = match &id {
            // built in: an entry of it needs no index
            Some(id) if id.is_administrator() => cursor.member("roleHierarchyIndex"),
            _ => cursor.required("roleHierarchyIndex"),
        };
        let hierarchy_index = index.and_then(|index| index.integer()).unwrap_or_default();
        let resource = RoleResource::read(&cursor);
        let when = When::read(&cursor);
        Some(Self { id: id?, hierarchy_index, resource, when })
    }
}

impl UserRole {
    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let resource = RoleResource::read(&cursor);
        Some(Self { id: cursor.required("id").and_then(ScopedId::read)?, resource })
    }
}

impl RoleResource {
    fn read(owner: &Cursor<'_>) -> Self {
        let Some(resource) = owner.member("resource") else {
            return Self::default();
        };
        if !resource.expect_object() {
            return Self::default();
        }
        let listed = |resource: Option<Cursor<'_>>, name: &str| match resource {
            Some(resource) if resource.expect_object() => resource.each(name, ScopedId::read),
            _ => Box::default(),
        };
        Self {
            policies: listed(resource.member("policyIdRoleResource"), "policies"),
            collections: resource.member("policyIdRoleResource").map(|own| own.each("policyCollections", ScopedId::read)).unwrap_or_default(),
            supervised: listed(resource.member("nonTransitiveSupervisorRoleResource"), "roles"),
        }
    }
}
