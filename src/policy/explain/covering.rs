//! Whether a policy's selector is no wider than a restriction (semantics §4, `restrictionSelectors`).

use super::super::documents::{Condition, Grant, Identifier, PolicyRestriction, Selector};
use super::selectors::is_action;
use super::text::{Case, is_like};

/// Whether one of the restrictions covers the selector, by the rules for Allow policies.
pub(super) fn is_covered(selector: &Selector, restrictions: &[Selector]) -> bool {
    restrictions.iter().any(|restriction| covers(restriction, selector))
}

fn covers(restriction: &Selector, selector: &Selector) -> bool {
    let actions_are_covered = selector
        .actions
        .iter()
        .all(|action| restriction.actions.iter().any(|allowed| is_action(allowed, Grant::Allow, &action.scope, &action.activity, &action.entity)));
    actions_are_covered
        && match (&restriction.condition, &selector.condition) {
            (Condition::MatchAll, _) => true,
            (Condition::Identifier(wide), Condition::Identifier(narrow)) => is_narrower(narrow, wide, case_of(selector)),
            (Condition::Metadata(wide), Condition::Metadata(narrow)) => wide.iter().all(|expression| narrow.contains(expression)),
            (Condition::Policy(wide), Condition::Policy(narrow)) => is_as_restricted(narrow, wide, case_of(selector)),
            _ => false,
        }
}

/// Case counts for data; a selector that is for features alone is without.
fn case_of(selector: &Selector) -> Case {
    if selector.actions.iter().all(|action| action.entity.eq_ignore_ascii_case("Feature")) { Case::Ignored } else { Case::Counts }
}

/// Each part that the wide one names is present in the narrow one, and equal to or matched by the pattern.
fn is_narrower(narrow: &Identifier, wide: &Identifier, case: Case) -> bool {
    wide.0.iter().all(|wide| {
        let same_name = narrow.0.iter().filter(|narrow| narrow.name.eq_ignore_ascii_case(&wide.name));
        same_name.into_iter().any(|narrow| is_within(narrow.pattern.as_deref(), wide.pattern.as_deref(), case))
    })
}

/// Null means anything, as `*` does.
fn is_within(narrow: Option<&str>, wide: Option<&str>, case: Case) -> bool {
    is_like(narrow.unwrap_or("*"), wide.unwrap_or("*"), case)
}

fn is_as_restricted(narrow: &PolicyRestriction, wide: &PolicyRestriction, case: Case) -> bool {
    let selectors_are_covered =
        wide.selectors.is_empty() || (!narrow.selectors.is_empty() && narrow.selectors.iter().all(|selector| is_covered(selector, &wide.selectors)));
    is_narrower(&narrow.identity, &wide.identity, case) && selectors_are_covered
}
