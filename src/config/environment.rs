//! The environment: `DOORWARD_SECTION__KEY` sets a key, and secrets may stand in any variable.

use super::reader::Shape;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

const PREFIX: &str = "DOORWARD_";

/// The variables of this process, those that are not UTF-8 left out.
#[must_use]
pub fn process_environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The variables, and which of them set keys.
#[derive(Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    /// The key's path → the variable's name.
    keys: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        let keys = variables.keys().filter_map(|name| Some((path(name)?, name.clone()))).collect();
        Self { variables, keys, used: RefCell::default() }
    }

    /// The value for the key at `path`, if a variable sets it.
    pub(super) fn take(&self, path: &str, shape: Shape) -> Option<Value> {
        let name = self.keys.get(path)?;
        self.used.borrow_mut().insert(name.clone());
        self.variables.get(name).map(|text| value(text, shape))
    }

    /// Whether a variable sets a key in the table at `path`.
    pub(super) fn has_below(&self, path: &str) -> bool {
        self.keys.keys().any(|key| key.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '['])))
    }

    /// The variable that sets the key at `path`.
    pub(super) fn origin(&self, path: &str) -> Option<&str> {
        self.keys.get(path).map(String::as_str)
    }

    /// A variable by its own name, for a secret.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.used.borrow_mut().insert(name.to_owned());
        self.variables.get(name).cloned()
    }

    /// The variables that look like keys and set none.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        let used = self.used.borrow().clone();
        self.keys.values().filter(move |name| !used.contains(*name)).map(String::as_str)
    }
}

/// The path of the key that a variable sets: `DOORWARD_ISSUERS__0__AUDIENCE` → `issuers[0].audience`.
fn path(name: &str) -> Option<String> {
    let parts = name.strip_prefix(PREFIX).filter(|rest| rest.contains("__"))?.split("__");
    let mut path = String::new();
    for part in parts {
        match part.parse::<u8>() {
            Ok(index) => path.push_str(&format!("[{index}]")),
            Err(_) if path.is_empty() => path.push_str(&part.to_ascii_lowercase()),
            Err(_) => path.push_str(&format!(".{}", part.to_ascii_lowercase())),
        }
    }
    Some(path)
}

/// A variable's text as the key wants it: lists also comma-separated, tables and arrays as TOML.
fn value(text: &str, shape: Shape) -> Value {
    let as_written = || Value::String(text.to_owned());
    let toml = || format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    match shape {
        Shape::Text => as_written(),
        Shape::Number => text.trim().parse().map_or_else(|_| as_written(), Value::Integer),
        Shape::List if text.trim_start().starts_with('[') => toml().unwrap_or_else(as_written),
        Shape::List => {
            let elements = text.split(',').map(str::trim).filter(|element| !element.is_empty());
            Value::Array(elements.map(|element| Value::String(element.to_owned())).collect())
        }
    }
}
