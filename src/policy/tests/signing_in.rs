//! Users, personal access tokens, revocations (semantics §8, interfaces §5).

use super::*;

fn user(status: &str, expiry: Value) -> Policies {
    Snapshot::default().plus("users", json!({ "id": "u", "status": status, "userExpiry": expiry })).load()
}

#[test]
fn only_active_users_sign_in_before_their_expiry() {
    let may = |status: &str, expiry: Value| user(status, expiry).user("u").unwrap().may_sign_in(instant(NOW));
    assert!(may("ACTIVE", Value::Null) && may("ACTIVE", json!("2026-11-21T12:00:01Z")));
    assert!(!may("ACTIVE", json!(NOW)));
    for status in ["STAGED", "PROVISIONED", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "SUSPENDED", "DEPROVISIONED"] {
        assert!(!may(status, json!("2030-01-01")), "{status}");
    }
}

#[test]
fn users_are_found_by_id_and_by_a_login_that_only_one_has() {
    let account = |id: &str, login: &str| json!({ "id": id, "login": login, "status": "ACTIVE" });
    let policies = Snapshot::default()
        .plus("users", account("a", "x@example.com"))
        .plus("users", account("b", "y@example.com"))
        .plus("users", account("c", "y@example.com"))
        .plus("users", json!({ "id": "d", "status": "ACTIVE" }))
        .load();
    assert_eq!(policies.user("b").map(|user| &*user.id), Some("b"));
    assert_eq!(policies.user("B"), None);
    assert_eq!(policies.user_by_login("x@example.com").map(|user| &*user.id), Some("a"));
    for login in ["y@example.com", "X@example.com", ""] {
        assert_eq!(policies.user_by_login(login), None, "{login}");
    }
}

#[test]
fn personal_access_tokens_are_found_by_digest_and_end() {
    let token = json!({ "sha256": "AB".repeat(32), "userId": "u", "deactivationDate": NOW });
    let policies = Snapshot::default().user(&[]).plus("personalAccessTokens", token).load();
    let token = policies.personal_access_token(&[0xAB; 32]).unwrap();
    assert_eq!(&*token.user_id, "u");
    assert!(token.is_usable(instant("2026-11-21T11:59:59Z")) && !token.is_usable(instant(NOW)));
    assert_eq!(policies.personal_access_token(&[0xAC; 32]), None);
}

#[test]
fn tokens_are_revoked_by_jti_or_by_user_and_time() {
    let policies = Snapshot::default()
        .plus("revokedTokens", json!({ "jti": "t", "until": "2020-01-01" }))
        .plus("revokedTokens", json!({ "userId": "u", "issuedBefore": NOW }))
        .plus("revokedTokens", json!({ "userId": "u", "issuedBefore": "2001-01-01" }))
        .load();
    let at = |text: &str| Some(jiff::Timestamp::from(instant(text)));
    assert!(policies.is_revoked(Some("t"), "v", at(NOW)));
    assert!(!policies.is_revoked(Some("s"), "v", at(NOW)));
    assert!(policies.is_revoked(None, "u", at("2026-11-21T11:59:59Z")));
    assert!(!policies.is_revoked(None, "u", at(NOW)));
    assert!(policies.is_revoked(None, "u", None), "an unknown time of issue fails closed");
}

#[test]
fn before_the_first_snapshot_nobody_is_known() {
    let policies = Policies::default();
    assert_eq!((policies.revision(), policies.user("u")), (0, None));
    let roles = [RoleId::named("LUSID_SYSTEM/lusid-administrator"), RoleId::named("r")];
    assert!(!Ask { claimed: Some((&roles, false)), ..Ask::default() }.granted(&policies));
}

#[test]
fn a_user_of_another_snapshot_is_found_by_id() {
    let (allowing, empty) =
        (one_role(&[allow(all_portfolios())]), Snapshot::of_roles(&[&[deny(all_portfolios())]]).plus("users", json!({ "id": "v", "status": "ACTIVE" })).load());
    let context = Context { now: instant(NOW).into(), headers: &NoHeaders, claims: None, scopes: &[], feature: None };
    let stranger = empty.user("v").unwrap();
    assert!(!Subject::new(&allowing, RoleSource::Snapshot(stranger), context).decide(&Ask::default().question()).granted);
    let same_id = empty.user("u").unwrap();
    assert!(Subject::new(&allowing, RoleSource::Snapshot(same_id), context).decide(&Ask::default().question()).granted);
}
