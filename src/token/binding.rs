//! What a token is bound to: its `cnf` claim (RFC 7800). Two kinds are known, and a `cnf` with
//! anything else in it makes the token unusable, for ignoring it would make it a bearer token.

use super::TokenError;
use super::compact::decode;
use super::strict_json::{Members, member, object, text};

/// What the sender of a token must show to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The private key whose public half has this SHA-256 thumbprint (`jkt`, RFC 9449 §6.1).
    Key([u8; 32]),
    /// The client certificate of the TLS connection, by its SHA-256 (`x5t#S256`, RFC 8705 §3.1).
    Certificate([u8; 32]),
}

/// The binding of a claim set; a claim set without `cnf` has none.
pub(super) fn read(members: &Members<'_>) -> Result<Option<Binding>, TokenError> {
    let Some(value) = member(members, "cnf") else { return Ok(None) };
    let unknown = || TokenError::claim("cnf", "binds the token in a way that is not known here");
    let inside = object(value.get()).ok_or_else(unknown)?;
    let [(name, value)] = inside.as_slice() else { return Err(unknown()) };
    let digest = text(value.get()).and_then(|encoded| decode(&encoded)).and_then(|bytes| bytes.try_into().ok());
    match (&**name, digest) {
        ("jkt", Some(digest)) => Ok(Some(Binding::Key(digest))),
        ("x5t#S256", Some(digest)) => Ok(Some(Binding::Certificate(digest))),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::forge::hash;
    use crate::token::strict_json::members;

    fn read_from(claims: &str) -> Result<Option<Binding>, TokenError> {
        read(&members(claims.as_bytes()).unwrap())
    }

    #[test]
    fn the_two_known_bindings_are_read() {
        let digest = hash(b"x");
        assert_eq!(read_from("{}"), Ok(None));
        assert!(matches!(read_from(&format!(r#"{{"cnf":{{"jkt":"{digest}"}}}}"#)), Ok(Some(Binding::Key(_)))));
        assert!(matches!(read_from(&format!(r#"{{"cnf":{{"x5t#S256":"{digest}"}}}}"#)), Ok(Some(Binding::Certificate(_)))));
    }

    #[test]
    fn any_other_binding_makes_the_token_unusable() {
        let digest = hash(b"x");
        for cnf in [
            "null".to_owned(),
            "{}".into(),
            "[]".into(),
            "\"x\"".into(),
            r#"{"jwk":{}}"#.into(),
            r#"{"kid":"a"}"#.into(),
            r#"{"jkt":"AAAA"}"#.into(),
            r#"{"jkt":7}"#.into(),
            format!(r#"{{"jkt":"{digest}="}}"#),
            format!(r#"{{"JKT":"{digest}"}}"#),
            format!(r#"{{"x5t":"{digest}"}}"#),
            format!(r#"{{"jkt":"{digest}","x5t#S256":"{digest}"}}"#),
            format!(r#"{{"jkt":"{digest}","other":1}}"#),
        ] {
            assert!(read_from(&format!(r#"{{"cnf":{cnf}}}"#)).is_err(), "{cnf}");
        }
    }
}
