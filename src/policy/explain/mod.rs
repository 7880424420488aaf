//! The slow and literal evaluator: walks every role, policy and condition, and tells what it found.
//!
//! It reads the rules of semantics §1–§7 a second time, sharing documents and inputs with the fast evaluator but none of
//! its rules, so that a property test of the two is worth something. It decides nothing for a door.

#[cfg(test)]
mod calls;
mod conditions;
mod covering;
mod dates;
mod explanation;
#[cfg(test)]
mod restrictions;
mod roles;
mod selectors;
mod telling;
#[cfg(test)]
mod tests;
mod text;
mod truth;
#[cfg(test)]
mod worlds;

use super::context::Context;
use super::dates::Instant;
use super::documents::{Grant, PolicyDocument};
use super::policies::Policies;
use super::question::Question;
use super::subject::RoleSource;
pub use explanation::{CauseExplained, ConditionExplained, DecisionExplained, Explanation, Outcome, PolicyExplained, PolicyVerdict, RoleExplained};
use roles::{Kind, Standing};
use truth::Finding;
pub use truth::Truth;

/// Decides a question by walking everything (semantics §7), and tells.
#[must_use]
pub fn explain(policies: &Policies, roles: RoleSource<'_>, context: &Context<'_>, question: &Question<'_>) -> Explanation {
    let call = Call { policies, context, question, now: context.now.into() };
    let mut explained = Vec::new();
    let mut decision = DecisionExplained { granted: false, by: None };
    let mut order = 0;
    for standing in roles::standings(policies, roles, call.now) {
        let is_reached = decision.by.is_none();
        order += usize::from(standing.obstacle.is_none());
        let role = call.role(standing, order, is_reached);
        if is_reached {
            decision = match &role.outcome {
                Outcome::DeniedBy(by) => DecisionExplained { granted: false, by: Some(by.clone()) },
                Outcome::GrantedBy(by) => DecisionExplained { granted: true, by: Some(by.clone()) },
                Outcome::PassedOver => decision,
            };
        }
        explained.push(role);
    }
    Explanation { decision, roles: explained }
}

/// The inputs of one decision.
struct Call<'a> {
    policies: &'a Policies,
    context: &'a Context<'a>,
    question: &'a Question<'a>,
    now: Instant,
}

impl Call<'_> {
    fn role(&self, standing: Standing<'_>, order: usize, is_reached: bool) -> RoleExplained {
        let in_force = standing.obstacle.is_none();
        let mut role = RoleExplained {
            role: standing.id.to_string(),
            in_force,
            why_not: standing.obstacle,
            order: in_force.then_some(order),
            hierarchy_index: standing.index,
            is_user_role: matches!(standing.kind, Kind::UserRole(_)),
            is_reached,
            outcome: Outcome::PassedOver,
            policies: Vec::new(),
            unrelated_policies: 0,
        };
        match standing.kind {
            _ if !in_force => {}
            Kind::Administrator => role.outcome = Outcome::GrantedBy(CauseExplained { role: role.role.clone(), policy: None, selector: None }),
            Kind::Role(resource) | Kind::UserRole(resource) => {
                for policy in roles::policies_of(self.policies, resource, self.now) {
                    match self.policy(policy) {
                        Some(policy) => role.policies.push(policy),
                        None => role.unrelated_policies += 1,
                    }
                }
                role.outcome = outcome(&role.role, &role.policies);
            }
            Kind::Missing => {}
        }
        role
    }

    /// None if none of its actions fits the question.
    fn policy(&self, policy: &PolicyDocument) -> Option<PolicyExplained> {
        let selectors = self.selectors(policy);
        if selectors.is_empty() {
            return None;
        }
        let first = selectors.iter().find(|(_, selector)| selector.is_met).map(|(place, _)| *place);
        let others = self.others(policy);
        let unmet = others.iter().find(|condition| !condition.is_met);
        let verdict = match (first, unmet) {
            (Some(selector), None) => PolicyVerdict::Matched { selector },
            (None, _) => PolicyVerdict::NearlyMatched { reason: no_selector(&selectors) },
            (_, Some(unmet)) => PolicyVerdict::NearlyMatched { reason: format!("{}: {}", unmet.what, unmet.why) },
        };
        let conditions = selectors.into_iter().map(|(_, selector)| selector).chain(others).collect();
        Some(PolicyExplained { policy: policy.id.to_string(), grant: policy.grant.name(), verdict, conditions })
    }

    /// The selectors of which some action fits, with their places.
    fn selectors(&self, policy: &PolicyDocument) -> Vec<(usize, ConditionExplained)> {
        let fitting = policy.selectors.iter().enumerate().filter(|(_, selector)| selectors::names_action(selector, policy.grant, self.question));
        let explained = fitting.map(|(place, selector)| {
            let finding = selectors::matches(selector, policy.grant, self.question);
            (place, condition(format!("selectors[{place}]"), policy.grant, finding))
        });
        explained.collect()
    }

    fn others(&self, policy: &PolicyDocument) -> Vec<ConditionExplained> {
        let grant = policy.grant;
        let mut others = vec![condition("applications".to_owned(), grant, self.applications(policy)), condition("when".to_owned(), grant, self.when(policy))];
        if !self.question.entity.eq_ignore_ascii_case("Feature") {
            let dates = policy.dates.iter().map(|entry| dates::holds(entry, grant, self.question, self.now));
            others.extend(dates.enumerate().map(|(place, finding)| condition(format!("for[{place}]"), grant, finding)));
        }
        let conditions = policy.conditions.iter().map(|entry| conditions::holds(entry, grant, self.context));
        others.extend(conditions.enumerate().map(|(place, finding)| condition(format!("if[{place}]"), grant, finding)));
        others
    }

    fn applications(&self, policy: &PolicyDocument) -> Finding {
        let asked = self.question.application;
        if policy.applications.is_empty() {
            return Finding::of(true, "it is for every application");
        }
        let holds = policy.applications.iter().any(|own| own.eq_ignore_ascii_case(asked));
        Finding::of(holds, format!("`{asked}` is {} `{}`", if holds { "one of" } else { "none of" }, policy.applications.join("`, `")))
    }

    fn when(&self, policy: &PolicyDocument) -> Finding {
        match roles::out_of_force(&policy.when, self.now) {
            None => Finding::of(true, "it is in force"),
            Some(obstacle) => Finding::of(false, obstacle),
        }
    }
}

fn condition(what: String, grant: Grant, finding: Finding) -> ConditionExplained {
    let why = match (finding.truth, grant) {
        (Truth::Unknown, Grant::Allow) => format!("{}, and unknown fails closed in an Allow policy", finding.why),
        (Truth::Unknown, Grant::Deny) => {
            format!("{}, and unknown fails closed in a Deny policy", finding.why)
        }
        (Truth::True | Truth::False, _) => finding.why,
    };
    ConditionExplained { what, truth: finding.truth, is_met: finding.truth.is_met(grant), why }
}

fn no_selector(selectors: &[(usize, ConditionExplained)]) -> String {
    match selectors {
        [(_, only)] => format!("{}: {}", only.what, only.why),
        [(_, first), rest @ ..] => format!("{}: {}; nor does any of {} more selectors match", first.what, first.why, rest.len()),
        [] => String::new(),
    }
}

/// Deny wins inside a role; of several, the first by scope and code is authoritative (semantics §7).
fn outcome(role: &str, policies: &[PolicyExplained]) -> Outcome {
    let first = |grant: Grant| {
        policies.iter().filter(|policy| policy.grant == grant.name()).find_map(|policy| match policy.verdict {
            PolicyVerdict::Matched { selector } => {
                Some(CauseExplained { role: role.to_owned(), policy: Some(policy.policy.clone()), selector: Some(selector) })
            }
            PolicyVerdict::NearlyMatched { .. } => None,
        })
    };
    match (first(Grant::Deny), first(Grant::Allow)) {
        (Some(by), _) => Outcome::DeniedBy(by),
        (None, Some(by)) => Outcome::GrantedBy(by),
        (None, None) => Outcome::PassedOver,
    }
}
