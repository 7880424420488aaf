//! The request target: refused or taken as it is, never normalised (threats §2).

use super::refusal::{Refusal, RefusalName};
use percent_encoding::percent_decode_str;

/// A target in origin form, cut at the first `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The raw path, beginning with `/`.
    pub(super) path: &'a str,
    /// The raw query, without its `?`.
    pub(super) query: Option<&'a str>,
    /// Whether the path holds `%2F`, which only a captured segment of an operation that says so may.
    pub(super) has_encoded_slash: bool,
}

/// Methods that are refused whatever the map says.
const REFUSED_METHODS: &[&str] = &["TRACE", "CONNECT"];

/// Reads a target that is at most `limit` bytes long.
///
/// # Errors
/// 414 for a longer one, 400 for one that is not plainly what it seems.
pub(super) fn read(target: &str, limit: usize) -> Result<Target<'_>, Refusal> {
    if target.len() > limit {
        let detail = "The request target is longer than this service accepts.";
        return Err(Refusal::new(RefusalName::TargetTooLong, detail, format!("target of {} bytes, limit {limit}", target.len())));
    }
    if !target.starts_with('/') {
        return Err(refuse("the target does not begin with `/`"));
    }
    if let Some(byte) = target.bytes().find(|byte| !(0x21..=0x7E).contains(byte) || *byte == b'#') {
        return Err(refuse(&format!("the target holds the byte 0x{byte:02x}")));
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    check_path(path)?;
    if !is_well_encoded(query.unwrap_or_default()) {
        return Err(refuse("the query holds a malformed percent-encoding"));
    }
    Ok(Target { path, query, has_encoded_slash: has_encoded_slash(path) })
}

/// Refuses methods that no API map may serve (threats §2).
///
/// # Errors
/// 400 for TRACE and CONNECT.
pub(super) fn check_method(method: &str) -> Result<(), Refusal> {
    if REFUSED_METHODS.contains(&method) {
        return Err(refuse(&format!("the method is {method}")));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), Refusal> {
    if path.len() > 1 && path.contains("//") {
        return Err(refuse("the path holds an empty segment"));
    }
    if path.split('/').any(is_dots) {
        return Err(refuse("the path holds a dot segment"));
    }
    if path.contains(['\\', ';']) {
        return Err(refuse("the path holds a backslash or a semicolon"));
    }
    if path.contains('%') { check_escapes(path) } else { Ok(()) }
}

fn check_escapes(path: &str) -> Result<(), Refusal> {
    if !is_well_encoded(path) {
        return Err(refuse("the path holds a malformed percent-encoding"));
    }
    // Where an escaped slash is admitted, an upstream that decodes it would find these segments.
    if has_encoded_slash(path) && path.to_ascii_lowercase().replace("%2f", "/").split('/').skip(1).any(|segment| segment.is_empty() || is_dots(segment)) {
        return Err(refuse("the path holds an empty or dot segment beside an escaped slash"));
    }
    if ["%2e", "%5c"].iter().any(|escape| contains_ignoring_case(path, escape)) {
        return Err(refuse("the path holds an escaped dot or backslash"));
    }
    if percent_decode_str(path).any(|byte| byte < 0x20 || byte == 0x7F) {
        return Err(refuse("the path holds an escaped control byte"));
    }
    percent_decode_str(path).decode_utf8().map(|_| ()).map_err(|_| refuse("the path is not percent-encoded utf-8"))
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

fn has_encoded_slash(path: &str) -> bool {
    contains_ignoring_case(path, "%2f")
}

/// Whether every `%` is followed by two hexadecimal digits.
fn is_well_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_escape = byte == b'%';
        if is_escape && !(bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit()) && bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit())) {
            return false;
        }
    }
    true
}

fn contains_ignoring_case(text: &str, escape: &str) -> bool {
    text.as_bytes().windows(escape.len()).any(|window| window.eq_ignore_ascii_case(escape.as_bytes()))
}

fn refuse(reason: &str) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request target is not acceptable.", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(target: &str) -> Option<RefusalName> {
        read(target, 64).err().map(|refusal| refusal.name)
    }

    #[test]
    fn plain_targets_are_taken_as_they_are() {
        let target = read("/api/a%20b/c?x=%2e&y=/../", 64).unwrap();
        assert_eq!((target.path, target.query, target.has_encoded_slash), ("/api/a%20b/c", Some("x=%2e&y=/../"), false));
        assert!(read("/", 64).is_ok());
        assert!(read("/a%2Fb", 64).unwrap().has_encoded_slash);
    }

    #[test]
    fn odd_targets_are_refused() {
        let odd = [
            "",
            "b",
            "?x=/b",
            "*",
            "http://h/p",
            "//a",
            "/a//b",
            "/a/../b",
            "/a/.",
            "/%2e/a",
            "/%2E%2e",
            "/a\\b",
            "/a%5Cb",
            "/a/..%2fb",
            "/a/..%2F..%2fb",
            "/a%2f..",
            "/a%2f./b",
            "/.%2fa",
            "/a%2f%2fb",
            "/a/%2fb",
            "/a%2f/b",
            "/a%2f",
            "/a;b",
            "/a%00",
            "/a%1f",
            "/a%7f",
            "/a#b",
            "/a b",
            "/a\tb",
            "/100%",
            "/%4",
            "/%zz",
            "/a?x=%",
            "/%ff",
            "/%c0%af",
            "/ä",
        ];
        for target in odd {
            assert_eq!(name(target), Some(RefusalName::InvalidRequest), "{target:?}");
        }
    }

    mod on_any_text {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn what_is_taken_is_what_came(text in "[/a.%2eEfF05cC;?#\\\\ä\t ]{0,24}") {
                if let Ok(target) = read(&text, 64) {
                    let query = target.query.map(|query| format!("?{query}")).unwrap_or_default();
                    prop_assert_eq!(format!("{}{query}", target.path), text.as_str());
                    prop_assert!(!target.path.split('/').any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")));
                }
            }
        }
    }

    #[test]
    fn long_targets_have_a_refusal_of_their_own() {
        assert_eq!(name(&format!("/{}", "a".repeat(64))), Some(RefusalName::TargetTooLong));
    }
}
