use super::super::user_bodies::Describer;
use super::*;
use crate::store::{Credential, IdentityRole, RefreshToken, Resource, Revocation, Session};
use jiff::Timestamp;

/// An administrator who asks.
pub(in crate::control::identity) const OWNER: Actor = Actor { is_administrator: true, gives_roles: true, takes_roles: true };
/// Somebody else who may call the operation.
pub(in crate::control::identity) const CLERK: Actor = Actor { is_administrator: false, gives_roles: true, takes_roles: true };

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

#[test]
fn roles_are_given_and_taken_by_whoever_may_give_and_take_them() {
    let mut draft = draft();
    draft.put(role("00g1", ScopedId::new("default", "reader")));
    draft.put(active("00u1", "ada@acme.com"));
    let reader = serde_json::json!({"roles": [{"scope": "default", "code": "reader"}]});
    let none = serde_json::json!({"roles": []});
    let [taker, giver] = [false, true].map(|gives_roles| Actor { is_administrator: false, gives_roles, takes_roles: !gives_roles });
    let mut ask = |actor, roles: &serde_json::Value| change(&mut draft, actor, "00u1", update("ada@acme.com", roles.clone())).map(|user| user.roles.len());
    assert_eq!(ask(taker, &reader).unwrap_err().code(), Code::AccessDenied);
    assert_eq!(ask(giver, &reader).unwrap(), 1);
    assert_eq!(ask(taker, &reader).unwrap(), 1, "nothing is given");
    assert_eq!(ask(giver, &none).unwrap_err().code(), Code::AccessDenied);
    assert_eq!(ask(giver, &serde_json::json!({})).unwrap(), 1, "nothing is taken");
    assert_eq!(ask(taker, &none).unwrap(), 0);
    let new =
        |login: &str| CreateUserRequest { roles: Some(vec![RoleId { scope: "default".to_owned(), code: "reader".to_owned() }]), ..request(login, "Service") };
    assert_eq!(creation(&mut draft, taker, new("new@acme.com")).unwrap_err().code(), Code::AccessDenied);
    creation(&mut draft, taker, request("none@acme.com", "Service")).unwrap();
    creation(&mut draft, giver, new("new@acme.com")).unwrap();
}
