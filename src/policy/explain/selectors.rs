//! Selectors, read literally: actions, identifiers, metadata, policies (semantics §4).

use super::super::documents::{Action, Condition, Grant, Identifier, MetadataExpression, MetadataOperator, Part, PolicyRestriction, Selector};
use super::super::metadata::Metadata;
use super::super::question::{MetadataOf, Question};
use super::covering::is_covered;
use super::text::{Case, is_like, listed, order};
use super::truth::{Finding, Truth};

/// Whether some action of the selector matches and its own condition holds.
pub(super) fn matches(selector: &Selector, grant: Grant, question: &Question<'_>) -> Finding {
    if !names_action(selector, grant, question) {
        let (activity, entity) = (question.activity, question.entity);
        return Finding::of(false, format!("none of its actions is `{activity}` on `{entity}`"));
    }
    condition(&selector.condition, grant, question)
}

/// Whether some action of the selector matches the question's.
pub(super) fn names_action(selector: &Selector, grant: Grant, question: &Question<'_>) -> bool {
    selector.actions.iter().any(|action| is_action(action, grant, question.action_scope, question.activity, question.entity))
}

/// Whether a policy's action matches an action.
pub(super) fn is_action(own: &Action, grant: Grant, scope: &str, activity: &str, entity: &str) -> bool {
    let is = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
    let has_scope = is(&own.scope, scope) || is(&own.scope, "default") || is(scope, "default");
    let (is_add, is_update) = (is(activity, "Add"), is(activity, "Update"));
    let has_activity = is(&own.activity, activity)
        || is(&own.activity, "Any")
        || (is(&own.activity, "Upsert") && (is_add || is_update))
        || (grant == Grant::Deny && is(activity, "Upsert") && (is(&own.activity, "Add") || is(&own.activity, "Update")));
    is(&own.entity, entity) && has_scope && has_activity
}

fn condition(condition: &Condition, grant: Grant, question: &Question<'_>) -> Finding {
    match condition {
        Condition::MatchAll => Finding::of(true, "it matches everything"),
        Condition::Identifier(identifier) => by_identifier(identifier, grant, question),
        Condition::Metadata(expressions) => by_metadata(expressions, grant, question),
        Condition::Policy(restriction) => by_policy(restriction, grant, question),
    }
}

fn is_one_of(entity: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(entity))
}

/// Case counts for data, but neither for features nor in a Deny policy.
fn case(grant: Grant, question: &Question<'_>) -> Case {
    if grant == Grant::Deny || is_one_of(question.entity, &["Feature"]) { Case::Ignored } else { Case::Counts }
}

fn by_identifier(identifier: &Identifier, grant: Grant, question: &Question<'_>) -> Finding {
    let case = case(grant, question);
    Finding::all(identifier.0.iter().map(|part| by_part(part, case, question)).collect())
}

fn by_part(part: &Part, case: Case, question: &Question<'_>) -> Finding {
    let name = &part.name;
    let pattern = match part.pattern.as_deref() {
        None => return Finding::of(true, format!("identifier: {name} may be anything")),
        // two stars match like one
        Some(stars) if !stars.is_empty() && stars.chars().all(|letter| letter == '*') => {
            return Finding::of(true, format!("identifier: {name} may be anything, the pattern is `{stars}`"));
        }
        Some(pattern) => pattern,
    };
    let own = question.id.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref());
    let Some(own) = own else {
        return Finding::unknown(format!("identifier: {name} is unknown, the pattern is `{pattern}`"));
    };
    let holds = is_like(own, pattern, case);
    Finding::of(holds, format!("identifier: {name} `{own}` {} the pattern `{pattern}`", if holds { "matches" } else { "does not match" }))
}

fn by_metadata(expressions: &[MetadataExpression], grant: Grant, question: &Question<'_>) -> Finding {
    if is_one_of(question.entity, &["Feature", "PropertyValue", "PropertyDefinition"]) {
        return Finding::of(false, format!("`{}` has no metadata", question.entity));
    }
    match question.metadata {
        MetadataOf::Unknown => Finding::unknown("metadata of this item is unknown"),
        MetadataOf::LeftToAnswer => Finding::new(Truth::left_for_later(grant), "metadata is left to the answer"),
        MetadataOf::Known(metadata) => Finding::all(expressions.iter().map(|expression| by_expression(expression, metadata)).collect()),
    }
}

fn by_expression(expression: &MetadataExpression, metadata: &Metadata) -> Finding {
    let own: Vec<&Option<Box<str>>> = metadata.iter().filter(|(key, _)| **key == *expression.key).flat_map(|(_, values)| values).collect();
    let satisfies = |value: &&Option<Box<str>>| value.as_deref().is_some_and(|value| is_so(value, expression.operator, &expression.text));
    let holds = match expression.operator {
        MetadataOperator::NotEquals => !own.iter().any(|value| value.as_deref() == Some(&*expression.text)),
        _ => own.iter().any(satisfies),
    };
    let own = own.iter().map(|value| value.as_deref().map_or_else(|| "null".to_owned(), |value| format!("`{value}`")));
    let own = own.reduce(|list, value| list + ", " + &value).unwrap_or_else(|| "absent".to_owned());
    let verb = if holds { "satisfies" } else { "does not satisfy" };
    Finding::of(holds, format!("metadata: {} ({own}) {verb} {} `{}`", expression.key, expression.operator.name(), expression.text))
}

fn is_so(value: &str, operator: MetadataOperator, text: &str) -> bool {
    match operator {
        MetadataOperator::Equals => value == text,
        MetadataOperator::NotEquals => value != text,
        MetadataOperator::GreaterThan => order(value, text).is_gt(),
        MetadataOperator::GreaterThanOrEqualTo => order(value, text).is_ge(),
        MetadataOperator::LessThan => order(value, text).is_lt(),
        MetadataOperator::LessThanOrEqualTo => order(value, text).is_le(),
        MetadataOperator::In => listed(text).contains(&value),
    }
}

fn by_policy(restriction: &PolicyRestriction, grant: Grant, question: &Question<'_>) -> Finding {
    if !is_one_of(question.entity, &["Policy", "PolicyCollection", "Delegation"]) {
        return Finding::of(false, format!("it selects policies, and `{}` is not about policies", question.entity));
    }
    let mut findings = Vec::new();
    if !restriction.identity.0.is_empty() {
        findings.push(by_identifier(&restriction.identity, grant, question));
    }
    if !restriction.selectors.is_empty() {
        findings.push(match question.policy {
            None => Finding::unknown("what the policy selects is unknown"),
            Some(policy) => {
                let uncovered = policy.selectors.iter().position(|selector| !is_covered(selector, &restriction.selectors));
                Finding::of(
                    uncovered.is_none(),
                    match uncovered {
                        None => "all selectors of the policy are covered by the restriction".to_owned(),
                        Some(place) => format!("the policy's selectors[{place}] is not covered by the restriction"),
                    },
                )
            }
        });
    }
    if findings.is_empty() { Finding::of(true, "it selects any policy") } else { Finding::all(findings) }
}
