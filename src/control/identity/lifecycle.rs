//! What becomes of the ways a user signs in by. There is no mail server: where the public API sends
//! a mail, a set-up link is made and told on standard error, to be handed on by whoever runs this.

use super::accounts;
use super::administrators::Actor;
use super::logs::{Target, tell};
use super::secret;
use crate::control::bootstrap::set_up_path;
use crate::control::caller::Caller;
use crate::control::oauth::{TemporaryPassword, credentials, second_factor, sessions};
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::write_time;
use crate::store::{Credential, Draft, User, UserStatus};
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(activate))
        .routes(routes!(expire_password))
        .routes(routes!(reset_factors))
        .routes(routes!(reset_password))
        .routes(routes!(create_setup_link))
        .routes(routes!(unlock))
        .routes(routes!(unsuspend))
}

/// A temporary password
#[derive(Serialize, ToSchema)]
#[schema(as = TemporaryPassword)]
pub(super) struct TemporaryPasswordResponse {
    /// The user's temporary password
    #[schema(min_length = 1)]
    password: String,
}

/// A link by which the user sets a password, once
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetupLinkResponse {
    /// The link, to be handed to the user and nobody else
    link: String,
    /// From then on it is of no use
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A link that was made: what stands in it, and its end.
struct Made {
    user: User,
    secret: String,
    expires_at: Timestamp,
}

impl Made {
    fn link(&self, plane: &Plane) -> String {
        plane.settings.href(&set_up_path(&self.secret))
    }

    /// Tells the link on standard error: the only way to hand it on without a mail server.
    fn tell(&self, plane: &Plane, why: &str) {
        let (user, link) = (&self.user.id, self.link(plane));
        tracing::warn!(user, link, expires_at = %self.expires_at, "{why}: hand this link to the user");
    }
}

/// The user, if the actor may change what it signs in by.
fn touched(draft: &Draft, actor: Actor, id: &str) -> Result<User, Problem> {
    let user = accounts::living(draft, id)?;
    actor.may_change(&user)?;
    Ok(user)
}

fn unfit(detail: &str) -> Problem {
    Problem::of(Code::StatusUnfit).detail(detail)
}

/// Makes the link by which a provisioned user becomes an active one.
fn activation(draft: &mut Draft, actor: Actor, id: &str) -> Result<Made, Problem> {
    let user = touched(draft, actor, id)?;
    if user.status != UserStatus::Provisioned {
        return Err(Problem::of(Code::AlreadyActivated).detail("The user is activated already; to set another password, reset it."));
    }
    linked(draft, user)
}

/// Makes a link for a user as it stands: until it is used nothing changes.
fn setup(draft: &mut Draft, actor: Actor, id: &str) -> Result<Made, Problem> {
    let user = touched(draft, actor, id)?;
    linked(draft, user)
}

fn linked(draft: &mut Draft, user: User) -> Result<Made, Problem> {
    let (secret, expires_at) = credentials::setup_link(draft, &user.id)?;
    Ok(Made { user, secret, expires_at })
}

/// Takes the password away, ends every session, and makes a link to set another one.
fn password_reset(draft: &mut Draft, actor: Actor, id: &str) -> Result<Made, Problem> {
    let user = touched(draft, actor, id)?;
    if user.status == UserStatus::Provisioned {
        return Err(unfit("The user has not set a password yet: activate it."));
    }
    if let Some(mut credential) = draft.credentials.find(id).map(|credential| Credential::clone(credential)) {
        // It is not taken again, and opens nothing any more.
        credential.history.splice(0..0, credential.password.take());
        credential.temporary_until = None;
        draft.put(credential);
    }
    sessions::end_all(draft, id);
    linked(draft, user)
}

/// Replaces the password by a temporary one and ends every session. A user that has set none yet gets
/// a first one: signing in with it activates the account, which is how a service user starts without mail.
fn expiry(draft: &mut Draft, actor: Actor, id: &str, password: &TemporaryPassword) -> Result<User, Problem> {
    let user = touched(draft, actor, id)?;
    credentials::set_temporary_password(draft, id, password)?;
    sessions::end_all(draft, id);
    Ok(user)
}

fn factor_reset(draft: &mut Draft, actor: Actor, id: &str) -> Result<User, Problem> {
    let user = touched(draft, actor, id)?;
    second_factor::reset(draft, id);
    Ok(user)
}

fn unlocking(draft: &mut Draft, actor: Actor, id: &str) -> Result<User, Problem> {
    let user = touched(draft, actor, id)?;
    if !credentials::unlock(draft, id) {
        return Err(Problem::of(Code::NotLockedOut).detail("The user is not locked out."));
    }
    Ok(user)
}

fn unsuspension(draft: &mut Draft, actor: Actor, id: &str) -> Result<User, Problem> {
    let user = touched(draft, actor, id)?;
    if user.user_expiry.is_some_and(|expiry| expiry <= draft.now()) {
        return Err(unfit("The user expired: move its expiry into the future."));
    }
    if user.status != UserStatus::Suspended {
        return Err(unfit("The user is not suspended."));
    }
    let user = User { status: UserStatus::Active, last_updated: draft.now(), ..user };
    draft.put(user.clone());
    Ok(user)
}

/// Sends an activation email to the User
///
/// There is no mail: the link by which the user sets a password is told on standard error of the control plane. See
/// CreateSetupLink for the link itself.
#[utoipa::path(post, path = "/identity/api/users/{id}/lifecycle/$activate", operation_id = "SendActivationEmail", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The link was made."), (status = 404, description = "There is no such user.")))]
async fn activate(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let made = plane.write(&caller, |draft| activation(draft, (&caller).into(), &id)).await?;
    made.tell(&plane, "a user is to be activated");
    tell(&plane, &caller, "user.lifecycle.activate", Target::user(&made.user)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Reset the user's password to a temporary one
///
/// Good for 24 hours. Every session of the user ends.
#[utoipa::path(post, path = "/identity/api/users/{id}/lifecycle/$expirepassword", operation_id = "ExpirePassword", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, body = TemporaryPasswordResponse), (status = 404, description = "There is no such user.")))]
async fn expire_password(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let password = plane.oauth.passwords.temporary().await?;
    let user = plane.write(&caller, |draft| expiry(draft, (&caller).into(), &id, &password)).await?;
    tell(&plane, &caller, "user.account.expire_password", Target::user(&user)).await;
    Ok(secret(TemporaryPasswordResponse { password: password.text }))
}

/// Reset MFA factors
///
/// The user enrols a second factor again when it signs in next.
#[utoipa::path(post, path = "/identity/api/users/{id}/lifecycle/$resetfactors", operation_id = "ResetFactors", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "There are none any more."), (status = 404, description = "There is no such user.")))]
async fn reset_factors(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let user = plane.write(&caller, |draft| factor_reset(draft, (&caller).into(), &id)).await?;
    tell(&plane, &caller, "user.mfa.factor.reset_all", Target::user(&user)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Reset Password
///
/// The password there is opens nothing any more and every session ends. There is no mail: the link by which the user sets
/// another one is told on standard error of the control plane.
#[utoipa::path(post, path = "/identity/api/users/{id}/lifecycle/$resetpassword", operation_id = "ResetPassword", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The link was made."), (status = 404, description = "There is no such user.")))]
async fn reset_password(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let made = plane.write(&caller, |draft| password_reset(draft, (&caller).into(), &id)).await?;
    made.tell(&plane, "a password was reset");
    tell(&plane, &caller, "user.account.reset_password", Target::user(&made.user)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Create Setup Link
///
/// An extension of the public API: answers with a link by which the user sets a password once, for those who hand it on
/// themselves. Links that were made before are of no use any more; a password that the user has stays until then.
#[utoipa::path(post, path = "/identity/api/users/{id}/lifecycle/$setuplink", operation_id = "CreateSetupLink", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, body = SetupLinkResponse), (status = 404, description = "There is no such user.")),
    extensions(("x-status" = json!("EXTENSION"))))]
async fn create_setup_link(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let made = plane.write(&caller, |draft| setup(draft, (&caller).into(), &id)).await?;
    tell(&plane, &caller, "user.lifecycle.setup_link", Target::user(&made.user)).await;
    Ok(secret(SetupLinkResponse { link: made.link(&plane), expires_at: made.expires_at }))
}

/// Unlock User
#[utoipa::path(post, path = "/identity/api/users/{id}/lifecycle/$unlock", operation_id = "UnlockUser", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The user may try again."), (status = 404, description = "There is no such user.")))]
async fn unlock(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let user = plane.write(&caller, |draft| unlocking(draft, (&caller).into(), &id)).await?;
    tell(&plane, &caller, "user.account.unlock", Target::user(&user)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Unsuspend user
///
/// Of a user that was suspended; one that expired is active again once its expiry is moved.
#[utoipa::path(post, path = "/identity/api/users/{id}/lifecycle/$unsuspend", operation_id = "UnsuspendUser", tag = "Users",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The user is active."), (status = 404, description = "There is no such user.")),
    extensions(("x-status" = json!("EXPERIMENTAL"))))]
async fn unsuspend(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let user = plane.write(&caller, |draft| unsuspension(draft, (&caller).into(), &id)).await?;
    tell(&plane, &caller, "user.lifecycle.unsuspend", Target::user(&user)).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{CLERK, OWNER, active, administrator, at, draft};
    use super::*;

    fn with_password(id: &str) -> Draft {
        let mut draft = draft();
        draft.put(active(id, "ada@acme.com"));
        draft.put(Credential { user_id: id.to_owned(), password: Some("phc".to_owned()), ..Credential::default() });
        draft
    }

    fn provisioned() -> Draft {
        let mut draft = draft();
        draft.put(User { status: UserStatus::Provisioned, ..active("00u1", "ada@acme.com") });
        draft
    }

    #[test]
    fn a_provisioned_user_is_activated_once() {
        let mut draft = provisioned();
        let made = activation(&mut draft, CLERK, "00u1").unwrap();
        let owner = credentials::link_owner(&draft, &made.secret, draft.now()).unwrap();
        assert_eq!(owner.id, "00u1");
        draft.put(active("00u1", "ada@acme.com"));
        assert_eq!(activation(&mut draft, CLERK, "00u1").err().unwrap().code(), Code::AlreadyActivated);
        assert_eq!(activation(&mut draft, CLERK, "00u2").err().unwrap().code(), Code::UserMissing);
    }

    #[test]
    fn a_reset_password_opens_nothing_and_is_not_taken_again() {
        let mut draft = with_password("00u1");
        let made = password_reset(&mut draft, CLERK, "00u1").unwrap();
        let credential = draft.credentials.find("00u1").unwrap();
        assert_eq!((credential.password.as_deref(), credential.history.as_slice()), (None, &["phc".to_owned()][..]));
        assert!(draft.revocations.has("user/00u1"));
        assert!(credentials::link_owner(&draft, &made.secret, draft.now()).is_some());
        assert_eq!(password_reset(&mut provisioned(), CLERK, "00u1").err().unwrap().code(), Code::StatusUnfit);
    }

    #[test]
    fn a_set_up_link_leaves_the_password_there_is() {
        let mut draft = with_password("00u1");
        let first = setup(&mut draft, CLERK, "00u1").unwrap();
        let second = setup(&mut draft, CLERK, "00u1").unwrap();
        assert_eq!(draft.credentials.find("00u1").unwrap().password.as_deref(), Some("phc"));
        assert!(credentials::link_owner(&draft, &first.secret, draft.now()).is_none());
        assert!(credentials::link_owner(&draft, &second.secret, draft.now()).is_some());
        assert!(second.expires_at > draft.now());
    }

    #[tokio::test]
    async fn a_temporary_password_is_good_for_a_day_and_ends_every_session() {
        let mut draft = with_password("00u1");
        let password = crate::control::oauth::testing::oauth().passwords.temporary().await.unwrap();
        expiry(&mut draft, CLERK, "00u1", &password).unwrap();
        let credential = draft.credentials.find("00u1").unwrap();
        assert_ne!(credential.password.as_deref(), Some("phc"));
        assert_eq!(credential.temporary_until, Some(at("2026-11-22T12:00:00Z")));
        assert!(draft.revocations.has("user/00u1"));
        expiry(&mut provisioned(), CLERK, "00u1", &password).unwrap();
    }

    #[test]
    fn only_who_is_locked_out_is_unlocked() {
        let mut draft = with_password("00u1");
        assert_eq!(unlocking(&mut draft, CLERK, "00u1").unwrap_err().code(), Code::NotLockedOut);
        let credential = Credential { failed_attempts: 10, locked_at: Some(draft.now()), ..draft.credentials.find("00u1").unwrap().as_ref().clone() };
        draft.put(credential);
        unlocking(&mut draft, CLERK, "00u1").unwrap();
        let credential = draft.credentials.find("00u1").unwrap();
        assert_eq!((credential.failed_attempts, credential.locked_at), (0, None));
    }

    #[test]
    fn only_who_was_suspended_is_unsuspended_and_an_expiry_has_to_be_moved() {
        let mut draft = with_password("00u1");
        assert_eq!(unsuspension(&mut draft, CLERK, "00u1").unwrap_err().code(), Code::StatusUnfit);
        let expired = Some(at("2026-11-21T11:00:00Z"));
        for status in [UserStatus::Active, UserStatus::Suspended] {
            draft.put(User { status, user_expiry: expired, ..active("00u1", "ada@acme.com") });
            assert_eq!(unsuspension(&mut draft, CLERK, "00u1").unwrap_err().code(), Code::StatusUnfit);
        }
        draft.put(User { status: UserStatus::Suspended, ..active("00u1", "ada@acme.com") });
        assert_eq!(unsuspension(&mut draft, CLERK, "00u1").unwrap().status, UserStatus::Active);
    }

    #[test]
    fn second_factors_are_taken_away() {
        let mut draft = with_password("00u1");
        let credential = Credential { totp: Some("sealed".to_owned()), totp_confirmed: true, ..draft.credentials.find("00u1").unwrap().as_ref().clone() };
        draft.put(credential);
        factor_reset(&mut draft, CLERK, "00u1").unwrap();
        let credential = draft.credentials.find("00u1").unwrap();
        assert_eq!((credential.totp.as_deref(), credential.totp_confirmed), (None, false));
        factor_reset(&mut draft, CLERK, "00u1").unwrap();
    }

    #[tokio::test]
    async fn nobody_takes_over_an_administrator() {
        let mut draft = draft();
        draft.put(administrator("00u1", "owner@acme.com"));
        draft.put(Credential { user_id: "00u1".to_owned(), password: Some("phc".to_owned()), locked_at: Some(draft.now()), ..Credential::default() });
        let password = crate::control::oauth::testing::oauth().passwords.temporary().await.unwrap();
        type Change<'a> = &'a dyn Fn(&mut Draft, Actor) -> Result<(), Problem>;
        let changes: [Change<'_>; 6] = [
            &|draft, actor| setup(draft, actor, "00u1").map(drop),
            &|draft, actor| factor_reset(draft, actor, "00u1").map(drop),
            &|draft, actor| unlocking(draft, actor, "00u1").map(drop),
            &|draft, actor| expiry(draft, actor, "00u1", &password).map(drop),
            &|draft, actor| password_reset(draft, actor, "00u1").map(drop),
            &|draft, actor| {
                draft.put(User { status: UserStatus::Provisioned, ..administrator("00u1", "owner@acme.com") });
                activation(draft, actor, "00u1").map(drop)
            },
        ];
        for change in changes {
            let before = draft.changes().count();
            assert_eq!(change(&mut draft, CLERK).unwrap_err().code(), Code::AccessDenied);
            assert_eq!(draft.changes().count(), before);
            change(&mut draft, OWNER).unwrap();
        }
    }
}
