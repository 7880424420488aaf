//! Who a request says it comes from: its bearer token verified, or found in the cache of verified ones.
//! The cache compares the whole token, belongs to one version of the issuer's keys, and never
//! outlives `exp`; revocations and the account are judged afterwards, on every call.

use super::{KeySets, SourceObserver};
use crate::authorize::Identity;
use crate::token::{Bearer, Checks, MAX_TOKEN_BYTES, TokenError, Unverified, VerifiedToken, bearer, bearer_bytes, is_compact, verify};
use http::HeaderMap;
use jiff::Timestamp;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The most that the cache may hold, tokens and claims together, roughly.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// What a cached token takes beside its text and its claims.
const ENTRY_BYTES: usize = 512;

/// Identifies callers by their bearer tokens.
pub struct Tokens {
    key_sets: Arc<KeySets>,
    observer: Arc<dyn SourceObserver>,
    verified: Cache<Box<[u8]>, Verified, foldhash::fast::RandomState>,
}

/// A token that verified, and with which keys.
#[derive(Clone)]
struct Verified {
    issuer: usize,
    keys_version: u64,
    token: Arc<VerifiedToken>,
}

/// The issuer's keys do not have the key that a token names; newer ones may.
#[derive(Debug)]
pub struct KeysWanted {
    issuer: usize,
}

impl KeysWanted {
    /// The identity of the caller if nothing newer is to be had.
    #[must_use]
    pub fn refused(&self) -> Identity {
        refused(&TokenError::UnknownKey)
    }
}

impl Tokens {
    /// Identifies by the keys of `key_sets`, with an empty cache.
    #[must_use]
    pub fn new(key_sets: Arc<KeySets>, observer: Arc<dyn SourceObserver>) -> Self {
        // The claims of a token are about as large as its text.
        let weight = |length: usize| u32::try_from(length * 2 + ENTRY_BYTES).unwrap_or(u32::MAX);
        let verified = Cache::<Box<[u8]>, Verified>::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(move |token, _| weight(token.len()))
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self { key_sets, observer, verified }
    }

    /// The issuers and their keys.
    #[must_use]
    pub fn key_sets(&self) -> &Arc<KeySets> {
        &self.key_sets
    }

    /// Who the request says it comes from. Waits only where a token names an unknown key and its
    /// issuer may be asked again.
    pub async fn identify(&self, headers: &HeaderMap, now: Timestamp) -> Identity {
        let wanted = match self.identify_at_once(headers, now) {
            Ok(identity) => return identity,
            Err(wanted) => wanted,
        };
        let Some(issuer) = self.key_sets.at(wanted.issuer) else { return wanted.refused() };
        if !issuer.keys.refresh_for_unknown_key().await {
            return wanted.refused();
        }
        self.identify_at_once(headers, now).unwrap_or_else(|wanted| wanted.refused())
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// When the issuer's keys must be asked for again first: [`Self::identify`] does that.
    pub fn identify_at_once(&self, headers: &HeaderMap, now: Timestamp) -> Result<Identity, KeysWanted> {
        // A token that is in the cache was looked at: its characters need not be looked at again.
        if let Some(found) = bearer_bytes(headers).and_then(|token| self.cached(token, now)) {
            self.observer.token_cache(true);
            return Ok(Identity::Token(found));
        }
        match bearer(headers) {
            Bearer::Missing => Ok(Identity::Missing),
            Bearer::Malformed => Ok(Identity::Refused("the `Authorization` header is not one bearer token".into())),
            Bearer::Token(token) if token.len() > MAX_TOKEN_BYTES => Ok(refused(&TokenError::TooLong)),
            Bearer::Token(token) if is_compact(token) => self.identify_token(token, now),
            Bearer::Token(token) => Ok(Identity::Opaque(Sha256::digest(token).into())),
        }
    }

    fn identify_token(&self, token: &str, now: Timestamp) -> Result<Identity, KeysWanted> {
        self.observer.token_cache(false);
        let unverified = match Unverified::parse(token) {
            Ok(unverified) => unverified,
            Err(error) => return Ok(refused(&error)),
        };
        let Some((place, issuer)) = unverified.issuer().and_then(|name| self.key_sets.find(name)) else {
            return Ok(refused(&TokenError::UnknownIssuer));
        };
        let held = issuer.keys.held();
        match verify(unverified, &issuer.issuer, &held.keys, now, Checks::default()) {
            Ok(verified) => Ok(Identity::Token(self.remember(token, place, held.version, verified, now))),
            Err(error) if error.is_unknown_key() => Err(KeysWanted { issuer: place }),
            Err(error) => Ok(refused(&error)),
        }
    }

    /// The verified token, if it was verified with the keys that are in force and has not ended.
    fn cached(&self, token: &[u8], now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let found = self.verified.get(token)?;
        let is_current = self.key_sets.at(found.issuer)?.keys.held().version == found.keys_version;
        (is_current && now < found.token.expires_at).then_some(found.token)
    }

    fn remember(&self, token: &str, issuer: usize, keys_version: u64, verified: VerifiedToken, now: Timestamp) -> Arc<VerifiedToken> {
        let verified = Arc::new(verified);
        // Between `exp` and the end of the skew a token is good, but verified every time.
        if now < verified.expires_at {
            self.verified.insert(token.as_bytes().into(), Verified { issuer, keys_version, token: Arc::clone(&verified) });
        } else {
            self.verified.invalidate(token.as_bytes());
        }
        verified
    }
}

fn refused(error: &TokenError) -> Identity {
    Identity::Refused(error.to_string().into())
}
