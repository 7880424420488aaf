//! Texts that nobody can guess, and how they are compared and kept.

use super::error::OAuthError;
use crate::control::wire::{hexadecimal, random};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Characters of a temporary password: none that is easily taken for another.
const LEGIBLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A text of 256 random bits, in letters, digits, `-` and `_`: what clients paste into forms unescaped stays what it is.
///
/// # Errors
/// When the machine gives no randomness.
pub(in crate::control) fn secret() -> Result<String, OAuthError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// A text of 100 random bits that a person can type: five groups of four.
///
/// # Errors
/// When the machine gives no randomness.
pub(super) fn legible() -> Result<String, OAuthError> {
    let letters: Vec<char> = random::<20>()?.iter().filter_map(|byte| LEGIBLE.get(usize::from(byte & 31)).map(|letter| char::from(*letter))).collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// SHA-256 of a text as hexadecimal digits: what is kept of a secret that is only ever compared.
pub(in crate::control) fn sha256(text: &str) -> String {
    hexadecimal(&Sha256::digest(text))
}

/// Whether two secrets are the same; how long it takes does not tell where they differ.
pub(in crate::control) fn is_same(one: &str, other: &str) -> bool {
    // By their digests, for their lengths are secret too.
    verify_slices_are_equal(&Sha256::digest(one), &Sha256::digest(other)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_through_a_form_unescaped() {
        let secret = secret().unwrap();
        assert_eq!(secret.len(), 43);
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{secret}");
    }

    #[test]
    fn a_temporary_password_is_as_long_as_passwords_must_be() {
        let (one, other) = (legible().unwrap(), legible().unwrap());
        assert_eq!(one.len(), 24);
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| LEGIBLE.contains(&byte) || byte == b'-'), "{one}");
    }

    #[test]
    fn digests_are_written_in_hexadecimal_digits() {
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(is_same("abc", "abc") && !is_same("abc", "abd") && !is_same("abc", "ab"));
    }
}
