//! Three-valued logic, and what was found out about a condition, in words.

use serde::Serialize;

use super::super::documents::Grant;

/// Whether a condition holds (semantics §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// An input that could not be obtained or read leaves it open.
    Unknown,
}

impl Truth {
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// Unknown fails closed: not met in an Allow policy, met in a Deny policy.
    pub(super) fn is_met(self, grant: Grant) -> bool {
        match self {
            Self::True => true,
            Self::False => false,
            Self::Unknown => grant == Grant::Deny,
        }
    }

    /// What is left to a later look stands in nobody's way: it holds in an Allow policy and does not in a Deny policy (semantics §9).
    pub(super) fn left_for_later(grant: Grant) -> Self {
        Self::of(grant == Grant::Allow)
    }

    pub(super) fn opposite(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    /// All of them: a known mismatch wins over an unknown.
    pub(super) fn all(truths: &[Self]) -> Self {
        if truths.contains(&Self::False) {
            Self::False
        } else if truths.contains(&Self::Unknown) {
            Self::Unknown
        } else {
            Self::True
        }
    }

    /// At least one of them: a known match wins over an unknown.
    pub(super) fn any(truths: &[Self]) -> Self {
        if truths.contains(&Self::True) {
            Self::True
        } else if truths.contains(&Self::Unknown) {
            Self::Unknown
        } else {
            Self::False
        }
    }
}

/// A truth with the reason for it.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) truth: Truth,
    pub(super) why: String,
}

impl Finding {
    pub(super) fn new(truth: Truth, why: impl Into<String>) -> Self {
        Self { truth, why: why.into() }
    }

    pub(super) fn of(holds: bool, why: impl Into<String>) -> Self {
        Self::new(Truth::of(holds), why)
    }

    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self::new(Truth::Unknown, why)
    }

    /// All of them; tells what decided: every one that fails, else every one that is unknown, else every one.
    pub(super) fn all(findings: Vec<Self>) -> Self {
        let truth = Truth::all(&truths(&findings));
        Self::new(truth, told(&findings, truth, " and "))
    }

    /// At least one of them; tells what decided in the same way.
    pub(super) fn any(findings: Vec<Self>) -> Self {
        let truth = Truth::any(&truths(&findings));
        Self::new(truth, told(&findings, truth, "; "))
    }
}

fn truths(findings: &[Finding]) -> Vec<Truth> {
    findings.iter().map(|finding| finding.truth).collect()
}

fn told(findings: &[Finding], truth: Truth, between: &str) -> String {
    let deciding: Vec<&str> = findings.iter().filter(|finding| finding.truth == truth).map(|finding| &*finding.why).collect();
    deciding.join(between)
}
