//! Access metadata of things, as the snapshot and bodies carry it.

use std::sync::Arc;

use super::super::metadata::Metadata;
use super::json::Node;
use super::problems::Place;
use super::reading::{Cursor, Findings};

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
        for (index, (name, _)) in access.id.iter().enumerate() {
            if access.id.iter().take(index).any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
                cursor.problem_at("id", format!("has the part `{name}` twice but for case; keep one of the two"));
            }
        }
        Some(access)
    }
}

/// A bare map of key → values; none if anything about it is unexpected.
pub(in super::super) fn read_metadata(json: &[u8]) -> Option<Metadata> {
    let node: Node<'_> = serde_json::from_slice(json).ok()?;
    let findings = Findings::default();
    findings.check_duplicates(&node, Place::ROOT);
    let metadata = read(Cursor::new(&node, Place::ROOT, &findings));
    findings.into_problems().is_empty().then_some(metadata)
}

fn read(cursor: Cursor<'_>) -> Metadata {
    let entries = cursor.members().map(|(key, values)| (key, if values.is_null() { Vec::new() } else { read_values(values) }));
    entries.collect()
}

fn read_values(values: Cursor<'_>) -> Vec<Option<Box<str>>> {
    let value = |item: Cursor<'_>| {
        item.expect_object();
        item.member("value").and_then(|value| value.boxed())
    };
    values.items().map(value).collect()
}
