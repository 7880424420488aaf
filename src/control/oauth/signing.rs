//! Keys that sign: tokens by one, the snapshot by another. Every replica finds them in the store; a
//! key that comes next is published before it signs, and one that has signed stays published until
//! nothing that it signed is worth anything any more.

use super::error::OAuthError;
use super::key_pair::{KeyPair, Made};
use super::vault::Vault;
use crate::store::{Draft, KeyPurpose, SigningKey, State};
use crate::token::Algorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A key is published for so long before it signs: doors ask for keys far more often.
const PUBLISHED_BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// Nothing that a token key signed lives longer; an hour, and what clocks may differ.
const OUTLIVED_BY_TOKENS: SignedDuration = SignedDuration::from_mins(70);
/// Doors start from the last snapshot they kept, which may be as old as the control plane was away.
const OUTLIVED_BY_SNAPSHOTS: SignedDuration = SignedDuration::from_hours(30 * 24);

const PURPOSES: [KeyPurpose; 2] = [KeyPurpose::Tokens, KeyPurpose::Snapshot];

/// What a signed JWT says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum JwtKind {
    /// An access token (RFC 9068 §2.1).
    Access,
    /// An id token.
    Id,
}

/// A key that has to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct Due {
    purpose: KeyPurpose,
    algorithm: Algorithm,
}

/// Signs with the keys of the store.
pub(in crate::control) struct Signing {
    vault: Arc<Vault>,
    algorithm: Algorithm,
    rotation: SignedDuration,
    /// Private keys that were opened, by `kid`.
    opened: Mutex<BTreeMap<String, Arc<KeyPair>>>,
}

impl Signing {
    /// Tokens are signed by `algorithm`, the snapshot by EdDSA, each key for as long as `rotation`.
    #[must_use]
    pub(in crate::control) fn new(vault: Arc<Vault>, algorithm: Algorithm, rotation: Duration) -> Self {
        let rotation = SignedDuration::try_from(rotation).unwrap_or(SignedDuration::MAX);
        Self { vault, algorithm, rotation, opened: Mutex::default() }
    }

    /// What tokens are signed with, once its key signs.
    pub(in crate::control) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether [`Self::keep`] has anything to do.
    #[must_use]
    pub(in crate::control) fn is_due(&self, state: &State, now: Timestamp) -> bool {
        !self.due(state, now).is_empty() || state.signing_keys.values().any(|key| has_ended(key, now))
    }

    /// The keys that have to be made now: the first ones, one for an algorithm that was configured
    /// since, and one that follows the present one in time.
    #[must_use]
    pub(in crate::control) fn due(&self, state: &State, now: Timestamp) -> Vec<Due> {
        PURPOSES.into_iter().map(|purpose| Due { purpose, algorithm: self.algorithm_of(purpose) }).filter(|due| self.is_needed(state, now, *due)).collect()
    }

    /// Makes keys; that takes a while for RSA, so it is done before the store is asked.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub(in crate::control) fn make(due: &[Due]) -> Result<Vec<(Due, Made)>, OAuthError> {
        due.iter().map(|due| Ok((*due, Made::new(due.algorithm)?))).collect()
    }

    /// Enters the keys that are still needed and removes those that have ended.
    ///
    /// # Errors
    /// When the vault does not seal.
    pub(in crate::control) fn keep(&self, draft: &mut Draft, made: Vec<(Due, Made)>) -> Result<(), OAuthError> {
        let now = draft.now();
        for (due, made) in made {
            // Another replica may have been quicker.
            if self.is_needed(draft, now, due) {
                self.enter(draft, due, made)?;
            }
        }
        let ended: Vec<String> = draft.signing_keys.values().filter(|key| has_ended(key, now)).map(|key| key.kid.clone()).collect();
        for kid in ended {
            draft.remove::<SigningKey>(&kid);
            self.opened().remove(&kid);
        }
        Ok(())
    }

    /// Nothing, if what signs now can be opened.
    ///
    /// # Errors
    /// When it was sealed under another key than the configured one, or is not there.
    pub(in crate::control) fn require_usable(&self, state: &State, now: Timestamp) -> Result<(), OAuthError> {
        PURPOSES.into_iter().try_for_each(|purpose| self.open(signing_key(state, purpose, now)?).map(drop))
    }

    /// A JWT of these claims.
    ///
    /// # Errors
    /// When there is no key, or the vault does not open it.
    pub(in crate::control) fn token(&self, state: &State, now: Timestamp, kind: JwtKind, claims: &impl Serialize) -> Result<String, OAuthError> {
        let key = signing_key(state, KeyPurpose::Tokens, now)?;
        let kind = match kind {
            JwtKind::Access => "at+jwt",
            JwtKind::Id => "JWT",
        };
        let claims = serde_json::to_vec(claims).map_err(|_| OAuthError::Signing)?;
        let header = json!({"alg": key.algorithm, "kid": key.kid, "typ": kind});
        let mut token = signing_input(&header, &claims);
        let signature = self.open(key)?.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// A JWS of these bytes that does not contain them (RFC 7515 appendix F). Beside them it needs
    /// four thirds of their size while it works, in one piece: Ed25519 reads what it signs twice.
    ///
    /// # Errors
    /// When there is no key, or the vault does not open it.
    pub(in crate::control) fn detached(&self, state: &State, now: Timestamp, bytes: &[u8]) -> Result<String, OAuthError> {
        let key = signing_key(state, KeyPurpose::Snapshot, now)?;
        let input = signing_input(&json!({"alg": key.algorithm, "kid": key.kid}), bytes);
        let signature = self.open(key)?.sign(input.as_bytes())?;
        let header = input.split('.').next().unwrap_or_default();
        Ok(format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn algorithm_of(&self, purpose: KeyPurpose) -> Algorithm {
        match purpose {
            KeyPurpose::Tokens => self.algorithm,
            // The doors take no other (interfaces §5).
            KeyPurpose::Snapshot => Algorithm::EdDsa,
        }
    }

    fn is_needed(&self, state: &State, now: Timestamp, due: Due) -> bool {
        let Some(last) = last(state, due.purpose) else { return true };
        let has_time = now < after(last.signs_from, self.rotation - PUBLISHED_BEFORE);
        !has_time || last.algorithm != due.algorithm.name()
    }

    fn enter(&self, draft: &mut Draft, due: Due, made: Made) -> Result<(), OAuthError> {
        let now = draft.now();
        let before = last(draft, due.purpose).cloned();
        let signs_from = match &before {
            None => now,
            Some(before) if before.algorithm != due.algorithm.name() => after(now, PUBLISHED_BEFORE),
            Some(before) => after(before.signs_from, self.rotation).max(after(now, PUBLISHED_BEFORE)),
        };
        if let Some(before) = before {
            let outlived_by = match due.purpose {
                KeyPurpose::Tokens => OUTLIVED_BY_TOKENS,
                KeyPurpose::Snapshot => OUTLIVED_BY_SNAPSHOTS,
            };
            draft.put(SigningKey { published_until: Some(after(signs_from, outlived_by)), ..(*before).clone() });
        }
        draft.put(SigningKey {
            kid: made.kid,
            purpose: due.purpose,
            algorithm: due.algorithm.name().to_owned(),
            private_key: self.vault.seal(&made.private)?,
            public_key: made.public,
            signs_from,
            published_until: None,
        });
        Ok(())
    }

    fn open(&self, key: &SigningKey) -> Result<Arc<KeyPair>, OAuthError> {
        if let Some(pair) = self.opened().get(&key.kid) {
            return Ok(Arc::clone(pair));
        }
        let private = self.vault.open(&key.private_key).ok_or_else(|| OAuthError::SealedKey(key.kid.clone()))?;
        let pair = Arc::new(KeyPair::open(&key.algorithm, &private)?);
        self.opened().insert(key.kid.clone(), Arc::clone(&pair));
        Ok(pair)
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<KeyPair>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signing").field("algorithm", &self.algorithm).field("rotation", &self.rotation).finish_non_exhaustive()
    }
}

/// The JWK set of every key that is published, for tokens and for the snapshot.
#[must_use]
pub(in crate::control) fn published_keys(state: &State, now: Timestamp) -> Value {
    key_set(state, now, |_| true)
}

/// The JWK set of the keys that tokens are signed with: what a token is verified by at home.
#[must_use]
pub(in crate::control) fn token_keys(state: &State, now: Timestamp) -> Value {
    key_set(state, now, |purpose| purpose == KeyPurpose::Tokens)
}

/// The `kid` that signs for this purpose now; when it changes, the snapshot is signed anew.
#[must_use]
pub(in crate::control) fn signing_key_id(state: &State, purpose: KeyPurpose, now: Timestamp) -> Option<&str> {
    signing_key(state, purpose, now).ok().map(|key| key.kid.as_str())
}

fn key_set(state: &State, now: Timestamp, is_wanted: impl Fn(KeyPurpose) -> bool) -> Value {
    let keys = state.signing_keys.values().filter(|key| !has_ended(key, now) && is_wanted(key.purpose));
    json!({ "keys": keys.map(|key| &key.public_key).collect::<Vec<_>>() })
}

fn has_ended(key: &SigningKey, now: Timestamp) -> bool {
    key.published_until.is_some_and(|until| until <= now)
}

/// The youngest key that signs already.
fn signing_key(state: &State, purpose: KeyPurpose, now: Timestamp) -> Result<&Arc<SigningKey>, OAuthError> {
    let keys = state.signing_keys.values().filter(|key| key.purpose == purpose && key.signs_from <= now && !has_ended(key, now));
    keys.max_by_key(|key| (key.signs_from, key.kid.as_str())).ok_or(OAuthError::NoSigningKey)
}

/// The youngest key, whether it signs already or not.
fn last(state: &State, purpose: KeyPurpose) -> Option<&Arc<SigningKey>> {
    let keys = state.signing_keys.values().filter(|key| key.purpose == purpose);
    keys.max_by_key(|key| (key.signs_from, key.kid.as_str()))
}

/// What a JWS signature is over, in one allocation with room for the signature of a token.
fn signing_input(header: &Value, payload: &[u8]) -> String {
    let header = header.to_string();
    let encoded = |bytes: usize| bytes.div_ceil(3) * 4;
    let mut input = String::with_capacity(encoded(header.len()) + encoded(payload.len()) + 2 + encoded(256));
    URL_SAFE_NO_PAD.encode_string(header, &mut input);
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut input);
    input
}

fn after(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::token::{Checks, Issuer, IssuerRules, KeySet, TokenError, Unverified, verify, verify_detached, verify_signature};

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn signing(algorithm: Algorithm) -> Signing {
        Signing::new(testing::vault(), algorithm, Duration::from_secs(10 * DAY as u64))
    }

    /// The draft some seconds after the start, with its keys kept.
    fn kept(signing: &Signing, draft: &Draft, seconds: i64) -> Draft {
        let mut draft = testing::at(draft, seconds);
        let due = signing.due(&draft, draft.now());
        signing.keep(&mut draft, Signing::make(&due).unwrap()).unwrap();
        draft
    }

    fn keys(value: &Value) -> KeySet {
        let keys = KeySet::parse(value.to_string().as_bytes()).unwrap();
        assert!(keys.warnings().is_empty(), "{:?}", keys.warnings());
        keys
    }

    fn token(signing: &Signing, draft: &Draft) -> String {
        signing.token(draft, draft.now(), JwtKind::Access, &json!({"sub": "00uada"})).unwrap()
    }

    fn is_verified(token: &str, keys: &KeySet) -> Result<(), TokenError> {
        verify_signature(token, &[Algorithm::EdDsa, Algorithm::Rs256], keys).map(drop)
    }

    #[test]
    fn the_first_keys_sign_at_once_and_verify_under_the_published_set() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Rs256] {
            let signing = signing(algorithm);
            let draft = kept(&signing, &testing::draft(), 0);
            assert_eq!(draft.signing_keys.len(), 2);
            let published = keys(&published_keys(&draft, draft.now()));
            assert_eq!(published.len(), 2);
            is_verified(&token(&signing, &draft), &published).unwrap();
            let signature = signing.detached(&draft, draft.now(), b"{\"schema\":1}").unwrap();
            verify_detached(&signature, b"{\"schema\":1}", &published).unwrap();
            assert!(verify_detached(&signature, b"{\"schema\":2}", &published).is_err());
        }
    }

    #[test]
    fn a_whole_token_passes_the_checks_of_a_door() {
        let signing = signing(Algorithm::EdDsa);
        let draft = kept(&signing, &testing::draft(), 0);
        let now = draft.now().as_second();
        let claims = json!({"iss": "https://id", "aud": "lusid-api", "sub": "00uada", "iat": now, "exp": now + 3600});
        let token = signing.token(&draft, draft.now(), JwtKind::Access, &claims).unwrap();
        let issuer = Issuer {
            rules: Arc::new(IssuerRules { issuer: "https://id".into(), ..IssuerRules::default() }),
            audience: vec!["lusid-api".into()],
            algorithms: Algorithm::DEFAULT.to_vec(),
            clock_skew: Duration::ZERO,
            max_lifetime: Duration::from_secs(3600),
        };
        let own = keys(&token_keys(&draft, draft.now()));
        verify(Unverified::parse(&token).unwrap(), &issuer, &own, draft.now(), Checks::default()).unwrap();
    }

    #[test]
    fn the_snapshot_has_a_key_of_its_own_that_is_no_key_for_tokens() {
        let signing = signing(Algorithm::EdDsa);
        let draft = kept(&signing, &testing::draft(), 0);
        let signature = signing.detached(&draft, draft.now(), b"x").unwrap();
        let own = keys(&token_keys(&draft, draft.now()));
        assert_eq!(own.len(), 1);
        assert!(matches!(verify_detached(&signature, b"x", &own), Err(TokenError::UnknownKey)));
    }

    #[test]
    fn replicas_that_start_at_once_agree_on_one_key() {
        let (one, other) = (signing(Algorithm::EdDsa), signing(Algorithm::EdDsa));
        let mut draft = testing::draft();
        let made = [&one, &other].map(|signing| Signing::make(&signing.due(&draft, draft.now())).unwrap());
        for made in made {
            other.keep(&mut draft, made).unwrap();
        }
        assert_eq!(draft.signing_keys.len(), 2);
        is_verified(&token(&one, &draft), &keys(&token_keys(&draft, draft.now()))).unwrap();
    }

    #[test]
    fn the_next_key_is_published_an_hour_before_it_signs_and_the_old_one_until_its_tokens_have_ended() {
        let signing = signing(Algorithm::EdDsa);
        let first = kept(&signing, &testing::draft(), 0);
        let is_due = |seconds: i64| signing.is_due(&first, testing::later(seconds));
        assert!(!is_due(0) && !is_due(10 * DAY - HOUR - 1) && is_due(10 * DAY - HOUR));

        let second = kept(&signing, &first, 10 * DAY - HOUR);
        assert_eq!(second.signing_keys.len(), 4);
        let kid = |seconds: i64| signing_key_id(&second, KeyPurpose::Tokens, testing::later(seconds)).unwrap().to_owned();
        assert_eq!(kid(10 * DAY - 1), kid(0));
        assert_ne!(kid(10 * DAY), kid(0));
        let published = |draft: &Draft, seconds: i64| keys(&token_keys(draft, testing::later(seconds)));
        assert_eq!(published(&second, 10 * DAY - HOUR).len(), 2);

        let last_of_first = token(&signing, &testing::at(&second, 10 * DAY - 1));
        is_verified(&last_of_first, &published(&second, 10 * DAY - 1 + HOUR)).unwrap();
        assert!(is_verified(&last_of_first, &published(&second, 10 * DAY + 2 * HOUR)).is_err());
        assert!(signing.is_due(&second, testing::later(10 * DAY + 2 * HOUR)));
        let third = kept(&signing, &second, 10 * DAY + 2 * HOUR);
        assert_eq!(third.signing_keys.len(), 3, "the snapshot's old key outlives its tokens'");
    }

    #[test]
    fn after_a_long_sleep_the_next_key_still_waits_its_hour() {
        let signing = signing(Algorithm::EdDsa);
        let first = kept(&signing, &testing::draft(), 0);
        let kid = |draft: &Draft, seconds: i64| signing_key_id(draft, KeyPurpose::Tokens, testing::later(seconds)).unwrap().to_owned();
        let second = kept(&signing, &first, 50 * DAY);
        assert_eq!(kid(&second, 50 * DAY), kid(&first, 0));
        assert_ne!(kid(&second, 50 * DAY + HOUR), kid(&first, 0));
    }

    #[test]
    fn another_algorithm_comes_into_force_by_a_key_of_its_own() {
        let before = kept(&signing(Algorithm::EdDsa), &testing::draft(), 0);
        let signing = signing(Algorithm::Rs256);
        let after = kept(&signing, &before, 60);
        let header = |seconds: i64| token(&signing, &testing::at(&after, seconds)).split('.').next().map(str::to_owned).unwrap();
        let algorithm = |seconds: i64| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(header(seconds)).unwrap()).unwrap()["alg"].clone();
        assert_eq!(algorithm(60), "EdDSA");
        assert_eq!(algorithm(60 + HOUR), "RS256");
        assert!(!signing.is_due(&after, testing::later(60)), "one is enough");
    }

    #[test]
    fn private_keys_are_sealed_and_never_replaced_because_they_cannot_be_opened() {
        let draft = kept(&signing(Algorithm::EdDsa), &testing::draft(), 0);
        assert!(draft.signing_keys.values().all(|key| key.private_key.starts_with("aes256gcm:")));
        assert!(!published_keys(&draft, draft.now()).to_string().contains("\"d\""));
        let other = Signing::new(Arc::new(Vault::plain()), Algorithm::EdDsa, Duration::from_secs(10 * DAY as u64));
        assert!(!other.is_due(&draft, draft.now()));
        let refused = other.token(&draft, draft.now(), JwtKind::Access, &json!({}));
        assert!(matches!(refused, Err(OAuthError::SealedKey(_))));
        assert!(matches!(other.require_usable(&draft, draft.now()), Err(OAuthError::SealedKey(_))));
    }

    #[test]
    fn what_is_signed_is_written_out_once_and_no_larger_than_it_has_to_be() {
        let input = signing_input(&json!({"alg": "EdDSA", "kid": "k"}), &vec![0; 3 << 20]);
        assert!(input.len() > 4 << 20 && input.capacity() < (4 << 20) + 1024, "{}", input.capacity());
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        let draft = testing::draft();
        assert!(matches!(signing(Algorithm::EdDsa).detached(&draft, draft.now(), b"x"), Err(OAuthError::NoSigningKey)));
    }
}
