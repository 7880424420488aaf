//! What tokens say, and everything that is given at once.

use super::error::OAuthError;
use super::sessions::{self, ACCESS_TOKEN_LIFETIME, Continued, after};
use super::signing::{JwtKind, Signing};
use crate::control::judge::AUDIENCE;
use crate::control::wire::{hexadecimal, random};
use crate::store::{Draft, State, User};
use crate::token::MAX_TOKEN_BYTES;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// What can be asked for. Nobody gets another scope by asking for it, for policies may ask for scopes.
pub(super) const SCOPES: [&str; 6] = ["openid", "client", "groups", "profile", "email", "offline_access"];
/// What is given to who asks for nothing.
const USUAL: [&str; 2] = ["client", "groups"];

/// An access token's claims.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AccessClaims {
    iss: String,
    aud: &'static str,
    sub: String,
    uid: String,
    cid: String,
    scp: Vec<String>,
    jti: String,
    iat: i64,
    exp: i64,
    groups: Vec<String>,
}

/// An id token's claims (OpenID Connect Core §2).
#[derive(Clone, Debug, Serialize)]
pub(super) struct IdClaims {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

/// Whose tokens are made, and for whom.
#[derive(Clone, Copy)]
pub(super) struct Grant<'a> {
    /// `iss`.
    pub(super) issuer: &'a str,
    /// Who signed in.
    pub(super) user: &'a User,
    /// The client.
    pub(super) client_id: &'a str,
    /// What is given.
    pub(super) scopes: &'a [String],
    /// What a refresh goes on with: the family, what was given at its beginning, and when that was.
    pub(super) session: Option<(&'a str, &'a [String], Timestamp)>,
}

/// What is given; the tokens are yet to be signed.
#[derive(Clone, Debug)]
pub(super) struct Given {
    access: AccessClaims,
    id: Option<IdClaims>,
    at: Timestamp,
    /// The text of the refresh token, if there is one.
    refresh_token: Option<String>,
}

/// The answer of the token endpoint.
#[derive(Serialize)]
pub(super) struct TokenAnswer {
    token_type: &'static str,
    expires_in: i64,
    access_token: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// The scopes that are given to who asks so: those that are known, each once; none when none of them is.
pub(super) fn known_scopes(asked: Option<&str>) -> Option<Vec<String>> {
    let Some(asked) = asked else { return Some(USUAL.map(str::to_owned).to_vec()) };
    let mut given: Vec<String> = Vec::new();
    for scope in asked.split_ascii_whitespace().filter(|scope| SCOPES.contains(scope)) {
        if !given.iter().any(|known| known == scope) {
            given.push(scope.to_owned());
        }
    }
    (!given.is_empty()).then_some(given)
}

/// Makes what is given out of a grant; a refresh token only where `offline_access` is among the scopes.
///
/// # Errors
/// When the machine gives no randomness.
pub(super) fn give(draft: &mut Draft, grant: &Grant<'_>) -> Result<Given, OAuthError> {
    let at = draft.now();
    let iat = sessions::issued_at(draft, &grant.user.id, at);
    let exp = after(iat, ACCESS_TOKEN_LIFETIME);
    let access = AccessClaims {
        iss: grant.issuer.to_owned(),
        aud: AUDIENCE,
        sub: grant.user.id.clone(),
        uid: grant.user.id.clone(),
        cid: grant.client_id.to_owned(),
        scp: grant.scopes.to_vec(),
        jti: format!("AT.{}", hexadecimal(&random::<16>()?)),
        iat: iat.as_second(),
        exp: exp.as_second(),
        groups: groups(draft, grant.user),
    };
    let own = hexadecimal(&random::<16>()?);
    let (family, scopes, signed_in_at) = grant.session.unwrap_or((&own, grant.scopes, at));
    let continued = Continued { family, user_id: &grant.user.id, client_id: grant.client_id, scopes, signed_in_at, access_token_id: &access.jti };
    let refresh_token = has(scopes, "offline_access").then(|| sessions::give(draft, &continued)).transpose()?;
    let id = is_identified(grant).then(|| id_claims(grant, &access, signed_in_at));
    Ok(Given { access, id, at, refresh_token })
}

impl Given {
    #[cfg(test)]
    pub(super) fn refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_deref()
    }

    /// Signs the tokens.
    ///
    /// # Errors
    /// When there is no key, or the user has more roles than fit into a token.
    pub(super) fn sign(self, signing: &Signing, state: &State) -> Result<TokenAnswer, OAuthError> {
        let access_token = signing.token(state, self.at, JwtKind::Access, &self.access)?;
        if access_token.len() > MAX_TOKEN_BYTES {
            return Err(OAuthError::TooManyRoles);
        }
        let id_token = self.id.map(|claims| signing.token(state, self.at, JwtKind::Id, &claims)).transpose()?;
        let (scope, refresh_token) = (self.access.scp.join(" "), self.refresh_token);
        Ok(TokenAnswer { token_type: "Bearer", expires_in: ACCESS_TOKEN_LIFETIME.as_secs(), access_token, scope, refresh_token, id_token })
    }
}

/// The id token of a client that is called like the audience would pass as an access token.
fn is_identified(grant: &Grant<'_>) -> bool {
    has(grant.scopes, "openid") && grant.client_id != AUDIENCE
}

fn id_claims(grant: &Grant<'_>, access: &AccessClaims, signed_in_at: Timestamp) -> IdClaims {
    let user = grant.user;
    let profile = has(grant.scopes, "profile");
    IdClaims {
        iss: access.iss.clone(),
        sub: access.sub.clone(),
        aud: access.cid.clone(),
        iat: access.iat,
        exp: access.exp,
        auth_time: signed_in_at.as_second(),
        preferred_username: profile.then(|| user.login.clone()),
        name: profile.then(|| format!("{} {}", user.first_name, user.last_name)),
        email: has(grant.scopes, "email").then(|| user.email_address.clone()),
    }
}

/// The user's roles that there are: of scope `default` by their codes, others as `scope/code`.
pub(super) fn groups(state: &State, user: &User) -> Vec<String> {
    let known: BTreeSet<_> = state.identity_roles.values().map(|role| &role.role_id).collect();
    let roles = user.roles.iter().filter(|id| known.contains(id));
    roles.map(|id| if id.scope == "default" { id.code.clone() } else { id.to_string() }).collect()
}

fn has(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|given| given == scope)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::store::{IdentityRole, ScopedId, UserKind};
    use serde_json::json;

    fn given(draft: &mut Draft, user: &User, client_id: &str, scopes: &str) -> Given {
        let scopes = known_scopes(Some(scopes)).unwrap();
        give(draft, &Grant { issuer: "https://id/oauth2/default", user, client_id, scopes: &scopes, session: None }).unwrap()
    }

    fn identity_role(draft: &mut Draft, scope: &str, code: &str) {
        let role_id = ScopedId::new(scope, code);
        draft.put(IdentityRole { id: format!("00g{code}"), role_id, source: "LusidUser".into(), name: code.into(), description: None });
    }

    #[test]
    fn an_access_token_says_what_doors_ask_for() {
        let mut draft = testing::draft();
        identity_role(&mut draft, "default", "portfolio-manager");
        identity_role(&mut draft, "LUSID_SYSTEM", "lusid-administrator");
        let roles = [("LUSID_SYSTEM", "lusid-administrator"), ("default", "portfolio-manager"), ("default", "gone")];
        let roles = roles.map(|(scope, code)| ScopedId::new(scope, code)).to_vec();
        let user = User { roles, ..(*testing::user("ada", UserKind::Personal)).clone() };
        let claims = serde_json::to_value(given(&mut draft, &user, "client", "groups client groups").access).unwrap();
        let jti = claims["jti"].clone();
        assert!(jti.as_str().is_some_and(|jti| jti.len() == 35));
        let now = testing::start().as_second();
        assert_eq!(
            claims,
            json!({
                "iss": "https://id/oauth2/default", "aud": "lusid-api", "sub": "00uada", "uid": "00uada", "cid": "client",
                "scp": ["groups", "client"], "jti": jti, "iat": now, "exp": now + 3600,
                "groups": ["LUSID_SYSTEM/lusid-administrator", "portfolio-manager"],
            })
        );
    }

    #[test]
    fn nobody_is_given_a_scope_that_is_not_known() {
        assert_eq!(known_scopes(None).unwrap(), ["client", "groups"]);
        assert_eq!(known_scopes(Some("openid  admin groups openid")).unwrap(), ["openid", "groups"]);
        assert_eq!(known_scopes(Some("admin")), None);
        assert_eq!(known_scopes(Some(" ")), None);
    }

    #[test]
    fn refresh_and_id_tokens_are_given_where_they_are_asked_for() {
        let user = testing::user("ada", UserKind::Personal);
        for (scopes, is_renewable, is_identified) in [("openid offline_access", true, true), ("groups", false, false), ("openid", false, true)] {
            let mut draft = testing::draft();
            let given = given(&mut draft, &user, "client", scopes);
            assert_eq!((given.refresh_token.is_some(), given.id.is_some()), (is_renewable, is_identified), "{scopes}");
            assert_eq!(draft.refresh_tokens.len(), usize::from(is_renewable));
        }
    }

    #[test]
    fn an_id_token_says_no_more_of_a_user_than_was_asked_for() {
        let user = testing::user("ada", UserKind::Personal);
        let claims = |scopes: &str| serde_json::to_value(given(&mut testing::draft(), &user, "client", scopes).id.unwrap()).unwrap();
        assert_eq!(claims("openid")["aud"], "client");
        assert!(claims("openid").get("email").is_none() && claims("openid").get("name").is_none());
        assert_eq!(claims("openid email profile")["email"], "ada@example.com");
        assert_eq!(claims("openid email profile")["name"], "Grace Hopper");
    }

    #[test]
    fn a_client_that_is_called_like_the_audience_gets_no_id_token() {
        let user = testing::user("ada", UserKind::Personal);
        assert!(given(&mut testing::draft(), &user, AUDIENCE, "openid").id.is_none());
    }
}
