//! Asks an issuer what a token is worth (RFC 7662). Every question is bounded in time and size, the
//! same token is asked about once at a time, few are asked about at once, and an endpoint that fails
//! is left alone for a while: until then tokens that are not in the cache are refused.

use super::pacing::BackOff;
use super::{SourceError, Surroundings};
use crate::http_client::{Ask, HttpError, decoded};
use crate::token::{Binding, Issuer, TokenError, Unverified, VerifiedToken, introspected, is_compact};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

/// No endpoint is waited for longer, and no turn.
const TIMEOUT: Duration = Duration::from_secs(5);
/// No answer is longer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How many tokens are asked about at once.
const AT_ONCE: usize = 16;
/// The most that is remembered of refused tokens, and what each takes beside its text.
const MAX_REFUSED_BYTES: u64 = 8 * 1024 * 1024;
const REFUSED_BYTES: usize = 128;
/// What a form leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// Where and how an issuer is asked.
#[derive(Clone)]
pub struct IntrospectionSettings {
    /// An http or https URL.
    pub endpoint: Uri,
    /// What the endpoint knows this client by.
    pub authorization: HeaderValue,
    /// How long an answer may be believed, if the token does not end before.
    pub cache: Duration,
    /// How long a token that was refused is not asked about again, and how long at most an endpoint
    /// that fails is left alone.
    pub cooldown: Duration,
}

/// An issuer that is asked about its tokens.
pub struct Introspector {
    /// What its tokens are measured by.
    pub issuer: Issuer,
    settings: IntrospectionSettings,
    surroundings: Surroundings,
    turns: Semaphore,
    /// The tokens that are being asked about.
    asking: Mutex<HashMap<Box<str>, Arc<OnceCell<Told>>>>,
    pause: Mutex<Pause>,
    /// Tokens that were refused, why, and how long that holds.
    refused: Cache<Box<str>, (Timestamp, TokenError)>,
}

/// What was told of a token, or why nothing was.
type Told = Result<Arc<VerifiedToken>, TokenError>;

/// What follows on failures in a row.
#[derive(Default)]
struct Pause {
    back_off: BackOff,
    until: Option<Instant>,
}

impl IntrospectionSettings {
    /// The credential of a client (RFC 6749 §2.3.1). It is never shown.
    #[must_use]
    pub fn basic(client_id: &str, client_secret: &str) -> Option<HeaderValue> {
        let form = |text: &str| utf8_percent_encode(text, FORM).to_string();
        let encoded = STANDARD.encode(format!("{}:{}", form(client_id), form(client_secret)));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Introspector {
    /// Asks as `settings` say.
    #[must_use]
    pub fn new(issuer: Issuer, settings: IntrospectionSettings, surroundings: Surroundings) -> Self {
        let weight = |length: usize| u32::try_from(length + REFUSED_BYTES).unwrap_or(u32::MAX);
        let refused = Cache::<Box<str>, _>::builder().max_capacity(MAX_REFUSED_BYTES).weigher(move |token, _| weight(token.len())).build();
        let turns = Semaphore::new(AT_ONCE);
        Self { issuer, settings, surroundings, turns, asking: Mutex::default(), pause: Mutex::default(), refused }
    }

    /// How long an answer of `now` may be believed at most.
    pub(super) fn believed_until(&self, token: &VerifiedToken, now: Timestamp) -> Timestamp {
        token.expires_at.min(later(now, self.settings.cache))
    }

    /// What the issuer says of a token, measured at `now`. Who asks while somebody asks about the same
    /// token waits for that answer.
    ///
    /// # Errors
    /// When it is not to be accepted: the issuer says so, or could not be asked ([`TokenError::Unasked`]),
    /// or need not be, for the token itself says what rules it out.
    pub(super) async fn ask(&self, token: &str, now: Timestamp) -> Told {
        if let Some((_, error)) = self.refused.get(token).filter(|(until, _)| now < *until) {
            return Err(error);
        }
        let own = own_binding(token, &self.issuer, now)?;
        let cell = match self.asking.lock() {
            Ok(mut asking) => Arc::clone(asking.entry(token.into()).or_default()),
            Err(_) => return Err(TokenError::Unasked),
        };
        let waiting = Waiting { of: self, token, cell };
        waiting.cell.get_or_init(|| self.told(token, own, now)).await.clone()
    }

    async fn told(&self, token: &str, own: Option<Binding>, now: Timestamp) -> Told {
        if self.is_paused() {
            return Err(TokenError::Unasked);
        }
        // Who waits in vain for a turn has learnt nothing of the endpoint.
        let Ok(Ok(_turn)) = tokio::time::timeout(TIMEOUT, self.turns.acquire()).await else { return Err(TokenError::Unasked) };
        if self.is_paused() {
            return Err(TokenError::Unasked);
        }
        let answer = tokio::time::timeout(TIMEOUT, self.exchange(token)).await.unwrap_or(Err(SourceError::Http(HttpError::Timeout(TIMEOUT))));
        let (told, is_down) = match answer {
            Ok(body) => (introspected(body.into(), own, &self.issuer, now).map(Arc::new), false),
            Err(error) => {
                tracing::warn!(issuer = %self.issuer.rules.issuer, %error, "the issuer could not be asked about a token, which is refused");
                (Err(TokenError::Unasked), !is_of_the_token(&error))
            }
        };
        self.note(token, &told, is_down, now);
        told
    }

    async fn exchange(&self, token: &str) -> Result<Bytes, SourceError> {
        let answer = self.surroundings.client.ask(self.question(token)).await?;
        if answer.status != StatusCode::OK {
            return Err(SourceError::Status(answer.status.as_u16()));
        }
        Ok(decoded(&answer, MAX_ANSWER_BYTES)?)
    }

    fn question(&self, token: &str) -> Ask {
        let body = format!("token={}&token_type_hint=access_token", utf8_percent_encode(token, FORM));
        let headers = [
            (AUTHORIZATION, self.settings.authorization.clone()),
            (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ];
        Ask {
            method: Method::POST,
            headers: HeaderMap::from_iter(headers),
            body: body.into(),
            ..Ask::get(self.settings.endpoint.clone(), TIMEOUT, MAX_ANSWER_BYTES)
        }
    }

    fn is_paused(&self) -> bool {
        self.pause.lock().map_or(true, |pause| pause.until.is_some_and(|until| Instant::now() < until))
    }

    /// Counts, and leaves the endpoint alone for a while when it is down. What it does not like about one
    /// token, or says of it that is no answer, concerns that token alone: strangers choose tokens.
    fn note(&self, token: &str, told: &Told, is_down: bool, now: Timestamp) {
        let result = match told {
            Ok(_) => "active",
            Err(TokenError::Unasked | TokenError::Malformed(_)) => "failed",
            Err(_) => "refused",
        };
        if let (Err(error), false) = (told, is_down) {
            self.refused.insert(token.into(), (later(now, self.settings.cooldown), error.clone()));
        }
        self.surroundings.observer.introspection(&self.issuer.rules.issuer, result);
        let Ok(mut pause) = self.pause.lock() else { return };
        if is_down {
            pause.until = Some(Instant::now() + pause.back_off.failed(self.settings.cooldown));
        } else {
            *pause = Pause::default();
        }
    }
}

/// Whether the endpoint answered, and refuses this question; not when it refuses us, or asks for patience.
fn is_of_the_token(error: &SourceError) -> bool {
    matches!(error, SourceError::Status(400..=499)) && !matches!(error, SourceError::Status(401 | 403 | 404 | 408 | 429))
}

/// What a signed token binds itself to. Whether it is signed is for its issuer to say, but nobody is asked
/// about one that is over, for somebody else, or of an algorithm that the issuer does not use.
fn own_binding(token: &str, issuer: &Issuer, now: Timestamp) -> Result<Option<Binding>, TokenError> {
    match is_compact(token) {
        true => Unverified::parse(token)?.uncontradicted(issuer, now),
        false => Ok(None),
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// One who waits for an answer. With the last of them the question is forgotten, so that nothing stays
/// behind when all hang up.
struct Waiting<'a> {
    of: &'a Introspector,
    token: &'a str,
    cell: Arc<OnceCell<Told>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Ok(mut asking) = self.of.asking.lock() else { return };
        let is_same = asking.get(self.token).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // The map's own hold and this one's: nobody else waits.
        if is_same && (self.cell.initialized() || Arc::strong_count(&self.cell) <= 2) {
            asking.remove(self.token);
        }
    }
}
