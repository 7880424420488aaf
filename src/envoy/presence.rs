//! What one connection has under way: its open calls, and the bytes of messages that have not come whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A connection's counts; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    ended: AtomicUsize,
    bytes: AtomicUsize,
}

/// An open call; it has ended when this is dropped.
#[derive(Debug)]
pub(super) struct Open(Presence);

/// Bytes that are held for a message; given up on drop.
#[derive(Debug)]
pub(super) struct Held {
    presence: Presence,
    bytes: usize,
}

impl Presence {
    /// A call begins.
    pub(super) fn open(&self) -> Open {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    /// How many calls have ended; nothing while one is open.
    pub(super) fn ended(&self) -> Option<usize> {
        let ended = self.0.ended.load(Ordering::Relaxed);
        (self.0.begun.load(Ordering::Relaxed) == ended).then_some(ended)
    }

    /// Nothing is held yet.
    pub(super) fn held(&self) -> Held {
        Held { presence: self.clone(), bytes: 0 }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Held {
    /// What is held now.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds so many bytes from now on; says how many the whole connection holds.
    pub(super) fn set(&mut self, bytes: usize) -> usize {
        let all = &self.presence.0.bytes;
        let before = std::mem::replace(&mut self.bytes, bytes);
        let with_this = all.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        all.fetch_sub(before, Ordering::Relaxed);
        with_this.saturating_sub(before)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}
