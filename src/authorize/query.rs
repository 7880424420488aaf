//! Query parameters, decoded once, form style; names compare without case (interfaces §3).

use super::refusal::{Refusal, RefusalName};
use percent_encoding::percent_decode;

/// The parameters of a call, names in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    parameters: Vec<(Box<str>, Box<str>)>,
}

impl Query {
    /// Decodes a raw query.
    ///
    /// # Errors
    /// 400 when a name or value is not percent-encoded UTF-8.
    pub(super) fn read(raw: Option<&str>) -> Result<Self, Refusal> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        let mut parameters = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((decode(name)?.to_ascii_lowercase().into(), decode(value)?));
        }
        Ok(Self { parameters })
    }

    /// Every value of a parameter whose name, in lower case, is `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(known, _)| **known == *name).map(|(_, value)| value.as_ref())
    }

    /// The first value of a parameter.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| **known == *name).map(|(_, value)| value.as_ref())
    }

    /// Whether a parameter occurs more than once.
    pub(super) fn is_repeated(&self, name: &str) -> bool {
        self.parameters.len() > 1 && self.all(name).nth(1).is_some()
    }
}

fn decode(text: &str) -> Result<Box<str>, Refusal> {
    if !text.contains(['%', '+']) {
        return Ok(text.into());
    }
    let blanks: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    let decoded = percent_decode(&blanks).decode_utf8();
    let refuse = |_| Refusal::new(RefusalName::InvalidRequest, "The query is not percent-encoded UTF-8.", "a parameter is not percent-encoded utf-8");
    decoded.map(Into::into).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_values_are_decoded_once() {
        let query = Query::read(Some("Filter=a+b%2520&x&x=2&&=z")).unwrap();
        assert_eq!(query.first("filter"), Some("a b%20"));
        assert_eq!(query.all("x").collect::<Vec<_>>(), ["", "2"]);
        assert!(query.is_repeated("x") && !query.is_repeated("filter"));
    }

    #[test]
    fn a_value_that_is_no_utf_8_is_refused() {
        assert!(Query::read(Some("x=%ff")).is_err());
    }
}
