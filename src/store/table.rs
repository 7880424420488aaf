//! All documents of one kind, in the order of their keys; a copy of it costs nothing.

use rpds::RedBlackTreeMapSync;
use std::ops::Bound;
use std::sync::Arc;

/// The documents of one kind.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: RedBlackTreeMapSync<Arc<str>, Arc<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: RedBlackTreeMapSync::new_sync() }
    }
}

impl<T> Table<T> {
    /// The document with that key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Arc<T>> {
        self.rows.get(key)
    }

    /// Whether there is one.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.rows.contains_key(key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.size()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Arc<T>)> {
        self.rows.iter().map(|(key, row)| (&**key, row))
    }

    /// All of them without their keys.
    pub fn values(&self) -> impl Iterator<Item = &Arc<T>> {
        self.rows.values()
    }

    /// Those whose keys begin so.
    pub fn beginning<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Arc<T>)> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.rows.range::<str, _>(from).map(|(key, row)| (&**key, row)).take_while(move |(key, _)| key.starts_with(prefix))
    }

    pub(super) fn put(&mut self, key: Arc<str>, row: Arc<T>) {
        self.rows.insert_mut(key, row);
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.rows.remove_mut(key);
    }
}
