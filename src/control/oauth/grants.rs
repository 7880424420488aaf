//! `POST /oauth2/default/v1/token`: the three ways to a token.

use super::claims::{Given, Grant, TokenAnswer, give, known_scopes};
use super::form::Form;
use super::passwords::Compared;
use super::presented::Asked;
use super::refusal::{Error, OAuthRefusal};
use super::sessions::{self, Unusable};
use super::sign_in::{Refusal, SecondFactor, Shown, admit, may_sign_in};
use super::vault::Vault;
use super::{events, secrets, sign_in};
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::observe::clock;
use crate::store::{Application, Draft, RefreshToken, User, UserKind};
use std::sync::Arc;

/// The words by which clients know that they have to sign in anew.
const ENDED: &str = "the refresh token is invalid or expired";

/// What a change comes to: a refusal is kept like a success, for it counts.
type Outcome = Result<(Arc<User>, Given), Denied>;

/// Why nothing is given.
#[derive(Debug)]
enum Denied {
    SignIn(Refusal),
    Renewal(Unusable),
    Other(OAuthRefusal),
}

impl From<Denied> for OAuthRefusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::SignIn(refusal) => Self::new(Error::InvalidGrant, refusal.told()),
            Denied::Renewal(_) => Self::new(Error::InvalidGrant, ENDED),
            Denied::Other(refusal) => refusal,
        }
    }
}

impl Denied {
    /// For the identity log.
    const fn reason(&self) -> &'static str {
        match self {
            Self::SignIn(refusal) => refusal.reason(),
            Self::Renewal(Unusable::Unknown) => "the refresh token is not known or has ended",
            Self::Renewal(Unusable::UsedTwice) => "the refresh token was used twice: its sign-in has ended",
            Self::Renewal(Unusable::UserInactive) => "the account is not active",
            Self::Other(_) => "the request was not acceptable",
        }
    }
}

/// Answers a request for tokens.
pub(super) async fn answer(plane: &Plane, asked: &Asked) -> Result<TokenAnswer, OAuthRefusal> {
    let grant = asked.form.text("grant_type").ok_or_else(|| OAuthRefusal::request("`grant_type` is missing"))?;
    match grant {
        "password" => by_password(plane, asked).await,
        "refresh_token" => by_refresh_token(plane, asked).await,
        "client_credentials" => by_client(plane, asked).await,
        _ => Err(OAuthRefusal::new(Error::UnsupportedGrantType, "use `password`, `refresh_token` or `client_credentials`")),
    }
}

async fn by_password(plane: &Plane, asked: &Asked) -> Result<TokenAnswer, OAuthRefusal> {
    let started = clock::monotonic();
    let (logins, passwords) = (asked.form.readings("username"), asked.form.readings("password"));
    if logins.is_empty() || passwords.is_empty() {
        return Err(OAuthRefusal::request("`username` and `password` are needed"));
    }
    let scopes = scopes(&asked.form)?;
    let compared = plane.oauth.passwords.compare(&asked.state, &logins, &passwords).await.map_err(Problem::from)?;
    let shown = Shown { logins: &logins, passwords: &passwords, client: &asked.client.client_id, request: &asked.request, peer: asked.peer };
    let (issuer, code) = (plane.settings.issuer(), asked.form.text("otp"));
    let author = events::author(compared.user_id(), "Token", &asked.request);
    let attempt = Attempt { vault: &plane.oauth.vault, compared: &compared, code, issuer: &issuer, client: &asked.client, scopes: &scopes };
    let outcome = match asked.is_blocked(plane, compared.user_id()) {
        true => Err(Denied::SignIn(Refusal::Blocked)),
        false => plane.write_as(&author, |draft| attempt.outcome(draft)).await?,
    };
    let refusal = match &outcome {
        Err(Denied::SignIn(refusal)) => Some(*refusal),
        _ => None,
    };
    events::sign_in(plane, &shown, compared.user_id(), refusal).await;
    if refusal.is_some() {
        sign_in::even_out(started).await;
    }
    signed(plane, outcome)
}

/// A password that was compared, on its way to tokens.
struct Attempt<'a> {
    vault: &'a Vault,
    compared: &'a Compared,
    code: Option<&'a str>,
    issuer: &'a str,
    client: &'a Application,
    scopes: &'a [String],
}

impl Attempt<'_> {
    fn outcome(&self, draft: &mut Draft) -> Result<Outcome, Problem> {
        let user = match admit(draft, self.vault, self.compared, SecondFactor::Code(self.code)) {
            Ok(user) => user,
            Err(refusal) => return Ok(Err(Denied::SignIn(refusal))),
        };
        let grant = Grant { issuer: self.issuer, user: &user, client_id: &self.client.client_id, scopes: self.scopes, session: None };
        let given = give(draft, &grant)?;
        Ok(Ok((user, given)))
    }
}

async fn by_refresh_token(plane: &Plane, asked: &Asked) -> Result<TokenAnswer, OAuthRefusal> {
    let text = asked.form.text("refresh_token").ok_or_else(|| OAuthRefusal::request("`refresh_token` is needed"))?;
    let narrowed = asked.form.text("scope").map(|_| scopes(&asked.form)).transpose()?;
    let issuer = plane.settings.issuer();
    let known = asked.state.refresh_tokens.find(&secrets::sha256(text)).map(|token| token.user_id.as_str());
    let author = events::author(known, "Token", &asked.request);
    let change = |draft: &mut Draft| renewed(draft, text, &Renewal { issuer: &issuer, client: &asked.client, narrowed: narrowed.as_deref() });
    let outcome = match asked.is_blocked(plane, known) {
        // The token is not used up: it is good from another address.
        true => Err(Denied::SignIn(Refusal::Blocked)),
        false => plane.write_as(&author, change).await?,
    };
    let (failure, client) = (outcome.as_ref().err().map(Denied::reason), Some(asked.client.client_id.as_str()));
    events::tell(plane, events::Event { kind: "app.oauth2.token.refresh", user: known, client, failure, request: &asked.request }).await;
    signed(plane, outcome)
}

/// How tokens are renewed.
struct Renewal<'a> {
    issuer: &'a str,
    client: &'a Application,
    /// Fewer scopes than at the sign-in, if that is asked for.
    narrowed: Option<&'a [String]>,
}

fn renewed(draft: &mut Draft, text: &str, renewal: &Renewal<'_>) -> Result<Outcome, Problem> {
    // Asked before it is used up: a client that asks for too much keeps its token.
    let known = sessions::find(draft, text, draft.now()).filter(|token| token.client_id == renewal.client.client_id);
    if known.is_some_and(|token| is_widened(token, renewal.narrowed)) {
        return Ok(Err(Denied::Other(OAuthRefusal::new(Error::InvalidScope, "a refresh gives no scope that the sign-in did not"))));
    }
    let token = match sessions::take(draft, text, &renewal.client.client_id) {
        Ok(token) => token,
        Err(unusable) => return Ok(Err(Denied::Renewal(unusable))),
    };
    let Some(user) = draft.users.find(&token.user_id).map(Arc::clone).filter(|user| may_sign_in(user, draft)) else {
        sessions::end_family(draft, &token.family);
        return Ok(Err(Denied::Renewal(Unusable::UserInactive)));
    };
    let session = Some((token.family.as_str(), token.scopes.as_slice(), token.signed_in_at));
    let scopes = renewal.narrowed.unwrap_or(&token.scopes);
    let given = give(draft, &Grant { issuer: renewal.issuer, user: &user, client_id: &renewal.client.client_id, scopes, session })?;
    Ok(Ok((user, given)))
}

fn is_widened(token: &RefreshToken, asked: Option<&[String]>) -> bool {
    asked.is_some_and(|asked| asked.iter().any(|scope| !token.scopes.contains(scope)))
}

async fn by_client(plane: &Plane, asked: &Asked) -> Result<TokenAnswer, OAuthRefusal> {
    let mut scopes = scopes(&asked.form)?;
    // Nobody signs in: there is nobody to tell of, and the secret is there to ask again.
    scopes.retain(|scope| !matches!(scope.as_str(), "openid" | "profile" | "email" | "offline_access"));
    let issuer = plane.settings.issuer();
    let author = events::author(asked.client.user_id.as_deref(), "Token", &asked.request);
    let outcome = match asked.is_blocked(plane, asked.client.user_id.as_deref()) {
        true => Err(Denied::SignIn(Refusal::Blocked)),
        false => plane.write_as(&author, |draft| as_service_user(draft, &asked.client.id, &issuer, &scopes)).await?,
    };
    let failure = outcome.as_ref().err().map(|denied| match denied {
        Denied::Other(_) => "the application acts as no user that may sign in",
        denied => denied.reason(),
    });
    let (user, client) = (asked.client.user_id.as_deref(), Some(asked.client.client_id.as_str()));
    events::tell(plane, events::Event { kind: "app.oauth2.token.grant", user, client, failure, request: &asked.request }).await;
    signed(plane, outcome)
}

/// The application acts as the service user that it is bound to.
fn as_service_user(draft: &mut Draft, application_id: &str, issuer: &str, scopes: &[String]) -> Result<Outcome, Problem> {
    let unauthorized = || Err(Denied::Other(OAuthRefusal::new(Error::UnauthorizedClient, "the application acts as no service user that may sign in")));
    let Some(client) = draft.applications.find(application_id).map(Arc::clone) else { return Ok(unauthorized()) };
    let user = client.user_id.as_deref().and_then(|id| draft.users.find(id)).map(Arc::clone);
    let Some(user) = user.filter(|user| user.kind == UserKind::Service && may_sign_in(user, draft)) else { return Ok(unauthorized()) };
    let user = sign_in::by_application(draft, &user);
    let given = give(draft, &Grant { issuer, user: &user, client_id: &client.client_id, scopes, session: None })?;
    Ok(Ok((user, given)))
}

fn scopes(form: &Form) -> Result<Vec<String>, OAuthRefusal> {
    known_scopes(form.text("scope")).ok_or_else(|| OAuthRefusal::new(Error::InvalidScope, "none of the scopes is known"))
}

fn signed(plane: &Plane, outcome: Outcome) -> Result<TokenAnswer, OAuthRefusal> {
    let (_, given) = outcome?;
    Ok(given.sign(&plane.oauth.signing, &plane.store.state()).map_err(Problem::from)?)
}

#[cfg(test)]
mod tests {
    use super::super::{applications, testing};
    use super::*;
    use crate::store::UserStatus;

    fn renewal(client: &Application) -> Renewal<'_> {
        Renewal { issuer: "https://id", client, narrowed: None }
    }

    /// A user who has signed in at a client, and the refresh token.
    fn signed_in() -> (Draft, Application, String) {
        let mut draft = testing::draft();
        let user = testing::user("ada", UserKind::Personal);
        draft.put((*user).clone());
        let client = applications::new(&testing::vault(), "first-client", "First", "s").unwrap();
        draft.put(client.clone());
        let scopes = ["groups", "offline_access"].map(str::to_owned);
        let grant = Grant { issuer: "https://id", user: &user, client_id: &client.client_id, scopes: &scopes, session: None };
        let text = testing::refresh_token(&give(&mut draft, &grant).unwrap());
        (draft, client, text)
    }

    fn refused(outcome: Result<Outcome, Problem>) -> OAuthRefusal {
        outcome.unwrap().map(drop).unwrap_err().into()
    }

    #[test]
    fn tokens_are_renewed_by_the_newest_refresh_token_alone() {
        let (mut draft, client, first) = signed_in();
        let (_, given) = renewed(&mut draft, &first, &renewal(&client)).unwrap().unwrap();
        let second = testing::refresh_token(&given);
        assert_ne!(first, second);
        assert_eq!(refused(renewed(&mut draft, &first, &renewal(&client))).error, Error::InvalidGrant);
        assert_eq!(refused(renewed(&mut draft, &second, &renewal(&client))).error, Error::InvalidGrant, "the family has ended");
        assert_eq!(draft.revocations.len(), 2);
    }

    #[test]
    fn a_renewed_session_is_as_old_as_its_sign_in() {
        let (draft, client, first) = signed_in();
        let mut draft = testing::at(&draft, 600);
        renewed(&mut draft, &first, &renewal(&client)).unwrap().unwrap();
        let families: std::collections::BTreeSet<_> = draft.refresh_tokens.values().map(|token| (token.family.clone(), token.signed_in_at)).collect();
        assert_eq!(families.len(), 1);
        assert_eq!(families.first().unwrap().1, testing::start());
    }

    #[test]
    fn a_user_who_may_not_sign_in_any_more_renews_nothing() {
        let (draft, client, text) = signed_in();
        for (status, user_expiry) in [(UserStatus::Suspended, None), (UserStatus::Deprovisioned, None), (UserStatus::Active, Some(testing::start()))] {
            let mut draft = testing::at(&draft, 0);
            draft.put(User { status, user_expiry, ..(*testing::user("ada", UserKind::Personal)).clone() });
            assert_eq!(refused(renewed(&mut draft, &text, &renewal(&client))).error, Error::InvalidGrant);
            assert!(draft.refresh_tokens.is_empty(), "{status:?}");
        }
    }

    #[test]
    fn a_refresh_narrows_scopes_and_never_widens_them() {
        let (mut draft, client, text) = signed_in();
        let asked = |narrowed: &[&str]| narrowed.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
        let wider = asked(&["groups", "openid"]);
        assert_eq!(refused(renewed(&mut draft, &text, &Renewal { narrowed: Some(&wider), ..renewal(&client) })).error, Error::InvalidScope);
        let narrower = asked(&["groups"]);
        let (_, given) = renewed(&mut draft, &text, &Renewal { narrowed: Some(&narrower), ..renewal(&client) }).unwrap().unwrap();
        assert!(renewed(&mut draft, &testing::refresh_token(&given), &renewal(&client)).unwrap().is_ok(), "the session goes on");
    }

    #[test]
    fn an_application_acts_as_the_service_user_it_is_bound_to_and_as_nobody_else() {
        let vault = testing::vault();
        let client = applications::new(&vault, "first-client", "First", "s").unwrap();
        let service = (*testing::user("svc", UserKind::Service)).clone();
        let cases = [
            (None, service.clone(), false),
            (Some("00ugone"), service.clone(), false),
            (Some("00usvc"), User { status: UserStatus::Suspended, ..service.clone() }, false),
            (Some("00usvc"), User { user_expiry: Some(testing::start()), ..service.clone() }, false),
            (Some("00usvc"), User { kind: UserKind::Personal, ..service.clone() }, false),
            (Some("00usvc"), service, true),
        ];
        for (user_id, user, is_given) in cases {
            let mut draft = testing::draft();
            draft.put(Application { user_id: user_id.map(str::to_owned), ..client.clone() });
            draft.put(user);
            let outcome = as_service_user(&mut draft, &client.id, "https://id", &["groups".to_owned()]).unwrap();
            match outcome {
                Ok((user, _)) => assert!(is_given && user.id == "00usvc" && draft.user_roles.has("00usvc")),
                Err(denied) => {
                    assert!(!is_given, "{user_id:?}");
                    assert_eq!(OAuthRefusal::from(denied).error, Error::UnauthorizedClient);
                }
            }
            assert!(draft.refresh_tokens.is_empty());
        }
    }
}
