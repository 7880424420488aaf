//! The `page` parameter: where a page begins, and of which query.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::place::{Cut, HEAD_BYTES, Place, TAIL_BYTES};

/// Characters that a token may have at most (LUSID's wire, conventions).
pub(super) const LONGEST_TOKEN: usize = 500;

/// Bytes that tell a query from others.
pub(super) const FINGERPRINT_BYTES: usize = 8;

const _: () = assert!((1 + FINGERPRINT_BYTES + HEAD_BYTES + TAIL_BYTES).div_ceil(3) * 4 <= LONGEST_TOKEN, "a token has room for every place");

const BACKWARD: u8 = 1;
const BEHIND: u8 = 2;
const TAILED: u8 = 4;

/// Which way a page goes on from where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The rows behind the cut.
    Forward,
    /// The rows in front of it.
    Backward,
}

/// Writes a token: plain base64 of at most [`LONGEST_TOKEN`] characters.
///
/// It carries no more than the sorted fields and the key of a row that its reader was given. It is not signed: whoever
/// makes one up chooses no more than where in the list to begin.
pub(super) fn write(direction: Direction, cut: &Cut, fingerprint: [u8; FINGERPRINT_BYTES]) -> String {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let tail = cut.place.tail();
    let flags = flag(direction == Direction::Backward, BACKWARD) | flag(cut.is_behind, BEHIND) | flag(tail.is_some(), TAILED);
    let mut bytes = vec![flags];
    bytes.extend(fingerprint);
    bytes.extend(cut.place.head());
    bytes.extend(tail.into_iter().flatten());
    STANDARD.encode(bytes)
}

/// Reads a token of the same query; none for any other text.
pub(super) fn read(text: &str, fingerprint: [u8; FINGERPRINT_BYTES]) -> Option<(Direction, Cut)> {
    let bytes = STANDARD.decode(text).ok()?;
    let (flags, rest) = bytes.split_first()?;
    let place = rest.strip_prefix(&fingerprint)?;
    (*flags <= BACKWARD | BEHIND | TAILED).then_some(())?;
    let (head, tail) = if flags & TAILED == 0 { (place, None) } else { place.split_last_chunk::<TAIL_BYTES>().map(|(head, tail)| (head, Some(*tail)))? };
    let direction = if flags & BACKWARD == 0 { Direction::Forward } else { Direction::Backward };
    Some((direction, Cut { place: Place::of_parts(head, tail)?, is_behind: flags & BEHIND != 0 }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUERY: [u8; FINGERPRINT_BYTES] = *b"abcdefgh";

    proptest! {
        #[test]
        fn tokens_are_read_back_and_fit(key in prop::collection::vec(any::<u8>(), 0..600), is_behind: bool, is_backward: bool) {
            let direction = if is_backward { Direction::Backward } else { Direction::Forward };
            let cut = Cut { place: Place::of(key.into()).into_owned(), is_behind };
            let token = write(direction, &cut, QUERY);
            prop_assert!(token.len() <= LONGEST_TOKEN);
            prop_assert!(token.trim_end_matches('=').bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)));
            prop_assert_eq!(read(&token, *b"abcdefgx"), None);
            prop_assert_eq!(read(&token, QUERY), Some((direction, cut)));
        }

        #[test]
        fn what_is_no_token_is_none(bytes in prop::collection::vec(any::<u8>(), 0..400), text: String) {
            prop_assert_eq!(read(&STANDARD.encode(bytes), QUERY), None);
            prop_assert_eq!(read(&text, QUERY), None);
        }
    }

    #[test]
    fn a_place_that_no_key_has_is_none() {
        let token = |flags: u8, length: usize| STANDARD.encode([vec![flags], QUERY.to_vec(), vec![b'x'; length]].concat());
        assert!(read(&token(0, HEAD_BYTES), QUERY).is_some());
        assert!(read(&token(TAILED, HEAD_BYTES + TAIL_BYTES), QUERY).is_some());
        for (flags, length) in [(0, HEAD_BYTES + 1), (TAILED, HEAD_BYTES), (TAILED, TAIL_BYTES - 1), (8, 5), (255, 5)] {
            assert_eq!(read(&token(flags, length), QUERY), None, "{flags} {length}");
        }
        assert_eq!(read("", QUERY), None);
    }
}
