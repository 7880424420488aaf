//! Ed25519 public keys under which signatures mean nothing: points of small order, for which anybody
//! can write down signatures that verify, and spellings of a point that are not the only one.

/// Without the sign bit, the least significant byte first.
type Encoded = [u8; 32];

/// 2²⁵⁵ − 19: coordinates are below it.
const PRIME: Encoded = edge(0xed);
/// The second coordinates of the eight points whose order divides eight, each with either sign.
const SMALL: [Encoded; 5] = [
    first(0),
    first(1),
    edge(0xec),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1,
        0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e,
        0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// A small number.
const fn first(byte: u8) -> Encoded {
    let mut number = [0; 32];
    number[0] = byte;
    number
}

/// A number near 2²⁵⁵.
const fn edge(byte: u8) -> Encoded {
    let mut number = [0xff; 32];
    number[0] = byte;
    number[31] = 0x7f;
    number
}

/// Whether the 32 bytes of a public key must not be used.
pub(super) fn is_unfit(key: &[u8]) -> bool {
    let Ok(mut y) = Encoded::try_from(key) else { return true };
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    let is_canonical = y.iter().rev().lt(PRIME.iter().rev());
    !is_canonical || SMALL.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    #[test]
    fn points_of_small_order_and_second_spellings_are_unfit_in_both_signs() {
        let beyond = [0xed, 0xee, 0xf0, 0xff].map(edge);
        for mut key in SMALL.into_iter().chain(beyond) {
            assert!(is_unfit(&key), "{key:02x?}");
            key[31] |= 0x80;
            assert!(is_unfit(&key), "{key:02x?}");
        }
        assert!(is_unfit(&[7; 31]));
    }

    #[test]
    fn other_keys_are_fit() {
        for _ in 0..50 {
            assert!(!is_unfit(Ed25519KeyPair::generate().unwrap().public_key().as_ref()));
        }
        assert!(!is_unfit(&first(2)) && !is_unfit(&edge(0xeb)));
    }
}
