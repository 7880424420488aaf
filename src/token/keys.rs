//! The public keys of an issuer: a JWK set (RFC 7517), with every key left out that must not be used.

use super::TokenError;
use super::algorithm::{Algorithm, KeyType};
use super::public_key::{PublicKey, is_private};
use super::strict_json::{Members, elements, member, members, members_of, text, texts};
use serde_json::value::RawValue;

/// No key set is longer.
pub const MAX_KEY_SET_BYTES: usize = 512 * 1024;
/// No key set has more keys; those behind are an error, not passed over.
const MAX_KEYS: usize = 200;

/// The usable keys of one issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    warnings: Vec<String>,
    is_own: bool,
}

/// One public key that may be used.
pub(super) struct Key {
    id: Option<Box<str>>,
    /// The only algorithm it is for, where it says so.
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).field("kind", &self.public.kind()).finish_non_exhaustive()
    }
}

impl KeySet {
    /// Reads a JWK set, or a single JWK as a set of one. Keys that cannot be used or do not fit their
    /// own `alg`, `use` or `key_ops`, and those that carry their private part, are left out with a warning.
    ///
    /// # Errors
    /// When the document is too large, is no JSON object, or has no array `keys` (or too long a one).
    pub fn parse(document: &[u8]) -> Result<Self, TokenError> {
        Self::default().filled(document)
    }

    /// The same of a file of one's own, which nobody else reads: a private part in it is warned of and passed over.
    ///
    /// # Errors
    /// As `parse`.
    pub fn parse_own(document: &[u8]) -> Result<Self, TokenError> {
        Self { is_own: true, ..Self::default() }.filled(document)
    }

    fn filled(mut self, document: &[u8]) -> Result<Self, TokenError> {
        if document.len() > MAX_KEY_SET_BYTES {
            return Err(TokenError::KeySet("it is too large"));
        }
        let whole = members(document).ok_or(TokenError::KeySet("it is no JSON object with distinct members"))?;
        match member(&whole, "keys") {
            Some(keys) => self.add_all(keys)?,
            None if member(&whole, "kty").is_some() => self.add(0, &whole),
            None => return Err(TokenError::KeySet("it has no `keys`")),
        }
        self.warn_of_shared_ids();
        Ok(self)
    }

    /// What was left out, and why: one sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The one key for a token of this algorithm and `kid`. Ids are compared as bytes; without one
    /// there must be exactly one key that fits (interfaces §4).
    pub(super) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Result<&Key, TokenError> {
        let named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(TokenError::AmbiguousKey),
            (None, _) if id.is_some() && self.keys.iter().any(|key| named(&key)) => Err(TokenError::KeyDoesNotFit),
            (None, _) => Err(TokenError::UnknownKey),
        }
    }

    fn add_all(&mut self, keys: &RawValue) -> Result<(), TokenError> {
        let keys = elements(keys.get()).ok_or(TokenError::KeySet("its `keys` is no array"))?;
        if keys.len() > MAX_KEYS {
            return Err(TokenError::KeySet("it has too many keys"));
        }
        for (index, key) in keys.into_iter().enumerate() {
            match members_of(key.get()) {
                Some(key) => self.add(index, &key),
                None => self.warnings.push(format!("keys[{index}]: not an object, left out")),
            }
        }
        Ok(())
    }

    fn add(&mut self, index: usize, members: &Members<'_>) {
        let is_passed_over = self.is_own && is_private(members);
        if is_passed_over {
            self.warnings.push(format!("keys[{index}]: it carries its private part; a gateway leaves such a key out"));
        }
        match if is_passed_over { Key::read(members) } else { Key::parse(members) } {
            Ok(key) => self.keys.push(key),
            Err(reason) => self.warnings.push(format!("keys[{index}]: {reason}, left out")),
        }
    }

    fn warn_of_shared_ids(&mut self) {
        let shared = self.keys.iter().enumerate().filter(|(index, key)| key.id.is_some() && self.keys.iter().take(*index).any(|earlier| earlier.id == key.id));
        let warnings: Vec<_> = shared
            .map(|(_, key)| format!("more than one key has the `kid` {:?}: a token that more than one fits is refused", key.id.as_deref().unwrap_or_default()))
            .collect();
        self.warnings.extend(warnings);
    }
}

impl Key {
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.public.kind() == algorithm.key_type() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether `signature` is this key's over `signed`.
    pub(super) fn has_signed(&self, signed: &[u8], signature: &[u8], algorithm: Algorithm) -> bool {
        self.fits(algorithm) && self.public.has_signed(signed, signature, algorithm)
    }

    /// Reads a JWK.
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, &'static str> {
        if is_private(members) {
            return Err("it carries its private part, by which everybody who has the set can sign");
        }
        Self::read(members)
    }

    /// The same, whatever else it carries.
    fn read(members: &Members<'_>) -> Result<Self, &'static str> {
        require_signature_use(members)?;
        let public = PublicKey::of_jwk(members)?;
        let algorithm = own_algorithm(members, public.kind())?;
        let id = match member(members, "kid") {
            Some(id) => Some(Box::from(&*text(id.get()).ok_or("its `kid` is not a string")?)),
            None => None,
        };
        Ok(Self { id, algorithm, public })
    }
}

/// A key says by `use` and `key_ops` what it is for (RFC 7517 §4.2, §4.3).
fn require_signature_use(members: &Members<'_>) -> Result<(), &'static str> {
    if member(members, "use").is_some_and(|value| text(value.get()).as_deref() != Some("sig")) {
        return Err("its `use` is not `sig`");
    }
    let Some(operations) = member(members, "key_ops") else { return Ok(()) };
    match texts(operations.get()) {
        Some(operations) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        _ => Err("its `key_ops` does not have `verify`"),
    }
}

fn own_algorithm(members: &Members<'_>, kind: KeyType) -> Result<Option<Algorithm>, &'static str> {
    let Some(value) = member(members, "alg") else { return Ok(None) };
    let algorithm = text(value.get()).and_then(|name| name.parse::<Algorithm>().ok());
    match algorithm {
        Some(algorithm) if algorithm.key_type() == kind => Ok(Some(algorithm)),
        _ => Err("its `alg` is not one that is used here, or does not fit its type"),
    }
}
