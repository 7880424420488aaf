//! Selectors on the wire: the schemas of what a policy or template may say, and the form in which it is kept.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One entry of `selectors`: exactly one of its members.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SelectorDefinition {
    /// By the access metadata of a resource.
    metadata_selector_definition: Option<MetadataSelectorDefinition>,
    /// By the id of a resource.
    id_selector_definition: Option<IdSelectorDefinition>,
    /// Whatever the resource.
    match_all_selector_definition: Option<MatchAllSelectorDefinition>,
    /// For actions on policies themselves.
    policy_selector_definition: Option<PolicySelectorDefinition>,
}

/// By the id of a resource.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdSelectorDefinition {
    /// Part of the id → pattern, in which `*` stands for any run of characters; not empty. A part that is not named is any.
    #[serde(deserialize_with = "patterns")]
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    identifier: BTreeMap<String, String>,
    /// The actions it is about.
    #[schema(min_items = 1)]
    actions: Vec<ActionId>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    description: Option<String>,
}

/// By the access metadata of a resource.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetadataSelectorDefinition {
    /// All of them must hold.
    #[schema(min_items = 1)]
    expressions: Vec<MetadataExpression>,
    /// The actions it is about.
    #[schema(min_items = 1)]
    actions: Vec<ActionId>,
    /// What people call it.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// What it is for.
    #[schema(max_length = 1024)]
    description: Option<String>,
}

/// Whatever the resource.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MatchAllSelectorDefinition {
    /// The actions it is about.
    #[schema(min_items = 1)]
    actions: Vec<ActionId>,
    /// What people call it.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// What it is for.
    #[schema(max_length = 1024)]
    description: Option<String>,
}

/// For actions on the entities `Policy`, `PolicyCollection` and `Delegation`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicySelectorDefinition {
    /// Patterns for `scope` and `code` of the policy.
    identity_restriction: Option<BTreeMap<String, Option<String>>>,
    /// Every selector of the policy must be covered by one of these.
    #[schema(no_recursion, max_items = 2000)]
    restriction_selectors: Option<Vec<SelectorDefinition>>,
    /// The actions it is about.
    #[schema(min_items = 1)]
    actions: Vec<ActionId>,
    /// What people call it.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// What it is for.
    #[schema(max_length = 1024)]
    description: Option<String>,
}

impl IdSelectorDefinition {
    /// Exactly the thing of that id.
    pub(super) fn of(identifier: BTreeMap<String, String>, action: ActionId) -> Self {
        Self { identifier, actions: vec![action], name: None, description: None }
    }
}

/// What is done to what.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct ActionId {
    /// Whose action it is; `default` for most.
    #[schema(min_length = 3, max_length = 100)]
    pub(super) scope: String,
    /// `Read`, `Any` and the like.
    #[schema(min_length = 3, max_length = 25)]
    pub(super) activity: String,
    /// `Portfolio`, `Feature` and the like.
    #[schema(min_length = 3, max_length = 40)]
    pub(super) entity: String,
}

/// A condition on one key of the access metadata.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetadataExpression {
    /// The key.
    #[schema(min_length = 1)]
    metadata_key: String,
    /// How its values are compared.
    operator: Operator,
    /// With what: for `In` a list, separated by commas.
    text_value: Option<String>,
}

/// How metadata is compared.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
enum Operator {
    Equals,
    NotEquals,
    GreaterThan,
    GreaterThanOrEqualTo,
    LessThan,
    LessThanOrEqualTo,
    In,
}

/// A value as it is kept: members that are null are left out, at any depth.
pub(super) fn kept<T: Serialize>(value: &T) -> Option<Value> {
    serde_json::to_value(value).ok().map(without_nulls)
}

/// The same for a list.
pub(super) fn all_kept<T: Serialize>(values: &[T]) -> Vec<Value> {
    values.iter().filter_map(kept).collect()
}

/// A part that is null matches anything, as `*` does (semantics §4), and is kept as that.
fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let parts = BTreeMap::<String, Option<String>>::deserialize(deserializer)?;
    Ok(parts.into_iter().map(|(name, pattern)| (name, pattern.unwrap_or_else(|| "*".to_owned()))).collect())
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        scalar => scalar,
    }
}
