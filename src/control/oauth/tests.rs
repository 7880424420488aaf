//! Signing in from outside: forms in, JSON out, on a real store.

mod given;

use super::routes::{introspect, keys, open_routes, revoke, token};
use super::sign_in::{Refusal, SecondFactor, Shown, admit, with_code, with_password};
use super::{applications, credentials, keep_keys, second_factor, secrets, sessions, testing};
use crate::control::judge::verified;
use crate::control::peer::testing::local;
use crate::control::plane::{Plane, empty};
use crate::control::problem::Problem;
use crate::observe::clock;
use crate::store::{Application, Credential, Draft, EventRow, NetworkZone, PersonalAccessToken, Span, User, UserKind, UserStatus};
use crate::token::KeySet;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PASSWORD: &str = "p w/d+&=é 12345";
const ESCAPED: &str = "p%20w%2Fd%2B%26%3D%C3%A9%2012345";
const CLIENT: &str = "client_id=first-client&client_secret=s%2Fe%2Bc%26r%3Dt";

/// A user `<name>@example.com` with the password, made some time ago.
async fn user(plane: &Plane, name: &str, kind: UserKind, status: UserStatus) -> Arc<User> {
    let user = User { status, ..(*testing::user(name, kind)).clone() };
    let chosen = plane.oauth.passwords.choose(&plane.store.state(), &user, PASSWORD).await.unwrap();
    let id = user.id.clone();
    change(plane, |draft| {
        draft.put(user.clone());
        credentials::set_password(draft, &id, chosen)?;
        draft.put(user);
        Ok(())
    })
    .await;
    Arc::clone(plane.store.state().users.find(&id).unwrap())
}

async fn change<T>(plane: &Plane, change: impl FnOnce(&mut Draft) -> Result<T, Problem>) -> T {
    plane.write_as(&super::events::author(None, "Test", ""), change).await.unwrap()
}

/// A plane with keys, an application, and two users.
async fn plane() -> Plane {
    let plane = empty().await;
    keep_keys(&plane).await.unwrap();
    let application = applications::new(&plane.oauth.vault, "first-client", "First", "s/e+c&r=t").unwrap();
    let other = applications::new(&plane.oauth.vault, "other-client", "Other", "other").unwrap();
    change(&plane, |draft| {
        draft.put(application);
        draft.put(other);
        Ok(())
    })
    .await;
    plane
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    json: Value,
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let json = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status: parts.status.as_u16(), headers: parts.headers, json }
}

fn request(form: &str) -> Request {
    Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8").body(Body::from(form.to_owned())).unwrap()
}

async fn ask(plane: &Plane, form: &str) -> Answer {
    read(token(State(plane.clone()), request(form)).await).await
}

/// What the password grant of an SDK sends.
fn password_form(login: &str, password: &str) -> String {
    format!("grant_type=password&username={login}&password={password}&scope=openid client groups offline_access&{CLIENT}")
}

fn refresh_request(text: &str) -> Request {
    let form = format!("grant_type=refresh_token&scope=openid client groups offline_access&refresh_token={text}");
    let mut request = request(&form);
    let basic = STANDARD.encode("first-client:s/e+c&r=t");
    request.headers_mut().insert(AUTHORIZATION, format!("Basic {basic}").parse().unwrap());
    request
}

async fn refresh(plane: &Plane, text: &str) -> Answer {
    read(token(State(plane.clone()), refresh_request(text)).await).await
}

async fn introspected(plane: &Plane, text: &str) -> Value {
    let answer = read(introspect(State(plane.clone()), request(&format!("token={text}&{CLIENT}"))).await).await;
    assert_eq!(answer.status, 200);
    answer.json
}

fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.json[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", answer.json))
}

async fn events(plane: &Plane) -> Vec<EventRow> {
    let span = Span { from: None, to: None, before: None, limit: 100 };
    plane.store.events(&span, None, true).await.unwrap()
}

#[tokio::test]
async fn a_client_signs_a_user_in_and_goes_on_by_refresh_tokens() {
    let plane = plane().await;
    let user = user(&plane, "svc", UserKind::Service, UserStatus::Provisioned).await;
    let first = ask(&plane, &password_form("svc@example.com", ESCAPED)).await;
    assert_eq!(first.status, 200, "{}", first.json);
    assert_eq!(first.headers[CACHE_CONTROL], "no-store");
    assert_eq!((text(&first, "token_type"), &first.json["expires_in"]), ("Bearer", &Value::from(3600)));
    assert_eq!(text(&first, "scope"), "openid client groups offline_access");
    assert_eq!(text(&first, "id_token").split('.').count(), 3);

    let verified = verified(&plane, text(&first, "access_token"), clock::now()).unwrap().unwrap();
    assert_eq!(&*verified.user, user.id);
    let state = plane.store.state();
    assert_eq!(state.users.find(&user.id).unwrap().status, UserStatus::Active);
    assert!(state.user_roles.has(&user.id) && state.credentials.find(&user.id).unwrap().last_login.is_some());

    let second = refresh(&plane, text(&first, "refresh_token")).await;
    assert_eq!(second.status, 200, "{}", second.json);
    assert_ne!(text(&second, "refresh_token"), text(&first, "refresh_token"));
    assert_ne!(text(&second, "access_token"), text(&first, "access_token"));
}

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_ends_the_sign_in_in_the_words_that_clients_know() {
    let plane = plane().await;
    user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    let first = ask(&plane, &password_form("svc@example.com", ESCAPED)).await;
    let second = refresh(&plane, text(&first, "refresh_token")).await;
    assert_eq!(introspected(&plane, text(&second, "access_token")).await["active"], true);
    for used in [text(&first, "refresh_token"), text(&second, "refresh_token"), "unknown"] {
        let refused = refresh(&plane, used).await;
        assert_eq!((refused.status, text(&refused, "error")), (400, "invalid_grant"));
        assert!(text(&refused, "error_description").contains("refresh token is invalid or expired"));
    }
    assert_eq!(introspected(&plane, text(&second, "access_token")).await, serde_json::json!({"active": false}));
}

#[tokio::test]
async fn whatever_is_wrong_is_answered_alike_and_counted() {
    let plane = plane().await;
    let user = user(&plane, "ada", UserKind::Personal, UserStatus::Active).await;
    let wrong = ask(&plane, &password_form("ada@example.com", "wrong")).await;
    let nobody = ask(&plane, &password_form("eve@example.com", ESCAPED)).await;
    assert_eq!((wrong.status, &wrong.json), (nobody.status, &nobody.json));
    assert_eq!((wrong.status, text(&wrong, "error")), (400, "invalid_grant"));
    assert_eq!(plane.store.state().credentials.find(&user.id).unwrap().failed_attempts, 1);

    change(&plane, |draft| {
        let credential = draft.credentials.find("00uada").map(|credential| (**credential).clone()).unwrap();
        draft.put(Credential { failed_attempts: 9, ..credential });
        Ok(())
    })
    .await;
    ask(&plane, &password_form("ada@example.com", "wrong")).await;
    let locked = ask(&plane, &password_form("ada@example.com", ESCAPED)).await;
    assert_eq!((locked.status, &locked.json), (wrong.status, &wrong.json));

    let told: Vec<_> = events(&plane).await.into_iter().map(|event| (event.kind, event.user, event.body)).collect();
    let kinds: Vec<_> = told.iter().map(|(kind, user, _)| (kind.as_str(), user.as_deref())).collect();
    let (start, lock) = ("user.session.start", "user.account.lock");
    assert_eq!(kinds, [(start, Some("00uada")), (start, None), (start, Some("00uada")), (lock, Some("00uada")), (start, Some("00uada"))]);
    assert!(told[4].2.contains("LOCKED_OUT") && told[4].2.contains("FAILURE"), "{}", told[4].2);
    assert!(told.iter().all(|(_, _, body)| !body.contains("12345") && !body.contains("wrong")));
}

#[tokio::test]
async fn a_refusal_takes_a_whole_number_of_steps() {
    let plane = plane().await;
    // Compared at once, so that it is not the comparing that takes the time.
    let (user, hash) = (testing::user("ada", UserKind::Personal), super::passwords::cheap_hash());
    change(&plane, |draft| {
        testing::put(draft, &user, &hash);
        Ok(())
    })
    .await;
    let took = async |password: &str| {
        let started = clock::monotonic();
        let status = ask(&plane, &password_form("ada@example.com", password)).await.status;
        (status, started.elapsed())
    };
    let step = std::time::Duration::from_millis(200);
    assert!(matches!(took("wrong").await, (400, long) if long >= step));
    assert!(matches!(took("cheap").await, (200, _)));
    let (logins, passwords) = (["ada@example.com".to_owned()], ["wrong".to_owned()]);
    let shown = Shown { logins: &logins, passwords: &passwords, client: "console", request: "", peer: local() };
    let started = clock::monotonic();
    assert!(with_password(&plane, shown, SecondFactor::Later).await.unwrap().is_err());
    assert!(started.elapsed() >= step);
}

#[tokio::test]
async fn guesses_that_come_at_once_are_no_more_than_the_policy_allows() {
    let plane = plane().await;
    user(&plane, "ada", UserKind::Personal, UserStatus::Active).await;
    // Compared while nothing was counted yet; what is counted decides.
    let state = plane.store.state();
    let passwords = [PASSWORD.to_owned()];
    let right = plane.oauth.passwords.compare(&state, &["ada@example.com".to_owned()], &passwords).await.unwrap();
    change(&plane, |draft| {
        let credential = draft.credentials.find("00uada").map(|credential| (**credential).clone()).unwrap();
        draft.put(Credential { failed_attempts: 10, locked_at: Some(draft.now()), ..credential });
        Ok(())
    })
    .await;
    let late = change(&plane, |draft| Ok(admit(draft, &plane.oauth.vault, &right, SecondFactor::Code(None)))).await;
    assert_eq!(late.unwrap_err(), Refusal::Locked);
}

#[tokio::test]
async fn an_enrolled_second_factor_is_asked_for_by_the_form() {
    let plane = plane().await;
    let user = user(&plane, "ada", UserKind::Personal, UserStatus::Active).await;
    let vault = &plane.oauth.vault;
    change(&plane, |draft| Ok(second_factor::begin(draft, vault, &user).map(drop)?)).await;
    let code = |at: Timestamp| second_factor::tests::code(&Draft::new(&plane.store.state(), at), vault, &user.id, at);
    let first = code(clock::now() - SignedDuration::from_secs(30));
    assert!(change(&plane, |draft| Ok(second_factor::confirm(draft, vault, &user.id, &first))).await);
    assert_eq!(ask(&plane, &password_form("ada@example.com", ESCAPED)).await.status, 400);
    let with_code = format!("{}&otp={}", password_form("ada@example.com", ESCAPED), code(clock::now()));
    assert_eq!(ask(&plane, &with_code).await.status, 200);
    assert_eq!(ask(&plane, &with_code).await.status, 400, "no code is good twice");
}

#[tokio::test]
async fn the_console_signs_in_in_two_steps_that_count_alike() {
    let plane = plane().await;
    let user = user(&plane, "ada", UserKind::Personal, UserStatus::Active).await;
    let (logins, right, wrong) = (["ada@example.com".to_owned()], [PASSWORD.to_owned()], ["wrong".to_owned()]);
    let shown = |passwords| Shown { logins: &logins, passwords, client: "console", request: "", peer: local() };
    assert_eq!(with_password(&plane, shown(&wrong), SecondFactor::Later).await.unwrap().unwrap_err(), Refusal::WrongPassword);
    assert!(with_password(&plane, shown(&right), SecondFactor::Later).await.unwrap().is_ok());
    assert!(plane.store.state().credentials.find(&user.id).unwrap().last_login.is_some(), "without a second factor that is all");

    let vault = &plane.oauth.vault;
    change(&plane, |draft| Ok(second_factor::begin(draft, vault, &user).map(drop)?)).await;
    let code = |at: Timestamp| second_factor::tests::code(&Draft::new(&plane.store.state(), at), vault, &user.id, at);
    let first = code(clock::now() - SignedDuration::from_secs(30));
    assert!(change(&plane, |draft| Ok(second_factor::confirm(draft, vault, &user.id, &first))).await);
    assert!(with_password(&plane, shown(&right), SecondFactor::Later).await.unwrap().is_ok());
    assert_eq!(with_code(&plane, &user.id, "12345", shown(&[])).await.unwrap().unwrap_err(), Refusal::WrongSecondFactor);
    let now = code(clock::now());
    assert!(with_code(&plane, &user.id, &now, shown(&[])).await.unwrap().is_ok());
    let told: Vec<_> = events(&plane).await.into_iter().map(|event| event.body.contains("SUCCESS")).collect();
    assert_eq!(told, [false, true, false, true], "half a sign-in is none");
}

#[tokio::test]
async fn a_password_that_is_too_old_is_named_to_who_knows_it() {
    let plane = plane().await;
    user(&plane, "ada", UserKind::Personal, UserStatus::Active).await;
    change(&plane, |draft| {
        let credential = draft.credentials.find("00uada").map(|credential| (**credential).clone()).unwrap();
        let changed = draft.now() - SignedDuration::from_hours(91 * 24);
        draft.put(Credential { password_changed: Some(changed), ..credential });
        Ok(())
    })
    .await;
    let refused = ask(&plane, &password_form("ada@example.com", ESCAPED)).await;
    assert_eq!((refused.status, text(&refused, "error")), (400, "invalid_grant"));
    assert!(text(&refused, "error_description").contains("expired"));
}

#[tokio::test]
async fn a_login_with_a_plus_is_found_though_it_comes_unescaped() {
    let plane = plane().await;
    user(&plane, "svc+1", UserKind::Service, UserStatus::Active).await;
    for login in ["svc+1@example.com", "svc%2B1@example.com"] {
        assert_eq!(ask(&plane, &password_form(login, ESCAPED)).await.status, 200, "{login}");
    }
}

#[tokio::test]
async fn an_application_that_acts_as_a_service_user_gets_an_access_token_alone() {
    let plane = plane().await;
    let user = user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    let form = format!("grant_type=client_credentials&scope=openid groups offline_access&{CLIENT}");
    let refused = ask(&plane, &form).await;
    assert_eq!((refused.status, text(&refused, "error")), (400, "unauthorized_client"));
    change(&plane, |draft| {
        let application = applications::by_client_id(draft, "first-client").map(|application| (**application).clone()).unwrap();
        draft.put(Application { user_id: Some(user.id.clone()), ..application });
        Ok(())
    })
    .await;
    let answer = ask(&plane, &form).await;
    assert_eq!((answer.status, text(&answer, "scope")), (200, "groups"));
    assert!(answer.json.get("refresh_token").is_none() && answer.json.get("id_token").is_none());
    let verified = verified(&plane, text(&answer, "access_token"), clock::now()).unwrap().unwrap();
    assert_eq!(&*verified.user, "00usvc");
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_in_json() {
    let plane = plane().await;
    user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    for (form, status, error) in [
        ("", 401, "invalid_client"),
        ("grant_type=password&username=a&password=b", 401, "invalid_client"),
        ("grant_type=password&username=a&password=b&client_id=first-client&client_secret=x", 401, "invalid_client"),
        (CLIENT, 400, "invalid_request"),
        (&format!("grant_type=authorization_code&{CLIENT}"), 400, "unsupported_grant_type"),
        (&format!("grant_type=password&{CLIENT}"), 400, "invalid_request"),
        (&format!("grant_type=refresh_token&{CLIENT}"), 400, "invalid_request"),
        (&format!("grant_type=password&grant_type=password&{CLIENT}"), 400, "invalid_request"),
        (&format!("grant_type=password&username=svc@example.com&password={ESCAPED}&scope=admin&{CLIENT}"), 400, "invalid_scope"),
        (&"x".repeat(1 << 20), 400, "invalid_request"),
    ] {
        let answer = ask(&plane, form).await;
        assert_eq!((answer.status, text(&answer, "error")), (status, error), "{}", form.chars().take(80).collect::<String>());
        assert!(answer.headers[CONTENT_TYPE].to_str().unwrap().starts_with("application/json"));
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
        assert!(!answer.headers.contains_key(WWW_AUTHENTICATE));
        assert!(answer.json.get("error_description").is_some());
    }
    let mut by_header = request("grant_type=client_credentials");
    by_header.headers_mut().insert(AUTHORIZATION, "Basic eDp5".parse().unwrap());
    let answer = read(token(State(plane.clone()), by_header).await).await;
    assert_eq!((answer.status, &answer.headers[WWW_AUTHENTICATE]), (401, &"Basic realm=\"doorward\"".parse().unwrap()));
    let json = Request::post("/").header(CONTENT_TYPE, "application/json").body(Body::from("{}")).unwrap();
    assert_eq!(read(token(State(plane), json).await).await.status, 400);
}
