//! What is asked: an action on a thing, with what is known of the thing.

use std::borrow::Cow;

use super::dates::Dates;
use super::documents::PolicyDocument;
use super::metadata::Metadata;

/// May this be done to that? (semantics §1)
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The application of the API map.
    pub application: &'a str,
    /// The scope of the action, usually `default`.
    pub action_scope: &'a str,
    /// `Read`, `Execute` and the like.
    pub activity: &'a str,
    /// `Portfolio`, `Feature` and the like.
    pub entity: &'a str,
    /// Part names, without case, and values; none = unknown, as is a part that is not listed.
    pub id: &'a [(&'a str, Option<Cow<'a, str>>)],
    /// The thing's access metadata.
    pub metadata: MetadataOf<'a>,
    /// The effective dates asked about.
    pub effective: Dates,
    /// The asAt dates asked about.
    pub as_at: Dates,
    /// The policy itself, for questions about policies; without it what it selects is unknown.
    pub policy: Option<&'a PolicyDocument>,
}

/// What is known of a thing's access metadata.
#[derive(Clone, Copy, Debug)]
pub enum MetadataOf<'a> {
    /// It could not be obtained or read.
    Unknown,
    /// The answer will be judged by it: here a selector by metadata holds in an Allow policy and does not in a Deny policy.
    LeftToAnswer,
    /// All of it.
    Known(&'a Metadata),
}

/// What is known of one part of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartOf<'a> {
    Unknown,
    Known(&'a str),
}

impl<'a> Question<'a> {
    /// The part of that name; of two, the first counts.
    pub(super) fn part(&self, name: &str) -> PartOf<'a> {
        let part = self.id.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        part.and_then(|(_, value)| value.as_deref()).map_or(PartOf::Unknown, PartOf::Known)
    }
}

/// What sets entities apart in the rules of semantics §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntityKind {
    /// Ids without case, no dates, no metadata.
    Feature,
    /// Values and definitions of properties: no metadata.
    Property,
    /// Policies, collections, delegations: the only ones for policy selectors.
    AboutPolicies,
    /// Everything else.
    Thing,
}

impl EntityKind {
    pub(super) fn of(entity: &str) -> Self {
        let is_one_of = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(entity));
        if is_one_of(&["Feature"]) {
            Self::Feature
        } else if is_one_of(&["PropertyValue", "PropertyDefinition"]) {
            Self::Property
        } else if is_one_of(&["Policy", "PolicyCollection", "Delegation"]) {
            Self::AboutPolicies
        } else {
            Self::Thing
        }
    }

    /// Features and properties have no metadata: a selector by metadata never matches them.
    pub(super) const fn has_metadata(self) -> bool {
        !matches!(self, Self::Feature | Self::Property)
    }
}
