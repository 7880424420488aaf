//! Who a request says it comes from: its token verified, or found in the cache of verified ones, and
//! shown to be its sender's where it is bound. The cache compares the whole token, belongs to one
//! version of the issuer's keys or to a bounded time since the issuer was asked, and never outlives
//! `exp`; revocations and the account are judged afterwards, on every call.

use super::presented::Presented;
use super::replays::{Replays, Unusable};
use super::{Introspector, KeySets, SourceObserver};
use crate::authorize::{Challenge, Door, Identity};
use crate::token::{
    Bearer, Binding, Checks, MAX_TOKEN_BYTES, TokenError, Unverified, VerifiedToken, bearer, bearer_bytes, is_compact, possessed, verify_for_sender,
    verify_proof,
};
use http::HeaderName;
use jiff::Timestamp;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::Arc;

/// The most that the cache may hold, tokens and claims together, roughly.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// What a cached token takes beside its text and its claims.
const ENTRY_BYTES: usize = 512;
const PROOF: HeaderName = HeaderName::from_static("dpop");

/// Identifies callers by their tokens.
pub struct Tokens {
    key_sets: Arc<KeySets>,
    observer: Arc<dyn SourceObserver>,
    verified: Cache<Box<[u8]>, Verified, foldhash::fast::RandomState>,
    /// The proofs that were taken, and those that ext_proc took: it sees a call after ext_authz did.
    replays: [Replays; 2],
}

/// A token that verified, by what, and how long that is believed.
#[derive(Clone)]
struct Verified {
    by: By,
    until: Timestamp,
    token: Arc<VerifiedToken>,
}

/// What a token was verified by.
#[derive(Clone, Copy)]
enum By {
    Keys { issuer: usize, version: u64 },
    Asking,
}

/// How a token was presented.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Possession,
}

/// What there is no identity without.
#[derive(Debug)]
pub enum Wanted {
    /// The issuer at this place does not have the key that the token names; newer keys may.
    Keys(usize),
    /// The issuers at these places must be asked about the token.
    Answers(Range<usize>),
}

impl Wanted {
    /// The identity of the caller if nothing more is to be had.
    #[must_use]
    pub fn refused(&self) -> Identity {
        match self {
            Self::Keys(_) => refused(&TokenError::UnknownKey),
            Self::Answers(_) => refused(&TokenError::Unasked),
        }
    }
}

impl Tokens {
    /// Identifies by the issuers of `key_sets`, with an empty cache.
    #[must_use]
    pub fn new(key_sets: Arc<KeySets>, observer: Arc<dyn SourceObserver>) -> Self {
        // The claims of a token are about as large as its text.
        let weight = |length: usize| u32::try_from(length * 2 + ENTRY_BYTES).unwrap_or(u32::MAX);
        let verified = Cache::<Box<[u8]>, Verified>::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(move |token, _| weight(token.len()))
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self { key_sets, observer, verified, replays: Default::default() }
    }

    /// The issuers and their keys.
    #[must_use]
    pub fn key_sets(&self) -> &Arc<KeySets> {
        &self.key_sets
    }

    /// Who the request says it comes from. Waits only where a token names an unknown key and its
    /// issuer may be asked again, or where its issuer is to be asked about it.
    pub async fn identify(&self, presented: &Presented<'_>) -> Identity {
        match self.identify_at_once(presented) {
            Ok(identity) => identity,
            Err(Wanted::Keys(issuer)) => self.identify_by_newer_keys(presented, issuer).await,
            Err(Wanted::Answers(issuers)) => self.identify_by_asking(presented, issuers).await,
        }
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// When an issuer must be asked first: [`Self::identify`] does that.
    pub fn identify_at_once(&self, presented: &Presented<'_>) -> Result<Identity, Wanted> {
        // A token that is in the cache was looked at: its characters need not be looked at again.
        if let Some(token) = bearer_bytes(presented.headers)
            && let Some(found) = self.cached(token, presented.now)
        {
            self.observer.token_cache(true);
            return Ok(self.of_sender(found, Scheme::Bearer, token, presented));
        }
        match credential(presented) {
            Ok((token, scheme)) => self.identify_token(token, scheme, presented),
            Err(identity) => Ok(identity),
        }
    }

    fn identify_token(&self, token: &str, scheme: Scheme, presented: &Presented<'_>) -> Result<Identity, Wanted> {
        if token.len() > MAX_TOKEN_BYTES {
            return Ok(refused(&TokenError::TooLong));
        }
        // A bearer token was looked for.
        if scheme == Scheme::Possession
            && let Some(found) = self.cached(token.as_bytes(), presented.now)
        {
            self.observer.token_cache(true);
            return Ok(self.of_sender(found, scheme, token.as_bytes(), presented));
        }
        match is_compact(token) {
            true => self.identify_signed(token, scheme, presented),
            false => self.identify_opaque(token, scheme, presented),
        }
    }

    fn identify_signed(&self, token: &str, scheme: Scheme, presented: &Presented<'_>) -> Result<Identity, Wanted> {
        self.observer.token_cache(false);
        let unverified = match Unverified::parse(token) {
            Ok(unverified) => unverified,
            Err(error) => return Ok(refused(&error)),
        };
        let name = unverified.issuer().unwrap_or_default();
        let Some((place, issuer)) = self.key_sets.find(name) else {
            let asked = self.key_sets.find_asked(name).ok_or(TokenError::UnknownIssuer);
            return asked.map_or_else(|error| Ok(refused(&error)), |place| Err(Wanted::Answers(place..place + 1)));
        };
        let held = issuer.keys.held();
        match verify_for_sender(unverified, &issuer.issuer, &held.keys, presented.now, Checks::default()) {
            Ok(verified) => {
                let verified = Arc::new(verified);
                let by = By::Keys { issuer: place, version: held.version };
                self.remember(token, Verified { by, until: verified.expires_at, token: Arc::clone(&verified) }, presented.now);
                Ok(self.of_sender(verified, scheme, token.as_bytes(), presented))
            }
            Err(error) if error.is_unknown_key() => Err(Wanted::Keys(place)),
            Err(error) => Ok(refused(&error)),
        }
    }

    /// A personal access token, or one that the issuers who can be asked may know.
    fn identify_opaque(&self, token: &str, scheme: Scheme, presented: &Presented<'_>) -> Result<Identity, Wanted> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let asked = self.key_sets.asked().len();
        let is_known = presented.policies.is_some_and(|policies| policies.personal_access_token(&digest).is_some());
        match (is_known || asked == 0, scheme) {
            (false, _) => Err(Wanted::Answers(0..asked)),
            (true, Scheme::Bearer) => Ok(Identity::Opaque(digest)),
            (true, Scheme::Possession) => Ok(unproven(Challenge::Possession, &TokenError::Bound("it is not, and a proof came with it"))),
        }
    }

    async fn identify_by_newer_keys(&self, presented: &Presented<'_>, issuer: usize) -> Identity {
        let wanted = Wanted::Keys(issuer);
        let Some(issuer) = self.key_sets.at(issuer) else { return wanted.refused() };
        if !issuer.keys.refresh_for_unknown_key().await {
            return wanted.refused();
        }
        self.identify_at_once(presented).unwrap_or_else(|wanted| wanted.refused())
    }

    /// Asks the issuers in their order. The first who does not say that the token is inactive decides:
    /// one who cannot be asked, or does not vouch for it, refuses it, whatever the next would say.
    async fn identify_by_asking(&self, presented: &Presented<'_>, issuers: Range<usize>) -> Identity {
        let (token, scheme) = match credential(presented) {
            Ok(credential) => credential,
            Err(identity) => return identity,
        };
        for issuer in self.key_sets.asked().get(issuers).unwrap_or_default() {
            match issuer.ask(token, presented.now).await {
                Ok(verified) => return self.vouched(issuer, verified, (token, scheme), presented),
                Err(TokenError::Inactive) => {}
                Err(error) => return refused(&error),
            }
        }
        refused(&TokenError::Inactive)
    }

    fn vouched(&self, issuer: &Introspector, verified: Arc<VerifiedToken>, (token, scheme): (&str, Scheme), presented: &Presented<'_>) -> Identity {
        let until = issuer.believed_until(&verified, presented.now);
        self.remember(token, Verified { by: By::Asking, until, token: Arc::clone(&verified) }, presented.now);
        self.of_sender(verified, scheme, token.as_bytes(), presented)
    }

    /// The verified token, if what it was verified by is in force and it has not ended.
    fn cached(&self, token: &[u8], now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let found = self.verified.get(token)?;
        let is_current = match found.by {
            By::Keys { issuer, version } => self.key_sets.at(issuer)?.keys.held().version == version,
            By::Asking => true,
        };
        (is_current && now < found.until).then_some(found.token)
    }

    fn remember(&self, token: &str, verified: Verified, now: Timestamp) {
        // Between `exp` and the end of the skew a token is good, but verified every time.
        if now < verified.until {
            self.verified.insert(token.as_bytes().into(), verified);
        } else {
            self.verified.invalidate(token.as_bytes());
        }
    }

    /// The identity of who sent the token: a bound one is good for nobody else.
    fn of_sender(&self, verified: Arc<VerifiedToken>, scheme: Scheme, token: &[u8], presented: &Presented<'_>) -> Identity {
        match (&verified.binding, scheme) {
            (None, Scheme::Bearer) => Identity::Token(verified),
            (Some(Binding::Certificate(bound)), Scheme::Bearer) => {
                let shown = presented.call.and_then(|call| call.channel.certificate);
                match shown.as_ref() == Some(bound) {
                    true => Identity::Token(verified),
                    false => refused(&TokenError::Bound("its client certificate was not shown here")),
                }
            }
            (Some(Binding::Key(key)), Scheme::Possession) => match self.prove(key, &verified.rules.proof_hosts, token, presented) {
                Ok(()) => Identity::Token(verified),
                Err(error) => unproven(Challenge::Proof, &error),
            },
            (Some(Binding::Key(_)), Scheme::Bearer) => unproven(Challenge::Possession, &TokenError::Bound("it is no bearer token")),
            (None | Some(Binding::Certificate(_)), Scheme::Possession) => {
                unproven(Challenge::Possession, &TokenError::Bound("not to a key, and a proof came with it"))
            }
        }
    }

    /// Verifies the one proof that came with the call, and that it came for the first time.
    fn prove(&self, key: &[u8; 32], hosts: &[Box<str>], token: &[u8], presented: &Presented<'_>) -> Result<(), TokenError> {
        let mut proofs = presented.headers.get_all(PROOF).iter();
        let (Some(proof), None) = (proofs.next(), proofs.next()) else { return Err(TokenError::Proof("not exactly one came")) };
        let proof = proof.to_str().map_err(|_| TokenError::Proof("it is no text"))?;
        let (Some(call), Some(shown)) = (presented.proven_call(hosts), presented.call) else {
            return Err(TokenError::Proof("none can be verified here"));
        };
        let id = verify_proof(proof, token, key, &call, presented.now)?;
        let [first, second] = &self.replays;
        let replays = if shown.door == Door::ExtProc { second } else { first };
        replays.take(id, presented.now).map_err(|unusable| match unusable {
            Unusable::Used => TokenError::Proof("it was used before"),
            Unusable::Full => TokenError::Proof("too many came of late"),
        })
    }
}

/// The token and its scheme, or who comes without one.
fn credential<'a>(presented: &Presented<'a>) -> Result<(&'a str, Scheme), Identity> {
    match (bearer(presented.headers), possessed(presented.headers)) {
        (Bearer::Token(token), _) => Ok((token, Scheme::Bearer)),
        (_, Some(token)) => Ok((token, Scheme::Possession)),
        (Bearer::Missing, None) => Err(Identity::Missing),
        (Bearer::Malformed, None) => Err(Identity::Refused("the `Authorization` header is not one token".into())),
    }
}

fn refused(error: &TokenError) -> Identity {
    Identity::Refused(error.to_string().into())
}

fn unproven(challenge: Challenge, error: &TokenError) -> Identity {
    Identity::Unproven { challenge, reason: error.to_string().into() }
}
