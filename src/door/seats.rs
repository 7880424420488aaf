//! How many calls may be at work at once: one more is shed at once, before anything is read of it
//! or asked about it (interfaces §6, `Overloaded`). It never queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The seats of a door, shared by its threads; clones share them.
#[derive(Clone, Debug)]
pub struct Seats {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// A call's seat, from its head to the end of its answer; given up on drop.
#[derive(Debug)]
pub struct Seat(Arc<AtomicUsize>);

impl Seats {
    /// So many at once.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// A seat, unless all are taken.
    #[must_use]
    pub fn take(&self) -> Option<Seat> {
        let seat = Seat(Arc::clone(&self.taken));
        // Who finds none gives back, by the drop, what was taken for looking.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.most).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_free_again_when_its_call_has_ended_and_not_before() {
        let seats = Seats::new(2);
        let (first, _second) = (seats.take().unwrap(), seats.take().unwrap());
        for _ in 0..3 {
            assert!(seats.clone().take().is_none());
        }
        drop(first);
        assert!(seats.take().is_some());
    }
}
