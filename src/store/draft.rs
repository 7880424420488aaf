//! A change that is being made: a state of its own, and what it differs in.

use super::state::{Document, State};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it was, as JSON; `None` = it was not there.
    pub before: Option<String>,
    /// What it is, as JSON; `None` = it is gone.
    pub after: Option<String>,
    /// Whether the snapshot says something of it.
    pub is_published: bool,
    /// Whether its content is kept out of the audit log.
    pub is_secret: bool,
}

/// A draft: it is read like a [`State`], its own changes included, and dropped without a trace
/// unless the store commits it.
#[derive(Debug)]
pub struct Draft {
    state: State,
    now: Timestamp,
    changes: BTreeMap<(&'static str, String), Change>,
}

impl Deref for Draft {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl Draft {
    /// A draft on top of this state, made at that time.
    #[must_use]
    pub fn new(state: &State, now: Timestamp) -> Self {
        Self { state: state.clone(), now, changes: BTreeMap::new() }
    }

    /// When the change is made.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Writes a document, over the one with the same key if there is one.
    pub fn put<T: Document>(&mut self, document: T) {
        let key = document.key();
        let after = text(&document);
        let before = self.state.find::<T>(&key).map(|before| text(&**before));
        self.state.write(&key, Some(Arc::new(document)));
        self.note::<T>(key, before, Some(after));
    }

    /// Removes a document; whether it was there.
    pub fn remove<T: Document>(&mut self, key: &str) -> bool {
        let Some(before) = self.state.find::<T>(key).map(|before| text(&**before)) else { return false };
        self.state.write::<T>(key, None);
        self.note::<T>(key.to_owned(), Some(before), None);
        true
    }

    fn note<T: Document>(&mut self, key: String, before: Option<String>, after: Option<String>) {
        let place = self.changes.entry((T::KIND, key));
        let change = place.or_insert(Change { before, after: None, is_published: T::IS_PUBLISHED, is_secret: T::IS_SECRET });
        change.after = after;
    }

    /// Every document that is not what it was, by kind and key.
    pub fn changes(&self) -> impl Iterator<Item = (&'static str, &str, &Change)> {
        self.changes.iter().filter(|(_, change)| change.before != change.after).map(|((kind, key), change)| (*kind, &**key, change))
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// Whether the snapshot says something of what changed.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.changes().any(|(_, _, change)| change.is_published)
    }

    /// The state with the changes, under its new numbers.
    #[must_use]
    pub fn into_state(self, sequence: u64, revision: u64, revised_at: Option<Timestamp>) -> State {
        State { sequence, revision, revised_at, ..self.state }
    }
}

/// Every document is made of texts, numbers, lists and maps with textual keys: it always has a JSON text.
fn text<T: Document>(document: &T) -> String {
    serde_json::to_string(document).unwrap_or_default()
}
