//! Secrets: a text that no `Debug`, log or error shows.

use super::reader::Section;
use std::fmt;
use toml::Value;

/// A secret. It is compared, cloned and handed on; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `{ file = "…" }` (one line break at its end is not part of it) or `{ env = "…" }`.
    pub(super) fn read(source: &Section<'_>) -> Option<Self> {
        let (file, variable) = (source.text("file"), source.text("env"));
        match (file, variable) {
            (Some(path), None) => match std::fs::read_to_string(&path) {
                Ok(text) => Self::require(source, "file", text.strip_suffix('\n').unwrap_or(&text)),
                Err(error) => {
                    source.problem("file", format!("`{path}` cannot be read: {error}, write the path of the secret"));
                    None
                }
            },
            (None, Some(name)) => match source.variable(&name) {
                Some(text) => Self::require(source, "env", &text),
                None => {
                    source.problem("env", format!("the variable `{name}` is not set, set it"));
                    None
                }
            },
            _ => {
                source.problem("file", "a secret has either `file` or `env`, write one of them");
                None
            }
        }
    }

    /// A secret that stands in the configuration itself. A wrong value is not repeated in the message.
    pub(super) fn plain(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some(text) if !text.is_empty() => Ok(Self(text.into())),
            _ => Err("is no secret, write `{ file = \"…\" }`, `{ env = \"…\" }` or a text".into()),
        }
    }

    fn require(source: &Section<'_>, key: &str, text: &str) -> Option<Self> {
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            source.problem(key, "the secret is empty, put it there");
            return None;
        }
        Some(Self(text.into()))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}
