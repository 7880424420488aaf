//! Access metadata of things, as the snapshot and bodies carry it.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::super::metadata::Metadata;
use super::json::{Name, Tree};
use super::problems::Place;
use super::reading::{Cursor, Findings};

/// Values of any kind in one value of a body's metadata, which has a text and a provider.
const MOST_IN_VALUE: usize = 1000;

/// The access metadata of one thing, in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessMetadata {
    /// Compared without case.
    pub entity: Arc<str>,
    /// Part names (without case) and values (exact).
    pub id: Box<[(Arc<str>, Box<str>)]>,
    /// Possibly empty: known to have none.
    pub metadata: Metadata,
}

impl AccessMetadata {
    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let entity = cursor.required("entity").and_then(|entity| entity.word());
        let id = cursor.required("id").map(|id| {
            let parts = id.members().filter_map(|(name, value)| Some((value.findings.word(name), value.boxed()?)));
            parts.collect::<Box<[_]>>()
        });
        let metadata = cursor.required("metadata").map(read);
        let access = Self { entity: entity?, id: id?, metadata: metadata? };
        let mut seen = HashSet::with_hasher(FixedState::default());
        for (name, _) in access.id.iter().filter(|(name, _)| !seen.insert(name.to_ascii_lowercase())) {
            cursor.problem_at("id", format!("has the part `{name}` twice but for case; keep one of the two"));
        }
        Some(access)
    }
}

/// A bare map of key → values; none if anything about it is unexpected. It comes with bodies of any size, so no
/// more of it is a tree than one value, and of values that say nothing one is kept.
pub(in super::super) fn read_metadata(json: &[u8]) -> Option<Metadata> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let entries = deserializer.deserialize_map(Entries).ok()?;
    deserializer.end().ok()?;
    let mut names = HashSet::with_capacity_and_hasher(entries.len(), FixedState::default());
    let is_plain = entries.iter().all(|(name, _)| names.insert(name.as_ref()));
    is_plain.then(|| entries.into_iter().collect())
}

/// The values of a key; none for a null one.
type Values = Vec<Option<Box<str>>>;

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(Cow<'de, str>, Values)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of keys to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Name(name)) = access.next_key()? {
            entries.push((name, access.next_value_seed(List)?));
        }
        Ok(entries)
    }
}

/// The list of a key's values, or null for none.
struct List;

impl<'de> DeserializeSeed<'de> for List {
    type Value = Values;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Values, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_unit<E>(self) -> Result<Values, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Values, A::Error> {
        let (mut values, mut has_null) = (Vec::new(), false);
        loop {
            let left = Cell::new(MOST_IN_VALUE);
            let Some(node) = access.next_element_seed(Tree { most: MOST_IN_VALUE, left: &left })? else { return Ok(values) };
            let findings = Findings::default();
            findings.check_duplicates(&node, Place::ROOT);
            let value = read_value(Cursor::new(&node, Place::ROOT, &findings));
            if !findings.is_clean() {
                return Err(A::Error::custom("a value is not what it should be"));
            }
            if value.is_some() || !has_null {
                has_null |= value.is_none();
                values.push(value);
            }
        }
    }
}

fn read(cursor: Cursor<'_>) -> Metadata {
    let entries = cursor.members().map(|(key, values)| (key, if values.is_null() { Vec::new() } else { values.items().map(read_value).collect() }));
    entries.collect()
}

fn read_value(item: Cursor<'_>) -> Option<Box<str>> {
    item.expect_object();
    item.member("value").and_then(|value| value.boxed())
}
