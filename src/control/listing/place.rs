//! Where a row stands among the others, short enough to be carried in a token.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Bytes of a key that are kept as they are.
pub(super) const HEAD_BYTES: usize = 350;
/// Bytes of the digest that stands for a longer key's rest.
pub(super) const TAIL_BYTES: usize = 16;

/// The place of a row: its key, and of a key beyond [`HEAD_BYTES`] the beginning, and a digest of the whole.
///
/// Places order as the keys do. Only among keys that agree in their first [`HEAD_BYTES`] and go on, the order is that of
/// the digests, which is another, but always the same: so a place tells exactly which rows are behind it, even when
/// its own row is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place<'a> {
    head: Cow<'a, [u8]>,
    tail: Option<[u8; TAIL_BYTES]>,
}

impl<'a> Place<'a> {
    /// The place of the row with this key.
    pub(super) fn of(key: Cow<'a, [u8]>) -> Self {
        if key.len() <= HEAD_BYTES {
            return Self { head: key, tail: None };
        }
        let digest = Sha256::digest(&key);
        let tail = digest.first_chunk().copied();
        let head = match key {
            Cow::Borrowed(key) => Cow::Borrowed(key.get(..HEAD_BYTES).unwrap_or(key)),
            Cow::Owned(mut key) => {
                key.truncate(HEAD_BYTES);
                Cow::Owned(key)
            }
        };
        Self { head, tail }
    }

    /// A place of its parts; none if no key has it.
    pub(super) fn of_parts(head: &[u8], tail: Option<[u8; TAIL_BYTES]>) -> Option<Place<'static>> {
        let is_a_place = if tail.is_some() { head.len() == HEAD_BYTES } else { head.len() <= HEAD_BYTES };
        is_a_place.then(|| Place { head: Cow::Owned(head.to_vec()), tail })
    }

    /// What was kept of the key.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The digest of a key that is longer.
    pub(super) const fn tail(&self) -> Option<&[u8; TAIL_BYTES]> {
        self.tail.as_ref()
    }

    /// The same, kept beyond its key.
    pub(super) fn into_owned(self) -> Place<'static> {
        Place { head: Cow::Owned(self.head.into_owned()), tail: self.tail }
    }
}

/// A cut between rows: just before a place, or just behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The place.
    pub(super) place: Place<'static>,
    /// Whether the row at the place itself is in front of the cut.
    pub(super) is_behind: bool,
}

impl Cut {
    /// Whether a row at this place is in front of the cut.
    pub(super) fn has_in_front(&self, place: &Place<'_>) -> bool {
        *place < self.place || (self.is_behind && *place == self.place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(key: &str) -> Place<'_> {
        Place::of(key.as_bytes().into())
    }

    #[test]
    fn a_long_key_is_told_from_its_like() {
        let start = "x".repeat(HEAD_BYTES);
        let longer = [format!("{start}a"), format!("{start}b")];
        assert_ne!(place(&longer[0]), place(&longer[1]));
        assert!(place(&start) < place(&longer[0]) && place(&start) < place(&longer[1]));
        assert_eq!(place(&longer[0]).head().len(), HEAD_BYTES);
        assert_eq!(place(&start).tail(), None);
        assert_eq!(Place::of(Cow::Owned(longer[0].clone().into_bytes())), place(&longer[0]));
    }

    #[test]
    fn a_cut_is_before_or_behind_its_row() {
        let cut = |is_behind| Cut { place: place("b").into_owned(), is_behind };
        assert!(cut(true).has_in_front(&place("b")) && !cut(false).has_in_front(&place("b")));
        for is_behind in [true, false] {
            assert!(cut(is_behind).has_in_front(&place("a")) && !cut(is_behind).has_in_front(&place("c")));
        }
    }

    proptest! {
        #[test]
        fn places_order_as_keys_that_differ_early(left: String, right: String, rest in "[ab]{0,400}") {
            let (left, right) = (format!("{left}!{rest}"), format!("{right}?{rest}"));
            prop_assume!(left.len().min(right.len()) - rest.len() < HEAD_BYTES);
            prop_assert_eq!(place(&left).cmp(&place(&right)), left.cmp(&right));
        }
    }
}
