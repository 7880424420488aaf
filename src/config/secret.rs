//! Secrets: a text that no `Debug`, log or error shows.

use super::Problem;
use super::reader::Section;
use crate::http_client::without_userinfo;
use std::borrow::Cow;
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
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let found = Source::of(section)?.secret(section);
        found.map_err(|(key, message)| section.problem(key, message)).ok()
    }

    /// A secret that stands in the configuration itself. A wrong value is not repeated in the message.
    pub(super) fn plain(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some(text) if !text.is_empty() => Ok(Self(text.into())),
            _ => Err("is no secret, write `{ file = \"…\" }`, `{ env = \"…\" }` or a text".into()),
        }
    }
}

/// A secret that is needed in some cases only: where it cannot be had, that is a mistake for whoever needs it.
#[derive(Clone, Debug)]
pub struct LateSecret(Result<Secret, Problem>);

impl LateSecret {
    /// The secret.
    ///
    /// # Errors
    /// Where it was looked for, and what was wrong there.
    pub fn need(&self) -> Result<&Secret, &Problem> {
        self.0.as_ref()
    }

    /// As [`Secret::read`], but a secret that is not there is noted in the value.
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let found = Source::of(section)?.secret(section);
        Some(Self(found.map_err(|(key, message)| section.problem_of(key, message))))
    }

    /// As [`Secret::plain`].
    pub(super) fn plain(value: &Value) -> Result<Self, String> {
        Secret::plain(value).map(|secret| Self(Ok(secret)))
    }
}

/// Where a secret is.
enum Source {
    File(String),
    Variable(String),
}

impl Source {
    fn of(section: &Section<'_>) -> Option<Self> {
        match (section.text("file"), section.text("env")) {
            (Some(path), None) => Some(Self::File(path)),
            (None, Some(name)) => Some(Self::Variable(name)),
            _ => {
                section.problem("file", "a secret has either `file` or `env`, write one of them");
                None
            }
        }
    }

    /// The secret that is there, or the key that led nowhere with the reason.
    fn secret(&self, section: &Section<'_>) -> Result<Secret, (&'static str, String)> {
        match self {
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| ("file", format!("`{}` cannot be read: {error}, write the path of the secret", shown(path))))?;
                some_secret("file", text.strip_suffix('\n').unwrap_or(&text))
            }
            Self::Variable(name) => {
                let text = section.variable(name).ok_or_else(|| ("env", format!("the variable `{name}` is not set, set it")))?;
                some_secret("env", &text)
            }
        }
    }
}

/// A path as it is; of a URL, which is none, not its password.
fn shown(path: &str) -> Cow<'_, str> {
    if path.contains("://") { without_userinfo(path) } else { Cow::Borrowed(path) }
}

fn some_secret(key: &'static str, text: &str) -> Result<Secret, (&'static str, String)> {
    match text.strip_suffix('\r').unwrap_or(text) {
        "" => Err((key, "the secret is empty, put it there".to_owned())),
        text => Ok(Secret(text.into())),
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
