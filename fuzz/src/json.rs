//! JSON read by serde_json, against which the project's own readers are held.

use crate::json_filter::{Document, Limits, Node};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::HashSet;

/// More than any input of a target is deep.
pub const DEEP: Limits = Limits { item_bytes: 1 << 20, depth: 1 << 20 };

/// Whether it is one JSON text in UTF-8.
pub fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Whether an object in the document has a member twice; names are compared decoded.
pub fn has_twins(bytes: &[u8]) -> bool {
    let Ok(document) = Document::parse(bytes, DEEP) else { return false };
    twins(document.root())
}

fn twins(node: Node<'_>) -> bool {
    let mut names = HashSet::new();
    node.members().any(|(name, _)| !names.insert(name)) || node.members().any(|(_, inside)| twins(inside)) || node.elements().any(twins)
}

/// Whether the node says what the value says.
pub fn is_same(node: Node<'_>, value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            // Of members of one name the last counts there.
            let read: Vec<_> = node.members().collect();
            let last = |name: &str| read.iter().rev().find(|(own, _)| own == name);
            node.is_object() && members.iter().all(|(name, value)| last(name).is_some_and(|(_, node)| is_same(*node, value)))
        }
        Value::Array(elements) => {
            let read: Vec<_> = node.elements().collect();
            node.is_array() && read.len() == elements.len() && read.iter().zip(elements).all(|(node, value)| is_same(*node, value))
        }
        Value::String(text) => node.as_text().is_some_and(|read| read == *text),
        Value::Null => node.is_null(),
        Value::Bool(_) | Value::Number(_) => serde_json::from_slice::<Value>(node.raw()).is_ok_and(|read| read == *value),
    }
}
