//! How long to wait before the next attempt.

use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Pauses that double with every failure in a row, each shortened at random so that many do not ask at once.
#[derive(Debug, Default)]
pub struct BackOff {
    failures: u32,
}

impl BackOff {
    /// The pause after one more failure, never longer than `regular` (but at least a second is allowed).
    pub fn failed(&mut self, regular: Duration) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        jittered(doubled.min(regular.max(Duration::from_secs(1))).min(LONGEST_PAUSE))
    }

    /// The next pause is a first one again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// Between three quarters of `pause` and all of it.
pub(super) fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness the whole pause is as good.
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return pause;
    }
    pause.mul_f64(1.0 - f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_refreshes_of_many_are_spread() {
        let regular = Duration::from_secs(300);
        let pauses: std::collections::BTreeSet<_> = (0..100).map(|_| jittered(regular)).collect();
        assert!(pauses.len() > 50, "{pauses:?}");
        assert!(pauses.iter().all(|pause| (regular.mul_f64(0.74)..=regular).contains(pause)));
    }

    #[test]
    fn pauses_double_up_to_the_regular_one_and_start_again_after_a_success() {
        let mut back_off = BackOff::default();
        let regular = Duration::from_secs(2);
        for longest in [250, 500, 1000, 2000, 2000, 2000] {
            let pause = back_off.failed(regular).as_millis();
            assert!((longest * 3 / 4..=longest).contains(&pause), "{pause} of {longest}");
        }
        back_off.succeeded();
        assert!(back_off.failed(regular) <= FIRST_PAUSE);
        (0..100).for_each(|_| assert!(back_off.failed(Duration::MAX) <= LONGEST_PAUSE));
    }
}
