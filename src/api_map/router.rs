//! Routing: a segment trie per method, literal before template, on the raw path (interfaces §3).

use super::operation::Operation;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::HashMap;

/// The operation of a call with its captured segments, decoded once.
#[derive(Debug)]
pub struct Match<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// Its index in the map.
    pub index: usize,
    /// The captured segments in the order of the template.
    pub captures: Vec<Box<str>>,
}

/// Why a path that matches is refused all the same: 400 (threats §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A captured segment is not percent-encoded UTF-8.
    #[error("a captured segment is not percent-encoded utf-8")]
    Encoding,
    /// A captured segment holds `%2F` and the operation does not admit it.
    #[error("a captured segment holds an escaped slash, which this operation does not admit")]
    EncodedSlash,
}

#[derive(Debug, Default)]
pub(super) struct Router {
    methods: HashMap<Box<str>, Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node, foldhash::fast::RandomState>,
    template: Option<Box<Node>>,
    operation: Option<usize>,
}

impl Router {
    /// Adds an operation; gives back the index of the one that no request could tell from it.
    pub(super) fn insert(&mut self, operation: &Operation, index: usize) -> Option<usize> {
        let mut node = self.methods.entry(operation.method.clone()).or_default();
        for segment in segments(&operation.template) {
            node = if is_template(segment) { node.template.get_or_insert_default() } else { node.literals.entry(segment.into()).or_default() };
        }
        if node.operation.is_some() {
            return node.operation;
        }
        node.operation = Some(index);
        None
    }

    pub(super) fn find<'a>(&self, operations: &'a [Operation], method: &str, path: &str) -> Result<Option<Match<'a>>, PathError> {
        let own = self.methods.get(method).and_then(|root| root.find(path));
        let found = match own {
            None if method == "HEAD" => self.methods.get("GET").and_then(|root| root.find(path)),
            found => found,
        };
        let Some((index, operation)) = found.and_then(|index| Some((index, operations.get(index)?))) else {
            return Ok(None);
        };
        let captures = segments(&operation.template)
            .zip(segments(path))
            .filter(|(template, _)| is_template(template))
            .map(|(_, segment)| decode(segment, operation.encoded_slash))
            .collect::<Result<_, _>>()?;
        Ok(Some(Match { operation, index, captures }))
    }
}

impl Node {
    fn find(&self, path: &str) -> Option<usize> {
        self.walk(path.strip_prefix('/')?)
    }

    /// Depth is bounded by the deepest template of the map, never by the path.
    fn walk(&self, rest: &str) -> Option<usize> {
        let (segment, behind) = match rest.split_once('/') {
            Some((segment, behind)) => (segment, Some(behind)),
            None => (rest, None),
        };
        let step = |node: &Self| match behind {
            Some(behind) => node.walk(behind),
            None => node.operation,
        };
        let literal = self.literals.get(segment).and_then(step);
        if literal.is_some() || segment.is_empty() {
            return literal;
        }
        self.template.as_deref().and_then(step)
    }
}

/// The segments of an absolute path.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// Whether a segment of a template is `{name}`.
pub(super) fn is_template(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

fn decode(segment: &str, encoded_slash: bool) -> Result<Box<str>, PathError> {
    if !segment.contains('%') {
        return Ok(segment.into());
    }
    let decoded: Cow<'_, str> = percent_decode_str(segment).decode_utf8().map_err(|_| PathError::Encoding)?;
    if !encoded_slash && decoded.contains('/') {
        return Err(PathError::EncodedSlash);
    }
    Ok(decoded.into())
}
