//! Whether a selector matches a question (semantics §4).

use super::coverage::covers_policy;
use super::documents::{Action, Condition, DEFAULT_SCOPE, Grant, Identifier, MetadataExpression, PolicyRestriction, Selector};
use super::question::{EntityKind, MetadataOf, PartOf, Question};
use super::truth::Truth;
use super::wildcard::{self, Case};

/// Whether some action matches and the condition holds.
pub(super) fn selector_holds(selector: &Selector, question: &Question<'_>, grant: Grant) -> Truth {
    if !names_action(selector, question, grant) {
        return Truth::False;
    }
    condition_holds(&selector.condition, question, EntityKind::of(question.entity), grant)
}

/// Whether some action of the selector matches the question's.
pub(super) fn names_action(selector: &Selector, question: &Question<'_>, grant: Grant) -> bool {
    let asked = (question.action_scope, question.activity, question.entity);
    selector.actions.iter().any(|action| action_matches(action, asked, grant))
}

/// Whether a policy's action matches the scope, activity and entity asked.
pub(super) fn action_matches(action: &Action, (scope, activity, entity): (&str, &str, &str), grant: Grant) -> bool {
    action.entity.eq_ignore_ascii_case(entity)
        && scopes_match(&action.scope, scope)
        && activities(&action.activity, grant).any(|reached| reached.eq_ignore_ascii_case(activity) || reached == ANY)
}

/// Equal, or either side is `default`.
pub(super) fn scopes_match(left: &str, right: &str) -> bool {
    [left, right].iter().any(|scope| scope.eq_ignore_ascii_case(DEFAULT_SCOPE)) || left.eq_ignore_ascii_case(right)
}

/// The activity that stands for all others.
pub(super) const ANY: &str = "Any";

/// The activities of questions that an activity of a policy matches; `Any` for all of them.
pub(super) fn activities<'a>(activity: &'a str, grant: Grant) -> impl Iterator<Item = &'a str> {
    let is = |name: &str| activity.eq_ignore_ascii_case(name);
    let reached: [Option<&'a str>; 3] = if is(ANY) {
        [Some(ANY), None, None]
    } else if is("Upsert") {
        [Some("Upsert"), Some("Add"), Some("Update")]
    } else if grant == Grant::Deny && (is("Add") || is("Update")) {
        [Some(activity), Some("Upsert"), None]
    } else {
        [Some(activity), None, None]
    };
    reached.into_iter().flatten()
}

/// Whether the selector's own condition holds.
pub(super) fn condition_holds(condition: &Condition, question: &Question<'_>, kind: EntityKind, grant: Grant) -> Truth {
    match condition {
        Condition::MatchAll => Truth::True,
        Condition::Identifier(identifier) => identifier_holds(identifier, question, kind, grant),
        Condition::Metadata(expressions) => metadata_holds(expressions, question, kind, grant),
        Condition::Policy(restriction) => policy_holds(restriction, question, kind, grant),
    }
}

fn identifier_holds(identifier: &Identifier, question: &Question<'_>, kind: EntityKind, grant: Grant) -> Truth {
    let case = case_of_values(kind, grant);
    Truth::all(identifier.0.iter().map(|part| match (part.pattern.as_deref(), question.part(&part.name)) {
        (None, _) => Truth::True,
        (Some(pattern), PartOf::Known(value)) => wildcard::matches(pattern, value, case).into(),
        (Some(pattern), PartOf::Unknown) if wildcard::matches_anything(pattern) => Truth::True,
        (Some(_), PartOf::Unknown) => Truth::Unknown,
    }))
}

/// Features and every Deny ignore case: an upstream that does must not open a way round.
fn case_of_values(kind: EntityKind, grant: Grant) -> Case {
    if kind == EntityKind::Feature || grant == Grant::Deny { Case::Insensitive } else { Case::Sensitive }
}

fn metadata_holds(expressions: &[MetadataExpression], question: &Question<'_>, kind: EntityKind, grant: Grant) -> Truth {
    if !kind.has_metadata() {
        return Truth::False;
    }
    match question.metadata {
        MetadataOf::Unknown => Truth::Unknown,
        MetadataOf::LeftToAnswer => (grant == Grant::Allow).into(),
        MetadataOf::Known(metadata) => expressions.iter().all(|expression| metadata.satisfies(expression)).into(),
    }
}

fn policy_holds(restriction: &PolicyRestriction, question: &Question<'_>, kind: EntityKind, grant: Grant) -> Truth {
    if kind != EntityKind::AboutPolicies {
        return Truth::False;
    }
    let covered = if restriction.selectors.is_empty() {
        Truth::True
    } else {
        question.policy.map_or(Truth::Unknown, |policy| covers_policy(&restriction.selectors, policy).into())
    };
    identifier_holds(&restriction.identity, question, kind, grant).and(covered)
}
