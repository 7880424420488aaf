//! Patterns in which `*` stands for any run of characters, and nothing else is special (semantics §4).

use memchr::memmem;

/// Whether letters of the ASCII alphabet are compared with their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    Insensitive,
}

impl Case {
    pub(super) fn equal(self, left: &str, right: &str) -> bool {
        match self {
            Self::Sensitive => left == right,
            Self::Insensitive => left.eq_ignore_ascii_case(right),
        }
    }

    fn equal_bytes(self, left: &[u8], right: &[u8]) -> bool {
        match self {
            Self::Sensitive => left == right,
            Self::Insensitive => left.eq_ignore_ascii_case(right),
        }
    }

    fn find(self, haystack: &[u8], needle: &[u8]) -> Option<usize> {
        match self {
            Self::Sensitive => memmem::find(haystack, needle),
            Self::Insensitive => haystack.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle)),
        }
    }
}

/// Whether the pattern is made of `*` only, and so matches also what is unknown.
pub(super) fn matches_anything(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*')
}

/// The text before the first `*`, and whether there is a `*`.
pub(super) fn literal_start(pattern: &str) -> (&str, bool) {
    pattern.split_once('*').map_or((pattern, false), |(start, _)| (start, true))
}

/// Whether `text` as a whole fits the pattern; linear in the text for each run between two `*`.
pub(super) fn matches(pattern: &str, text: &str, case: Case) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return case.equal(pattern, text);
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let text = text.as_bytes();
    let Some(inner) = text.len().checked_sub(start.len() + end.len()) else {
        return false;
    };
    let Some((head, tail)) = text.split_at_checked(start.len()) else {
        return false;
    };
    let Some((body, tail)) = tail.split_at_checked(inner) else {
        return false;
    };
    case.equal_bytes(head, start.as_bytes()) && case.equal_bytes(tail, end.as_bytes()) && contains_in_order(middle, body, case)
}

/// The earliest place of each piece leaves the most room for the next.
fn contains_in_order(pieces: &str, mut text: &[u8], case: Case) -> bool {
    pieces.split('*').filter(|piece| !piece.is_empty()).all(|piece| match case.find(text, piece.as_bytes()) {
        Some(at) => {
            text = text.get(at + piece.len()..).unwrap_or_default();
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_is_any_run_anywhere_also_an_empty_one() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "abc"),
            ("a*", "a"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*c", "ac"),
            ("a*c", "abbc"),
            ("a**c", "ac"),
            ("*b*", "abc"),
            ("a*b*c", "a-b-b-c"),
            ("*ab*ab*", "abab"),
            ("", ""),
            ("abc", "abc"),
            ("*ä*", "xäy"),
        ] {
            assert!(matches(pattern, text, Case::Sensitive), "{pattern} {text}");
        }
    }

    #[test]
    fn nothing_else_is_special_and_the_whole_text_must_fit() {
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("a*a", "a"),
            ("*ab*ab*", "aba"),
            ("a?", "ab"),
            ("a.*", "ab"),
            ("[a]", "a"),
            ("b*", "ab"),
            ("*b", "ba"),
            ("a*b*c", "acb"),
            ("abc", "ABC"),
            ("a*", "A"),
        ] {
            assert!(!matches(pattern, text, Case::Sensitive), "{pattern} {text}");
        }
    }

    #[test]
    fn without_case_only_ascii_letters_fold() {
        assert!(matches("A*b*C", "aXBYc", Case::Insensitive));
        assert!(!matches("Ä*", "ä", Case::Insensitive));
    }

    #[test]
    fn only_stars_match_anything() {
        assert!(matches_anything("*") && matches_anything("**"));
        assert!(!matches_anything("") && !matches_anything("a*"));
    }

    /// The textbook recursion.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => slow(rest, text),
            (Some((b'*', rest)), Some((_, tail))) => slow(rest, text) || slow(pattern, tail),
            (Some((p, rest)), Some((t, tail))) => p.eq_ignore_ascii_case(t) && slow(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_textbook(pattern in "[abA*]{0,8}", text in "[abB]{0,10}") {
            let expected = slow(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(&pattern, &text, Case::Insensitive), expected);
        }
    }
}
