//! What a person should look at although the map is sound: findings for `check`.

use super::{Answering, ApiMap, Operation};

/// A finding: where, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The place of the operation, or of the policy in its snapshot.
    pub place: String,
    /// What it means.
    pub message: String,
}

pub(super) fn findings(map: &ApiMap) -> Vec<Finding> {
    map.operations.iter().filter_map(|operation| Some(Finding { place: operation.place.clone(), message: finding(operation)? })).collect()
}

fn finding(operation: &Operation) -> Option<String> {
    let route = format!("{} {}", operation.method, operation.template);
    let writes = !operation.reads() && operation.targets.is_empty() && operation.body.is_empty();
    let is_served = !matches!(operation.answering, Answering::Refused | Answering::Anonymous);
    if is_served && writes && matches!(operation.method.as_ref(), "PUT" | "PATCH" | "DELETE") {
        return Some(format!("`{route}` writes, but nothing is asked of what it writes; bind `targets` or `body`"));
    }
    if operation.answering == Answering::Anonymous && !(operation.targets.is_empty() && operation.body.is_empty()) {
        return Some(format!("`{route}` is anonymous, so its targets and body are never asked"));
    }
    None
}
