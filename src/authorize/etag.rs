//! Validators of filtered answers: an upstream's `ETag` becomes a weak one that is sealed for this target
//! and the caller's rights, and comes back only while they are the same (interfaces §6).
//!
//! The seal is made with a secret of the snapshot, so no client can make one: otherwise who knows a tag of
//! his own could ask for a hidden item with the tag that he guesses, and learn its version by a 304.

use http::HeaderValue;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What our weak tags begin with: `W/"dw-<seal>-<s|w>-<the upstream's opaque tag>"`.
const PREFIX: &str = "W/\"dw-";
/// Hexadecimal digits of a seal.
const SEAL_DIGITS: usize = 32;

/// For what a tag is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealing<'a> {
    /// Known to every replica with the same snapshot, and to no client.
    pub(super) secret: &'a [u8; 32],
    /// What the policies have to say about the answer.
    pub(super) rights: u128,
    /// The request's own bytes.
    pub(super) target: &'a str,
    /// A digest of what else of the request picks the answer.
    pub(super) circumstances: [u8; 32],
}

impl Sealing<'_> {
    /// The seal of an upstream's tag. Half of the hash is shown, so it cannot be continued either.
    fn seal(&self, strength: &str, opaque: &str) -> u128 {
        let mut hasher = Sha256::new();
        hasher.update(self.secret);
        hasher.update(self.rights.to_le_bytes());
        hasher.update(self.circumstances);
        for part in [self.target, strength, opaque] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let hash: [u8; 32] = hasher.finalize().into();
        hash.first_chunk().map_or(0, |half| u128::from_le_bytes(*half))
    }

    /// The upstream's tag in one of ours, if it was sealed for this.
    fn opened<'t>(&self, tag: &'t str) -> Option<(&'t str, &'t str)> {
        let (seal, rest) = tag.strip_prefix(PREFIX)?.split_at_checked(SEAL_DIGITS)?;
        let (strength, quoted) = rest.strip_prefix('-')?.split_once('-')?;
        let opaque = quoted.strip_suffix('"')?;
        let is_ours = is_seal(seal) && u128::from_str_radix(seal, 16) == Ok(self.seal(strength, opaque));
        is_ours.then_some((strength, opaque))
    }
}

fn is_seal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Binds an upstream's tag; `None` when it is no tag.
pub(super) fn bind(tag: &HeaderValue, sealing: Sealing<'_>) -> Option<HeaderValue> {
    let text = tag.to_str().ok()?.trim();
    let (strength, quoted) = match text.strip_prefix("W/") {
        Some(quoted) => ("w", quoted),
        None => ("s", text),
    };
    let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
    HeaderValue::from_str(&format!("{PREFIX}{:032x}-{strength}-{opaque}\"", sealing.seal(strength, opaque))).ok()
}

/// The upstream's tags in a list of ours, of those that were sealed for this; `None` when none is left.
pub(super) fn unbind(list: &HeaderValue, sealing: Sealing<'_>) -> Option<HeaderValue> {
    let text = list.to_str().ok()?;
    let mut tags = String::new();
    for tag in split(text) {
        let Some((strength, opaque)) = sealing.opened(tag) else { continue };
        let weak = if strength == "w" { "W/" } else { "" };
        let separator = if tags.is_empty() { "" } else { ", " };
        write!(tags, "{separator}{weak}\"{opaque}\"").ok()?;
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

    const FIRST: Sealing<'_> = Sealing { secret: &[3; 32], rights: 7, target: "/p/US/1", circumstances: [0; 32] };

    #[test]
    fn a_tag_comes_back_as_it_was_while_the_rights_are_the_same() {
        for original in ["\"a-b,c\"", "W/\"x\"", "\"\""] {
            let bound = bind(&HeaderValue::from_str(original).unwrap(), FIRST).unwrap();
            assert!(bound.to_str().unwrap().starts_with("W/\""));
            assert_eq!(unbind(&bound, FIRST).unwrap(), original);
            assert_eq!(unbind(&bound, Sealing { rights: 8, ..FIRST }), None);
        }
    }

    #[test]
    fn a_tag_is_good_for_its_target_and_its_circumstances_alone() {
        let bound = bind(&HeaderValue::from_static("\"1\""), FIRST).unwrap();
        for other in [Sealing { target: "/p/US/2", ..FIRST }, Sealing { secret: &[4; 32], ..FIRST }, Sealing { circumstances: [1; 32], ..FIRST }] {
            assert_eq!(unbind(&bound, other), None, "{other:?}");
        }
    }

    #[test]
    fn no_other_tag_can_be_made_of_one() {
        let bound = bind(&HeaderValue::from_static("\"1\""), FIRST).unwrap();
        let bound = bound.to_str().unwrap();
        let seal = bound.get(PREFIX.len()..PREFIX.len() + SEAL_DIGITS).unwrap();
        for forged in [
            bound.replace("-s-1\"", "-s-2\""),
            bound.replace("-s-1\"", "-w-1\""),
            bound.replace("-s-1\"", "-s-\""),
            bound.replace("-s-1\"", "-s-1-s-1\""),
            bound.replace(seal, &seal.to_uppercase().replace(|digit: char| digit.is_ascii_digit(), "+")),
            format!("{PREFIX}{:032x}-s-1\"", 0),
            format!("{PREFIX}{:032x}-s-1\"", FIRST.rights),
        ] {
            assert_eq!(unbind(&HeaderValue::from_str(&forged).unwrap(), FIRST), None, "{forged}");
        }
    }

    #[test]
    fn foreign_tags_are_left_out_of_a_list() {
        let ours = bind(&HeaderValue::from_static("\"a\""), FIRST).unwrap();
        let list = format!("\"raw\", {}, *", ours.to_str().unwrap());
        assert_eq!(unbind(&HeaderValue::from_str(&list).unwrap(), FIRST).unwrap(), "\"a\"");
        assert_eq!(unbind(&HeaderValue::from_static("*"), FIRST), None);
        assert_eq!(bind(&HeaderValue::from_static("bare"), FIRST), None);
    }
}
