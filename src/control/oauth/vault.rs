//! The vault: secrets on their way to the store and back. The sealed text names how it was sealed,
//! so that what was written before a change of the configuration can still be opened.

use super::error::OAuthError;
use crate::config::{Secret, Store};
use crate::control::wire::hexadecimal;
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::fmt;

/// What a text is that nothing was done to: the database is a file that its owner alone may read.
const PLAIN: &str = "plain:";
/// What a text is that was sealed by AES-256-GCM; the name of the key and a colon follow.
const SEALED: &str = "aes256gcm:";
/// How long the nonce in front of a sealed text is.
const NONCE_BYTES: usize = 12;
/// What binds the key to its purpose.
const LABEL: &[u8] = b"doorward control vault, AES-256-GCM";

/// Seals secrets and opens them. It is never shown.
pub(in crate::control) struct Vault {
    sealing: Option<Key>,
    /// Keys that nothing is sealed with any more.
    former: Vec<Key>,
}

struct Key {
    name: String,
    key: RandomizedNonceKey,
}

impl Vault {
    /// The vault of a configuration: with the configured key, else with one that is made of the
    /// password in the database URL, else without any: a file of our own is read by its owner alone,
    /// and a server that trusts whoever reaches it is warned about.
    ///
    /// # Errors
    /// When the library refuses.
    pub(in crate::control) fn new(key: Option<&Secret>, store: &Store) -> Result<Self, OAuthError> {
        let of_store = match store {
            Store::Sqlite(_) => None,
            Store::Postgres(url) => password(url.expose()),
        };
        match (key, of_store, store) {
            (Some(key), of_store, _) => Self::with(key.expose().as_bytes(), of_store.as_deref()),
            (None, Some(password), _) => Self::with(&password, None),
            (None, None, Store::Sqlite(_)) => Ok(Self::plain()),
            (None, None, Store::Postgres(_)) => {
                tracing::warn!(
                    "private keys and secrets are written to the database UNSEALED, for its URL has no password to make a key of: configure `control.encryption_key`"
                );
                Ok(Self::plain())
            }
        }
    }

    /// A vault that seals nothing: its texts are as good as open.
    #[must_use]
    pub(in crate::control) const fn plain() -> Self {
        Self { sealing: None, former: Vec::new() }
    }

    fn with(secret: &[u8], former: Option<&[u8]>) -> Result<Self, OAuthError> {
        let former = former.map(Key::derive).transpose()?;
        Ok(Self { sealing: Some(Key::derive(secret)?), former: former.into_iter().collect() })
    }

    /// Seals a secret into a text for the store.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub(in crate::control) fn seal(&self, secret: &[u8]) -> Result<String, OAuthError> {
        match &self.sealing {
            None => Ok(format!("{PLAIN}{}", URL_SAFE_NO_PAD.encode(secret))),
            Some(key) => Ok(format!("{SEALED}{}:{}", key.name, URL_SAFE_NO_PAD.encode(key.seal(secret)?))),
        }
    }

    /// What a sealed text holds; none when it was sealed with a key that is not known here, or is no such text.
    #[must_use]
    pub(in crate::control) fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        if let Some(encoded) = sealed.strip_prefix(PLAIN) {
            return URL_SAFE_NO_PAD.decode(encoded).ok();
        }
        let (name, encoded) = sealed.strip_prefix(SEALED)?.split_once(':')?;
        let key = self.sealing.iter().chain(&self.former).find(|key| key.name == name)?;
        key.open(URL_SAFE_NO_PAD.decode(encoded).ok()?)
    }

    /// As [`Self::open`], of a secret that is a text.
    #[must_use]
    pub(in crate::control) fn open_text(&self, sealed: &str) -> Option<String> {
        String::from_utf8(self.open(sealed)?).ok()
    }
}

impl Key {
    fn derive(secret: &[u8]) -> Result<Self, OAuthError> {
        let mut bytes = [0; 32];
        let prk = Salt::new(HKDF_SHA256, LABEL).extract(secret);
        let derived = prk.expand(&[LABEL], HKDF_SHA256).and_then(|okm| okm.fill(&mut bytes));
        derived.map_err(|_| OAuthError::Sealing)?;
        let name = hexadecimal(&Sha256::digest(bytes)).chars().take(8).collect();
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| OAuthError::Sealing)?;
        Ok(Self { name, key })
    }

    /// Nonce, ciphertext and tag.
    fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, OAuthError> {
        let mut text = secret.to_vec();
        let nonce = self.key.seal_in_place_append_tag(self.associated(), &mut text).map_err(|_| OAuthError::Sealing)?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    fn open(&self, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.key.open_in_place(nonce, self.associated(), text).ok().map(|opened| opened.to_vec())
    }

    /// The scheme is part of what the tag is over.
    fn associated(&self) -> Aad<&'static [u8]> {
        Aad::from(LABEL)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault")
    }
}

/// The password in a database URL, if it has one.
fn password(url: &str) -> Option<Vec<u8>> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(percent_decode_str(password).collect()).filter(|password: &Vec<u8>| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite() -> Store {
        Store::Sqlite("x.db".into())
    }

    fn postgres(url: &str) -> Store {
        Store::Postgres(url.to_owned().into())
    }

    fn keyed(key: &str) -> Vault {
        Vault::new(Some(&key.to_owned().into()), &sqlite()).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_alone() {
        let sealed = keyed("one").seal(b"secret").unwrap();
        assert!(sealed.starts_with("aes256gcm:"), "{sealed}");
        assert_eq!(keyed("one").open(&sealed).unwrap(), b"secret");
        assert_eq!(keyed("two").open(&sealed), None);
        assert_eq!(Vault::plain().open(&sealed), None);
    }

    #[test]
    fn no_text_is_sealed_alike_twice() {
        let vault = keyed("one");
        assert_ne!(vault.seal(b"secret").unwrap(), vault.seal(b"secret").unwrap());
    }

    #[test]
    fn a_text_that_was_changed_is_not_opened() {
        let vault = keyed("one");
        let sealed = vault.seal(b"secret").unwrap();
        let (head, body) = sealed.rsplit_once(':').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(vault.open(&format!("{head}:{}", URL_SAFE_NO_PAD.encode(changed))), None, "{index}");
        }
        for text in ["", "secret", "aes256gcm:", "aes256gcm:x", &format!("{head}:"), &format!("{head}:AAAA")] {
            assert_eq!(vault.open(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_written_before_a_key_was_configured_can_still_be_opened() {
        let plain = Vault::plain().seal(b"secret").unwrap();
        assert!(plain.starts_with("plain:"));
        assert_eq!(keyed("one").open(&plain).unwrap(), b"secret");

        let server = postgres("postgres://user:pa%20ss@db/x");
        let by_password = Vault::new(None, &server).unwrap().seal(b"secret").unwrap();
        let now = Vault::new(Some(&"key".to_owned().into()), &server).unwrap();
        assert_eq!(now.open_text(&by_password).unwrap(), "secret");
        assert_eq!(Vault::new(None, &server).unwrap().open(&now.seal(b"x").unwrap()), None);
    }

    #[test]
    fn a_key_is_made_of_the_password_of_a_database_server_and_without_one_nothing_is_sealed() {
        for url in ["postgres://db/x", "postgres://user@db/x", "postgres://user:@db/x", "postgres://db/x?a=b:c@d"] {
            let sealed = Vault::new(None, &postgres(url)).unwrap().seal(b"secret").unwrap();
            assert!(sealed.starts_with(PLAIN), "{url}");
        }
        let sealed = Vault::new(None, &postgres("postgres://u:p@db/x")).unwrap().seal(b"secret").unwrap();
        assert!(sealed.starts_with(SEALED));
    }

    #[test]
    fn the_password_of_a_url_is_found_and_decoded() {
        assert_eq!(password("postgres://u:a%40b@h/x").unwrap(), b"a@b");
        assert_eq!(password("postgresql://u:a:b@h:5432").unwrap(), b"a:b");
    }

    #[test]
    fn a_vault_is_never_shown() {
        assert_eq!(format!("{:?}", keyed("canary")), "Vault");
    }
}
