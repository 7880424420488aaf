//! A walk over a document that collects every problem with its key path.

use super::MapProblem;
use serde_json::{Map, Value};

/// Collects problems while the document is read on.
pub(super) struct Problems<'a> {
    document: &'a str,
    pub(super) found: Vec<MapProblem>,
}

/// An object of the document, with its key path; remembers nothing, so unknown keys are asked for once.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) path: &'a str,
    members: &'a Map<String, Value>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(document: &'a str) -> Self {
        Self { document, found: Vec::new() }
    }

    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        self.found.push(MapProblem { document: self.document.to_owned(), path: path.to_owned(), message: message.into() });
    }

    /// The object at `path`, whose keys must all be among `known`.
    pub(super) fn object<'v>(&mut self, value: &'v Value, path: &'v str, known: &[&str]) -> Option<Object<'v>> {
        let Value::Object(members) = value else {
            self.add(path, format!("must be a map with keys among {}", known.join(", ")));
            return None;
        };
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.add(&place, format!("unknown key; known here are {}", known.join(", ")));
        }
        Some(Object { path, members })
    }

    /// A text member; a missing one is `None`, another type a problem.
    pub(super) fn text<'v>(&mut self, object: Object<'v>, key: &str) -> Option<&'v str> {
        match object.value(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.add(&object.at(key), "must be a text");
                None
            }
        }
    }

    /// A text member that must be there.
    pub(super) fn required_text<'v>(&mut self, object: Object<'v>, key: &str) -> Option<&'v str> {
        if object.value(key).is_none() {
            self.add(&object.at(key), "is missing");
        }
        self.text(object, key)
    }

    /// A member that is `true` or `false`; missing is `false`.
    pub(super) fn flag(&mut self, object: Object<'_>, key: &str) -> bool {
        match object.value(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.add(&object.at(key), "must be `true` or `false`");
                false
            }
        }
    }

    /// A list member; missing is empty.
    pub(super) fn list<'v>(&mut self, object: Object<'v>, key: &str) -> &'v [Value] {
        match object.value(key) {
            None => &[],
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.add(&object.at(key), "must be a list");
                &[]
            }
        }
    }

    /// A list of texts; missing is `None`.
    pub(super) fn texts<'v>(&mut self, object: Object<'v>, key: &str) -> Option<Vec<(String, &'v str)>> {
        object.value(key)?;
        let mut texts = Vec::new();
        for (index, value) in self.list(object, key).iter().enumerate() {
            let path = format!("{}[{index}]", object.at(key));
            match value {
                Value::String(text) => texts.push((path, text.as_str())),
                _ => self.add(&path, "must be a text"),
            }
        }
        Some(texts)
    }

    /// A map of texts, in its own order; missing is empty.
    pub(super) fn text_map<'v>(&mut self, object: Object<'v>, key: &str) -> Vec<(String, &'v str, &'v str)> {
        let mut texts = Vec::new();
        match object.value(key) {
            None => {}
            Some(Value::Object(members)) => {
                for (name, value) in members {
                    let path = format!("{}.{name}", object.at(key));
                    match value {
                        Value::String(text) => texts.push((path, name.as_str(), text.as_str())),
                        _ => self.add(&path, "must be a text"),
                    }
                }
            }
            Some(_) => self.add(&object.at(key), "must be a map of texts"),
        }
        texts
    }

    /// Keeps a result's value and turns its sentence into a problem at `path`.
    pub(super) fn keep<T>(&mut self, path: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(path, message)).ok()
    }
}

impl<'a> Object<'a> {
    /// The member, where a null is as good as absent.
    pub(super) fn value(self, key: &str) -> Option<&'a Value> {
        self.members.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn has(self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The key path of a member.
    pub(super) fn at(self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
