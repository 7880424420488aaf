//! Ids on the wire, and where they lead: what names nothing is refused, so that no snapshot can dangle.

use super::super::defaults::administrator;
use super::super::problem::{Code, Problem};
use crate::store::{ScopedId, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The scope of what does not name one.
pub(super) const DEFAULT_SCOPE: &str = "default";
/// The id of a policy, a policy collection, a policy template or a role.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ResourceId {
    /// `default` where it is absent; always there in answers.
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    scope: Option<String>,
    /// Unique in its scope.
    #[schema(min_length = 3, max_length = 100, pattern = r"^(?=.*[a-zA-Z])[\w][\w +-]{2,100}$")]
    code: String,
}

impl From<ResourceId> for ScopedId {
    fn from(id: ResourceId) -> Self {
        Self { scope: id.scope.unwrap_or_else(|| DEFAULT_SCOPE.to_owned()), code: id.code }
    }
}

/// Ids as they are kept; none given is none.
pub(super) fn scoped(ids: Option<Vec<ResourceId>>) -> Vec<ScopedId> {
    ids.unwrap_or_default().into_iter().map(ScopedId::from).collect()
}

/// The id of something in a scope that a parameter may name.
pub(super) fn id_in(scope: Option<&str>, code: &str) -> ScopedId {
    ScopedId::new(scope.unwrap_or(DEFAULT_SCOPE), code)
}

/// Whether a code is kept from roles that are made: in tokens a role of the default scope goes by its code alone.
pub(super) fn is_reserved_for_roles(code: &str) -> bool {
    code.trim().eq_ignore_ascii_case(&administrator().code)
}

/// Gathers references that lead nowhere. The code is that of the first kind that is missing.
pub(super) struct References<'s> {
    state: &'s State,
    missing: Option<Problem>,
    /// Whether scopes in which nothing can be made here are passed over.
    passes_foreign_scopes: bool,
}

impl<'s> References<'s> {
    pub(super) const fn to(state: &'s State) -> Self {
        Self { state, missing: None, passes_foreign_scopes: false }
    }

    /// Passes over what is in scopes other than `default` and `LUSID_SYSTEM`: nothing can be made there by the API, so it may be yet to come
    /// from elsewhere. The snapshot leaves it out until it is there.
    pub(super) const fn passing_foreign_scopes(mut self) -> Self {
        self.passes_foreign_scopes = true;
        self
    }

    /// Policies, listed at that field.
    pub(super) fn policies(self, field: &str, ids: &[ScopedId]) -> Self {
        let state = self.state;
        self.each(field, ids, Code::PolicyUnknown, "policy", |id| state.policies.has(&id.key()))
    }

    /// Policy collections, listed at that field.
    pub(super) fn collections(self, field: &str, ids: &[ScopedId]) -> Self {
        let state = self.state;
        self.each(field, ids, Code::CollectionUnknown, "policy collection", |id| state.collections.has(&id.key()))
    }

    /// Roles, listed at that field; the administrator is always there.
    pub(super) fn roles(self, field: &str, ids: &[ScopedId]) -> Self {
        let state = self.state;
        self.each(field, ids, Code::RoleUnknown, "role", |id| state.roles.has(&id.key()) || *id == administrator())
    }

    fn each(mut self, field: &str, ids: &[ScopedId], code: Code, kind: &str, is_there: impl Fn(&ScopedId) -> bool) -> Self {
        let is_foreign = |id: &ScopedId| self.passes_foreign_scopes && id.scope != DEFAULT_SCOPE && id.scope != administrator().scope;
        for (index, id) in ids.iter().enumerate().filter(|(_, id)| !is_there(id) && !is_foreign(id)) {
            let missing = self.missing.get_or_insert_with(|| Problem::of(code));
            missing.report(format!("{field}[{index}]"), format!("There is no {kind} `{id}`."));
        }
        self
    }

    /// # Errors
    /// Every reference that leads nowhere, by its field.
    pub(super) fn check(self) -> Result<(), Problem> {
        self.missing.map_or(Ok(()), Err)
    }
}
