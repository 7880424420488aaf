//! RSA moduli of the generator of CVE-2017-15361, whose primes can be found. It makes every prime a power
//! of 65537 modulo a product of the small primes, so the modulus is one as well: with the same exponent
//! modulo each of them. Of other moduli that is true by chance once in more than 2¹⁰⁰.

/// The odd primes whose product is a factor of the one that is used for keys of every size.
const PRIMES: [u16; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157,
    163, 167,
];

/// An exponent, modulo the order of 65537.
struct Exponent {
    least: u16,
    order: u16,
}

/// Whether a modulus, the most significant byte first, has the mark of that generator.
pub(super) fn is_marked(modulus: &[u8]) -> bool {
    let mut found: Vec<Exponent> = Vec::with_capacity(PRIMES.len());
    for prime in PRIMES {
        match exponent(modulus, prime) {
            // One exponent answers all where each two agree.
            Some(next) if found.iter().all(|earlier| earlier.agrees(&next)) => found.push(next),
            _ => return false,
        }
    }
    true
}

impl Exponent {
    fn agrees(&self, other: &Self) -> bool {
        let common = common_divisor(self.order, other.order);
        self.least % common == other.least % common
    }
}

/// Which power of 65537 the modulus is modulo `prime`, if it is one.
fn exponent(modulus: &[u8], prime: u16) -> Option<Exponent> {
    let prime = u32::from(prime);
    let wanted = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
    let powers = std::iter::successors(Some(1), |power| Some(power * 65537_u32.rem_euclid(prime) % prime));
    let order = powers.clone().skip(1).position(|power| power == 1)? + 1;
    let least = powers.take(order).position(|power| power == wanted)?;
    Some(Exponent { least: u16::try_from(least).ok()?, order: u16::try_from(order).ok()? })
}

fn common_divisor(mut a: u16, mut b: u16) -> u16 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair, RsaKeyPair, RsaPublicKeyComponents};

    /// `(65537^exponent mod M) + M·2^b` of 2048 bits, the most significant byte first; `M` is the product of
    /// 2 and the primes.
    pub(in crate::token) fn marked(exponent: u32) -> Vec<u8> {
        let product = PRIMES.iter().fold(vec![2], |number, prime| times(&number, u32::from(*prime)));
        let mut power = vec![1];
        for _ in 0..exponent {
            power = times(&power, 65537);
            for place in (product.len()..=power.len()).rev() {
                while takes(&mut power[place - product.len()..], &product) {}
            }
            power.resize(product.len(), 0);
        }
        let mut modulus = vec![0; 256];
        let bits = product.len() * 8 - product.last().unwrap().leading_zeros() as usize;
        add_shifted(&mut modulus, &product, 2048 - bits);
        add_shifted(&mut modulus, &power, 0);
        modulus.reverse();
        modulus
    }

    fn times(number: &[u8], factor: u32) -> Vec<u8> {
        let mut carry = 0;
        let mut product: Vec<u8> = Vec::new();
        for byte in number {
            carry += u32::from(*byte) * factor;
            product.push(carry as u8);
            carry >>= 8;
        }
        product.extend(carry.to_le_bytes());
        while product.last() == Some(&0) {
            product.pop();
        }
        product
    }

    /// Takes `less` from the number once, if that is not smaller.
    fn takes(number: &mut [u8], less: &[u8]) -> bool {
        let padded: Vec<u8> = less.iter().copied().chain(std::iter::repeat(0)).take(number.len()).collect();
        if number.iter().rev().lt(padded.iter().rev()) {
            return false;
        }
        let mut borrow = 0;
        for (byte, less) in number.iter_mut().zip(&padded) {
            let difference = i16::from(*byte) - i16::from(*less) - borrow;
            borrow = i16::from(difference < 0);
            *byte = difference.rem_euclid(256) as u8;
        }
        true
    }

    fn add_shifted(number: &mut [u8], other: &[u8], bits: usize) {
        let shifted = times(other, 1 << (bits % 8));
        let mut carry = 0;
        for (place, byte) in number.iter_mut().skip(bits / 8).enumerate() {
            carry += u16::from(*byte) + u16::from(shifted.get(place).copied().unwrap_or_default());
            *byte = carry as u8;
            carry >>= 8;
        }
    }

    #[test]
    fn every_modulus_of_the_broken_generator_is_marked() {
        for exponent in [0, 1, 2, 300] {
            assert!(is_marked(&marked(exponent)), "{exponent}");
        }
    }

    #[test]
    fn powers_that_do_not_agree_are_no_mark() {
        // 65537 modulo every prime but the first, and 1 modulo that.
        let others = PRIMES.iter().skip(1).fold(vec![2], |number, prime| times(&number, u32::from(*prime)));
        let candidates = (0..3).map(|factor| {
            let mut number = times(&others, factor);
            number.resize(others.len() + 1, 0);
            add_shifted(&mut number, &65537_u32.to_le_bytes(), 0);
            number.reverse();
            number
        });
        let number = candidates.into_iter().find(|number| exponent(number, 3).is_some_and(|of_three| of_three.least == 0)).unwrap();
        assert!(PRIMES.iter().all(|prime| exponent(&number, *prime).is_some()));
        assert!(!is_marked(&number));
    }

    #[test]
    fn other_moduli_are_not_marked() {
        for _ in 0..3 {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            assert!(!is_marked(&RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key()).n));
        }
    }
}
