//! Where an id part comes from: `/pointer | path.name | query.name | header.name | key | 'literal'`.

use crate::json_filter::Pointer;

/// One place a value may come from (interfaces §3, `id` values).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A JSON pointer into the item.
    Item {
        /// The pointer.
        pointer: Pointer,
        /// Its index among the facts of the response rule; without meaning elsewhere.
        fact: usize,
    },
    /// A captured segment of the path, by its position among the captures.
    Path(usize),
    /// A query parameter, by its name in lower case.
    Query(Box<str>),
    /// A header, by its name in lower case.
    Header(Box<str>),
    /// The item's member name.
    Key,
    /// A text of the map itself.
    Literal(Box<str>),
}

/// One id part: its name and its sources, of which the first that is present counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The name of the id part, such as `scope`.
    pub part: Box<str>,
    /// The sources, in order.
    pub sources: Vec<Source>,
}

impl Source {
    /// Reads one alternative. `captures` are the template names of the path.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what would be right.
    pub(super) fn parse(text: &str, captures: &[Box<str>]) -> Result<Self, String> {
        if text == "key" {
            return Ok(Self::Key);
        }
        if text.starts_with('/') || text.is_empty() {
            return Pointer::parse(text).map(|pointer| Self::Item { pointer, fact: 0 }).map_err(|error| error.to_string());
        }
        if let Some(literal) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Ok(Self::Literal(literal.into()));
        }
        Self::parse_named(text, captures)
    }

    /// The name of the query parameter, if it is one.
    pub(super) fn parameter(&self) -> Option<&str> {
        match self {
            Self::Query(name) => Some(name),
            _ => None,
        }
    }

    fn parse_named(text: &str, captures: &[Box<str>]) -> Result<Self, String> {
        match text.split_once('.') {
            Some(("path", name)) => captures
                .iter()
                .position(|capture| capture.as_ref() == name)
                .map(Self::Path)
                .ok_or_else(|| format!("`{text}` names no template segment of the path; it has {}", list(captures))),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.to_ascii_lowercase().into())),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_ascii_lowercase().into())),
            _ => Err(format!("`{text}` is no source; write `/pointer`, `path.name`, `query.name`, `header.name`, `key` or `'literal'`")),
        }
    }

    /// Whether the value depends on the item, so that it is unknown before the item is seen.
    #[must_use]
    pub fn is_of_item(&self) -> bool {
        matches!(self, Self::Item { .. } | Self::Key)
    }
}

impl Binding {
    /// Reads `a | b | 'c'`, alternatives separated by a bar with blanks around it.
    ///
    /// # Errors
    /// A sentence about the first alternative that cannot be read.
    pub(super) fn parse(part: &str, text: &str, captures: &[Box<str>]) -> Result<Self, String> {
        let sources = alternatives(text).map(|alternative| Source::parse(alternative.trim(), captures)).collect::<Result<_, _>>()?;
        Ok(Self { part: part.into(), sources })
    }

    /// Looks at the same without a path at hand: a source `path.name` may be any segment.
    ///
    /// # Errors
    /// A sentence about the first other alternative that cannot be read.
    pub(super) fn check(part: &str, text: &str) -> Result<(), String> {
        let mut others = alternatives(text).map(str::trim).filter(|alternative| !alternative.starts_with("path."));
        others.try_for_each(|alternative| Self::parse(part, alternative, &[]).map(|_| ()))
    }

    /// Whether any source depends on the item.
    #[must_use]
    pub fn is_of_item(&self) -> bool {
        self.sources.iter().any(Source::is_of_item)
    }
}

/// The alternatives of a binding; a bar inside a literal separates nothing.
fn alternatives(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let is_separator = |at: &usize| text.get(..*at).is_some_and(|before| before.matches('\'').count() % 2 == 0);
        let at = text.match_indices(" | ").map(|(at, _)| at).find(is_separator);
        let (alternative, behind) = match at.and_then(|at| text.split_at_checked(at)) {
            Some((alternative, behind)) => (alternative, behind.strip_prefix(" | ")),
            None => (text, None),
        };
        rest = behind;
        Some(alternative)
    })
}

/// Lays a rule's bindings over its entity's, part by part.
pub(super) fn lay_over(base: &[Binding], over: &[Binding]) -> Vec<Binding> {
    let mut bindings = base.to_vec();
    for binding in over {
        match bindings.iter_mut().find(|known| known.part.eq_ignore_ascii_case(&binding.part)) {
            Some(known) => *known = binding.clone(),
            None => bindings.push(binding.clone()),
        }
    }
    bindings
}

fn list(names: &[Box<str>]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
