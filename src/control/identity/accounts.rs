//! What becomes of an account: it is made, changed, deactivated, purged.

use super::administrators::{self, Actor};
use super::roles::{RoleBook, RoleId};
use super::user_bodies::{CreateUserRequest, UpdateUserRequest, kind_named};
use super::{made, user_schema};
use crate::control::oauth::{credentials, sessions};
use crate::control::problem::{Code, Problem};
use crate::control::wire::new_id;
use crate::store::{Application, Draft, PersonalAccessToken, ScopedId, SetupLink, State, User, UserKind, UserRole, UserStatus};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The user with that id.
///
/// # Errors
/// 404 if there is none.
pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Arc<User>, Problem> {
    state.users.find(id).ok_or_else(|| Problem::of(Code::UserMissing).detail("There is no user with this id."))
}

/// The same of one that was not deactivated.
///
/// # Errors
/// 404 if there is none, 400 if it was deactivated.
pub(super) fn living(state: &State, id: &str) -> Result<User, Problem> {
    let user = find(state, id)?;
    match user.status {
        UserStatus::Deprovisioned => Err(Problem::of(Code::UserDeleted).detail("The user was deactivated.")),
        _ => Ok(user.as_ref().clone()),
    }
}

/// Makes a user that has yet to set a password.
///
/// # Errors
/// 400 by field, 403 for a role that the actor may not grant, 409 for a login that is taken.
pub(super) fn creation(draft: &mut Draft, actor: Actor, request: CreateUserRequest) -> Result<User, Problem> {
    let mut problem = Problem::invalid();
    let kind = kind_named(&request.kind).unwrap_or_else(|| {
        problem.report("type", "The type is neither Personal nor Service.");
        UserKind::Personal
    });
    let names = Names {
        kind,
        login: &request.login,
        email_address: &request.email_address,
        second_email_address: request.second_email_address.as_deref(),
    };
    names.check(&mut problem);
    let roles = known_roles(draft, request.roles.unwrap_or_default(), &mut problem);
    let alternative_user_ids = without_nulls(request.alternative_user_ids.unwrap_or_default());
    user_schema::check(draft, "", &alternative_user_ids, &mut problem);
    problem.or_ok(())?;
    roles.iter().try_for_each(|role| actor.may_grant(role))?;
    login_is_free(draft, &request.login, "")?;
    let now = draft.now();
    let user = User {
        id: made(new_id("00u"))?,
        login: request.login,
        email_address: request.email_address,
        second_email_address: request.second_email_address,
        first_name: request.first_name,
        last_name: request.last_name,
        kind,
        status: UserStatus::Provisioned,
        user_expiry: request.user_expiry,
        roles,
        alternative_user_ids,
        created: now,
        last_updated: now,
    };
    draft.put(user.clone());
    Ok(user)
}

/// Changes a user.
///
/// # Errors
/// As [`creation`]; 403 for an administrator's account, 400 if the last administrator were lost.
pub(super) fn change(draft: &mut Draft, actor: Actor, id: &str, request: UpdateUserRequest) -> Result<User, Problem> {
    let before = living(draft, id)?;
    actor.may_change(&before)?;
    let second_email_address = request.second_email_address.unwrap_or_else(|| before.second_email_address.clone());
    let mut problem = Problem::invalid();
    let names = Names {
        kind: before.kind,
        login: &request.login,
        email_address: &request.email_address,
        second_email_address: second_email_address.as_deref(),
    };
    names.check(&mut problem);
    let roles = request.roles.map_or_else(|| before.roles.clone(), |roles| known_roles(draft, roles, &mut problem));
    let given = request.alternative_user_ids.map(|ids| without_nulls(ids.unwrap_or_default()));
    if let Some(ids) = &given {
        user_schema::check(draft, id, ids, &mut problem);
    }
    problem.or_ok(())?;
    let moved = before.roles.iter().filter(|role| !roles.contains(role)).chain(roles.iter().filter(|role| !before.roles.contains(role)));
    moved.into_iter().try_for_each(|role| actor.may_grant(role))?;
    login_is_free(draft, &request.login, id)?;
    let user = User {
        login: request.login,
        email_address: request.email_address,
        second_email_address,
        first_name: request.first_name,
        last_name: request.last_name,
        user_expiry: request.user_expiry.unwrap_or(before.user_expiry),
        roles,
        alternative_user_ids: given.unwrap_or_else(|| before.alternative_user_ids.clone()),
        last_updated: draft.now(),
        ..before.clone()
    };
    draft.put(user.clone());
    administrators::still_there(draft, &before, draft.now())?;
    Ok(user)
}

/// Deactivates a user: it stays to be looked up, and nothing of it opens anything any more.
///
/// # Errors
/// 404 for a missing one, 403 for an administrator's account, 400 for the last of them.
pub(super) fn deactivation(draft: &mut Draft, actor: Actor, id: &str) -> Result<(), Problem> {
    let before = find(draft, id)?.as_ref().clone();
    actor.may_change(&before)?;
    draft.put(User { status: UserStatus::Deprovisioned, last_updated: draft.now(), ..before.clone() });
    lose_tokens(draft, id);
    administrators::still_there(draft, &before, draft.now())
}

/// Removes a user and everything that was kept of it.
///
/// # Errors
/// As [`deactivation`].
pub(super) fn purge(draft: &mut Draft, actor: Actor, id: &str) -> Result<(), Problem> {
    let before = find(draft, id)?.as_ref().clone();
    actor.may_change(&before)?;
    lose_tokens(draft, id);
    credentials::forget(draft, id);
    draft.remove::<UserRole>(id);
    // An application that acted as this user acts as nobody.
    for application in draft.applications.values().filter(|application| application.user_id.as_deref() == Some(id)).cloned().collect::<Vec<_>>() {
        draft.put(Application { user_id: None, ..application.as_ref().clone() });
    }
    draft.remove::<User>(id);
    administrators::still_there(draft, &before, draft.now())
}

/// Ends everything that the user is signed in by, and whatever could sign it in without its password.
fn lose_tokens(draft: &mut Draft, id: &str) {
    let keys: Vec<String> = draft.personal_access_tokens.beginning(&format!("{id}/")).map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        draft.remove::<PersonalAccessToken>(&key);
    }
    let links: Vec<String> = draft.setup_links.iter().filter(|(_, link)| link.user_id == id).map(|(key, _)| key.to_owned()).collect();
    for key in links {
        draft.remove::<SetupLink>(&key);
    }
    sessions::end_all(draft, id);
}

/// What a user is called, as a request would have it.
struct Names<'a> {
    kind: UserKind,
    login: &'a str,
    email_address: &'a str,
    second_email_address: Option<&'a str>,
}

impl Names<'_> {
    /// Reports what the schema cannot say.
    fn check(&self, problem: &mut Problem) {
        if !is_address(self.email_address) {
            problem.report("emailAddress", "The value is no e-mail address.");
        }
        if self.second_email_address.is_some_and(|address| !is_address(address)) {
            problem.report("secondEmailAddress", "The value is no e-mail address.");
        }
        if self.login.trim() != self.login || self.login.chars().any(char::is_control) {
            problem.report("login", "A login neither begins nor ends with a blank and has no control characters.");
        }
        if self.kind == UserKind::Personal && self.login != self.email_address {
            problem.report("login", "The login of a personal user is its e-mail address.");
        }
        if self.kind == UserKind::Personal && self.second_email_address.is_some() {
            problem.report("secondEmailAddress", "Only service users have a second e-mail address.");
        }
    }
}

/// Something, one `@`, something, and no blanks: what it takes for a mail server to say more.
fn is_address(text: &str) -> bool {
    let is_whole = |(local, domain): (&str, &str)| !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    text.split_once('@').is_some_and(is_whole) && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

/// The roles of a request, each once; those that do not exist are reported by their place.
fn known_roles(state: &State, roles: Vec<RoleId>, problem: &mut Problem) -> Vec<ScopedId> {
    let book = RoleBook::of(state);
    let mut known: Vec<ScopedId> = Vec::with_capacity(roles.len());
    for (index, id) in roles.into_iter().map(ScopedId::from).enumerate() {
        if book.find(&id).is_none() {
            problem.report(format!("roles[{index}]"), format!("There is no role {id}."));
        } else if !known.contains(&id) {
            known.push(id);
        }
    }
    known
}

fn without_nulls(ids: BTreeMap<String, Option<String>>) -> BTreeMap<String, Option<String>> {
    ids.into_iter().filter(|(_, value)| value.is_some()).collect()
}

/// # Errors
/// 409 if another user has this login, in any case.
fn login_is_free(state: &State, login: &str, own_id: &str) -> Result<(), Problem> {
    let Some(other) = state.user_by_login(login).filter(|other| other.id != own_id) else { return Ok(()) };
    let detail = match other.status {
        UserStatus::Deprovisioned => "A user that was deactivated has this login; purge it to make the login free.",
        _ => "There is a user with this login already.",
    };
    Err(Problem::of(Code::UserExists).detail(detail))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::user_bodies::Describer;
    use super::*;
    use crate::store::{Credential, IdentityRole, RefreshToken, Resource, Revocation, Session};
    use jiff::Timestamp;

    /// An administrator who asks.
    pub(in crate::control::identity) const OWNER: Actor = Actor { is_administrator: true };
    /// Somebody else who may call the operation.
    pub(in crate::control::identity) const CLERK: Actor = Actor { is_administrator: false };

    pub(in crate::control::identity) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// An empty memory at noon.
    pub(in crate::control::identity) fn draft() -> Draft {
        Draft::new(&State::default(), at("2026-11-21T12:00:00Z"))
    }

    /// A service user that may sign in.
    pub(in crate::control::identity) fn active(id: &str, login: &str) -> User {
        User {
            id: id.to_owned(),
            login: login.to_owned(),
            email_address: login.to_owned(),
            second_email_address: None,
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            kind: UserKind::Service,
            status: UserStatus::Active,
            user_expiry: None,
            roles: Vec::new(),
            alternative_user_ids: BTreeMap::new(),
            created: at("2026-01-01T00:00:00Z"),
            last_updated: at("2026-01-01T00:00:00Z"),
        }
    }

    pub(in crate::control::identity) fn administrators_role() -> ScopedId {
        ScopedId::new(administrators::ADMINISTRATOR.0, administrators::ADMINISTRATOR.1)
    }

    /// An administrator that may sign in.
    pub(in crate::control::identity) fn administrator(id: &str, login: &str) -> User {
        User { roles: vec![administrators_role()], ..active(id, login) }
    }

    /// A role to be had.
    pub(in crate::control::identity) fn role(id: &str, role_id: ScopedId) -> IdentityRole {
        IdentityRole { id: id.to_owned(), name: role_id.code.clone(), role_id, source: "LusidUser".to_owned(), description: None }
    }

    fn request(login: &str, kind: &str) -> CreateUserRequest {
        serde_json::from_value(serde_json::json!({
            "firstName": "Ada", "lastName": "Lovelace", "emailAddress": login, "login": login, "type": kind
        }))
        .unwrap()
    }

    fn update(login: &str, more: serde_json::Value) -> UpdateUserRequest {
        let mut body = serde_json::json!({"firstName": "Ada", "lastName": "King", "emailAddress": login, "login": login});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn fields(problem: &Problem) -> Vec<&str> {
        problem.errors().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_new_user_has_an_id_of_the_server_and_is_provisioned() {
        let mut draft = draft();
        let user = creation(&mut draft, CLERK, request("ada@acme.com", "Personal")).unwrap();
        assert_eq!((user.id.len(), user.id.get(..3)), (20, Some("00u")));
        assert_eq!(user.status, UserStatus::Provisioned);
        assert_eq!(Describer::new(&draft, draft.now()).user(&user).status, "PROVISIONED");
        assert_eq!((user.created, user.last_updated), (draft.now(), draft.now()));
    }

    #[test]
    fn a_login_is_given_once_whatever_its_case_and_stays_with_who_was_deactivated() {
        let mut draft = draft();
        let user = creation(&mut draft, CLERK, request("ada@acme.com", "Service")).unwrap();
        let code = |draft: &mut Draft| creation(draft, CLERK, request("ADA@acme.com", "Service")).unwrap_err().code();
        assert_eq!(code(&mut draft), Code::UserExists);
        deactivation(&mut draft, CLERK, &user.id).unwrap();
        assert_eq!(code(&mut draft), Code::UserExists);
        purge(&mut draft, CLERK, &user.id).unwrap();
        creation(&mut draft, CLERK, request("ADA@acme.com", "Service")).unwrap();
    }

    #[test]
    fn a_personal_user_signs_in_by_its_only_address() {
        let mut draft = draft();
        let mut other = request("ada@acme.com", "Personal");
        other.login = "lovelace@acme.com".to_owned();
        other.second_email_address = Some("ada@home.org".to_owned());
        assert_eq!(fields(&creation(&mut draft, CLERK, other.clone()).unwrap_err()), ["login", "secondEmailAddress"]);
        other.kind = "Service".to_owned();
        creation(&mut draft, CLERK, other).unwrap();
        assert_eq!(fields(&creation(&mut draft, CLERK, request("ada@home.org", "Robot")).unwrap_err()), ["type"]);
    }

    #[test]
    fn addresses_look_like_addresses() {
        for address in ["a@b.c", "x+y@acme.com"] {
            assert!(is_address(address), "{address}");
        }
        for address in ["acme.com", "@acme.com", "ada@", "a@b@c", "a da@acme.com", "ada@acme.com\n"] {
            assert!(!is_address(address), "{address:?}");
        }
    }

    #[test]
    fn a_user_begins_with_known_roles_only() {
        let mut draft = draft();
        draft.put(role("00g1", ScopedId::new("default", "reader")));
        let mut request = request("ada@acme.com", "Service");
        let wanted = |code: &str| RoleId { scope: "default".to_owned(), code: code.to_owned() };
        request.roles = Some(vec![wanted("reader"), wanted("writer")]);
        assert_eq!(fields(&creation(&mut draft, CLERK, request.clone()).unwrap_err()), ["roles[1]"]);
        request.roles = Some(vec![wanted("reader"), wanted("reader")]);
        let user = creation(&mut draft, CLERK, request).unwrap();
        let answer = Describer::new(&draft, draft.now()).user(&user);
        assert_eq!(answer.roles.iter().map(|role| role.id.as_str()).collect::<Vec<_>>(), ["00g1"]);
    }

    #[test]
    fn only_an_administrator_makes_an_administrator() {
        let mut draft = draft();
        draft.put(role("00g1", administrators_role()));
        let mut request = request("ada@acme.com", "Service");
        request.roles = Some(vec![RoleId { scope: "LUSID_SYSTEM".to_owned(), code: "lusid-administrator".to_owned() }]);
        assert_eq!(creation(&mut draft, CLERK, request.clone()).unwrap_err().code(), Code::AccessDenied);
        creation(&mut draft, OWNER, request).unwrap();
    }

    #[test]
    fn nobody_becomes_an_administrator_by_an_update() {
        let mut draft = draft();
        draft.put(role("00g1", administrators_role()));
        draft.put(active("00u9", "clerk@acme.com"));
        let roles = serde_json::json!({"roles": [{"scope": "LUSID_SYSTEM", "code": "lusid-administrator"}]});
        assert_eq!(change(&mut draft, CLERK, "00u9", update("clerk@acme.com", roles.clone())).unwrap_err().code(), Code::AccessDenied);
        change(&mut draft, OWNER, "00u9", update("clerk@acme.com", roles)).unwrap();
    }

    #[test]
    fn an_administrators_account_is_touched_by_administrators_alone() {
        let mut draft = draft();
        draft.put(administrator("00u1", "one@acme.com"));
        draft.put(administrator("00u2", "two@acme.com"));
        let code = |result: Result<(), Problem>| result.unwrap_err().code();
        assert_eq!(code(change(&mut draft, CLERK, "00u1", update("mine@acme.com", serde_json::json!({}))).map(drop)), Code::AccessDenied);
        assert_eq!(code(deactivation(&mut draft, CLERK, "00u1")), Code::AccessDenied);
        assert_eq!(code(purge(&mut draft, CLERK, "00u1")), Code::AccessDenied);
        change(&mut draft, OWNER, "00u1", update("mine@acme.com", serde_json::json!({}))).unwrap();
        purge(&mut draft, OWNER, "00u1").unwrap();
    }

    #[test]
    fn the_last_administrator_stays() {
        let lone = |change: &dyn Fn(&mut Draft) -> Result<(), Problem>| {
            let mut draft = draft();
            draft.put(role("00g1", administrators_role()));
            draft.put(administrator("00u1", "one@acme.com"));
            // Neither one that has yet to sign in nor one that expired counts.
            draft.put(User { status: UserStatus::Provisioned, ..administrator("00u2", "two@acme.com") });
            draft.put(User { user_expiry: Some(at("2026-11-20T00:00:00Z")), ..administrator("00u3", "three@acme.com") });
            change(&mut draft).unwrap_err().code()
        };
        assert_eq!(lone(&|draft| deactivation(draft, OWNER, "00u1")), Code::Conflicting);
        assert_eq!(lone(&|draft| purge(draft, OWNER, "00u1")), Code::Conflicting);
        assert_eq!(lone(&|draft| change(draft, OWNER, "00u1", update("one@acme.com", serde_json::json!({"roles": []}))).map(drop)), Code::Conflicting);
        let expired = serde_json::json!({"userExpiry": "2026-11-21T11:59:59Z"});
        assert_eq!(lone(&|draft| change(draft, OWNER, "00u1", update("one@acme.com", expired.clone())).map(drop)), Code::Conflicting);
    }

    #[test]
    fn an_expiry_suspends_and_moving_it_makes_active_again_with_the_same_password() {
        let mut draft = draft();
        draft.put(active("00u1", "ada@acme.com"));
        draft.put(Credential { user_id: "00u1".to_owned(), password: Some("phc".to_owned()), ..Credential::default() });
        let mut status = |expiry: serde_json::Value| {
            let user = change(&mut draft, CLERK, "00u1", update("ada@acme.com", serde_json::json!({"userExpiry": expiry}))).unwrap();
            Describer::new(&draft, draft.now()).user(&user).status
        };
        assert_eq!(status("2026-11-21T11:00:00.0000000+00:00".into()), "SUSPENDED");
        assert_eq!(status("2026-11-21T13:00:00.0000000+00:00".into()), "ACTIVE");
        assert_eq!(status("2026-11-21T11:00:00Z".into()), "SUSPENDED");
        assert_eq!(status(serde_json::Value::Null), "ACTIVE");
        assert_eq!(status("9999-12-31T23:59:59.9999999+00:00".into()), "ACTIVE");
        assert_eq!(draft.credentials.find("00u1").unwrap().password.as_deref(), Some("phc"));
    }

    #[test]
    fn what_an_update_does_not_name_stays() {
        let mut draft = draft();
        let before = User {
            user_expiry: Some(at("2027-01-01T00:00:00Z")),
            second_email_address: Some("ada@home.org".to_owned()),
            roles: vec![ScopedId::new("default", "reader")],
            ..active("00u1", "ada@acme.com")
        };
        draft.put(before.clone());
        let after = change(&mut draft, CLERK, "00u1", update("Ada@acme.com", serde_json::json!({}))).unwrap();
        let login = "Ada@acme.com".to_owned();
        let expected = User { login: login.clone(), email_address: login, last_name: "King".to_owned(), last_updated: draft.now(), ..before };
        assert_eq!(after, expected);
        let after = change(&mut draft, CLERK, "00u1", update("ada@acme.com", serde_json::json!({"secondEmailAddress": null, "roles": null}))).unwrap();
        assert_eq!((after.second_email_address, after.roles.len()), (None, 1));
    }

    #[test]
    fn a_locked_account_shows_it() {
        let mut draft = draft();
        let user = active("00u1", "ada@acme.com");
        draft.put(user.clone());
        draft.put(Credential { user_id: "00u1".to_owned(), locked_at: Some(draft.now()), ..Credential::default() });
        assert_eq!(Describer::new(&draft, draft.now()).user(&user).status, "LOCKED_OUT");
    }

    /// A user with one of everything that can be kept of it.
    fn full() -> Draft {
        let mut draft = draft();
        draft.put(active("00u1", "ada@acme.com"));
        draft.put(active("00u2", "other@acme.com"));
        draft.put(Credential { user_id: "00u1".to_owned(), ..Credential::default() });
        draft.put(UserRole { id: ScopedId::new("_users", "00u1"), resource: Resource::default() });
        for user in ["00u1", "00u2"] {
            let (user_id, sha256) = (user.to_owned(), format!("{user}-sha"));
            let now = draft.now();
            draft.put(PersonalAccessToken {
                id: "k".to_owned(),
                user_id: user_id.clone(),
                sha256: sha256.clone(),
                display_name: "k".to_owned(),
                created_date: now,
                deactivation_date: None,
            });
            draft.put(SetupLink { sha256: sha256.clone(), user_id: user_id.clone(), expires_at: now });
            draft.put(Session { sha256: sha256.clone(), user_id: user_id.clone(), created: now, last_seen: now, is_complete: true });
            draft.put(RefreshToken {
                sha256,
                family: "f".to_owned(),
                user_id,
                client_id: "client".to_owned(),
                scopes: Vec::new(),
                access_token_id: "j".to_owned(),
                signed_in_at: now,
                expires_at: now,
                used_at: None,
            });
        }
        draft
    }

    #[test]
    fn a_deactivated_user_keeps_nothing_that_opens_anything() {
        let mut draft = full();
        deactivation(&mut draft, CLERK, "00u1").unwrap();
        assert_eq!(find(&draft, "00u1").unwrap().status, UserStatus::Deprovisioned);
        assert_eq!(living(&draft, "00u1").unwrap_err().code(), Code::UserDeleted);
        let left = [draft.personal_access_tokens.len(), draft.setup_links.len(), draft.sessions.len(), draft.refresh_tokens.len()];
        assert_eq!(left, [1, 1, 1, 1], "those of the other user");
        let revoked = draft.revocations.find("user/00u1").unwrap();
        assert!(matches!(&**revoked, Revocation::User { user_id, issued_before } if user_id == "00u1" && *issued_before >= draft.now()));
        assert!(draft.revocations.find("user/00u2").is_none());
        deactivation(&mut draft, CLERK, "00u1").unwrap();
    }

    #[test]
    fn nothing_is_left_of_a_purged_user_but_that_its_tokens_ended() {
        let mut draft = full();
        purge(&mut draft, CLERK, "00u1").unwrap();
        assert!(draft.users.find("00u1").is_none() && draft.user_by_login("ada@acme.com").is_none());
        assert!(draft.credentials.is_empty() && draft.user_roles.is_empty());
        assert_eq!([draft.personal_access_tokens.len(), draft.refresh_tokens.len()], [1, 1]);
        assert!(draft.revocations.has("user/00u1"));
        assert_eq!(purge(&mut draft, CLERK, "00u1").unwrap_err().code(), Code::UserMissing);
        assert_eq!(deactivation(&mut draft, CLERK, "00u1").unwrap_err().code(), Code::UserMissing);
    }
}
