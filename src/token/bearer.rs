//! The `Authorization` header.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a request shows as its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// No `Authorization` header.
    Missing,
    /// An `Authorization` header that is not one bearer token.
    Malformed,
    /// A bearer token, not yet looked at.
    Token(&'a str),
}

/// The bearer token of a request. The scheme is compared without regard to case (RFC 9110 §11.1);
/// one or more spaces follow it. More than one header is malformed here; the framing check before
/// answers it with 400.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Bearer::Missing };
    if values.next().is_some() {
        return Bearer::Malformed;
    }
    value.to_str().ok().and_then(credential).map_or(Bearer::Malformed, Bearer::Token)
}

fn credential(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token68(token)).then_some(token)
}

/// The characters that RFC 6750 §2.1 allows in a bearer token.
fn is_token68(token: &str) -> bool {
    let padding = token.trim_end_matches('=');
    !padding.is_empty() && padding.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        match bearer(&headers) {
            Bearer::Missing => "missing".into(),
            Bearer::Malformed => "malformed".into(),
            Bearer::Token(token) => token.into(),
        }
    }

    #[test]
    fn the_scheme_is_compared_without_regard_to_case() {
        assert_eq!(shown(&["Bearer abc"]), "abc");
        assert_eq!(shown(&["bEARER   a.b-c_~+/="]), "a.b-c_~+/=");
    }

    #[test]
    fn another_scheme_or_a_broken_header_is_malformed() {
        for value in ["Basic abc", "Bearer", "Bearer ", "abc", "Bearer a b", "Bearer a,b", "Bearerabc", "Bearer =="] {
            assert_eq!(shown(&[value]), "malformed", "{value}");
        }
        assert_eq!(shown(&["Bearer a", "Bearer a"]), "malformed");
        assert_eq!(shown(&[]), "missing");
    }
}
