//! An API map skeleton from an OpenAPI 3 document: every operation with its feature, each refused
//! until someone binds it.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// A skeleton, and what needs a hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skeleton {
    /// The map as YAML.
    pub yaml: String,
    /// Clashes, and places that a person must look at.
    pub notes: Vec<String>,
    /// How many operations it holds.
    pub operations: usize,
}

/// Why a document is no OpenAPI 3 document that could be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The document does not say `openapi: 3.…`.
    #[error("`openapi` must be a version 3 text such as `3.0.1`; convert older documents first")]
    Version,
    /// There is no `paths` map.
    #[error("`paths` must be a map from paths to operations")]
    Paths,
}

const METHODS: &[&str] = &["get", "head", "post", "put", "patch", "delete", "options"];

struct Found<'a> {
    method: String,
    path: &'a str,
    feature: String,
    summary: &'a str,
}

/// Writes the skeleton. `controllers` replaces the name of a tag in feature codes.
///
/// # Errors
/// When the document is not OpenAPI 3.
pub fn import(document: &Value, application: &str, controllers: &HashMap<String, String>) -> Result<Skeleton, ImportError> {
    if !document.get("openapi").and_then(Value::as_str).is_some_and(|version| version.starts_with("3.")) {
        return Err(ImportError::Version);
    }
    let paths = document.get("paths").and_then(Value::as_object).ok_or(ImportError::Paths)?;
    let mut notes = Vec::new();
    let mut found = Vec::new();
    for (path, item) in paths {
        match item.as_object() {
            Some(item) => read_path(path, item, controllers, &mut found, &mut notes),
            None => notes.push(format!("paths.{path}: is no map of operations; left out")),
        }
    }
    note_clashes(&found, &mut notes);
    Ok(Skeleton { yaml: write(application, &found), operations: found.len(), notes })
}

fn read_path<'a>(path: &'a str, item: &'a Map<String, Value>, controllers: &HashMap<String, String>, found: &mut Vec<Found<'a>>, notes: &mut Vec<String>) {
    if path.split('/').any(|segment| segment.contains(['{', '}']) && !(segment.starts_with('{') && segment.ends_with('}') && segment.matches('{').count() == 1))
    {
        notes.push(format!("paths.{path}: a segment mixes a template with text, which no map can match; left out"));
        return;
    }
    for (method, operation) in item.iter().filter(|(method, _)| METHODS.contains(&method.as_str())) {
        let place = format!("paths.{path}.{method}");
        let id = operation.get("operationId").and_then(Value::as_str).map_or_else(
            || {
                notes.push(format!("{place}: has no operationId; its feature is named after its route"));
                route_name(method, path)
            },
            str::to_owned,
        );
        let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or_else(|| {
            notes.push(format!("{place}: has no tag; its feature is named after the tag `none`"));
            "none"
        });
        let tag = controllers.get(tag).map_or(tag, String::as_str);
        found.push(Found {
            method: method.to_ascii_uppercase(),
            path,
            feature: feature_code(tag, &id),
            summary: operation.get("summary").and_then(Value::as_str).unwrap_or_default(),
        });
    }
}

/// What stands for an operationId: the method and the words of the path, joined by hyphens.
fn route_name(method: &str, path: &str) -> String {
    let words = path.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("-")
}

/// `api-<tag>-<operationId>` in lower case, without blanks.
fn feature_code(tag: &str, operation_id: &str) -> String {
    let squeeze = |text: &str| text.chars().filter(|character| !character.is_whitespace()).collect::<String>().to_lowercase();
    format!("api-{}-{}", squeeze(tag), squeeze(operation_id))
}

fn note_clashes(found: &[Found<'_>], notes: &mut Vec<String>) {
    let mut features: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut shapes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operation in found {
        let route = format!("{} {}", operation.method, operation.path);
        features.entry(&operation.feature).or_default().push(route.clone());
        let shape: Vec<&str> = operation.path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment }).collect();
        shapes.entry(format!("{} {}", operation.method, shape.join("/"))).or_default().push(route);
    }
    for (feature, routes) in features.into_iter().filter(|(_, routes)| routes.len() > 1) {
        notes.push(format!("the feature `{feature}` is that of {}; a right to one is a right to all", routes.join(", ")));
    }
    for routes in shapes.into_values().filter(|routes| routes.len() > 1) {
        notes.push(format!("no request can tell {} apart; keep one", routes.join(" from ")));
    }
}

fn write(application: &str, found: &[Found<'_>]) -> String {
    let mut yaml = format!("application: {}\nentities: {{}}\noperations:\n", quoted(application));
    for operation in found {
        if !operation.summary.is_empty() {
            let summary: String = operation.summary.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
            // Writing to a text cannot fail.
            let _ = writeln!(yaml, "  # {summary}");
        }
        let route = quoted(&format!("{} {}", operation.method, operation.path));
        let _ = writeln!(yaml, "  - {{ feature: {}, match: {route}, refused: true }}", quoted(&operation.feature));
    }
    yaml
}

/// A YAML text in double quotes, which JSON's escapes are.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operation_is_named_and_refused() {
        let document = json!({"openapi": "3.0.1", "paths": {
            "/api/portfolios/{scope}": {"get": {"tags": ["Portfolios"], "operationId": "ListPortfoliosForScope", "summary": "List\nthem"}, "parameters": []},
            "/api/x": {"post": {"tags": ["Application Metadata"], "operationId": "X"}, "get": {}},
        }});
        let controllers = HashMap::from([("Application Metadata".to_owned(), "Meta".to_owned())]);
        let skeleton = import(&document, "LUSID", &controllers).unwrap();
        assert_eq!(skeleton.operations, 3);
        assert!(skeleton.yaml.contains(r#"{ feature: "api-portfolios-listportfoliosforscope", match: "GET /api/portfolios/{scope}", refused: true }"#));
        assert!(skeleton.yaml.contains("api-meta-x") && skeleton.yaml.contains("api-none-get-api-x"));
        assert!(skeleton.notes.iter().any(|note| note.contains("has no operationId")));
        let value: Value = crate::cases::read_yaml(&skeleton.yaml).unwrap();
        assert_eq!(crate::api_map::ApiMap::load(&[("skeleton".to_owned(), value)]).unwrap().operations().len(), 3);
    }

    #[test]
    fn clashes_are_noted() {
        let document = json!({"openapi": "3.1.0", "paths": {
            "/a/{x}": {"get": {"tags": ["T"], "operationId": "One"}},
            "/a/{y}": {"get": {"tags": ["T"], "operationId": "One"}},
            "/a/{x}:go": {"get": {"tags": ["T"], "operationId": "Three"}},
        }});
        let notes = import(&document, "A", &HashMap::new()).unwrap().notes;
        assert_eq!(notes.len(), 3, "{notes:?}");
    }

    #[test]
    fn what_is_no_openapi_3_is_an_error() {
        assert_eq!(import(&json!({"swagger": "2.0"}), "A", &HashMap::new()), Err(ImportError::Version));
        assert_eq!(import(&json!({"openapi": "3.0.0"}), "A", &HashMap::new()), Err(ImportError::Paths));
    }
}
