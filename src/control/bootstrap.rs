//! The first start: an empty store gets its defaults and the domain owner. Nothing that opens it is
//! ever shipped: the owner's password is configured, or set by a link that is printed.

use super::defaults;
use super::oauth::{OAuthError, applications, credentials};
use super::plane::Plane;
use super::problem::{Code, Problem};
use super::wire::new_id;
use crate::config;
use crate::store::{Author, Draft, State, User, UserKind, UserStatus};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Who the owner is where nobody says it.
const OWNER: &str = "owner@localhost";

/// The domain owner as the configuration has it, with the secrets that are needed now.
pub(super) struct FirstAccount<'c> {
    config: &'c config::Bootstrap,
    password: &'c str,
    /// A first application: its id and its secret.
    client: Option<(&'c str, &'c str)>,
}

impl<'c> FirstAccount<'c> {
    /// # Errors
    /// The secret that cannot be had.
    pub(super) fn of(config: &'c config::Bootstrap) -> Result<Self, config::Problem> {
        let secret = |secret: &'c config::LateSecret| secret.need().map(config::Secret::expose).map_err(Clone::clone);
        let client = config.client.as_ref().map(|(id, own)| Ok::<_, config::Problem>((&**id, secret(own)?))).transpose()?;
        Ok(Self { config, password: secret(&config.password)?, client })
    }
}

/// Whether there is an administrator, so that no first account will be made.
pub(super) fn is_owned(state: &State) -> bool {
    administrators(state).next().is_some()
}

/// A link by which the domain owner sets a password.
pub(super) struct OwnerLink {
    /// The whole URL; it is told once.
    pub(super) url: String,
    /// From then on it is of no use.
    pub(super) ends: Timestamp,
}

/// Makes the domain owner in a store without an administrator. As long as no administrator can sign in, every start
/// makes a new link for one who has not set a password yet.
///
/// # Errors
/// When the store does not answer, or no secrets can be made.
pub(super) async fn bootstrap(plane: &Plane, owner: Option<&FirstAccount<'_>>) -> Result<Option<OwnerLink>, Problem> {
    let password = match owner {
        Some(owner) => Some(plane.oauth.passwords.configured(owner.password).await?),
        None => None,
    };
    let author = Author { user: "doorward".to_owned(), operation: "bootstrap".to_owned(), request: String::new() };
    let secret = plane.write_as(&author, |draft| {
        if draft.roles.is_empty() {
            defaults::lay_out(draft).map_err(|error| broken(&error))?;
        }
        // What was taken over from a snapshot may have users, and none of them an administrator.
        if !is_owned(draft) {
            let user = domain_owner(owner.map(|owner| owner.config), draft.now())?;
            let id = user.id.clone();
            draft.put(user);
            if let Some(password) = password {
                credentials::set_password(draft, &id, password)?;
            }
            if let Some((client_id, secret)) = owner.and_then(|owner| owner.client) {
                let application = applications::new(&plane.oauth.vault, client_id, "The first application", secret)?;
                draft.put(application);
            }
        }
        Ok(link(draft)?)
    });
    Ok(secret.await?.map(|(secret, ends)| OwnerLink { url: plane.settings.href(&set_up_path(&secret)), ends }))
}

/// Where the console takes a set-up link.
pub(super) fn set_up_path(secret: &str) -> String {
    format!("/console/setup?link={secret}")
}

fn domain_owner(owner: Option<&config::Bootstrap>, now: Timestamp) -> Result<User, Problem> {
    let login = owner.map_or(OWNER, |owner| &owner.login).to_owned();
    let kind = match owner.map(|owner| owner.account_type) {
        Some(config::AccountType::Service) => UserKind::Service,
        Some(config::AccountType::Personal) | None => UserKind::Personal,
    };
    Ok(User {
        id: new_id("00u").map_err(|error| broken(&error))?,
        email_address: login.clone(),
        second_email_address: None,
        first_name: "Domain".to_owned(),
        last_name: "Owner".to_owned(),
        kind,
        // Setting the password makes it active.
        status: UserStatus::Provisioned,
        user_expiry: None,
        roles: vec![defaults::administrator()],
        alternative_user_ids: BTreeMap::new(),
        created: now,
        last_updated: now,
        login,
    })
}

/// A link for an administrator that waits for one, where none can sign in.
fn link(draft: &mut Draft) -> Result<Option<(String, Timestamp)>, OAuthError> {
    let now = draft.now();
    let has_password = |user: &User| draft.credentials.find(&user.id).is_some_and(|credential| credential.password.is_some());
    let is_able = |user: &User| user.status_at(now) == UserStatus::Active && has_password(user);
    if administrators(draft).any(is_able) {
        return Ok(None);
    }
    let is_waiting = |user: &&User| matches!(user.status_at(now), UserStatus::Active | UserStatus::Provisioned) && !has_password(user);
    let waiting = administrators(draft).find(is_waiting).map(|user| user.id.clone());
    waiting.map(|id| credentials::setup_link(draft, &id)).transpose()
}

fn administrators(state: &State) -> impl Iterator<Item = &User> {
    state.users.values().map(|user| &**user).filter(|user| user.roles.contains(&defaults::administrator()))
}

fn broken(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "the first start failed");
    Problem::of(Code::Internal)
}
