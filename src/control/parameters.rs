//! Query parameters: decoded once, names without case, one value each unless a list is asked for.

use super::problem::Problem;
use axum::extract::FromRequestParts;
use http::request::Parts;
use jiff::Timestamp;

/// The query of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Parameters {
    /// Reads a query in form style.
    ///
    /// # Errors
    /// 400 for an encoding that is not UTF-8.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            let decoded = percent_encoding::percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned);
            decoded.map_err(|_| Problem::invalid().field("", "The query is not UTF-8."))
        };
        let parts = query.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")));
        let pairs = parts.map(|(name, value)| Ok((decoded(name)?, decoded(value)?))).collect::<Result<_, Problem>>()?;
        Ok(Self { pairs })
    }

    /// All pairs, as they came.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Every value of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of that name; an empty one is none.
    ///
    /// # Errors
    /// 400 if it stands twice.
    pub(super) fn text<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Problem> {
        let mut values = self.all(name);
        let first = values.next().filter(|value| !value.is_empty());
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Problem::invalid().field(name, "The parameter stands more than once.")),
        }
    }

    /// A boolean, false where it is absent.
    ///
    /// # Errors
    /// 400 for anything but true and false, in any case.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name)? {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Problem::invalid().field(name, "The value is neither true nor false.")),
        }
    }

    /// A time.
    ///
    /// # Errors
    /// 400 for what is no RFC 3339 date.
    pub(super) fn instant(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        // A plus sign that was not encoded came as a blank.
        let text = text.replace(' ', "+");
        let instant = text.parse::<Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
        instant.map(Some).map_err(|_| Problem::invalid().field(name, "The value is no date; write it like 2026-01-31T12:00:00Z."))
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(super) fn number(&self, name: &str, bounds: std::ops::RangeInclusive<u32>) -> Result<Option<u32>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse::<u32>().ok().filter(|number| bounds.contains(number));
        let message = || format!("The value is no whole number from {} to {}.", bounds.start(), bounds.end());
        number.map(Some).ok_or_else(|| Problem::invalid().field(name, message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_values_are_decoded_once() {
        let query = Parameters::parse("SCOPE=a%2Bb+c&includeRoles=True&id=1&id=2").unwrap();
        assert_eq!(query.text("scope").unwrap(), Some("a+b c"));
        assert!(query.flag("includeroles").unwrap());
        assert_eq!(query.all("id").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.text("id").unwrap_err().status(), 400);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let query = Parameters::parse("a=maybe&b=32&c=yesterday&d=%ff").unwrap_err();
        assert_eq!(query.status(), 400);
        let query = Parameters::parse("a=maybe&b=32&c=yesterday").unwrap();
        assert_eq!(query.flag("a").unwrap_err().errors().keys().collect::<Vec<_>>(), ["a"]);
        assert!(query.number("b", 1..=31).is_err());
        assert!(query.instant("c").is_err());
        assert!(Parameters::parse("c=2026-01-31T12:00:00+01:00").unwrap().instant("c").unwrap().is_some());
    }
}
