//! Method and path → operation: the feature, and what binds a call and its answer to entities
//! (interfaces §3, semantics §10).
//!
//! Pure: a map is given as a document that was read elsewhere. This room never decides anything; it
//! only says what has to be asked.

mod binding;
mod entity;
mod findings;
mod load;
pub mod openapi;
mod operation;
mod reading;
mod router;
mod rules;
mod support;

pub use binding::{Binding, Source};
pub use entity::{DatePointers, Entity, MetadataSource, RoutePart};
pub use findings::Finding;
pub use operation::{Answering, DateSource, DateSources, Operation};
pub use router::{Match, PathError};
pub use rules::{BodyRule, Facts, ItemRule, PropertyRule, ResponseRule, Target, TargetKind};

use router::Router;
use serde_json::Value;
use std::fmt;

/// One or more API maps, checked and compiled. Immutable.
#[derive(Debug, Default)]
pub struct ApiMap {
    pub(crate) entities: Vec<Entity>,
    pub(crate) operations: Vec<Operation>,
    router: Router,
    fingerprint: u64,
}

/// Something wrong in an API map: the place as a key path, what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProblem {
    /// The name of the document, as it was given.
    pub document: String,
    /// The key path, such as `operations[3].response[0].items`.
    pub path: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for MapProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}: {}", self.document, self.path, self.message)
    }
}

impl ApiMap {
    /// Checks and compiles documents, each with the name that its problems are to carry.
    ///
    /// # Errors
    /// All problems of all documents, in their order.
    pub fn load(documents: &[(String, Value)]) -> Result<Self, Vec<MapProblem>> {
        load::load(documents)
    }

    /// The operation for a method and a raw path, by literal before template (interfaces §3).
    /// HEAD falls back to the GET operation.
    ///
    /// # Errors
    /// A captured segment that does not decode, or holds an escaped slash that the operation does
    /// not admit.
    pub fn find<'a>(&'a self, method: &str, path: &str) -> Result<Option<Match<'a>>, PathError> {
        self.router.find(&self.operations, method, path)
    }

    /// Every operation, in the order of the documents.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Every entity, in the order of the documents.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// A digest of the documents, the same for the same documents wherever they are read.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The entity of a rule; rules refer to entities by their index.
    #[must_use]
    pub fn entity(&self, index: usize) -> Option<&Entity> {
        self.entities.get(index)
    }

    /// What a person should look at although the map is sound: findings for `check`.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        findings::findings(self)
    }

    /// What policies use and the entities of this map do not have: findings for `check`.
    #[must_use]
    pub fn policy_findings(&self, policies: &crate::policy::Policies) -> Vec<Finding> {
        support::findings(self, policies)
    }
}

#[cfg(test)]
mod tests;
