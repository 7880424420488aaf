//! A fixed 128-bit hash of content, the same in every process (FNV-1a).
//!
//! It tells rights apart for entity tags; it guards nothing against someone who writes policies.

use std::hash::{Hash, Hasher};

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

struct Fnv(u128);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }

    fn finish(&self) -> u64 {
        let [high, low] = [self.0 >> 64, self.0 & u128::from(u64::MAX)];
        u64::try_from(high ^ low).unwrap_or_default()
    }
}

/// The hash of a document.
pub(super) fn fingerprint(content: &impl Hash) -> u128 {
    let mut hasher = Fnv(OFFSET);
    content.hash(&mut hasher);
    hasher.0
}

/// A digest with one more fingerprint behind those in it already.
pub(super) const fn append(digest: u128, fingerprint: u128) -> u128 {
    // the rotation brings high bits down, where the multiplication spreads them again
    ((digest ^ fingerprint).wrapping_mul(PRIME)).rotate_left(67)
}
