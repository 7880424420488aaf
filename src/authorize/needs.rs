//! The metadata that a verdict still needs: each target once, in the order in which it was asked for, and no
//! more than a bound. A body can name as many things as it has bytes, and each would be a read of the upstream.

use super::refusal::{Refusal, RefusalName};
use std::collections::HashMap;

/// How many targets of metadata one call may need: as many as the largest batches name.
pub(super) const MOST: usize = 10_000;

/// Targets of metadata to be fetched.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Each with its place in the order.
    targets: HashMap<String, usize>,
    is_over: bool,
}

impl Needs {
    /// Adds a target.
    ///
    /// # Errors
    /// 413 when it is one too many.
    pub(super) fn add(&mut self, target: String) -> Result<(), Refusal> {
        let place = self.targets.len();
        if place < MOST || self.targets.contains_key(&target) {
            self.targets.entry(target).or_insert(place);
            return Ok(());
        }
        self.is_over = true;
        let detail = "The request names more things than this service looks up for one call.";
        Err(Refusal::new(RefusalName::BodyTooLarge, detail, format!("the call needs the metadata of more than {MOST} things")))
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
}
