//! The route of a path by trying every operation: segment by segment, the one with a literal at the
//! first difference wins.

use crate::api_map::{ApiMap, Operation};
use crate::escapes;

/// The operation for a method and a raw path, by its index.
pub fn find(map: &ApiMap, method: &str, path: &str) -> Option<usize> {
    let own = best(map, method, path);
    if own.is_none() && method == "HEAD" { best(map, "GET", path) } else { own }
}

fn best(map: &ApiMap, method: &str, path: &str) -> Option<usize> {
    let operations = map.operations().iter().enumerate();
    let matching = operations.filter(|(_, operation)| &*operation.method == method && matches(&operation.template, path));
    // A literal sorts before a template, at the first segment in which two differ.
    matching.min_by_key(|(_, operation)| segments(&operation.template).map(is_template).collect::<Vec<_>>()).map(|(index, _)| index)
}

fn matches(template: &str, path: &str) -> bool {
    let same = |(template, segment): (&str, &str)| if is_template(template) { !segment.is_empty() } else { template == segment };
    path.starts_with('/') && segments(template).count() == segments(path).count() && segments(template).zip(segments(path)).all(same)
}

/// The captured segments as the upstream reads them; `None` where one is not percent-encoded UTF-8.
pub fn captures(operation: &Operation, path: &str) -> Option<Vec<String>> {
    let captured = segments(&operation.template).zip(segments(path)).filter(|(template, _)| is_template(template));
    captured.map(|(_, segment)| escapes::decode_text(segment)).collect()
}

pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

pub fn is_template(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}
