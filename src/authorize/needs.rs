//! The metadata that a verdict still needs: each target once, in the order in which it was asked for, and no
//! more than a bound. A body can name as many things as it has bytes, each would be a read of the upstream, and
//! each can be as long as the longest part of the target that they share.

use super::refusal::{Refusal, RefusalName};
use std::collections::HashMap;

/// How many targets of metadata one call may need: as many as the largest batches name.
pub(super) const MOST: usize = 10_000;
/// How long, in bytes, they may be together.
const KEPT_BYTES: usize = 4 << 20;
/// How long all that was asked for may be, one thing as often as it is named: so much is written to find out.
const ASKED_BYTES: usize = 64 << 20;

/// Targets of metadata to be fetched.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Each with its place in the order.
    targets: HashMap<String, usize>,
    kept_bytes: usize,
    asked_bytes: usize,
    is_over: bool,
}

impl Needs {
    /// Adds a target.
    ///
    /// # Errors
    /// 413 when it is one too many, or they are too long together.
    pub(super) fn add(&mut self, target: String) -> Result<(), Refusal> {
        let place = self.targets.len();
        self.asked_bytes = self.asked_bytes.saturating_add(target.len());
        let is_known = self.targets.contains_key(&target);
        let kept_bytes = if is_known { self.kept_bytes } else { self.kept_bytes.saturating_add(target.len()) };
        if (is_known || place < MOST) && kept_bytes <= KEPT_BYTES && self.asked_bytes <= ASKED_BYTES {
            self.kept_bytes = kept_bytes;
            self.targets.entry(target).or_insert(place);
            return Ok(());
        }
        self.is_over = true;
        let detail = "The request names more things than this service looks up for one call.";
        let reason = format!("the call needs the metadata of more than {MOST} things, or their names are too long together");
        Err(Refusal::new(RefusalName::BodyTooLarge, detail, reason))
    }

    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether more was needed than may be.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Forgets all but the first so many targets.
    pub(super) fn truncate(&mut self, length: usize) {
        self.targets.retain(|_, place| *place < length);
        self.is_over = false;
    }

    /// The targets in their order.
    pub(super) fn into_targets(self) -> Vec<String> {
        let mut targets: Vec<_> = self.targets.into_iter().collect();
        targets.sort_unstable_by_key(|(_, place)| *place);
        targets.into_iter().map(|(target, _)| target).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_needed_once_and_in_its_order() {
        let mut needs = Needs::default();
        for target in ["/b", "/a", "/b", "/c"] {
            needs.add(target.to_owned()).unwrap();
        }
        needs.truncate(2);
        needs.add("/d".to_owned()).unwrap();
        assert_eq!(needs.into_targets(), ["/b", "/a", "/d"]);
    }

    #[test]
    fn one_target_too_many_is_refused_and_a_known_one_is_not() {
        let mut needs = Needs::default();
        for number in 0..MOST {
            needs.add(number.to_string()).unwrap();
        }
        assert!(needs.add("0".to_owned()).is_ok() && !needs.is_over());
        assert_eq!(needs.add("more".to_owned()).map_err(|refusal| refusal.name), Err(RefusalName::BodyTooLarge));
        assert!(needs.is_over() && needs.len() == MOST);
    }

    #[test]
    fn long_targets_are_fewer_and_are_not_written_again_and_again() {
        let long = |number: usize| format!("/{number:0>8191}");
        let mut needs = Needs::default();
        for number in 0..KEPT_BYTES / 8192 {
            needs.add(long(number)).unwrap();
        }
        assert!(needs.add(long(KEPT_BYTES)).is_err() && needs.is_over());

        let mut needs = Needs::default();
        for number in 0..ASKED_BYTES / 8192 {
            needs.add(long(number % 2)).unwrap();
        }
        assert!(needs.add(long(0)).is_err() && needs.is_over());
    }
}
