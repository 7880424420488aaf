//! What came of a call against what must: bodies as JSON, members in any order, number texts exactly.

use super::file::Expectation;
use crate::json_filter::{Document, Limits, Node};
use std::fmt::Write;

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the call went upstream; `None` where the door cannot tell.
    pub upstream_called: Option<bool>,
}

/// Every difference, as sentences; empty when all is as it must be.
#[must_use]
pub fn mismatches(expect: &Expectation, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    let shown = String::from_utf8_lossy(&reply.body);
    if let Some(status) = expect.status.filter(|status| *status != reply.status) {
        found.push(format!("status {status} expected, came {}", reply.status));
    }
    if let Some(text) = expect.body_text.as_ref().filter(|text| text.as_bytes() != reply.body) {
        found.push(format!("body expected byte for byte: {text}"));
    }
    if let Some(body) = expect.body.as_ref().filter(|body| !is_same_json(body.as_bytes(), &reply.body)) {
        found.push(format!("body expected: {body}"));
    }
    if let Some(error) = expect.error.as_ref().filter(|error| problem_name(&reply.body).as_deref() != Some(error.as_str())) {
        found.push(format!("error {error} expected"));
    }
    match (expect.upstream_called, reply.upstream_called) {
        (Some(true), Some(false)) => found.push("the upstream should have been called".to_owned()),
        (Some(false), Some(true)) => found.push("the upstream should not have been called".to_owned()),
        _ => {}
    }
    if !found.is_empty() {
        found.push(format!("came: {} {shown}", reply.status));
    }
    found
}

fn is_same_json(expected: &[u8], came: &[u8]) -> bool {
    let limits = Limits { item_bytes: usize::MAX, depth: 1024 };
    match (Document::parse(expected, limits), Document::parse(came, limits)) {
        (Ok(expected), Ok(came)) => canonical(expected.root()) == canonical(came.root()),
        _ => false,
    }
}

/// A text that two values share exactly when they are the same. Recursion is bounded by the depth
/// that the document was read with.
fn canonical(node: Node<'_>) -> String {
    let list = |parts: Vec<String>, open: char, close: char| format!("{open}{}{close}", parts.join(","));
    if node.is_object() {
        let mut parts: Vec<String> = node.members().map(|(name, value)| format!("{name:?}:{}", canonical(value))).collect();
        parts.sort();
        return list(parts, '{', '}');
    }
    if node.is_array() {
        return list(node.elements().map(canonical).collect(), '[', ']');
    }
    let mut text = String::new();
    match node.as_text().filter(|_| node.raw().first() == Some(&b'"')) {
        // Writing to a text cannot fail.
        Some(string) => _ = write!(text, "{string:?}"),
        None => text.push_str(&String::from_utf8_lossy(node.raw())),
    }
    text
}

fn problem_name(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(value.get("name")?.as_str()?.to_owned())
}
