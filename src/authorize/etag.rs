//! Validators of filtered answers: an upstream's `ETag` becomes a weak one bound to the caller's
//! rights, and comes back only while they are the same (interfaces §6).

use http::HeaderValue;
use std::fmt::Write;

/// What our weak tags begin with: `W/"dw-<rights>-<s|w>-<the upstream's opaque tag>"`.
const PREFIX: &str = "W/\"dw-";

/// Binds an upstream's tag to rights; `None` when it is no tag.
pub(super) fn bind(tag: &HeaderValue, rights: u128) -> Option<HeaderValue> {
    let text = tag.to_str().ok()?.trim();
    let (strength, opaque) = match text.strip_prefix("W/") {
        Some(opaque) => ('w', opaque),
        None => ('s', text),
    };
    let opaque = opaque.strip_prefix('"')?.strip_suffix('"')?;
    HeaderValue::from_str(&format!("{PREFIX}{rights:032x}-{strength}-{opaque}\"")).ok()
}

/// The upstream's tags in a list of ours, of those that carry `rights`; `None` when none is left.
pub(super) fn unbind(list: &HeaderValue, rights: u128) -> Option<HeaderValue> {
    let text = list.to_str().ok()?;
    let expected = format!("{PREFIX}{rights:032x}-");
    let mut tags = String::new();
    for tag in split(text) {
        let Some((strength, opaque)) = tag.strip_prefix(expected.as_str()).and_then(|rest| rest.split_once('-')) else { continue };
        let weak = if strength == "w" { "W/" } else { "" };
        let separator = if tags.is_empty() { "" } else { ", " };
        write!(tags, "{separator}{weak}\"{opaque}").ok()?;
    }
    if tags.is_empty() { None } else { HeaderValue::from_str(&tags).ok() }
}

/// The tags of a list; a comma inside a tag does not end it.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', ',', '\t']);
        let opening = rest.find('"')?;
        let closing = rest.get(opening + 1..)?.find('"')? + opening + 1;
        let (tag, behind) = rest.split_at_checked(closing + 1)?;
        rest = behind;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_as_it_was_while_the_rights_are_the_same() {
        for original in ["\"a-b,c\"", "W/\"x\"", "\"\""] {
            let bound = bind(&HeaderValue::from_str(original).unwrap(), 7).unwrap();
            assert!(bound.to_str().unwrap().starts_with("W/\""));
            assert_eq!(unbind(&bound, 7).unwrap(), original);
            assert_eq!(unbind(&bound, 8), None);
        }
    }

    #[test]
    fn foreign_tags_are_left_out_of_a_list() {
        let ours = bind(&HeaderValue::from_static("\"a\""), 7).unwrap();
        let list = format!("\"raw\", {}, *", ours.to_str().unwrap());
        assert_eq!(unbind(&HeaderValue::from_str(&list).unwrap(), 7).unwrap(), "\"a\"");
        assert_eq!(unbind(&HeaderValue::from_static("*"), 7), None);
        assert_eq!(bind(&HeaderValue::from_static("bare"), 7), None);
    }
}
