//! Who may sign in: what is shown is compared before, on a thread that may block; what follows of it
//! is decided here, on the newest state, and counted.

use super::credentials::{activate, is_locked, of};
use super::events;
use super::password_policy::PasswordPolicy;
use super::passwords::Compared;
use super::second_factor;
use super::sessions::after;
use super::vault::Vault;
use crate::control::identity::SessionType;
use crate::control::peer::Peer;
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::observe::clock;
use crate::store::{Credential, Draft, PolicyIds, Resource, ScopedId, State, User, UserKind, UserRole, UserStatus};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Refusals take a whole number of these.
const STEP: Duration = Duration::from_millis(200);

/// What somebody shows to be a user.
#[derive(Clone, Copy)]
pub(in crate::control) struct Shown<'a> {
    /// The login, in every way that it may be read; the first that is known counts.
    pub(in crate::control) logins: &'a [String],
    /// The password, in every way that it may be read.
    pub(in crate::control) passwords: &'a [String],
    /// The client it is shown to.
    pub(in crate::control) client: &'a str,
    /// The id of the request.
    pub(in crate::control) request: &'a str,
    /// From where.
    pub(in crate::control) peer: Peer,
}

/// When the second factor is shown.
#[derive(Clone, Copy)]
pub(in crate::control) enum SecondFactor<'a> {
    /// Together with the password, if there is one.
    Code(Option<&'a str>),
    /// After the password, by [`with_code`]; until then nobody has signed in.
    Later,
}

/// Why somebody does not sign in. Who asks is told little of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Refusal {
    /// There is no such user.
    UnknownUser,
    /// The password is another one, or there is none.
    WrongPassword,
    /// There were too many wrong attempts.
    Locked,
    /// A network zone blocks the address; nothing else was looked at.
    Blocked,
    /// The account is suspended, past its expiry, or deactivated.
    Inactive,
    /// The time of the temporary password has passed.
    TemporaryPasswordEnded,
    /// The password was right, but it is too old and has to be changed.
    PasswordExpired,
    /// The password was right, but no code was shown.
    SecondFactorWanted,
    /// The code is wrong, or was shown before.
    WrongSecondFactor,
}

impl Refusal {
    /// For the identity log.
    #[must_use]
    pub(in crate::control) const fn reason(self) -> &'static str {
        match self {
            Self::UnknownUser => "VERIFICATION_ERROR: there is no such user",
            Self::WrongPassword => "INVALID_CREDENTIALS",
            Self::Locked => "LOCKED_OUT",
            Self::Blocked => "BLOCKED_BY_NETWORK_ZONE",
            Self::Inactive => "the account is not active",
            Self::TemporaryPasswordEnded => "the temporary password has ended",
            Self::PasswordExpired => "PASSWORD_EXPIRED",
            Self::SecondFactorWanted => "no second factor was shown",
            Self::WrongSecondFactor => "INVALID_SECOND_FACTOR",
        }
    }

    /// For whoever asks: nothing that would tell a guesser how far off he is.
    #[must_use]
    pub(in crate::control) const fn told(self) -> &'static str {
        match self {
            Self::PasswordExpired => "the password has expired and must be changed before it is used again",
            _ => "the credentials are not valid",
        }
    }
}

/// Signs a user in at the console, or counts the failure; either is an event.
///
/// # Errors
/// When the store or the library fails.
pub(in crate::control) async fn with_password(plane: &Plane, shown: Shown<'_>, second: SecondFactor<'_>) -> Result<Result<Arc<User>, Refusal>, Problem> {
    let started = clock::monotonic();
    let state = plane.state().await?;
    let compared = plane.oauth.passwords.compare(&state, shown.logins, shown.passwords).await?;
    let author = events::author(compared.user_id(), "SignIn", shown.request);
    let admitted = match shown.peer.may_not_sign_in(plane, &state, SessionType::Console, compared.user_id()) {
        true => Err(Refusal::Blocked),
        false => plane.write_as(&author, |draft| Ok(admit(draft, &plane.oauth.vault, &compared, second))).await?,
    };
    let is_halfway =
        matches!(second, SecondFactor::Later) && admitted.as_ref().is_ok_and(|user| second_factor::is_enrolled(&of(&plane.store.state(), &user.id)));
    if !is_halfway {
        events::sign_in(plane, &shown, compared.user_id(), admitted.as_ref().err().copied()).await;
    }
    if admitted.is_err() {
        even_out(started).await;
    }
    Ok(admitted)
}

/// Takes the code of a user whose password was right.
///
/// # Errors
/// When the store fails.
pub(in crate::control) async fn with_code(plane: &Plane, user_id: &str, code: &str, shown: Shown<'_>) -> Result<Result<Arc<User>, Refusal>, Problem> {
    let author = events::author(Some(user_id), "SignIn", shown.request);
    let admitted = match shown.peer.may_not_sign_in(plane, &*plane.state().await?, SessionType::Console, Some(user_id)) {
        true => Err(Refusal::Blocked),
        false => plane.write_as(&author, |draft| Ok(admit_by_code(draft, &plane.oauth.vault, user_id, code))).await?,
    };
    events::sign_in(plane, &shown, Some(user_id), admitted.as_ref().err().copied()).await;
    Ok(admitted)
}

/// Waits until a refusal has taken a whole number of steps: how long it took does not tell what was wrong.
pub(super) async fn even_out(started: Instant) {
    let steps = started.elapsed().as_millis() / STEP.as_millis() + 1;
    let until = STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
    tokio::time::sleep(until.saturating_sub(started.elapsed())).await;
}

/// Signs the service user of an application in.
pub(super) fn by_application(draft: &mut Draft, user: &User) -> Arc<User> {
    let credential = of(draft, &user.id);
    draft.put(Credential { last_login: Some(draft.now()), ..credential });
    activate(draft, &user.id);
    begin_user_role(draft, &user.id);
    draft.users.find(&user.id).map_or_else(|| Arc::new(user.clone()), Arc::clone)
}

/// Decides about what was compared. The change has to be kept when it is a refusal too: it counts.
pub(super) fn admit(draft: &mut Draft, vault: &Vault, compared: &Compared, second: SecondFactor<'_>) -> Result<Arc<User>, Refusal> {
    let user_id = compared.user_id().ok_or(Refusal::UnknownUser)?;
    let (user, mut credential) = may_try(draft, user_id)?;
    if !compared.is_right(&credential) {
        return Err(fail(draft, &user, credential, Refusal::WrongPassword));
    }
    if credential.temporary_until.is_some_and(|until| until <= draft.now()) {
        return Err(Refusal::TemporaryPasswordEnded);
    }
    if second_factor::is_enrolled(&credential) {
        match second {
            SecondFactor::Later => return Ok(user),
            SecondFactor::Code(None) => return Err(fail(draft, &user, credential, Refusal::SecondFactorWanted)),
            SecondFactor::Code(Some(code)) if !second_factor::take(&mut credential, vault, code, draft.now()) => {
                return Err(fail(draft, &user, credential, Refusal::WrongSecondFactor));
            }
            SecondFactor::Code(Some(_)) => {}
        }
    }
    complete(draft, &user, credential)
}

fn admit_by_code(draft: &mut Draft, vault: &Vault, user_id: &str, code: &str) -> Result<Arc<User>, Refusal> {
    let (user, mut credential) = may_try(draft, user_id)?;
    if !second_factor::is_enrolled(&credential) || !second_factor::take(&mut credential, vault, code, draft.now()) {
        return Err(fail(draft, &user, credential, Refusal::WrongSecondFactor));
    }
    complete(draft, &user, credential)
}

/// The user and the credential, if an attempt is worth looking at. A lock that has ended starts the count anew.
fn may_try(draft: &Draft, user_id: &str) -> Result<(Arc<User>, Credential), Refusal> {
    let user = draft.users.find(user_id).ok_or(Refusal::UnknownUser)?;
    if !may_sign_in(user, draft) {
        return Err(Refusal::Inactive);
    }
    let credential = of(draft, user_id);
    match credential.locked_at {
        Some(_) if is_locked(&credential, draft.now()) => Err(Refusal::Locked),
        Some(_) => Ok((Arc::clone(user), Credential { locked_at: None, failed_attempts: 0, ..credential })),
        None => Ok((Arc::clone(user), credential)),
    }
}

/// Whether the account is one that may sign in now; one that waits for its first sign-in may.
pub(super) fn may_sign_in(user: &User, draft: &Draft) -> bool {
    let is_past = user.user_expiry.is_some_and(|expiry| expiry <= draft.now());
    !is_past && matches!(user.status_at(draft.now()), UserStatus::Active | UserStatus::Provisioned)
}

fn fail(draft: &mut Draft, user: &User, mut credential: Credential, refusal: Refusal) -> Refusal {
    let most = PasswordPolicy::of(draft, user.kind).lockout.max_attempts;
    credential.failed_attempts = credential.failed_attempts.saturating_add(1);
    if most > 0 && credential.failed_attempts >= most {
        credential.locked_at = Some(draft.now());
    }
    draft.put(credential);
    refusal
}

/// Everything that was asked for was right: the count begins anew, and a first sign-in sets the account up.
fn complete(draft: &mut Draft, user: &User, credential: Credential) -> Result<Arc<User>, Refusal> {
    let is_too_old = is_too_old(draft, user, &credential);
    let last_login = if is_too_old { credential.last_login } else { Some(draft.now()) };
    draft.put(Credential { failed_attempts: 0, locked_at: None, last_login, ..credential });
    if is_too_old {
        return Err(Refusal::PasswordExpired);
    }
    activate(draft, &user.id);
    begin_user_role(draft, &user.id);
    draft.users.find(&user.id).map(Arc::clone).ok_or(Refusal::UnknownUser)
}

/// Passwords of persons age; temporary ones have an end of their own.
fn is_too_old(draft: &Draft, user: &User, credential: &Credential) -> bool {
    let days = PasswordPolicy::of(draft, user.kind).age.max_age_days;
    if days == 0 || user.kind == UserKind::Service || credential.temporary_until.is_some() {
        return false;
    }
    let age = SignedDuration::from_hours(24 * i64::from(days));
    credential.password_changed.is_none_or(|changed| after(changed, age) <= draft.now())
}

/// Who has signed in has a user-role, be it an empty one (founding document 2).
fn begin_user_role(draft: &mut Draft, user_id: &str) {
    if has_user_role(draft, user_id) {
        return;
    }
    let resource = Resource { policy_id_role_resource: Some(PolicyIds::default()), ..Resource::default() };
    draft.put(UserRole { id: ScopedId::new("_users", user_id), resource });
}

fn has_user_role(state: &State, user_id: &str) -> bool {
    state.user_roles.has(user_id)
}

#[cfg(test)]
mod tests {
    use super::super::second_factor::tests::code;
    use super::super::testing;
    use super::*;
    use crate::store::Setting;
    use serde_json::json;

    const HASH: &str = "the hash";
    const RIGHT: SecondFactor<'_> = SecondFactor::Code(None);

    fn with(user: User) -> Draft {
        let mut draft = testing::draft();
        testing::put(&mut draft, &user, HASH);
        draft
    }

    fn ada(kind: UserKind) -> User {
        (*testing::user("ada", kind)).clone()
    }

    fn shows(draft: &mut Draft, hash: Option<&str>, second: SecondFactor<'_>) -> Result<Arc<User>, Refusal> {
        admit(draft, &testing::vault(), &Compared::of(Some("00uada"), hash), second)
    }

    fn right(draft: &mut Draft) -> Result<Arc<User>, Refusal> {
        shows(draft, Some(HASH), RIGHT)
    }

    fn wrong(draft: &mut Draft) -> Refusal {
        shows(draft, None, RIGHT).unwrap_err()
    }

    #[test]
    fn the_right_password_signs_in_and_another_does_not() {
        let mut draft = with(ada(UserKind::Personal));
        assert_eq!(wrong(&mut draft), Refusal::WrongPassword);
        assert_eq!(right(&mut draft).unwrap().id, "00uada");
        assert_eq!(of(&draft, "00uada").last_login, Some(testing::start()));
        let nobody = admit(&mut draft, &testing::vault(), &Compared::of(None, None), RIGHT);
        assert_eq!(nobody.unwrap_err(), Refusal::UnknownUser);
    }

    #[test]
    fn a_password_that_was_changed_while_it_was_compared_is_wrong() {
        let mut draft = with(ada(UserKind::Personal));
        assert_eq!(shows(&mut draft, Some("the hash before"), RIGHT).unwrap_err(), Refusal::WrongPassword);
    }

    #[test]
    fn a_user_without_a_password_does_not_sign_in() {
        let mut draft = testing::draft();
        draft.put(ada(UserKind::Service));
        assert_eq!(wrong(&mut draft), Refusal::WrongPassword);
        assert_eq!(right(&mut draft).unwrap_err(), Refusal::WrongPassword);
    }

    #[test]
    fn too_many_wrong_attempts_lock_and_then_the_right_password_is_refused_too() {
        let mut draft = with(ada(UserKind::Personal));
        for _ in 0..9 {
            wrong(&mut draft);
        }
        assert!(right(&mut draft).is_ok(), "nine are not too many, and the count begins anew");
        for _ in 0..10 {
            wrong(&mut draft);
        }
        assert_eq!(right(&mut draft).unwrap_err(), Refusal::Locked);
        assert_eq!(right(&mut testing::at(&draft, 3599)).unwrap_err(), Refusal::Locked);
        let mut later = testing::at(&draft, 3600);
        assert_eq!(wrong(&mut later), Refusal::WrongPassword);
        assert_eq!(of(&later, "00uada").failed_attempts, 1, "the count began anew");
        assert!(right(&mut later).is_ok());
    }

    #[test]
    fn how_many_are_too_many_says_the_policy_and_zero_is_never() {
        for (most, is_locked) in [(2, true), (3, false), (0, false)] {
            let mut draft = with(ada(UserKind::Service));
            draft.put(Setting { name: "password-policy/Service".into(), value: json!({"lockout": {"maxAttempts": most}}) });
            wrong(&mut draft);
            wrong(&mut draft);
            assert_eq!(right(&mut draft).is_err(), is_locked, "{most}");
        }
    }

    #[test]
    fn accounts_that_are_not_active_are_refused_and_attempts_at_them_do_not_count() {
        for (status, user_expiry) in [
            (UserStatus::Suspended, None),
            (UserStatus::Deprovisioned, None),
            (UserStatus::Active, Some(testing::start())),
            (UserStatus::Provisioned, Some(testing::start())),
        ] {
            let mut draft = with(User { status, user_expiry, ..ada(UserKind::Personal) });
            assert_eq!(right(&mut draft).unwrap_err(), Refusal::Inactive, "{status:?}");
            assert_eq!(wrong(&mut draft), Refusal::Inactive);
            assert_eq!(of(&draft, "00uada").failed_attempts, 0);
        }
        let mut draft = with(User { user_expiry: Some(testing::later(1)), ..ada(UserKind::Personal) });
        assert!(right(&mut draft).is_ok());
    }

    #[test]
    fn a_first_sign_in_activates_the_account_and_makes_an_empty_user_role() {
        let mut draft = with(User { status: UserStatus::Provisioned, ..ada(UserKind::Service) });
        assert_eq!(right(&mut draft).unwrap().status, UserStatus::Active);
        let role = draft.user_roles.find("00uada").unwrap();
        assert_eq!(
            serde_json::to_value(&**role).unwrap(),
            json!({
                "id": {"scope": "_users", "code": "00uada"},
                "resource": {"policyIdRoleResource": {"policies": [], "policyCollections": []}},
            })
        );
    }

    #[test]
    fn a_user_role_that_is_there_stays_as_it_is() {
        let mut draft = with(ada(UserKind::Personal));
        let own = UserRole { id: ScopedId::new("_users", "00uada"), resource: Resource::default() };
        draft.put(own.clone());
        right(&mut draft).unwrap();
        assert_eq!(**draft.user_roles.find("00uada").unwrap(), own);
    }

    #[test]
    fn a_temporary_password_is_good_until_its_end() {
        let mut draft = with(ada(UserKind::Personal));
        draft.put(Credential { temporary_until: Some(testing::later(60)), ..of(&draft, "00uada") });
        assert!(right(&mut testing::at(&draft, 59)).is_ok());
        assert_eq!(right(&mut testing::at(&draft, 60)).unwrap_err(), Refusal::TemporaryPasswordEnded);
    }

    #[test]
    fn passwords_of_persons_age_and_those_of_service_users_do_not() {
        const DAYS: i64 = 24 * 3600;
        for (kind, days, expected) in
            [(UserKind::Personal, 89, None), (UserKind::Personal, 90, Some(Refusal::PasswordExpired)), (UserKind::Service, 9000, None)]
        {
            let draft = with(ada(kind));
            assert_eq!(right(&mut testing::at(&draft, days * DAYS)).err(), expected, "{kind:?} {days}");
        }
        let mut draft = testing::at(&with(ada(UserKind::Personal)), 90 * DAYS);
        assert_eq!(wrong(&mut draft), Refusal::WrongPassword, "who does not know the password is not told its age");
    }

    fn enrolled() -> Draft {
        let mut draft = with(ada(UserKind::Personal));
        let vault = testing::vault();
        second_factor::begin(&mut draft, &vault, &ada(UserKind::Personal)).unwrap();
        let first = code(&draft, &vault, "00uada", testing::later(-30));
        assert!(second_factor::confirm(&mut draft, &vault, "00uada", &first));
        draft
    }

    #[test]
    fn once_a_second_factor_is_enrolled_it_is_asked_for_and_its_codes_count_as_attempts() {
        let mut draft = enrolled();
        assert_eq!(right(&mut draft).unwrap_err(), Refusal::SecondFactorWanted);
        let now = code(&draft, &testing::vault(), "00uada", testing::start());
        assert_eq!(shows(&mut draft, Some(HASH), SecondFactor::Code(Some("12345"))).unwrap_err(), Refusal::WrongSecondFactor);
        assert_eq!(of(&draft, "00uada").failed_attempts, 2);
        assert_eq!(shows(&mut draft, None, SecondFactor::Code(Some(&now))).unwrap_err(), Refusal::WrongPassword);
        assert!(shows(&mut draft, Some(HASH), SecondFactor::Code(Some(&now))).is_ok(), "a wrong password has not used the code up");
        assert_eq!(shows(&mut draft, Some(HASH), SecondFactor::Code(Some(&now))).unwrap_err(), Refusal::WrongSecondFactor);
    }

    #[test]
    fn a_password_alone_does_not_begin_the_count_of_codes_anew() {
        let mut draft = enrolled();
        for _ in 0..10 {
            assert!(shows(&mut draft, Some(HASH), SecondFactor::Later).is_ok());
            assert_eq!(admit_by_code(&mut draft, &testing::vault(), "00uada", "12345").unwrap_err(), Refusal::WrongSecondFactor);
        }
        let now = code(&draft, &testing::vault(), "00uada", testing::start());
        assert_eq!(admit_by_code(&mut draft, &testing::vault(), "00uada", &now).unwrap_err(), Refusal::Locked);
        assert_eq!(shows(&mut draft, Some(HASH), SecondFactor::Later).unwrap_err(), Refusal::Locked);
    }

    #[test]
    fn a_code_completes_a_sign_in_and_is_worth_nothing_where_none_is_enrolled() {
        let mut draft = enrolled();
        shows(&mut draft, Some(HASH), SecondFactor::Later).unwrap();
        assert!(!has_user_role(&draft, "00uada"), "nobody has signed in yet");
        let now = code(&draft, &testing::vault(), "00uada", testing::start());
        assert!(admit_by_code(&mut draft, &testing::vault(), "00uada", &now).is_ok());
        assert!(has_user_role(&draft, "00uada"));
        let mut draft = with(ada(UserKind::Personal));
        assert_eq!(admit_by_code(&mut draft, &testing::vault(), "00uada", "123456").unwrap_err(), Refusal::WrongSecondFactor);
    }

    #[test]
    fn a_guesser_is_told_the_same_whatever_is_wrong() {
        let told: std::collections::BTreeSet<_> = [
            Refusal::UnknownUser,
            Refusal::WrongPassword,
            Refusal::Locked,
            Refusal::Inactive,
            Refusal::TemporaryPasswordEnded,
            Refusal::SecondFactorWanted,
            Refusal::WrongSecondFactor,
        ]
        .map(Refusal::told)
        .into();
        assert_eq!(told.len(), 1);
        assert!(Refusal::PasswordExpired.told().contains("expired"));
    }
}
