//! Selectors: which actions on which things.

use std::sync::Arc;

use super::id::DEFAULT_SCOPE;
use super::reading::{Cursor, choice};

/// One entry of `selectors`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    /// What its author calls it.
    pub name: Option<Arc<str>>,
    /// Never empty.
    pub actions: Box<[Action]>,
    /// What else must hold.
    pub condition: Condition,
}

/// What a selector asks of the thing itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// `matchAllSelectorDefinition`.
    MatchAll,
    /// `idSelectorDefinition`; never empty.
    Identifier(Identifier),
    /// `metadataSelectorDefinition`; never empty.
    Metadata(Box<[MetadataExpression]>),
    /// `policySelectorDefinition`.
    Policy(Box<PolicyRestriction>),
}

/// An action that a policy names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    /// `default` where the document has none.
    pub scope: Arc<str>,
    /// `Read`, `Any` and the like.
    pub activity: Arc<str>,
    /// `Portfolio`, `Feature` and the like.
    pub entity: Arc<str>,
}

/// Patterns for the parts of an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Identifier(pub Box<[Part]>);

/// The pattern for one part of an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Compared without case.
    pub name: Arc<str>,
    /// `*` stands for any run of characters; none matches anything.
    pub pattern: Option<Box<str>>,
}

/// One expression of a metadata selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataExpression {
    /// The metadata key, with its case.
    pub key: Arc<str>,
    /// How the values of that key are compared with the text.
    pub operator: MetadataOperator,
    /// `textValue`.
    pub text: Box<str>,
}

/// The parts of a selector for policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyRestriction {
    /// `identityRestriction`; empty = any policy.
    pub identity: Identifier,
    /// `restrictionSelectors`; empty = no restriction.
    pub selectors: Box<[Selector]>,
}

choice! {
    /// How metadata is compared.
    pub enum MetadataOperator {
        /// Some value is exactly this text.
        Equals = "Equals",
        /// No value is exactly this text.
        NotEquals = "NotEquals",
        /// Some value is greater.
        GreaterThan = "GreaterThan",
        /// Some value is greater or equal.
        GreaterThanOrEqualTo = "GreaterThanOrEqualTo",
        /// Some value is less.
        LessThan = "LessThan",
        /// Some value is less or equal.
        LessThanOrEqualTo = "LessThanOrEqualTo",
        /// Some value is an item of the list.
        In = "In",
    }
}

const KINDS: [&str; 4] = ["idSelectorDefinition", "metadataSelectorDefinition", "matchAllSelectorDefinition", "policySelectorDefinition"];

/// Finds the one member that an entry must have, null ones being absent.
pub(super) fn only_member<'b>(entry: &'b Cursor<'_>, known: &[&'b str]) -> Option<(&'b str, Cursor<'b>)> {
    if !entry.expect_object() {
        return None;
    }
    let mut is_known = true;
    for (name, member) in entry.members() {
        if !known.contains(&name) {
            member.problem(format!("`{name}` is not known here; use one of {}", known.join(", ")));
            is_known = false;
        }
    }
    let mut present = known.iter().filter_map(|name| Some((*name, entry.member(name)?)));
    match (present.next(), present.next()) {
        (Some(only), None) => Some(only).filter(|_| is_known),
        (None, _) => {
            if is_known {
                entry.problem(format!("has none of its members; give it one of {}", known.join(", ")));
            }
            None
        }
        (Some((first, _)), Some((second, _))) => {
            entry.problem(format!("has both `{first}` and `{second}`; make them two entries"));
            None
        }
    }
}

impl Selector {
    pub(super) fn read(entry: Cursor<'_>) -> Option<Self> {
        let (kind, definition) = only_member(&entry, &KINDS)?;
        if !definition.expect_object() {
            return None;
        }
        let name = definition.member("name").filter(Cursor::is_text).and_then(|name| name.word()).filter(|name| !name.is_empty());
        let actions = definition.each_required("actions", Action::read);
        let condition = match kind {
            "idSelectorDefinition" => Condition::Identifier(Identifier::read_required(&definition)?),
            "metadataSelectorDefinition" => Condition::Metadata(definition.each_required("expressions", MetadataExpression::read)),
            "matchAllSelectorDefinition" => Condition::MatchAll,
            _ => Condition::Policy(Box::new(PolicyRestriction {
                identity: definition.member("identityRestriction").map(Identifier::read).unwrap_or_default(),
                selectors: definition.each("restrictionSelectors", Self::read),
            })),
        };
        Some(Self { name, actions, condition })
    }
}

impl Action {
    fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let scope = match cursor.member("scope") {
            Some(scope) => scope.word()?,
            None => cursor.findings.word(DEFAULT_SCOPE),
        };
        let activity = cursor.required("activity").and_then(|activity| activity.word());
        let entity = cursor.required("entity").and_then(|entity| entity.word());
        Some(Self { scope, activity: activity?, entity: entity? })
    }
}

impl Identifier {
    fn read_required(definition: &Cursor<'_>) -> Option<Self> {
        let cursor = definition.required("identifier")?;
        let identifier = Self::read(cursor);
        if cursor.is_empty_object() {
            cursor.problem("must not be empty; use matchAllSelectorDefinition for everything");
        }
        Some(identifier)
    }

    fn read(cursor: Cursor<'_>) -> Self {
        let parts = cursor.members().map(|(name, value)| Part { name: value.findings.word(name), pattern: if value.is_null() { None } else { value.boxed() } });
        Self(parts.collect())
    }
}

impl MetadataExpression {
    fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let key = cursor.required("metadataKey").and_then(|key| key.word());
        let operator = cursor.required("operator").and_then(|operator| operator.choice());
        let text = cursor.required("textValue").and_then(|text| text.boxed());
        Some(Self { key: key?, operator: operator?, text: text? })
    }
}
