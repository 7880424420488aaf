//! Tokens of external token issuers: verified, as at every data plane, by the keys that the issuer
//! publishes. Whom they name must be a user here; roles come from here, never from the token.

use crate::authorize::Identity;
use crate::http_client::{Authorities, HttpClient, is_askable};
use crate::observe::clock;
use crate::sources::{IssuerKeys, KeyHolder, KeyOrigin, KeySets, Presented, Surroundings, Tokens};
use crate::store::{ExternalTokenIssuer, State};
use crate::token::{Algorithm, Bearer, Issuer, IssuerRules, MAX_TOKEN_BYTES, Unverified, UserMatch, bearer, is_compact};
use http::{HeaderMap, Uri};
use jiff::Timestamp;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often keys are asked for, and how often at most for an unknown one.
const REFRESH: Duration = Duration::from_secs(5 * 60);
const COOLDOWN: Duration = Duration::from_secs(10);
const CLOCK_SKEW: Duration = Duration::from_secs(30);
/// No token is good for longer.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// The issuers whose tokens were shown, with their keys.
#[derive(Default)]
pub(super) struct ForeignTokens(Mutex<Option<Known>>);

/// What is known of the issuers as they were entered.
struct Known {
    issuers: Vec<Arc<ExternalTokenIssuer>>,
    tokens: Arc<Tokens>,
    /// Keeps the keys fresh until the issuers change.
    _refreshing: JoinSet<()>,
}

impl ForeignTokens {
    /// Who a request says it comes from, where its token names one of the issuers; none for any other.
    pub(super) async fn identify(&self, state: &State, headers: &HeaderMap, now: Timestamp) -> Option<Identity> {
        let Bearer::Token(token) = bearer(headers) else { return None };
        if state.external_token_issuers.is_empty() || token.len() > MAX_TOKEN_BYTES || !is_compact(token) {
            return None;
        }
        let name: Box<str> = Unverified::parse(token).ok()?.issuer()?.into();
        let is_entered = state.external_token_issuers.values().any(|issuer| *issuer.issuer == *name);
        let tokens = self.tokens(state).filter(|_| is_entered)?;
        Some(tokens.identify(&Presented::by(headers, now)).await)
    }

    /// The issuers as they are entered now; none where that cannot be had.
    fn tokens(&self, state: &State) -> Option<Arc<Tokens>> {
        let issuers: Vec<Arc<ExternalTokenIssuer>> = state.external_token_issuers.values().cloned().collect();
        let mut known = self.0.lock().ok()?;
        if let Some(known) = known.as_ref().filter(|known| known.issuers == issuers) {
            return Some(Arc::clone(&known.tokens));
        }
        let made = Known::of(issuers)?;
        let tokens = Arc::clone(&made.tokens);
        *known = Some(made);
        Some(tokens)
    }
}

impl Known {
    fn of(issuers: Vec<Arc<ExternalTokenIssuer>>) -> Option<Self> {
        let client = HttpClient::new(Authorities::Native).inspect_err(|error| tracing::error!(%error, "external token issuers cannot be asked")).ok()?;
        let surroundings = Surroundings { client, observer: Arc::new(()), clock: clock::now };
        let usable = issuers.iter().filter(|issuer| is_usable(&issuer.issuer)).map(|issuer| keys_of(issuer, &surroundings)).collect();
        let key_sets = Arc::new(KeySets::new(usable));
        let mut refreshing = JoinSet::new();
        refreshing.spawn({
            let key_sets = Arc::clone(&key_sets);
            async move { key_sets.run().await }
        });
        Some(Self { issuers, tokens: Arc::new(Tokens::new(key_sets, Arc::new(()))), _refreshing: refreshing })
    }
}

/// Whether keys can be had from there that nobody on the way has changed: by https, or from this machine.
pub(super) fn is_usable(issuer: &str) -> bool {
    let Ok(url) = issuer.parse::<Uri>() else { return false };
    let is_here = |host: &str| host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_askable(&url) && (url.scheme_str() == Some("https") || url.host().is_some_and(is_here))
}

fn keys_of(entered: &ExternalTokenIssuer, surroundings: &Surroundings) -> IssuerKeys {
    let origin = KeyOrigin::Discovery { issuer: entered.issuer.as_str().into() };
    let keys = KeyHolder::new(&entered.issuer, origin, REFRESH, COOLDOWN, surroundings.clone());
    let issuer = Issuer {
        rules: Arc::new(rules_of(entered)),
        audience: vec![entered.audience.as_str().into()],
        algorithms: Algorithm::DEFAULT.to_vec(),
        clock_skew: CLOCK_SKEW,
        max_lifetime: LONGEST_LIFE,
    };
    IssuerKeys { issuer, keys: Arc::new(keys) }
}

/// With mappings, the claim of the login names the user; without, `sub` is the user's id. A literal is no claim:
/// it would name the same user in every token, and no token has a claim of such a name.
fn rules_of(entered: &ExternalTokenIssuer) -> IssuerRules {
    let usual = IssuerRules::named(entered.issuer.as_str());
    match entered.claim_mappings.as_ref() {
        None => usual,
        Some(mappings) => {
            let login = mappings.get("login").and_then(serde_json::Value::as_str).unwrap_or_default();
            IssuerRules { user_claim: login.into(), user_match: UserMatch::Login, ..usual }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::http_client::test_server::{Server, answer};
    use crate::store::Draft;
    use crate::token::forge::{Forge, key_set};
    use http::header::AUTHORIZATION;
    use serde_json::{Value, json};

    /// An issuer that publishes this key.
    pub(in crate::control) async fn issuer(forge: &Forge) -> Server {
        let keys = key_set(&[forge.jwk()]);
        Server::start(move |target, headers: HeaderMap, _| {
            let url = format!("http://{}", headers["host"].to_str().unwrap());
            let document = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string().into_bytes();
            let body = if target == "/keys" { keys.clone() } else { document };
            async move { answer(200, &[], body) }
        })
        .await
    }

    pub(in crate::control) fn entered(code: &str, url: &str, mappings: Option<Value>) -> ExternalTokenIssuer {
        ExternalTokenIssuer {
            code: code.to_owned(),
            issuer: url.to_owned(),
            audience: "lusid".to_owned(),
            description: None,
            claim_mappings: mappings,
            logout_url: "https://id.example/logout".to_owned(),
        }
    }

    fn state(issuers: &[ExternalTokenIssuer]) -> Draft {
        let mut draft = Draft::new(&State::default(), clock::now());
        issuers.iter().for_each(|issuer| draft.put(issuer.clone()));
        draft
    }

    fn claims(issuer: &str) -> Value {
        json!({ "iss": issuer, "aud": "lusid", "sub": "00u1", "mail": "ada@example.com", "exp": clock::now().as_second() + 600 })
    }

    async fn told(tokens: &ForeignTokens, state: &State, token: &str) -> String {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        match tokens.identify(state, &headers, clock::now()).await {
            None => "nobody's".to_owned(),
            Some(Identity::Token(token)) => format!("{:?} {}", token.rules.user_match, token.user),
            Some(Identity::Refused(reason)) => format!("refused: {reason}"),
            Some(other) => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_token_is_verified_by_the_keys_of_its_issuer() {
        let (forge, other) = (Forge::ed25519("one"), Forge::ed25519("one"));
        let server = issuer(&forge).await;
        let tokens = ForeignTokens::default();
        let plain = state(&[entered("plain", &server.url, None)]);
        assert_eq!(told(&tokens, &plain, &forge.token(&claims(&server.url))).await, "Id 00u1");
        assert!(told(&tokens, &plain, &other.token(&claims(&server.url))).await.starts_with("refused: "));
        let mut wrong = claims(&server.url);
        wrong["aud"] = json!("another");
        assert!(told(&tokens, &plain, &forge.token(&wrong)).await.starts_with("refused: "));
        let mut late = claims(&server.url);
        late["exp"] = json!(clock::now().as_second() - 60);
        assert!(told(&tokens, &plain, &forge.token(&late)).await.starts_with("refused: "));
    }

    #[tokio::test]
    async fn with_mappings_the_claim_of_the_login_names_the_user() {
        let forge = Forge::ed25519("one");
        let server = issuer(&forge).await;
        let tokens = ForeignTokens::default();
        let token = forge.token(&claims(&server.url));
        let mapped = state(&[entered("mapped", &server.url, Some(json!({ "userId": "sub", "login": "mail" })))]);
        assert_eq!(told(&tokens, &mapped, &token).await, "Login ada@example.com");
        // A change of the entry holds for the next call, whatever was verified before.
        let literal = state(&[entered("mapped", &server.url, Some(json!({ "userId": "sub", "login": "'ada@example.com'" })))]);
        assert!(told(&tokens, &literal, &token).await.starts_with("refused: "));
        assert_eq!(told(&tokens, &state(&[]), &token).await, "nobody's");
    }

    #[tokio::test]
    async fn a_token_of_an_issuer_that_is_not_entered_is_nobodys_and_asks_nobody() {
        let forge = Forge::ed25519("one");
        let server = issuer(&forge).await;
        let entered = state(&[entered("plain", &server.url, None)]);
        let tokens = ForeignTokens::default();
        assert_eq!(told(&tokens, &entered, &forge.token(&claims("https://elsewhere.example"))).await, "nobody's");
        assert_eq!(told(&tokens, &entered, "opaque").await, "nobody's");
        assert!(server.asked().is_empty());
    }

    #[tokio::test]
    async fn an_issuer_whose_keys_could_be_changed_on_their_way_is_of_no_use() {
        let forge = Forge::ed25519("one");
        let entered = state(&[entered("plain", "http://id.example", None)]);
        let told = told(&ForeignTokens::default(), &entered, &forge.token(&claims("http://id.example"))).await;
        assert!(told.starts_with("refused: "), "{told}");
        for (url, expected) in [
            ("https://id.example", true),
            ("https://id.example/tenant/v2.0", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080/", true),
            ("http://localhost:8080", true),
            ("http://id.example", false),
            ("http://127.0.0.1.example", false),
            ("https://user@id.example", false),
            ("id.example", false),
            ("ftp://id.example", false),
        ] {
            assert_eq!(is_usable(url), expected, "{url}");
        }
    }
}
