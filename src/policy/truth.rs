//! Three-valued logic: what is known to hold, known not to hold, or unknown (semantics §1).
//!
//! It never resolves an unknown by itself; only a policy's grant does, in [`Truth::is_met`].

use super::documents::Grant;

/// Whether a condition holds; ordered so that `and` is the minimum and `or` the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Truth {
    /// Known not to hold.
    False,
    /// An input that it needs could not be obtained or read.
    Unknown,
    /// Known to hold.
    True,
}

impl Truth {
    /// Both hold; a known mismatch wins over an unknown.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// One of them holds; a known match wins over an unknown.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// All hold; stops at the first known mismatch.
    pub(super) fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::True;
        for truth in truths {
            result = result.and(truth);
            if result == Self::False {
                break;
            }
        }
        result
    }

    /// One holds; stops at the first known match.
    pub(super) fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::False;
        for truth in truths {
            result = result.or(truth);
            if result == Self::True {
                break;
            }
        }
        result
    }

    /// Whether a policy with this grant counts the condition as met: unknown fails closed.
    #[must_use]
    pub(super) fn is_met(self, grant: Grant) -> bool {
        match grant {
            Grant::Allow => self == Self::True,
            Grant::Deny => self != Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_mismatch_wins_over_an_unknown() {
        assert_eq!(Truth::Unknown.and(Truth::False), Truth::False);
        assert_eq!(Truth::all([Truth::True, Truth::Unknown]), Truth::Unknown);
        assert_eq!(Truth::any([Truth::Unknown, Truth::True]), Truth::True);
    }

    #[test]
    fn unknown_fails_closed() {
        assert!(!Truth::Unknown.is_met(Grant::Allow));
        assert!(Truth::Unknown.is_met(Grant::Deny));
    }
}
