//! The proofs of possession that were taken a short while ago, so that none is taken twice. It holds
//! a bounded number; when it is full, proofs are refused, never forgotten.

use crate::token::{PROOF_LIFE, ProofId};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::sync::Mutex;

/// The most proofs in one span of [`PROOF_LIFE`]; two spans are held.
const MOST: usize = 500_000;

/// The proofs of this span and the one before.
pub(super) struct Replays {
    most: usize,
    spans: Mutex<Spans>,
}

#[derive(Default)]
struct Spans {
    began: Timestamp,
    this: HashSet<ProofId>,
    before: HashSet<ProofId>,
}

/// Why a proof must not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It was taken before.
    Used,
    /// Whether it was cannot be remembered.
    Full,
}

impl Default for Replays {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Replays {
    fn of(most: usize) -> Self {
        Self { most, spans: Mutex::default() }
    }

    /// Takes a proof that was found good at `now`.
    pub(super) fn take(&self, id: ProofId, now: Timestamp) -> Result<(), Unusable> {
        // A thread that broke off inside left nothing half done, but nobody can be sure of that.
        let mut spans = self.spans.lock().map_err(|_| Unusable::Full)?;
        spans.turn(now);
        if spans.before.contains(&id) || spans.this.contains(&id) {
            return Err(Unusable::Used);
        }
        if spans.this.len() >= self.most {
            return Err(Unusable::Full);
        }
        spans.this.insert(id);
        Ok(())
    }
}

impl Spans {
    /// Forgets what is older than any proof may be. A clock that goes back makes nothing be forgotten.
    fn turn(&mut self, now: Timestamp) {
        let age = now.duration_since(self.began);
        let life = SignedDuration::try_from(PROOF_LIFE).unwrap_or(SignedDuration::MAX);
        if age < life {
            return;
        }
        let is_long_ago = age >= life.saturating_mul(2);
        let last = std::mem::take(&mut self.this);
        self.before = if is_long_ago { HashSet::new() } else { last };
        self.began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::forge::proof_id;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_proof_is_taken_once_as_long_as_it_can_be_good() {
        let replays = Replays::default();
        assert_eq!(replays.take(proof_id(1), at(0)), Ok(()));
        assert_eq!(replays.take(proof_id(2), at(80)), Ok(()));
        for second in [0, 50, 89] {
            assert_eq!(replays.take(proof_id(1), at(second)), Err(Unusable::Used), "{second}");
        }
        for second in [90, 120, 169] {
            assert_eq!(replays.take(proof_id(2), at(second)), Err(Unusable::Used), "{second}");
        }
        assert_eq!(replays.take(proof_id(2), at(400)), Ok(()));
    }

    #[test]
    fn a_full_memory_refuses_and_forgets_nothing() {
        let replays = Replays::of(2);
        assert_eq!((replays.take(proof_id(1), at(0)), replays.take(proof_id(2), at(0))), (Ok(()), Ok(())));
        assert_eq!(replays.take(proof_id(3), at(1)), Err(Unusable::Full));
        assert_eq!(replays.take(proof_id(1), at(1)), Err(Unusable::Used));
        assert_eq!(replays.take(proof_id(3), at(90)), Ok(()));
        assert_eq!(replays.take(proof_id(1), at(90)), Err(Unusable::Used));
    }
}
