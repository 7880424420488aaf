//! An explanation in lines for people.

use std::fmt::{self, Display, Formatter};

use super::super::OneLine;
use super::{CauseExplained, ConditionExplained, Explanation, Outcome, PolicyExplained, PolicyVerdict, RoleExplained, Truth};

/// Of the policies of a role that nearly matched, so many are told; the rest are counted.
const MOST_NEAR: usize = 20;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = if self.decision.granted { "granted" } else { "denied" };
        match &self.decision.by {
            Some(by) => writeln!(f, "{word} by {by}")?,
            None => writeln!(f, "{word}: no policy grants this")?,
        }
        if self.roles.is_empty() {
            writeln!(f, "the subject has no roles")?;
        }
        self.roles.iter().try_for_each(|role| write!(f, "{role}"))
    }
}

impl Display for CauseExplained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "role {}", OneLine(&self.role))?;
        match (self.policy.as_deref().map(OneLine), self.selector) {
            (Some(policy), Some(selector)) => write!(f, ", policy {policy}, selectors[{selector}]"),
            (Some(policy), None) => write!(f, ", policy {policy}"),
            (None, _) => f.write_str(", which is built in and grants everything"),
        }
    }
}

impl Display for RoleExplained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.order {
            Some(order) => write!(f, "{order}. ")?,
            None => f.write_str("-. ")?,
        }
        write!(f, "{} {}", if self.is_user_role { "user-role" } else { "role" }, OneLine(&self.role))?;
        if let Some(index) = self.hierarchy_index {
            write!(f, " (index {index})")?;
        }
        if let Some(why_not) = &self.why_not {
            return writeln!(f, " is not in force: {}", OneLine(why_not));
        }
        let verb = match (&self.outcome, self.is_reached) {
            (Outcome::DeniedBy(_), true) => "denies",
            (Outcome::DeniedBy(_), false) => "would deny, but is not reached",
            (Outcome::GrantedBy(_), true) => "grants",
            (Outcome::GrantedBy(_), false) => "would grant, but is not reached",
            (Outcome::PassedOver, true) => "is passed over",
            (Outcome::PassedOver, false) => "would be passed over, and is not reached",
        };
        writeln!(f, " {verb}")?;
        self.write_policies(f)
    }
}

impl RoleExplained {
    fn write_policies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (matched, near): (Vec<_>, Vec<_>) = self.policies.iter().partition(|policy| matches!(policy.verdict, PolicyVerdict::Matched { .. }));
        for policy in matched.into_iter().chain(near.iter().copied().take(MOST_NEAR)) {
            write!(f, "{policy}")?;
        }
        if let Some(rest) = near.len().checked_sub(MOST_NEAR).filter(|rest| *rest > 0) {
            writeln!(f, "   and {rest} more that nearly match")?;
        }
        match self.unrelated_policies {
            0 => Ok(()),
            1 => writeln!(f, "   and one policy for other actions"),
            count => writeln!(f, "   and {count} policies for other actions"),
        }
    }
}

impl Display for PolicyExplained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (grant, policy) = (self.grant, OneLine(&self.policy));
        match &self.verdict {
            PolicyVerdict::NearlyMatched { reason } => {
                writeln!(f, "   {grant} {policy} nearly matches; {}", OneLine(reason))
            }
            PolicyVerdict::Matched { .. } => {
                writeln!(f, "   {grant} {policy} matches")?;
                self.conditions.iter().try_for_each(|condition| writeln!(f, "      {condition}"))
            }
        }
    }
}

impl Display for ConditionExplained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = match self.truth {
            Truth::True => "holds",
            Truth::False => "does not hold",
            Truth::Unknown => "is unknown",
        };
        write!(f, "{} {word}: {}", self.what, OneLine(&self.why))
    }
}
