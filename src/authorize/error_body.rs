//! Answers outside 2xx of a filtered operation: the body is kept only if it is a JSON object,
//! reduced to the members of a problem document (semantics §9 "Other statuses").

use crate::json_filter::{Document, Limits};

/// The members that stay.
const MEMBERS: &[&str] = &["name", "code", "type", "title", "status", "detail", "instance", "errorDetails", "errors"];

/// The reduced body; empty when there is no JSON object.
pub(super) fn reduce(body: &[u8], limits: Limits) -> Vec<u8> {
    let Ok(document) = Document::parse(body, limits) else { return Vec::new() };
    let root = document.root();
    if !root.is_object() {
        return Vec::new();
    }
    let mut reduced = vec![b'{'];
    for (name, value) in root.members().filter(|(name, _)| MEMBERS.contains(&name.as_ref())) {
        if reduced.len() > 1 {
            reduced.push(b',');
        }
        reduced.push(b'"');
        reduced.extend_from_slice(name.as_bytes());
        reduced.extend_from_slice(b"\":");
        reduced.extend_from_slice(value.raw());
    }
    reduced.push(b'}');
    reduced
}
