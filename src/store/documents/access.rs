//! What the Access API keeps, in the shapes of its responses (without `links`).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// `{scope, code}`: the id of a policy, a collection, a template or a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopedId {
    /// `default` where a document names none.
    #[serde(default = "default_scope")]
    pub scope: String,
    /// Unique in its scope.
    pub code: String,
}

fn default_scope() -> String {
    "default".to_owned()
}

impl ScopedId {
    /// An id.
    #[must_use]
    pub fn new(scope: impl Into<String>, code: impl Into<String>) -> Self {
        Self { scope: scope.into(), code: code.into() }
    }

    /// `scope/code`: the key it is kept under. Neither part has a slash in it.
    #[must_use]
    pub fn key(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for ScopedId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.scope, self.code)
    }
}

/// When a policy or role is in force; RFC 3339 texts in the form that goes on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// From then on.
    pub activate: String,
    /// Until then; the end of the year 9999 where a request names none.
    pub deactivate: String,
}

/// `PolicyResponse`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Its id.
    pub id: ScopedId,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Empty = every application.
    #[serde(default)]
    pub applications: Vec<String>,
    /// `Allow` or `Deny`.
    pub grant: String,
    /// As they came, without nulls; read by `policy::PolicyDocument`.
    pub selectors: Vec<Value>,
    /// As they came, without nulls.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<Vec<Value>>,
    /// As they came, without nulls.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Value>>,
    /// When it is in force.
    pub when: When,
    /// Echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<Value>,
    /// Echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_metadata: Option<Value>,
}

/// `PolicyCollectionResponse`, with its `metadata`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCollection {
    /// Its id.
    pub id: ScopedId,
    /// What is in it.
    #[serde(default)]
    pub policies: Vec<ScopedId>,
    /// The collections in it.
    #[serde(default)]
    pub policy_collections: Vec<ScopedId>,
    /// Access metadata of the collection itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `PolicyTemplateResponse`; `applications` and `tags` follow from its selectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTemplate {
    /// Its id.
    pub id: ScopedId,
    /// What people call it.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// `{application, tag, selector}`.
    pub templated_selectors: Vec<Value>,
}

/// Policies and collections that a role has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyIds {
    /// Its policies.
    #[serde(default)]
    pub policies: Vec<ScopedId>,
    /// Its collections.
    #[serde(default)]
    pub policy_collections: Vec<ScopedId>,
}

/// `nonTransitiveSupervisorRoleResource`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisedRoles {
    /// The roles whose own policies it adds.
    pub roles: Vec<ScopedId>,
}

/// `RoleResourceRequest`: what a role consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Roles it supervises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_transitive_supervisor_role_resource: Option<SupervisedRoles>,
    /// Policies it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_id_role_resource: Option<PolicyIds>,
}

/// `RoleResponse`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its id.
    pub id: ScopedId,
    /// 1 is the strongest; dense over all roles, the administrator always first.
    pub role_hierarchy_index: i64,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it consists of.
    pub resource: Resource,
    /// When it is in force.
    pub when: When,
    /// Stored and echoed.
    pub permission: String,
    /// Stored and echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<BTreeMap<String, String>>,
}

/// `UserRoleResponse`; the id is `{_users, <user id>}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRole {
    /// Its id.
    pub id: ScopedId,
    /// What it consists of.
    pub resource: Resource,
}

/// Access metadata of one entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessMetadata {
    /// `Portfolio` and the like.
    pub entity: String,
    /// Part → value.
    pub id: BTreeMap<String, String>,
    /// Key → values.
    pub metadata: BTreeMap<String, Vec<MetadataValue>>,
}

/// One value of a metadata key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataValue {
    /// At most 2048 characters.
    pub value: String,
    /// At most 50 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl Policy {
    pub(in crate::store) fn own_key(&self) -> String {
        self.id.key()
    }
}

impl PolicyCollection {
    pub(in crate::store) fn own_key(&self) -> String {
        self.id.key()
    }
}

impl PolicyTemplate {
    pub(in crate::store) fn own_key(&self) -> String {
        self.id.key()
    }
}

impl Role {
    pub(in crate::store) fn own_key(&self) -> String {
        self.id.key()
    }
}

impl UserRole {
    pub(in crate::store) fn own_key(&self) -> String {
        self.id.code.clone()
    }
}

impl AccessMetadata {
    /// The key of an entity's metadata: entity and part names without case, the parts in order of their names.
    #[must_use]
    pub fn key_of(entity: &str, id: &BTreeMap<String, String>) -> String {
        let mut parts: Vec<(String, &str)> = id.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
        parts.sort_unstable();
        // As JSON, for names and values may hold any character.
        serde_json::json!([entity.to_ascii_lowercase(), parts]).to_string()
    }

    pub(in crate::store) fn own_key(&self) -> String {
        Self::key_of(&self.entity, &self.id)
    }
}
