//! Policies and policy collections.

use std::sync::Arc;

use super::super::dates::Instant;
use super::for_spec::ForSpec;
use super::id::ScopedId;
use super::if_spec::IfSpec;
use super::json::Node;
use super::problems::{Place, Problem};
use super::reading::{Cursor, Findings, choice};
use super::selector::Selector;

/// A policy as the Access API returns it, checked; `how`, `templateMetadata` and descriptions have no part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyDocument {
    /// Its id.
    pub id: ScopedId,
    /// Empty = every application.
    pub applications: Box<[Arc<str>]>,
    /// What it does when it matches.
    pub grant: Grant,
    /// Never empty.
    pub selectors: Box<[Selector]>,
    /// The entries of `for`; all must hold.
    pub dates: Box<[ForSpec]>,
    /// The entries of `if`; all must hold.
    pub conditions: Box<[IfSpec]>,
    /// When it is in force.
    pub when: When,
}

choice! {
    /// What a policy does when it matches.
    pub enum Grant {
        /// It grants the action.
        Allow = "Allow",
        /// It refuses the action.
        Deny = "Deny",
    }
}

/// The time in which a role or policy is in force: `activate ≤ now < deactivate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct When {
    /// None = always was.
    pub activate: Option<Instant>,
    /// None = never ends.
    pub deactivate: Option<Instant>,
}

/// A policy collection as the Access API returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCollection {
    /// Its id.
    pub id: ScopedId,
    /// The policies listed in it.
    pub policies: Box<[ScopedId]>,
    /// The collections listed in it.
    pub collections: Box<[ScopedId]>,
}

impl When {
    /// Whether it is in force at that instant.
    #[must_use]
    pub fn holds(self, now: Instant) -> bool {
        self.activate.is_none_or(|activate| activate <= now) && self.deactivate.is_none_or(|deactivate| now < deactivate)
    }

    /// Whether it will begin or end after `now`; an end on 31 December 9999 is none.
    pub(in super::super) fn changes_after(self, now: Instant) -> bool {
        let lies_ahead = |bound: Instant| bound > now && bound < Instant::NEVER;
        // what has ended will not begin again
        self.deactivate.is_none_or(|deactivate| now < deactivate) && (self.activate.is_some_and(lies_ahead) || self.deactivate.is_some_and(lies_ahead))
    }

    pub(super) fn read(owner: &Cursor<'_>) -> Self {
        let Some(when) = owner.member("when") else {
            return Self::default();
        };
        if !when.expect_object() {
            return Self::default();
        }
        Self {
            activate: when.member("activate").and_then(|activate| activate.instant()),
            deactivate: when.member("deactivate").and_then(|deactivate| deactivate.instant()),
        }
    }
}

impl PolicyDocument {
    /// Reads one policy, as the Access API returns it.
    ///
    /// # Errors
    /// Everything that is wrong with it, as for a policy of a snapshot.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<Problem>> {
        let refused = |message: String| vec![Problem { path: String::new(), message }];
        let node: Node<'_> = serde_json::from_slice(json).map_err(|error| refused(format!("is not JSON: {error}")))?;
        let findings = Findings::default();
        findings.check_duplicates(&node, Place::ROOT);
        let policy = Self::read(Cursor::new(&node, Place::ROOT, &findings));
        let problems = findings.into_problems();
        match policy {
            Some(policy) if problems.is_empty() => Ok(policy),
            _ => Err(problems),
        }
    }

    /// None without an id; other problems are reported and leave gaps.
    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let id = cursor.required("id").and_then(ScopedId::read);
        let grant = cursor.required("grant").and_then(|grant| grant.choice());
        let policy = Self {
            applications: cursor.each("applications", |application| application.word()),
            grant: grant.unwrap_or(Grant::Deny),
            selectors: cursor.each_required("selectors", Selector::read),
            dates: cursor.each("for", ForSpec::read),
            conditions: cursor.each("if", IfSpec::read),
            when: When::read(&cursor),
            id: id?,
        };
        Some(policy)
    }
}

impl PolicyCollection {
    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let policies = cursor.each("policies", ScopedId::read);
        let collections = cursor.each("policyCollections", ScopedId::read);
        Some(Self { id: cursor.required("id").and_then(ScopedId::read)?, policies, collections })
    }
}
