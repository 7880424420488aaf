//! The `Authorization` header.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a request shows as its bearer token.
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
/// blanks follow it. More than one header is malformed here; the framing check before
/// answers it with 400.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    match bearer_bytes(headers) {
        Some(token) => checked(token).map_or(Bearer::Malformed, Bearer::Token),
        None if headers.contains_key(AUTHORIZATION) => Bearer::Malformed,
        None => Bearer::Missing,
    }
}

/// What stands behind the scheme of the only `Authorization` header, its characters not looked at:
/// good for nothing but a comparison with a token that was.
#[must_use]
pub fn bearer_bytes(headers: &HeaderMap) -> Option<&[u8]> {
    of_scheme(headers, b"bearer")
}

/// The token of a request that shows it together with a proof that its sender has a key: the scheme
/// `DPoP` (RFC 9449 §7.1). Nothing where the header has another scheme or is malformed.
#[must_use]
pub fn possessed(headers: &HeaderMap) -> Option<&str> {
    of_scheme(headers, b"dpop").and_then(checked)
}

fn of_scheme<'a>(headers: &'a HeaderMap, scheme: &[u8]) -> Option<&'a [u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (named, rest) = value.as_bytes().split_at_checked(scheme.len())?;
    let token = rest.strip_prefix(b" ")?.trim_ascii_start();
    named.eq_ignore_ascii_case(scheme).then_some(token)
}

/// The token as a text of the characters that RFC 6750 §2.1 allows.
fn checked(token: &[u8]) -> Option<&str> {
    let body = token.len() - token.iter().rev().take_while(|byte| **byte == b'=').count();
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let is_token = body > 0 && token.iter().take(body).all(is_allowed);
    is_token.then(|| std::str::from_utf8(token).ok()).flatten()
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
        for value in ["Basic abc", "Bearer", "Bearer ", "abc", "Bearer a b", "Bearer a,b", "Bearerabc", "Bearer ==", "Bearer \u{e9}"] {
            assert_eq!(shown(&[value]), "malformed", "{value}");
        }
        assert_eq!(shown(&["Bearer a", "Bearer a"]), "malformed");
        assert_eq!(shown(&[]), "missing");
    }
}
