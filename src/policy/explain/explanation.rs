//! What an explanation consists of; the names are those of its JSON.

use serde::Serialize;

use super::super::decide::NamedCause;
use super::truth::Truth;

/// A decision, and everything that led to it; written out, it is for people, serialized, for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// What the policies say.
    pub decision: DecisionExplained,
    /// Every role that the subject is said to have, in order, its user-role last.
    pub roles: Vec<RoleExplained>,
}

/// A decision by names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionExplained {
    /// Whether it is granted.
    pub granted: bool,
    /// By what; none: no policy grants it.
    pub by: Option<CauseExplained>,
}

/// The authoritative role, policy and selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CauseExplained {
    /// `scope/code`; a user-role has the scope `_users`.
    pub role: String,
    /// `scope/code`; none for the administrator, whose right is built in.
    pub policy: Option<String>,
    /// The place of the selector in that policy.
    pub selector: Option<usize>,
}

/// One role, and what it would say if it were asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleExplained {
    /// `scope/code`.
    pub role: String,
    /// Whether it counts.
    pub in_force: bool,
    /// Why it does not.
    pub why_not: Option<String>,
    /// Its place among those in force, from 1.
    pub order: Option<usize>,
    /// `roleHierarchyIndex`; none for the administrator, a user-role, and a role that the snapshot does not have.
    pub hierarchy_index: Option<i64>,
    /// Whether it is the role of this user alone.
    pub is_user_role: bool,
    /// Whether the decision came to it; a stronger role may have decided before.
    pub is_reached: bool,
    /// What it says.
    pub outcome: Outcome,
    /// Its policies of whose actions one fits the question, in order of scope and code.
    pub policies: Vec<PolicyExplained>,
    /// How many more policies it has, none of whose actions fit.
    pub unrelated_policies: usize,
}

/// What a role says to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// A Deny policy of it matches.
    DeniedBy(CauseExplained),
    /// An Allow policy of it matches, and no Deny policy.
    GrantedBy(CauseExplained),
    /// No policy of it matches, or it is not in force.
    PassedOver,
}

/// One policy whose action fits the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyExplained {
    /// `scope/code`.
    pub policy: String,
    /// `Allow` or `Deny`.
    pub grant: &'static str,
    /// Whether it matches.
    pub verdict: PolicyVerdict,
    /// Everything that it asks for: its selectors of a fitting action, and all else.
    pub conditions: Vec<ConditionExplained>,
}

/// Whether a policy matches a question that one of its actions fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyVerdict {
    /// All conditions are met.
    Matched {
        /// The first selector that matches.
        selector: usize,
    },
    /// Its action fits, but not everything is met.
    NearlyMatched {
        /// The first condition that is not met, and why.
        reason: String,
    },
}

/// One condition of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionExplained {
    /// `selectors[0]`, `when`, `applications`, `for[0]`, `if[1]`.
    pub what: String,
    /// Whether it holds.
    pub truth: Truth,
    /// Whether that is enough: unknown is in a Deny policy, and is not in an Allow policy.
    pub is_met: bool,
    /// In plain words, with the values compared.
    pub why: String,
}

impl From<NamedCause<'_>> for CauseExplained {
    fn from(cause: NamedCause<'_>) -> Self {
        let policy = cause.policy.map(|policy| policy.id.to_string());
        Self { role: cause.role.to_string(), policy, selector: cause.selector }
    }
}
