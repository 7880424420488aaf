//! The snapshot document that a state makes.

mod served;

use super::document::document;
use super::publisher::{Following, Publisher, Signer};
use super::serving::answer;
use super::*;
use crate::control::problem::Problem;
use crate::http_client::{Ask, Authorities, HttpClient};
use crate::observe::clock;
use crate::policy::load;
use crate::snapshot::{World, WorldStore};
use crate::sources::SourceObserver;
use crate::store::{
    AccessMetadata, Author, Draft, Location, MetadataValue, PersonalAccessToken, Policy, PolicyCollection, PolicyIds, Resource, Revocation, Role, ScopedId,
    State, Store, SupervisedRoles, User, UserKind, UserRole, UserStatus, When, WriteError,
};
use crate::token::{KeySet, verify_detached};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::body::to_bytes;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn id(code: &str) -> ScopedId {
    ScopedId::new("default", code)
}

fn user(id: &str) -> User {
    User {
        id: id.to_owned(),
        login: format!("{id}@example.com"),
        email_address: format!("{id}@example.com"),
        second_email_address: None,
        first_name: "A".to_owned(),
        last_name: "B".to_owned(),
        kind: UserKind::Personal,
        status: UserStatus::Active,
        user_expiry: None,
        roles: vec![id_of_role()],
        alternative_user_ids: BTreeMap::new(),
        created: now(),
        last_updated: now(),
    }
}

fn id_of_role() -> ScopedId {
    id("managers")
}

fn when() -> When {
    When { activate: "2020-01-01T00:00:00.0000000+00:00".to_owned(), deactivate: "9999-12-31T23:59:59.9999999+00:00".to_owned() }
}

fn policy(code: &str) -> Policy {
    let selector = json!({"idSelectorDefinition": {"identifier": {"scope": "US", "code": "*"},
        "actions": [{"scope": "default", "activity": "Read", "entity": "Portfolio"}]}});
    Policy {
        id: id(code),
        description: None,
        applications: Vec::new(),
        grant: "Allow".to_owned(),
        selectors: vec![selector],
        dates: None,
        conditions: None,
        when: when(),
        how: None,
        template_metadata: None,
    }
}

fn resource(policies: &[&str], collections: &[&str], supervised: &[ScopedId]) -> Resource {
    let ids = |codes: &[&str]| codes.iter().map(|code| id(code)).collect();
    Resource {
        non_transitive_supervisor_role_resource: Some(SupervisedRoles { roles: supervised.to_vec() }),
        policy_id_role_resource: Some(PolicyIds { policies: ids(policies), policy_collections: ids(collections) }),
    }
}

fn role(code: &str, index: i64, resource: Resource) -> Role {
    Role {
        id: id(code),
        role_hierarchy_index: index,
        description: None,
        resource,
        when: when(),
        permission: "Read".to_owned(),
        limit: None,
    }
}

fn collection(code: &str, policies: &[&str], collections: &[&str]) -> PolicyCollection {
    let ids = |codes: &[&str]| codes.iter().map(|code| id(code)).collect();
    PolicyCollection { id: id(code), policies: ids(policies), policy_collections: ids(collections), metadata: None, description: None }
}

fn token(user: &str, digit: &str) -> PersonalAccessToken {
    let sha256 = digit.repeat(64);
    PersonalAccessToken {
        id: digit.repeat(32),
        user_id: user.to_owned(),
        sha256,
        display_name: "one".to_owned(),
        created_date: now(),
        deactivation_date: Some(now()),
    }
}

/// One of everything.
fn fill(draft: &mut Draft) {
    draft.put(policy("read-us"));
    draft.put(collection("inner", &["read-us"], &[]));
    draft.put(collection("outer", &[], &["inner"]));
    draft.put(role("managers", 1, resource(&["read-us"], &["outer"], &[])));
    draft.put(UserRole { id: ScopedId::new("_users", "00u1"), resource: resource(&["read-us"], &[], &[]) });
    draft.put(user("00u1"));
    draft.put(User { status: UserStatus::Deprovisioned, user_expiry: Some(now()), kind: UserKind::Service, ..user("00u2") });
    draft.put(token("00u1", "a"));
    draft.put(Revocation::Token { jti: "jti-1".to_owned(), until: now() });
    draft.put(Revocation::User { user_id: "00u1".to_owned(), issued_before: now() });
    draft.put(AccessMetadata {
        entity: "Portfolio".to_owned(),
        id: BTreeMap::from([("scope".to_owned(), "US".to_owned()), ("code".to_owned(), "eq".to_owned())]),
        metadata: BTreeMap::from([("Desk".to_owned(), vec![MetadataValue { value: "EQ".to_owned(), provider: None }])]),
    });
}

fn state(change: impl FnOnce(&mut Draft)) -> State {
    let mut draft = Draft::new(&State::default(), now());
    change(&mut draft);
    draft.into_state(7, 5, Some(now()))
}

#[test]
fn every_member_of_the_document_arrives() {
    let policies = load(&document(&state(fill)).unwrap()).unwrap();
    assert_eq!((policies.revision(), policies.issued_at()), (5, now()));
    let [active, gone] = policies.users() else { panic!("two users") };
    assert_eq!((&*active.id, &*active.login, active.roles.len()), ("00u1", "00u1@example.com", 1));
    assert!(active.may_sign_in(now()) && active.expiry.is_none());
    assert_eq!((gone.status.name(), gone.kind.unwrap().name(), gone.expiry), ("DEPROVISIONED", "Service", Some(now().into())));
    let managers = policies.roles().first().unwrap();
    assert_eq!((managers.hierarchy_index, managers.resource.policies.len(), managers.resource.collections.len()), (1, 1, 1));
    assert_eq!(policies.user_role("00u1").unwrap().resource.policies.len(), 1);
    assert_eq!((policies.policies().len(), policies.collections().len()), (1, 2));
    assert!(policies.access_metadata("Portfolio", &[("scope", "US"), ("code", "eq")]).is_some());
    let token = policies.personal_access_token(&[0xaa; 32]).unwrap();
    assert_eq!((&*token.user_id, token.is_usable(now())), ("00u1", false));
    assert!(policies.is_revoked(Some("jti-1"), "00u2", Some(now())));
    assert!(policies.is_revoked(None, "00u1", Some(now() - Duration::from_secs(1))));
    assert!(!policies.is_revoked(None, "00u1", Some(now())));
}

#[test]
fn an_expired_account_is_published_as_it_was_written() {
    let state = state(|draft| draft.put(User { user_expiry: Some(now()), ..user("00u1") }));
    let text = String::from_utf8(document(&state).unwrap()).unwrap();
    assert!(text.contains(r#""status":"ACTIVE","userExpiry":"2026-11-21T12:00:00Z""#), "{text}");
}

#[test]
fn what_is_not_there_any_more_is_not_referred_to() {
    let administrator = ScopedId::new("LUSID_SYSTEM", "lusid-administrator");
    let state = state(|draft| {
        draft.put(policy("read-us"));
        draft.put(collection("one", &["read-us", "gone"], &["gone"]));
        draft.put(role("managers", 1, resource(&["gone", "read-us"], &["one", "gone"], &[id("gone"), administrator])));
        draft.put(UserRole { id: ScopedId::new("_users", "00u9"), resource: resource(&["gone"], &[], &[]) });
        draft.put(token("00u9", "b"));
    });
    let policies = load(&document(&state).unwrap()).unwrap();
    let resource = &policies.roles().first().unwrap().resource;
    assert_eq!((resource.policies.len(), resource.collections.len(), resource.supervised.len()), (1, 1, 1));
    assert!(resource.supervised.first().unwrap().is_administrator());
    assert_eq!(policies.collections().first().unwrap().policies.len(), 1);
    assert!(policies.user_role("00u9").unwrap().resource.policies.is_empty());
    assert!(policies.personal_access_token(&[0xbb; 32]).is_none());
}

#[test]
fn every_replica_makes_the_same_bytes() {
    let one = state(fill);
    let mut rows: Vec<(&'static str, String, String)> = Vec::new();
    let mut draft = Draft::new(&State::default(), now());
    fill(&mut draft);
    rows.extend(draft.changes().map(|(kind, key, change)| (kind, key.to_owned(), change.after.clone().unwrap())));
    let mut other = State::default();
    for (kind, key, body) in rows.iter().rev() {
        other.take_over(kind, key, Some(body)).unwrap();
    }
    let other = Draft::new(&other, now()).into_state(9, 5, Some(now()));
    assert_eq!(document(&one).unwrap(), document(&other).unwrap());
}
