//! The operations over HTTP, with a store and a caller, without the judge.

use super::super::caller::{Caller, testing};
use super::super::plane::{self, Plane};
use super::super::{judge, oauth};
use super::accounts::tests::{active, administrator, administrators_role, role};
use crate::http_client::{Ask, Authorities, HttpClient};
use crate::store::{Author, Draft, User, UserKind};
use axum::{Extension, middleware};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// The id of [`testing::administrator`].
const OWNER: &str = "00uadministrator00001";

struct Served {
    plane: Plane,
    address: SocketAddr,
    client: HttpClient,
}

impl Served {
    /// The Identity API, called by this caller, with these users and the administrator.
    async fn to(caller: Caller, users: &[User]) -> Self {
        let plane = plane::empty().await;
        let lay_out = |draft: &mut Draft| {
            draft.put(role("00g0", administrators_role()));
            draft.put(User { kind: UserKind::Personal, ..administrator(OWNER, "owner@example.com") });
            users.iter().for_each(|user| draft.put(user.clone()));
            Ok(())
        };
        let author = Author { user: "doorward".to_owned(), operation: "test".to_owned(), request: String::new() };
        plane.write_as(&author, lay_out).await.unwrap();
        let finish = middleware::from_fn_with_state(plane.clone(), judge::finish);
        let router = super::routes().split_for_parts().0.layer(Extension(caller)).layer(finish).with_state(plane.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { plane, address, client: HttpClient::new(Authorities::Native).unwrap() }
    }

    async fn call(&self, method: Method, target: &str, body: Option<Value>) -> (u16, Value) {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json-patch+json"))]);
        let body = body.map(|body| body.to_string()).unwrap_or_default().into();
        let url = format!("http://{}/identity/api{target}", self.address).parse().unwrap();
        let ask = Ask { method, url, headers, body, timeout: Duration::from_secs(30), body_limit: 1 << 20 };
        let answer = self.client.ask(ask).await.unwrap();
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    async fn get(&self, target: &str) -> Value {
        let (status, answer) = self.call(Method::GET, target, None).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn post(&self, target: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, target, Some(body)).await
    }
}

fn new_user(login: &str) -> Value {
    json!({"firstName": "Ada", "lastName": "Lovelace", "emailAddress": login, "login": login, "type": "Service", "secondEmailAddress": null})
}

fn texts<'a>(values: &'a Value, name: &str) -> Vec<&'a str> {
    values.as_array().unwrap().iter().map(|value| value[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_user_is_made_found_changed_given_a_role_and_deleted() {
    let served = Served::to(testing::administrator(), &[]).await;
    let (status, made) = served.post("/users?waitForReindex=True", new_user("ada@acme.com")).await;
    assert_eq!((status, &made["status"]), (200, &json!("PROVISIONED")), "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(served.post("/users", new_user("ADA@acme.com")).await.1["code"], 658);
    assert_eq!(served.get("/users/fromlogin/ada%40acme.com").await, made);
    let (status, changed) = served.call(Method::PUT, &format!("/users/{id}"), Some(new_user("ada@acme.org"))).await;
    assert_eq!((status, &changed["login"]), (200, &json!("ada@acme.org")));
    let (status, role) = served.post("/roles", json!({"name": "reader", "description": "d", "permission": "Read"})).await;
    assert_eq!((status, &role["samlName"]), (201, &json!("lusid:default:reader")));
    let member = format!("/roles/{}/users/{id}", role["id"].as_str().unwrap());
    assert_eq!(served.call(Method::PUT, &member, None).await, (204, Value::Null));
    assert_eq!(served.get(&format!("/users/{id}")).await["roles"], json!([role]));
    assert_eq!(texts(&served.get("/users").await, "login"), ["ada@acme.org", "owner@example.com"]);
    assert_eq!(served.get("/roles/byCode/reader").await, role);
    assert_eq!(served.call(Method::DELETE, &member, None).await.0, 204);
    assert_eq!(served.call(Method::DELETE, &format!("/users/{id}"), None).await.0, 204);
    assert_eq!(texts(&served.get("/users").await, "login"), ["owner@example.com"]);
    assert_eq!(served.get("/users?includeDeactivated=True").await.as_array().unwrap().len(), 2);
    assert_eq!(served.call(Method::DELETE, &format!("/users/{id}?purge=true"), None).await.0, 204);
    let (status, problem) = served.call(Method::DELETE, &format!("/users/{id}?purge=true"), None).await;
    assert_eq!((status, &problem["code"], &problem["name"]), (404, &json!(657), &json!("UserNotFound")));
}

#[tokio::test]
async fn mistakes_are_named_by_their_fields() {
    let served = Served::to(testing::administrator(), &[]).await;
    let (status, problem) = served.post("/users", json!({"firstName": "", "lastName": "L", "login": "abcd", "type": "Service", "userExpiry": "soon"})).await;
    assert_eq!(status, 400);
    assert_eq!(problem["errors"].as_object().unwrap().keys().collect::<Vec<_>>(), ["emailAddress", "firstName", "lastName", "login", "userExpiry"]);
    for (target, body) in [
        ("/roles", json!({"name": "1st"})),
        ("/roles", json!({"name": "ab"})),
        ("/applications", json!({"displayName": "x", "clientId": "short", "type": "Native"})),
    ] {
        assert_eq!(served.post(target, body.clone()).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn the_log_tells_what_happened_page_by_page() {
    let served = Served::to(testing::administrator(), &[]).await;
    for name in ["a", "b", "c"] {
        served.post("/users", new_user(&format!("{name}@acme.com"))).await;
    }
    served.post("/roles", json!({"name": "reader"})).await;
    let first = served.get("/logs?oktaLimit=3").await;
    assert_eq!(texts(&first["values"], "eventType"), ["user.lifecycle.create"; 3]);
    assert_eq!(first["values"][0]["actor"]["alternateId"], "owner@example.com");
    let token = first["nextPage"].as_str().unwrap().replace('+', "%2B");
    let second = served.get(&format!("/logs?oktaLimit=3&oktaAfter={token}")).await;
    assert_eq!(texts(&second["values"], "eventType"), ["group.lifecycle.create"]);
    assert_eq!(second.get("nextPage"), None);
    let newest = served.get("/logs?oktaLimit=1&oktaSortOrder=DESCENDING").await;
    assert_eq!(newest["values"], second["values"]);
    let filtered = served.get("/logs?oktaFilter=target.displayName%20eq%20%22b@acme.com%22").await;
    assert_eq!(filtered["values"].as_array().unwrap().len(), 1);
    assert_eq!(served.get("/logs/me").await["values"].as_array().unwrap().len(), 4);
    assert_eq!(served.call(Method::GET, "/logs?oktaAfter=x", None).await.1["code"], 689);
}

#[tokio::test]
async fn a_set_up_link_is_answered_and_never_written_down() {
    let served = Served::to(testing::administrator(), &[active("00u1", "ada@acme.com")]).await;
    let (status, answer) = served.call(Method::POST, "/users/00u1/lifecycle/$setuplink", None).await;
    assert_eq!(status, 200);
    let link = answer["link"].as_str().unwrap();
    let secret = link.strip_prefix("http://127.0.0.1:9910/console/setup?link=").unwrap();
    let state = served.plane.state().await.unwrap();
    let owner = oauth::credentials::link_owner(&state, secret, crate::observe::clock::now()).unwrap();
    assert_eq!(owner.id, "00u1");
    let log = served.get("/logs").await;
    assert_eq!(texts(&log["values"], "eventType"), ["user.lifecycle.setup_link"]);
    assert!(!log.to_string().contains(secret));
    assert!(state.setup_links.values().all(|link| link.sha256 != secret));
}

#[tokio::test]
async fn the_caller_sets_a_password_that_the_policy_admits_and_every_session_ends() {
    let served = Served::to(testing::administrator(), &[]).await;
    let set = async |value: &str| served.call(Method::PUT, "/me/password", Some(json!({"value": value}))).await;
    let (status, problem) = set("ada lovelace 1815").await;
    assert_eq!((status, &problem["code"], problem["errors"]["value"].as_array().map(Vec::len)), (400, &json!(787), Some(2)), "{problem}");
    let (status, answer) = set("correct horse battery").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["updatedAt"].is_string());
    let (status, problem) = set("correct horse battery").await;
    assert_eq!((status, &problem["code"]), (400, &json!(787)), "it was used before");
    let state = served.plane.state().await.unwrap();
    assert!(state.revocations.has(&format!("user/{OWNER}")));
    assert!(state.credentials.find(OWNER).unwrap().password.is_some());
}

#[tokio::test]
async fn a_temporary_password_is_shown_once() {
    let served = Served::to(testing::administrator(), &[active("00u1", "ada@acme.com")]).await;
    let (status, answer) = served.call(Method::POST, "/users/00u1/lifecycle/$expirepassword", None).await;
    let password = answer["password"].as_str().unwrap();
    assert_eq!((status, password.len()), (200, 24));
    assert!(!served.get("/logs").await.to_string().contains(password));
    assert!(served.get("/users/00u1").await["passwordChanged"].is_string());
}

#[tokio::test]
async fn a_secret_is_shown_to_who_asks_and_the_one_before_is_good_for_a_while() {
    let served = Served::to(testing::administrator(), &[]).await;
    let (status, made) = served.post("/applications", json!({"displayName": "Nightly", "clientId": "nightly", "type": "Native"})).await;
    assert_eq!((status, &made["issuer"]), (200, &json!("http://127.0.0.1:9910/oauth2/default")));
    let id = made["id"].as_str().unwrap();
    assert_eq!(served.get("/applications").await[0].get("secret"), None);
    assert_eq!(served.get(&format!("/applications/{id}")).await.get("secret"), None);
    assert_eq!(served.get(&format!("/applications/{id}?includeSecret=True")).await, made);
    let (_, rotated) = served.call(Method::POST, &format!("/applications/{id}/lifecycle/$newsecret"), None).await;
    assert_ne!(rotated["secret"], made["secret"]);
    let state = served.plane.state().await.unwrap();
    let application = state.applications.find(id).unwrap();
    let is_good = |answer: &Value, now| oauth::applications::secret_matches(&served.plane.oauth.vault, application, answer["secret"].as_str().unwrap(), now);
    let now = crate::observe::clock::now();
    assert!(is_good(&rotated, now) && is_good(&made, now));
    let tomorrow = now + jiff::SignedDuration::from_hours(25);
    assert!(is_good(&rotated, tomorrow) && !is_good(&made, tomorrow));
    assert!(!served.get("/logs").await.to_string().contains(made["secret"].as_str().unwrap()));
}

#[tokio::test]
async fn keys_zones_issuers_and_policies_answer_in_their_shapes() {
    let served = Served::to(testing::administrator(), &[]).await;
    let (status, key) = served.post("/keys", json!({"displayName": "laptop", "deactivationDate": null})).await;
    assert_eq!((status, key["key"].as_str().map(str::len)), (200, Some(64)));
    let (status, removed) = served.call(Method::DELETE, &format!("/keys/{}", key["id"].as_str().unwrap()), None).await;
    assert_eq!((status, &removed["displayName"], removed.get("key")), (200, &json!("laptop"), None));
    assert_eq!(served.get("/keys").await, json!([]));
    let zone = json!({"code": "office", "networkZoneIPs": [{"type": "CIDR", "value": "192.0.2.0/24"}], "action": "Allow", "applyRules": {"sessionType": [], "userRoles": []}});
    assert_eq!(served.post("/networkzones", zone).await.0, 201);
    assert_eq!(served.get("/networkzones/office").await["createdBy"], OWNER);
    let issuer = json!({"code": "idp", "issuer": "https://id.example", "audience": "lusid-api", "logoutUrl": "https://id.example/out", "claimMappings": null});
    assert_eq!(served.post("/externaltokenissuers", issuer).await.0, 201);
    assert_eq!(served.get("/authentication/password-policy/Personal").await["conditions"]["complexity"]["minLength"], 12);
    assert_eq!(served.call(Method::GET, "/authentication/password-policy/Robot", None).await.0, 400);
    assert_eq!(served.get("/authentication/information").await["issuerUrl"], "http://127.0.0.1:9910/oauth2/default");
    assert_eq!(served.get("/me").await["groups"], json!(["lusid-administrator"]));
    assert_eq!(served.get("/directory?id=x").await["failed"]["x"]["type"], "UserNotFound");
    assert_eq!(served.get("/metadata/endpoints").await["endpoints"].as_array().unwrap().len(), 77);
    assert_eq!(served.get("/metadata/access/resources").await["values"][0]["name"], "Feature");
}

#[tokio::test]
async fn what_is_absent_says_so() {
    let served = Served::to(testing::administrator(), &[]).await;
    for (method, target) in [
        (Method::GET, "/mcptools"),
        (Method::PUT, "/identityprovider/scim"),
        (Method::POST, "/authentication/support"),
        (Method::PUT, "/cellmanagement/detach"),
    ] {
        let (status, problem) = served.call(method, target, None).await;
        assert_eq!((status, &problem["name"]), (501, &json!("NotImplemented")), "{target}");
    }
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = serde_json::to_value(super::routes().into_openapi()).unwrap();
    let mut named = Vec::new();
    references(&document, &mut named);
    assert!(named.len() > 100);
    for name in named {
        let pointer = name.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{name}");
    }
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
