//! Other spellings of a name that counts. An upstream, or a program before it, may read `X_Scope` as
//! `X-Scope`, `sortBy[0]` as `sortBy` and a form in the body as parameters (threats §2, §3): whoever could
//! be taken for a name that is bound, guarded or named by a policy, and is not it, is found here.

use super::query::Query;
use super::refusal::{Refusal, RefusalName};
use crate::api_map::Operation;
use crate::json_filter::fold_case;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// A byte of a header's name for a reader to whom `_`, `.` and `-` are the same.
pub(super) const fn fold_separator(byte: u8) -> u8 {
    if matches!(byte, b'_' | b'.') { b'-' } else { byte.to_ascii_lowercase() }
}

/// Whether these are two spellings of one header for such a reader.
pub(super) fn is_alias(one: &str, other: &str) -> bool {
    one.len() == other.len() && one != other && one.bytes().map(fold_separator).eq(other.bytes().map(fold_separator))
}

/// Refuses a header that could be taken for this one.
///
/// # Errors
/// 400 with the header's name.
pub(super) fn check_header(headers: &HeaderMap, name: &str) -> Result<(), Refusal> {
    match headers.keys().find(|key| is_alias(key.as_str(), name)) {
        Some(alias) => Err(refuse(format!("the header `{alias}` could be taken for `{name}`, which counts here"))),
        None => Ok(()),
    }
}

/// Refuses parameters that could be taken for those that an operation binds, and forms in the body beside
/// such parameters.
///
/// # Errors
/// 400 with the parameter's name.
pub(super) fn check_parameters(operation: &Operation, method: &str, query: &Query, headers: &HeaderMap) -> Result<(), Refusal> {
    // A body that is inspected is looked at itself.
    let may_not_have_a_form =
        operation.body.is_empty() && (operation.naming_parameters().next().is_some() || operation.reads() || matches!(method, "GET" | "HEAD" | "DELETE"));
    if may_not_have_a_form && let Some(form) = headers.get_all(CONTENT_TYPE).iter().find(|value| form(value).is_some()) {
        return Err(refuse(format!("a body of {form:?} could be taken for parameters, which count here")));
    }
    for parameter in query.odd_names() {
        if let Some(name) = operation.bound_parameters().find(|name| is_taken_for(parameter, name)) {
            return Err(refuse(format!("the parameter {parameter:?} could be taken for `{name}`, which counts here")));
        }
    }
    Ok(())
}

/// Whether a parameter's name is its own and only spelling.
pub(super) fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$' | b'~' | b'*'))
}

/// Whether an odd name could be taken for a plain one in lower case; an index alone, for any.
pub(super) fn is_taken_for(odd: &str, name: &str) -> bool {
    folded(odd) == name || is_index(odd)
}

fn is_index(name: &str) -> bool {
    let index = name.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    index.is_some_and(|(index, rest)| index.bytes().all(|byte| byte.is_ascii_alphanumeric()) && (rest.is_empty() || rest.starts_with(['[', '.'])))
}

/// What binders of lists and objects, and those that drop what cannot be seen, make of a parameter's name:
/// nothing behind a `[` or `.`, no blanks around it, no invisible characters, no case.
fn folded(name: &str) -> String {
    let name = name.split(['[', '.']).next().unwrap_or_default();
    let visible: String = name.chars().filter(|character| is_visible(*character)).map(fold_case).collect();
    visible.trim().to_owned()
}

fn is_visible(character: char) -> bool {
    !(character.is_control()
        || matches!(character, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'))
}

/// A form in a body, whose fields many readers mix with the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/x-www-form-urlencoded`.
    Fields,
    /// `multipart/…`.
    Parts,
}

/// The form that a body of this type is.
pub(super) fn form(content_type: &HeaderValue) -> Option<Form> {
    let named = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let media_type = named.trim_ascii().to_ascii_lowercase();
    match &*media_type {
        b"application/x-www-form-urlencoded" => Some(Form::Fields),
        other => other.starts_with(b"multipart/").then_some(Form::Parts),
    }
}

fn refuse(reason: String) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request could be read in two ways.", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_differ_in_their_separators_are_aliases() {
        for (one, other) in [("x_scope", "x-scope"), ("x.scope", "x-scope"), ("x-scope", "x_scope")] {
            assert!(is_alias(one, other), "{one} {other}");
        }
        for (one, other) in [("x-scope", "x-scope"), ("x-scopes", "x-scope"), ("xscope", "x-scope"), ("x-a", "x-b")] {
            assert!(!is_alias(one, other), "{one} {other}");
        }
    }

    #[test]
    fn names_are_folded_as_lenient_readers_fold_them() {
        for odd in ["sortBy[]", "sortby[0]", "SORTBY.0", " sortBy", "sortBy\0", "\u{feff}sortBy", "ſortBy", "sort\u{200b}By", "sortBy[a][b]"] {
            assert!(!is_plain(odd), "{odd:?}");
            assert_eq!(folded(odd), "sortby", "{odd:?}");
        }
        assert_eq!((folded("[0]"), folded("sort By")), (String::new(), "sort by".to_owned()));
        assert!(is_taken_for("[0]", "key") && is_taken_for("[]", "key") && is_taken_for("[0].x", "key") && !is_taken_for("[](){}", "key"));
        assert_eq!(folded("\u{212a}ey"), "key");
        for plain in ["sortBy", "sort_by", "$filter", "a-b", ""] {
            assert!(is_plain(plain), "{plain:?}");
        }
    }

    #[test]
    fn forms_are_known_by_their_types() {
        let known = |text: &str| form(&HeaderValue::try_from(text).unwrap());
        for fields in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-URLEncoded; charset=utf-8"] {
            assert_eq!(known(fields), Some(Form::Fields), "{fields}");
        }
        for parts in ["multipart/form-data; boundary=a", " multipart/mixed"] {
            assert_eq!(known(parts), Some(Form::Parts), "{parts}");
        }
        for other in ["application/json", "text/plain", "application/octet-stream", ""] {
            assert_eq!(known(other), None, "{other}");
        }
    }
}
