//! A rough count of the bytes that a snapshot takes.

use super::compile::{Compiled, Holdings, Traits};
use super::documents::{
    AccessMetadata, Condition, Documents, ForSpec, Identifier, IfSpec, PersonalAccessToken, PolicyCollection, PolicyDocument, Role, RoleResource, ScopedId,
    Selector, User, UserRole,
};
use super::shelf::Shelf;

/// What an allocation costs beside its content.
const ALLOCATION: usize = 16;

fn of_slice<T>(items: &[T], inner: impl Fn(&T) -> usize) -> usize {
    let own = if items.is_empty() { 0 } else { ALLOCATION + size_of_val(items) };
    own + items.iter().map(inner).sum::<usize>()
}

const fn of_text(text: &str) -> usize {
    text.len() + ALLOCATION
}

/// Words are shared; each is counted as if it were used four times.
const fn of_word(text: &str) -> usize {
    of_text(text) / 4
}

fn of_id(id: &ScopedId) -> usize {
    of_word(&id.code)
}

fn of_ids(ids: &[ScopedId]) -> usize {
    of_slice(ids, |_| 0)
}

pub(super) fn of_documents(documents: &Documents) -> usize {
    let of_user = |user: &User| of_text(&user.id) + of_text(&user.login) + of_ids(&user.roles);
    let of_resource = |resource: &RoleResource| of_ids(&resource.policies) + of_ids(&resource.collections) + of_ids(&resource.supervised);
    let of_token = |token: &PersonalAccessToken| of_text(&token.user_id);
    let of_metadata = |access: &AccessMetadata| access.metadata.bytes() + of_slice(&access.id, |(_, value)| of_text(value));
    of_slice(&documents.users, of_user)
        + of_slice(&documents.roles, |role: &Role| of_id(&role.id) + of_resource(&role.resource))
        + of_slice(&documents.user_roles, |role: &UserRole| of_id(&role.id) + of_resource(&role.resource))
        + of_slice(&documents.policies, of_policy)
        + of_slice(&documents.collections, |collection: &PolicyCollection| of_ids(&collection.policies) + of_ids(&collection.collections))
        + of_slice(&documents.access_metadata, of_metadata)
        + of_slice(&documents.personal_access_tokens, of_token)
        + documents.revocations.tokens.iter().map(|token| of_text(token) + 24).sum::<usize>()
        + documents.revocations.users.keys().map(|user| of_text(user) + 40).sum::<usize>()
}

fn of_policy(policy: &PolicyDocument) -> usize {
    of_text(&policy.id.code)
        + of_slice(&policy.applications, |_| 0)
        + of_slice(&policy.selectors, of_selector)
        + of_slice(&policy.dates, |_: &ForSpec| 0)
        + of_slice(&policy.conditions, of_condition)
}

fn of_selector(selector: &Selector) -> usize {
    let of_identifier = |identifier: &Identifier| of_slice(&identifier.0, |part| part.pattern.as_deref().map_or(0, of_text));
    let condition = match &selector.condition {
        Condition::MatchAll => 0,
        Condition::Identifier(identifier) => of_identifier(identifier),
        Condition::Metadata(expressions) => of_slice(expressions, |expression| of_text(&expression.text)),
        Condition::Policy(restriction) => of_identifier(&restriction.identity) + of_slice(&restriction.selectors, of_selector),
    };
    condition + of_slice(&selector.actions, |_| 0)
}

fn of_condition(condition: &IfSpec) -> usize {
    match condition {
        IfSpec::Header { test, .. } => of_text(&test.value),
        IfSpec::Claim(test) => size_of_val(&**test) + of_text(&test.test.value),
        IfSpec::Scope(_) => 0,
        IfSpec::ViaApi { features, .. } => of_slice(features, |feature| of_text(feature)),
        IfSpec::FeatureChain(selectors) => of_slice(selectors, of_selector),
    }
}

pub(super) fn of_compiled(compiled: &Compiled) -> usize {
    let of_holdings = |holdings: &Holdings| of_slice(&holdings.shelves, |_| 0) + of_slice(&holdings.supervised, |_| 0);
    of_slice(&compiled.shelves, Shelf::bytes)
        + of_slice(&compiled.roles, of_holdings)
        + of_slice(&compiled.user_roles, of_holdings)
        + of_slice(&compiled.users, |user| of_slice(&user.ranks, |_| 0))
        + of_slice(&compiled.traits, |_: &Traits| 0)
}
