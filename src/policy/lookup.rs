//! From content to its place, without a second copy of the content.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

/// Places by the hash of what stands there; contents of one hash are told apart by the caller.
#[derive(Debug, Default)]
pub(super) struct Lookup(HashMap<u64, u32, FixedState>);

impl Lookup {
    /// Places of the hashes in their order.
    pub(super) fn of(hashes: impl Iterator<Item = u64>) -> Self {
        let mut lookup = Self::default();
        for (place, hash) in (0..).zip(hashes) {
            lookup.insert(hash, place);
        }
        lookup
    }

    pub(super) fn insert(&mut self, hash: u64, place: u32) {
        let free = (0..).map(|step| hash.wrapping_add(step)).find(|slot| !self.0.contains_key(slot));
        self.0.insert(free.unwrap_or(hash), place);
    }

    /// The first place with that hash at which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        let places = (0..).map_while(|step| self.0.get(&hash.wrapping_add(step)));
        places.map(|place| *place as usize).find(|place| is(*place))
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * (size_of::<(u64, u32)>() + 1) * 8 / 7
    }
}

pub(super) fn hash_of(text: &str) -> u64 {
    FixedState::default().hash_one(text.as_bytes())
}

/// The same for texts that differ in ASCII case only.
pub(super) fn hash_folded(text: &[u8]) -> u64 {
    let mut folded = SmallVec::<[u8; 64]>::from_slice(text);
    folded.make_ascii_lowercase();
    FixedState::default().hash_one(folded.as_slice())
}

/// One hash of two, in this order.
pub(super) const fn mix(left: u64, right: u64) -> u64 {
    (left.rotate_left(23) ^ right).wrapping_mul(0x9E37_79B9_7F4A_7C15)
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
}
