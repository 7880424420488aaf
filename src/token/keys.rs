//! The public keys of an issuer: a JWK set (RFC 7517), with every key left out that must not be used.

use super::TokenError;
use super::algorithm::{Algorithm, KeyType};
use super::compact::decode;
use super::strict_json::{Members, member, members, text, texts};
use aws_lc_rs::signature::VerificationAlgorithm;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey};
use jsonwebtoken::DecodingKey;
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
}

/// One public key that may be used.
pub(super) struct Key {
    id: Option<Box<str>>,
    kind: KeyType,
    /// The only algorithm it is for, where it says so.
    algorithm: Option<Algorithm>,
    /// The key as the library takes it.
    pub(super) public: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl KeySet {
    /// Reads a JWK set, or a single JWK as a set of one. Keys that cannot be used or do not fit their
    /// own `alg`, `use` or `key_ops` are left out with a warning.
    ///
    /// # Errors
    /// When the document is too large, is no JSON object, or has no array `keys` (or too long a one).
    pub fn parse(document: &[u8]) -> Result<Self, TokenError> {
        if document.len() > MAX_KEY_SET_BYTES {
            return Err(TokenError::KeySet("it is too large"));
        }
        let whole = members(document).ok_or(TokenError::KeySet("it is no JSON object with distinct members"))?;
        let mut set = Self::default();
        match member(&whole, "keys") {
            Some(keys) => set.add_all(keys)?,
            None if member(&whole, "kty").is_some() => set.add(0, &whole),
            None => return Err(TokenError::KeySet("it has no `keys`")),
        }
        set.warn_of_shared_ids();
        Ok(set)
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
        let keys: Vec<&RawValue> = serde_json::from_str(keys.get()).map_err(|_| TokenError::KeySet("its `keys` is no array"))?;
        if keys.len() > MAX_KEYS {
            return Err(TokenError::KeySet("it has too many keys"));
        }
        for (index, key) in keys.into_iter().enumerate() {
            match members(key.get().as_bytes()) {
                Some(key) => self.add(index, &key),
                None => self.warnings.push(format!("keys[{index}]: not an object, left out")),
            }
        }
        Ok(())
    }

    fn add(&mut self, index: usize, members: &Members<'_>) {
        match Key::parse(members) {
            Ok(key) => {
                if member(members, "d").is_some() {
                    self.warnings.push(format!("keys[{index}]: carries its private part, which is public now"));
                }
                self.keys.push(key);
            }
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
    fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.key_type() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn parse(members: &Members<'_>) -> Result<Self, &'static str> {
        require_signature_use(members)?;
        let (kind, public) = public_key(members)?;
        let algorithm = own_algorithm(members, kind)?;
        let id = match member(members, "kid") {
            Some(id) => Some(text(id).ok_or("its `kid` is not a string")?.into()),
            None => None,
        };
        Ok(Self { id, kind, algorithm, public })
    }
}

/// A key says by `use` and `key_ops` what it is for (RFC 7517 §4.2, §4.3).
fn require_signature_use(members: &Members<'_>) -> Result<(), &'static str> {
    if member(members, "use").is_some_and(|value| text(value).as_deref() != Some("sig")) {
        return Err("its `use` is not `sig`");
    }
    let Some(operations) = member(members, "key_ops") else { return Ok(()) };
    match texts(operations) {
        Some(operations) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        _ => Err("its `key_ops` does not have `verify`"),
    }
}

fn own_algorithm(members: &Members<'_>, kind: KeyType) -> Result<Option<Algorithm>, &'static str> {
    let Some(value) = member(members, "alg") else { return Ok(None) };
    let algorithm = text(value).and_then(|name| name.parse::<Algorithm>().ok());
    match algorithm {
        Some(algorithm) if algorithm.key_type() == kind => Ok(Some(algorithm)),
        _ => Err("its `alg` is not one that is used here, or does not fit its type"),
    }
}

fn public_key(members: &Members<'_>) -> Result<(KeyType, DecodingKey), &'static str> {
    let named = |name: &str| member(members, name).and_then(|value| text(value));
    let bytes = |name: &str| named(name).and_then(|encoded| decode(&encoded));
    let curve = named("crv");
    match (named("kty").as_deref(), curve.as_deref()) {
        (Some("RSA"), _) => rsa(bytes("n"), bytes("e")),
        (Some("EC"), Some("P-256")) => elliptic(KeyType::P256, &ECDSA_P256_SHA256_FIXED, 32, bytes("x"), bytes("y")),
        (Some("EC"), Some("P-384")) => elliptic(KeyType::P384, &ECDSA_P384_SHA384_FIXED, 48, bytes("x"), bytes("y")),
        (Some("OKP"), Some("Ed25519")) => edwards(bytes("x")),
        _ => Err("its type is not one that is used here"),
    }
}

fn rsa(modulus: Option<Vec<u8>>, exponent: Option<Vec<u8>>) -> Result<(KeyType, DecodingKey), &'static str> {
    let (Some(modulus), Some(exponent)) = (modulus, exponent) else {
        return Err("its `n` or `e` is not canonical base64url");
    };
    let (modulus, exponent) = (without_leading_zeros(&modulus), without_leading_zeros(&exponent));
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err("its modulus is under 2048 bits or over 8192");
    }
    if matches!(exponent, [] | [0..=2]) || exponent.len() > 4 || exponent.last().is_some_and(|last| last % 2 == 0) {
        return Err("its exponent is under 3, even, or over 32 bits");
    }
    Ok((KeyType::Rsa, DecodingKey::from_rsa_raw_components(modulus, exponent)))
}

fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

fn elliptic(
    kind: KeyType,
    algorithm: &'static dyn VerificationAlgorithm,
    size: usize,
    x: Option<Vec<u8>>,
    y: Option<Vec<u8>>,
) -> Result<(KeyType, DecodingKey), &'static str> {
    let (Some(x), Some(y)) = (x, y) else { return Err("its `x` or `y` is not canonical base64url") };
    if x.len() != size || y.len() != size {
        return Err("its `x` or `y` does not have the length of its curve");
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    if UnparsedPublicKey::new(algorithm, &point).parse().is_err() {
        return Err("its point is not on its curve");
    }
    Ok((kind, DecodingKey::from_ec_der(&point)))
}

fn edwards(x: Option<Vec<u8>>) -> Result<(KeyType, DecodingKey), &'static str> {
    let x = x.filter(|x| x.len() == 32).ok_or("its `x` is not 32 bytes in canonical base64url")?;
    if UnparsedPublicKey::new(&ED25519, &x).parse().is_err() {
        return Err("its `x` is not a point");
    }
    Ok((KeyType::Ed25519, DecodingKey::from_ed_der(&x)))
}
