//! From content to its place, without a second copy of the content.

use std::collections::HashMap;
use std::num::NonZeroU32;

use foldhash::fast::FixedState;

/// Places, counted from 0, by the hash of what stands there; contents of one hash are told apart by the caller.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    last: HashMap<u64, u32, FixedState>,
    /// For each place the one before it with the same hash.
    before: Vec<Option<NonZeroU32>>,
}

impl Lookup {
    /// Places of the hashes in their order.
    pub(super) fn of(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let mut lookup = Self { last: HashMap::with_capacity_and_hasher(hashes.len(), FixedState::default()), before: Vec::with_capacity(hashes.len()) };
        hashes.for_each(|hash| lookup.push(hash));
        lookup
    }

    /// Gives the next place to content with that hash.
    pub(super) fn push(&mut self, hash: u64) {
        let place = u32::try_from(self.before.len()).unwrap_or(u32::MAX);
        let before = self.last.insert(hash, place);
        self.before.push(before.and_then(|before| NonZeroU32::new(before.saturating_add(1))));
    }

    /// Some place with that hash at which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        let last = self.last.get(&hash).map(|place| *place as usize);
        let before = |place: &usize| self.before.get(*place).copied().flatten().map(|before| before.get() as usize - 1);
        std::iter::successors(last, before).find(|place| is(*place))
    }

    pub(super) fn bytes(&self) -> usize {
        self.last.capacity() * (size_of::<(u64, u32)>() + 1) * 8 / 7 + self.before.capacity() * size_of::<u32>()
    }
}

/// A hash of content that the snapshot's authors choose; it need not resist anyone.
pub(super) fn hash_of(text: &str) -> u64 {
    hash(text.as_bytes(), |word| word)
}

/// The same for texts that differ in ASCII case only.
pub(super) fn hash_folded(text: &[u8]) -> u64 {
    hash(text, lower)
}

fn hash(bytes: &[u8], fold: impl Fn(u64) -> u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let start = mix(0x9E37_79B9_7F4A_7C15, bytes.len() as u64);
    let all = words.iter().fold(start, |state, word| mix(state, fold(u64::from_le_bytes(*word))));
    mix(all, fold(u64::from_le_bytes(last)))
}

/// Eight bytes at once, with the letters A to Z in lower case and every other byte as it is.
const fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7F * EACH);
    // the high bit of each byte: whether it is at least `A`, and whether it is beyond `Z`
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let beyond_z = low + (0x7F - b'Z' as u64) * EACH;
    let is_upper = !word & (from_a ^ beyond_z) & (0x80 * EACH);
    word | (is_upper >> 2)
}

/// One hash of two, in this order.
#[expect(clippy::cast_possible_truncation, reason = "both halves of the product are wanted")]
pub(super) const fn mix(left: u64, right: u64) -> u64 {
    let product = (left ^ 0xA076_1D64_78BD_642F) as u128 * (right ^ 0xE703_7ED1_A0B4_28DB) as u128;
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_one_hash_are_told_apart() {
        let contents = ["a", "b", "c"];
        let lookup = Lookup::of([7, 7, 8].into_iter());
        for (place, content) in contents.iter().enumerate() {
            let hash = if place == 2 { 8 } else { 7 };
            assert_eq!(lookup.find(hash, |found| contents[found] == *content), Some(place));
        }
        assert_eq!(lookup.find(9, |found| contents[found] == "x"), None);
    }

    #[test]
    fn folding_is_that_of_ascii() {
        for byte in 0..=u8::MAX {
            let folded = lower(u64::from_le_bytes([byte; 8])).to_le_bytes();
            assert_eq!(folded, [byte.to_ascii_lowercase(); 8]);
        }
        assert_eq!(hash_folded("PortFolio/Ä".as_bytes()), hash_folded("portfolio/Ä".as_bytes()));
        assert_ne!(hash_folded("ä".as_bytes()), hash_folded("Ä".as_bytes()));
        assert_ne!(hash_of("a"), hash_of("a\0"));
    }
}
