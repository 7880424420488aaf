//! Whether restriction selectors cover a policy: nothing it selects may lie outside them (semantics §4).

use super::documents::{Action, Condition, Grant, Identifier, MetadataExpression, PolicyDocument, PolicyRestriction, Selector};
use super::question::EntityKind;
use super::selector::action_matches;
use super::wildcard::{self, Case};

/// Whether every selector of the policy is covered by one of the restrictions.
pub(super) fn covers_policy(restrictions: &[Selector], policy: &PolicyDocument) -> bool {
    covers_all(restrictions, &policy.selectors)
}

fn covers_all(restrictions: &[Selector], selectors: &[Selector]) -> bool {
    selectors.iter().all(|selector| restrictions.iter().any(|restriction| covers(restriction, selector)))
}

fn covers(restriction: &Selector, selector: &Selector) -> bool {
    selector.actions.iter().all(|action| covers_action(restriction, action) && is_narrower(&selector.condition, &restriction.condition, &action.entity))
}

/// By the rules for Allow policies, whatever the grant of the policy in question.
fn covers_action(restriction: &Selector, action: &Action) -> bool {
    let asked = (&*action.scope, &*action.activity, &*action.entity);
    restriction.actions.iter().any(|allowed| action_matches(allowed, asked, Grant::Allow))
}

/// Whether everything that the condition selects is selected by the other one too, by the rules for Allow policies.
pub(super) fn is_narrower(condition: &Condition, than: &Condition, entity: &str) -> bool {
    match (condition, than) {
        (_, Condition::MatchAll) => true,
        (Condition::Identifier(identifier), Condition::Identifier(than)) => is_narrower_identifier(identifier, than, entity),
        (Condition::Metadata(expressions), Condition::Metadata(than)) => has_expressions(expressions, than),
        (Condition::Policy(restriction), Condition::Policy(than)) => is_narrower_restriction(restriction, than, entity),
        _ => false,
    }
}

/// Every part that is restricted is there, with the same pattern or one that only reaches what fits.
fn is_narrower_identifier(identifier: &Identifier, than: &Identifier, entity: &str) -> bool {
    let case = if EntityKind::of(entity) == EntityKind::Feature { Case::Insensitive } else { Case::Sensitive };
    than.0.iter().all(|restricted| {
        let mut parts = identifier.0.iter().filter(|part| part.name.eq_ignore_ascii_case(&restricted.name));
        parts.any(|part| match (part.pattern.as_deref(), restricted.pattern.as_deref()) {
            (_, None) => true,
            (None, Some(allowed)) => wildcard::matches_anything(allowed),
            // a `*` of the narrower pattern can only fall into a `*` of the wider one
            (Some(pattern), Some(allowed)) => wildcard::matches(allowed, pattern, case),
        })
    })
}

fn has_expressions(expressions: &[MetadataExpression], wanted: &[MetadataExpression]) -> bool {
    wanted.iter().all(|expression| expressions.contains(expression))
}

fn is_narrower_restriction(restriction: &PolicyRestriction, than: &PolicyRestriction, entity: &str) -> bool {
    let selects_less = than.selectors.is_empty() || (!restriction.selectors.is_empty() && covers_all(&than.selectors, &restriction.selectors));
    selects_less && is_narrower_identifier(&restriction.identity, &than.identity, entity)
}
