//! Decision ids: 128 random bits each, from a generator per thread that is seeded by the system
//! once. They name calls and are no secrets; making one never blocks.

use crate::authorize::DecisionId;
use aws_lc_rs::rand;
use std::cell::Cell;

thread_local! {
    /// The generator of doors that do not live on threads of their own.
    static DRAWN: Option<Ids> = Ids::seed().map(Ids::new);
}

/// A thread's generator (xoshiro256++).
pub struct Ids {
    state: Cell<[u64; 4]>,
}

impl Ids {
    /// A seed from the system; `None` when it has none.
    #[must_use]
    pub fn seed() -> Option<[u64; 4]> {
        let mut words = [[0_u8; 8]; 4];
        for word in &mut words {
            rand::fill(word).ok()?;
        }
        let seed = words.map(u64::from_ne_bytes);
        (seed != [0; 4]).then_some(seed)
    }

    /// A generator that starts at this seed.
    #[must_use]
    pub fn new(seed: [u64; 4]) -> Self {
        Self { state: Cell::new(seed) }
    }

    /// The next id.
    #[must_use]
    pub fn next(&self) -> DecisionId {
        DecisionId((u128::from(self.draw()) << 64) | u128::from(self.draw()))
    }

    fn draw(&self) -> u64 {
        let [mut a, mut b, mut c, mut d] = self.state.get();
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= shifted;
        d = d.rotate_left(45);
        self.state.set([a, b, c, d]);
        drawn
    }
}

/// An id by this thread's generator; `None` while the system has no randomness for it.
#[must_use]
pub fn draw_id() -> Option<DecisionId> {
    DRAWN.with(|ids| ids.as_ref().map(Ids::next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_id_as_it_is_written() {
        let ids = Ids::new(Ids::seed().unwrap());
        for _ in 0..100 {
            let id = ids.next();
            assert_eq!(id.header_value().to_str().unwrap(), id.to_string());
        }
        assert_eq!(DecisionId(0).header_value().to_str().unwrap(), "0".repeat(32));
    }

    #[test]
    fn two_threads_share_no_ids() {
        let (one, other) = (Ids::new(Ids::seed().unwrap()), Ids::new(Ids::seed().unwrap()));
        let drawn: std::collections::HashSet<u128> = (0..1000).flat_map(|_| [one.next().0, other.next().0]).collect();
        assert_eq!(drawn.len(), 2000);
    }
}
