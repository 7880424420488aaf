//! What a policy must be beyond its schema: readable by every data plane, and with the selectors that suit its actions.

use super::super::problem::{Code, Problem};
use crate::policy::{Condition, PolicyDocument, Selector};
use crate::store::Policy;
use serde_json::Value;

/// Brackets open at once in a policy: few enough for a snapshot of it to be read.
const DEEPEST: usize = 64;

/// # Errors
/// Everything that the snapshot loader would say of it, by field; selectors that do not suit their actions.
pub(super) fn check(policy: &Policy) -> Result<(), Problem> {
    let value = serde_json::to_value(policy).map_err(|_| Problem::of(Code::Internal))?;
    let document = parsed(&value)?;
    selectors_suit(&document.selectors)
}

/// Checks selectors that are to be in no policy yet, of which none may be about policies; `field` says where each stands.
///
/// # Errors
/// As [`check`], and for every selector by policy.
pub(super) fn check_templated(selectors: &[&Value], field: impl Fn(usize) -> String) -> Result<(), Problem> {
    let mut all: Option<Problem> = None;
    for (index, selector) in selectors.iter().enumerate() {
        let Err(problem) = check_selector(selector) else { continue };
        let all = all.get_or_insert_with(|| Problem::of(problem.code()));
        for (path, message) in problem.fields() {
            all.report(path.replacen("selectors[0]", &field(index), 1), message);
        }
    }
    all.map_or(Ok(()), Err)
}

fn check_selector(selector: &Value) -> Result<(), Problem> {
    let policy = serde_json::json!({ "id": { "code": "selector" }, "grant": "Allow", "selectors": [selector] });
    let document = parsed(&policy)?;
    if document.selectors.iter().any(|selector| matches!(selector.condition, Condition::Policy(_))) {
        return Err(Problem::of(Code::SelectorOfWrongKind).field("selectors[0]", "A template has no policySelectorDefinition."));
    }
    selectors_suit(&document.selectors)
}

fn parsed(policy: &Value) -> Result<PolicyDocument, Problem> {
    if is_deeper(policy, DEEPEST) {
        return Err(Problem::invalid().field("", format!("More than {DEEPEST} brackets are open at once.")));
    }
    PolicyDocument::parse(policy.to_string().as_bytes()).map_err(|problems| {
        let said = |problem: Problem, found: crate::policy::Problem| problem.field(found.path, sentence(&found.message));
        problems.into_iter().fold(Problem::invalid(), said)
    })
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => return false,
    };
    let Some(left) = levels.checked_sub(1) else { return true };
    inner.into_iter().any(|value| is_deeper(value, left))
}

/// `is missing` → `The value is missing.`
fn sentence(message: &str) -> String {
    format!("The value {message}.")
}

/// Policies about policies select by policy, or everything; all others do not.
fn selectors_suit(selectors: &[Selector]) -> Result<(), Problem> {
    let mut problem: Option<Problem> = None;
    for (place, selector) in selectors.iter().enumerate() {
        let kind = member(&selector.condition);
        for (index, action) in selector.actions.iter().enumerate() {
            if let Some((code, message)) = unsuited(&selector.condition, &action.entity) {
                let field = format!("selectors[{place}].{kind}.actions[{index}].entity");
                problem.get_or_insert_with(|| Problem::of(code)).report(field, message);
            }
        }
    }
    problem.map_or(Ok(()), Err)
}

const fn member(condition: &Condition) -> &'static str {
    match condition {
        Condition::MatchAll => "matchAllSelectorDefinition",
        Condition::Identifier(_) => "idSelectorDefinition",
        Condition::Metadata(_) => "metadataSelectorDefinition",
        Condition::Policy(_) => "policySelectorDefinition",
    }
}

fn unsuited(condition: &Condition, entity: &str) -> Option<(Code, &'static str)> {
    let is = |name: &str| entity.eq_ignore_ascii_case(name);
    let is_about_policies = is("Policy") || is("PolicyCollection");
    match condition {
        Condition::Policy(_) if !is_about_policies && !is("Delegation") => {
            Some((Code::SelectorOfWrongKind, "A policySelectorDefinition is for actions on Policy, PolicyCollection and Delegation only."))
        }
        Condition::Identifier(_) | Condition::Metadata(_) if is("Delegation") => {
            Some((Code::DelegationSelectorWanted, "Actions on Delegation need a policySelectorDefinition or a matchAllSelectorDefinition."))
        }
        Condition::Identifier(_) | Condition::Metadata(_) if is_about_policies => {
            Some((Code::PolicySelectorWanted, "Actions on policies need a policySelectorDefinition or a matchAllSelectorDefinition."))
        }
        _ => None,
    }
}
