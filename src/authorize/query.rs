//! Query parameters, decoded once, form style; names compare without case (interfaces §3).

use super::refusal::{Refusal, RefusalName};
use super::spellings;
use percent_encoding::percent_decode;

/// The parameters of a call, names in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    parameters: Vec<(Box<str>, Box<str>)>,
    /// Names that a reader would find who ends parameters at a `;`, too.
    behind_semicolons: Vec<Box<str>>,
}

impl Query {
    /// Decodes a raw query.
    ///
    /// # Errors
    /// 400 when a name or value is not percent-encoded UTF-8.
    pub(super) fn read(raw: Option<&str>) -> Result<Self, Refusal> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        let (mut parameters, mut behind_semicolons) = (Vec::new(), Vec::new());
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((decode(name)?.to_ascii_lowercase().into(), decode(value)?));
            for piece in pair.split(';').skip(1) {
                behind_semicolons.push(decode(piece.split('=').next().unwrap_or_default())?);
            }
        }
        Ok(Self { parameters, behind_semicolons })
    }

    /// Names that could be taken for others.
    pub(super) fn odd_names(&self) -> impl Iterator<Item = &str> {
        let odd = self.parameters.iter().map(|(name, _)| &**name).filter(|name| !spellings::is_plain(name));
        odd.chain(self.behind_semicolons.iter().map(AsRef::as_ref).filter(|name| !name.is_empty()))
    }

    /// Every text in which this parameter, or one that could be taken for it, may say something: its values,
    /// and names that are not plain.
    pub(super) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let counts = move |known: &str| known == name || (!spellings::is_plain(known) && spellings::is_taken_for(known, name));
        let parameters = self.parameters.iter().filter(move |(known, _)| counts(known));
        let of_pair = |(known, value): &'a (Box<str>, Box<str>)| [Some(&**value), Some(&**known).filter(|known| !spellings::is_plain(known))];
        parameters.flat_map(of_pair).flatten()
    }

    /// Whether a reader who ends parameters at a `;`, too, would find this one there.
    pub(super) fn is_behind_semicolon(&self, name: &str) -> bool {
        self.behind_semicolons.iter().any(|odd| spellings::is_taken_for(odd, name))
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
    fn what_could_be_taken_for_a_parameter_is_found() {
        let query = Query::read(Some("a=1;filter=2&sortBy[0]=3&Filter=4&f%69lter%5Bx%5D=5&[0]=6")).unwrap();
        assert_eq!(query.odd_names().collect::<Vec<_>>(), ["sortby[0]", "filter[x]", "[0]", "filter"]);
        assert_eq!(query.texts("filter").collect::<Vec<_>>(), ["4", "5", "filter[x]", "6", "[0]"]);
        assert!(query.is_behind_semicolon("filter") && !query.is_behind_semicolon("sortby"));
    }

    #[test]
    fn a_value_that_is_no_utf_8_is_refused() {
        assert!(Query::read(Some("x=%ff")).is_err());
    }
}
