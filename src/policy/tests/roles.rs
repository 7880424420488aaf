//! Who has which policies (semantics §2), and roles from a claim (§8.3).

use super::*;

fn held(policies: &[Value]) -> Value {
    json!({ "policyIdRoleResource": { "policies": policies } })
}

#[test]
fn equal_indexes_rank_by_scope_and_code() {
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[allow(all_portfolios()), deny(all_portfolios())]);
    snapshot.add_role("b/a", 1, held(&grants[1..]));
    snapshot.add_role("a/b", 1, held(&grants[..1]));
    let policies = snapshot.user(&["b/a", "a/b"]).load();
    assert_eq!(Ask::default().cause(&policies), "a/b default/p-1");
    assert_eq!(Ask::default().subject(&policies).role_names().collect::<Vec<_>>(), ["a/b", "b/a"]);
}

#[test]
fn a_role_that_the_snapshot_does_not_have_is_passed_over() {
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[allow(all_portfolios())]);
    snapshot.add_role("r", 1, held(&grants));
    let policies = snapshot.user(&["gone", "r"]).load();
    assert!(Ask::default().granted(&policies));
}

#[test]
fn a_role_out_of_its_time_counts_for_nothing() {
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[deny(all_portfolios()), allow(all_portfolios())]);
    snapshot.push("roles", json!({ "id": id("past"), "roleHierarchyIndex": 1, "resource": held(&grants[..1]), "when": { "deactivate": NOW } }));
    snapshot.add_role("r", 2, held(&grants[1..]));
    let policies = snapshot.user(&["past", "r"]).load();
    assert_eq!(Ask::default().subject(&policies).role_names().collect::<Vec<_>>(), ["default/r"]);
    assert!(Ask::default().granted(&policies));
    assert!(!Ask { now: "2026-11-21T11:59:59.999999999Z", ..Ask::default() }.granted(&policies));
}

#[test]
fn a_missing_scope_is_default_on_either_side() {
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[allow(all_portfolios())]);
    snapshot.push("roles", json!({ "id": { "code": "r" }, "roleHierarchyIndex": 1, "resource": held(&grants) }));
    assert!(Ask::default().granted(&snapshot.user(&["default/r"]).load()));
}

#[test]
fn the_administrator_ranks_first_needs_no_entry_and_grants_everything() {
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[deny(all_portfolios())]);
    snapshot.add_role("r", 1, held(&grants));
    let policies = snapshot.user(&["r", "LUSID_SYSTEM/lusid-administrator"]).load();
    let unheard = Ask { entity: "Unheard", activity: "Of", ..Ask::default() };
    for ask in [Ask::default(), unheard] {
        assert_eq!(ask.cause(&policies), "LUSID_SYSTEM/lusid-administrator ");
        assert!(ask.granted(&policies) && ask.subject(&policies).could_grant("LUSID", ask.activity, ask.entity));
    }
    let names: Vec<_> = Ask::default().subject(&policies).role_names().collect();
    assert_eq!(names, ["LUSID_SYSTEM/lusid-administrator", "default/r"]);
}

#[test]
fn an_entry_of_the_administrator_has_no_effect_on_it() {
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[deny(all_portfolios())]);
    let administrator = json!({ "id": id("LUSID_SYSTEM/lusid-administrator"), "resource": held(&grants), "when": { "deactivate": "2001-01-01" } });
    let policies = snapshot.plus("roles", administrator).user(&["LUSID_SYSTEM/lusid-administrator"]).load();
    assert!(Ask::default().granted(&policies));
}

#[test]
fn a_supervisor_of_the_administrator_has_what_its_entry_lists_and_no_more() {
    let supervisor = json!({ "nonTransitiveSupervisorRoleResource": { "roles": [id("LUSID_SYSTEM/lusid-administrator")] } });
    let mut snapshot = Snapshot::default();
    snapshot.add_role("s", 1, supervisor.clone());
    assert!(!Ask::default().granted(&snapshot.user(&["s"]).load()));

    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[allow(by_id(json!({ "scope": "US" })))]);
    snapshot.add_role("s", 1, supervisor);
    let administrator = json!({ "id": id("LUSID_SYSTEM/lusid-administrator"), "resource": held(&grants), "when": { "deactivate": "2001-01-01" } });
    let policies = snapshot.plus("roles", administrator).user(&["s"]).load();
    assert_eq!(Ask::default().cause(&policies), "default/s default/p-1");
    assert!(!Ask::read("UK", "eq").granted(&policies));
}

#[test]
fn supervision_goes_one_level_and_looks_at_when() {
    let supervising = |role: &str| json!({ "nonTransitiveSupervisorRoleResource": { "roles": [id(role)] } });
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[allow(all_portfolios())]);
    snapshot.push("roles", json!({ "id": id("team"), "roleHierarchyIndex": 9, "resource": held(&grants), "when": { "activate": NOW } }));
    snapshot.add_role("lead", 1, supervising("team"));
    snapshot.add_role("director", 2, supervising("lead"));
    let json = snapshot.json();
    let of = |role: &str| load(with(json.clone(), "users", json!([{ "id": "u", "status": "ACTIVE", "roles": [id(role)] }])).to_string().as_bytes()).unwrap();
    assert_eq!(Ask::default().cause(&of("lead")), "default/lead default/p-1");
    assert!(!Ask { now: "2026-11-21T11:59:59Z", ..Ask::default() }.granted(&of("lead")));
    assert!(!Ask::default().granted(&of("director")));
}

#[test]
fn collections_are_expanded_however_deep_small_or_large() {
    for size in [1, 200] {
        let mut snapshot = Snapshot::default();
        let mut grants = snapshot.add_policies("p", &vec![allow(by_id(json!({ "scope": "UK" }))); size]);
        grants.extend(snapshot.add_policies("last", &[allow(by_id(json!({ "scope": "US" })))]));
        snapshot.push("policyCollections", json!({ "id": id("outer"), "policyCollections": [id("inner"), id("other")] }));
        snapshot.push("policyCollections", json!({ "id": id("inner"), "policies": grants, "policyCollections": [id("other")] }));
        snapshot.push("policyCollections", json!({ "id": id("other") }));
        snapshot.add_role("r", 1, json!({ "policyIdRoleResource": { "policyCollections": [id("outer")] } }));
        let policies = snapshot.user(&["r"]).load();
        assert!(Ask::default().granted(&policies));
        assert!(!Ask::read("DE", "eq").granted(&policies));
    }
}

#[test]
fn a_user_without_roles_has_no_rights_unless_by_a_user_role() {
    let mut snapshot = Snapshot::default();
    let own = snapshot.add_policies("own", &[allow(all_portfolios())]);
    let of = |code: &str| json!({ "id": { "scope": "_users", "code": code }, "resource": held(&own) });
    let stranger = Snapshot(snapshot.0.clone()).plus("userRoles", of("v")).user(&[]).load();
    assert!(!Ask::default().granted(&stranger));
    let owner = snapshot.plus("userRoles", of("u")).user(&[]).load();
    assert_eq!(Ask::default().cause(&owner), "_users/u default/own-1");
    assert_eq!(Ask::default().subject(&owner).role_names().count(), 0);
}

#[test]
fn claimed_roles_replace_those_of_the_snapshot_in_its_ranks() {
    let mut snapshot = Snapshot::default();
    let grants = snapshot.add_policies("p", &[allow(all_portfolios()), deny(all_portfolios())]);
    snapshot.add_role("allows", 1, held(&grants[..1]));
    snapshot.add_role("x/denies", 2, held(&grants[1..]));
    let policies = snapshot.user(&["allows"]).load();
    let cause = |roles: &[&str], allow_administrator| {
        let roles: Vec<_> = roles.iter().map(|role| RoleId::named(role)).collect();
        Ask { claimed: Some((&roles, allow_administrator)), ..Ask::default() }.cause(&policies)
    };
    assert_eq!(cause(&["x/denies", "allows", "allows"], false), "default/allows default/p-1");
    assert_eq!(cause(&["denies"], false), "");
    assert_eq!(cause(&[], false), "");
    assert_eq!(cause(&["LUSID_SYSTEM/lusid-administrator"], false), "");
    assert_eq!(cause(&["LUSID_SYSTEM/lusid-administrator"], true), "LUSID_SYSTEM/lusid-administrator ");
}
