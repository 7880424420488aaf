use super::*;
use crate::config::Config;
use crate::control::foreign_tokens::tests::{entered, issuer};
use crate::control::identity::SessionType;
use crate::token::forge::Forge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

const BOOTSTRAP: &str =
    "bootstrap = { login = 'owner@example.com', type = 'Service', password = { env = 'PASSWORD' }, client_id = 'first', client_secret = { env = 'SECRET' } }";

fn configured(directory: &tempfile::TempDir, more: &str, environment: &[(&str, &str)]) -> config::Control {
    let store = directory.path().join("control.db");
    let text = format!("[control]\nlisten = '127.0.0.1:0'\nstore = 'sqlite:{}'\nsidecar_tokens = ['of-the-sidecar']\n{more}\n", store.display());
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse("control.toml", &text, environment).unwrap().control.unwrap()
}

async fn asked(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn secrets_of_the_first_account_are_needed_by_an_empty_store_alone() {
    let directory = tempfile::tempdir().unwrap();
    let without = configured(&directory, BOOTSTRAP, &[("PASSWORD", "correct horse battery")]);
    let told = Control::start(&without).await.unwrap_err().to_string();
    assert!(told.contains("the store is empty") && told.contains("control.bootstrap.client_secret.env: the variable `SECRET` is not set"), "{told}");
    let with = configured(&directory, BOOTSTRAP, &[("PASSWORD", "correct horse battery"), ("SECRET", "s3cret-of-the-first")]);
    let first = Control::start(&with).await.unwrap();
    let owner = first.plane.store.state().user_by_login("owner@example.com").cloned().unwrap();
    assert_eq!((owner.status, first.setup_link()), (crate::store::UserStatus::Active, None));
    first.run(async {}).await;
    let again = Control::start(&configured(&directory, BOOTSTRAP, &[])).await.unwrap();
    assert_eq!((again.plane.store.state().users.len(), again.setup_link()), (1, None));
}

#[tokio::test]
async fn connections_beyond_the_limit_are_answered_503() {
    let directory = tempfile::tempdir().unwrap();
    let control = Control::start(&configured(&directory, "max_connections = 1", &[])).await.unwrap();
    let address = control.listening()[0];
    let served = tokio::spawn(control.run(std::future::pending()));
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0]).await.unwrap();
    let said = asked(address, "").await;
    assert!(said.starts_with("HTTP/1.1 503") && said.contains(r#""name":"Overloaded""#), "{said}");
    served.abort();
}

#[tokio::test]
async fn a_long_poll_ends_at_once_when_the_process_is_told_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let control = Control::start(&configured(&directory, "", &[])).await.unwrap();
    let address = control.listening()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(control.run(async { drop(stopped.await) }));
    let head = "GET /snapshot HTTP/1.1\r\nhost: x\r\nauthorization: Bearer of-the-sidecar\r\n";
    let newest = asked(address, &format!("{head}connection: close\r\n\r\n")).await;
    let etag = newest.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let head = format!("{head}if-none-match: {etag}\r\nprefer: wait=60\r\n\r\n");
    let poll = tokio::spawn(async move { asked(address, &head).await });
    // Accepted in order: when this is answered, the poll is being served.
    assert!(asked(address, "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    let began = crate::observe::clock::monotonic();
    stop.send(()).unwrap();
    assert!(poll.await.unwrap().starts_with("HTTP/1.1 304"));
    served.await.unwrap();
    assert!(began.elapsed() < FAREWELL / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn network_zones_can_be_switched_off_by_who_runs_the_process() {
    let zone = serde_json::json!({
        "code": "everybody", "hierarchy": 1, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "action": "Block",
        "networkZoneIPs": [{ "value": "0.0.0.0/0" }], "applyRules": { "sessionType": [], "userRoles": [] }, "createdBy": "00u0", "updatedBy": "00u0",
    });
    let zone: crate::store::NetworkZone = serde_json::from_value(zone).unwrap();
    for (more, is_blocked) in [("", true), ("network_zones = false", false)] {
        let directory = tempfile::tempdir().unwrap();
        let control = Control::start(&configured(&directory, more, &[])).await.unwrap();
        let author = Author { user: "00u0".to_owned(), operation: "Test".to_owned(), request: String::new() };
        let zone = zone.clone();
        let change = |draft: &mut crate::store::Draft| {
            draft.put(zone);
            Ok(())
        };
        control.plane.write_as(&author, change).await.unwrap();
        let state = control.plane.store.state();
        let peer = crate::control::peer::testing::local();
        assert_eq!(peer.is_blocked(&control.plane, &state, SessionType::AccessToken, ("00u1", &[])), is_blocked);
        let owner = state.users.values().next().unwrap();
        assert_eq!(peer.may_not_sign_in(&control.plane, &state, SessionType::Console, Some(&owner.id)), is_blocked);
    }
}

#[tokio::test]
async fn a_body_with_a_content_coding_is_refused_at_every_door() {
    let directory = tempfile::tempdir().unwrap();
    let control = Control::start(&configured(&directory, "", &[])).await.unwrap();
    let address = control.listening()[0];
    let served = tokio::spawn(control.run(std::future::pending()));
    for target in ["/oauth2/default/v1/token", "/decisions", "/access/api/policies", "/console/sign-in"] {
        let ask = async |coding: &str| {
            let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: {coding}\r\ncontent-length: 2\r\n\r\n{{}}");
            asked(address, &head).await
        };
        assert!(ask("gzip").await.starts_with("HTTP/1.1 415"), "{target}");
        assert!(!ask("identity").await.starts_with("HTTP/1.1 415"), "{target}");
    }
    served.abort();
}

#[tokio::test]
async fn the_console_is_reached_by_its_own_name_and_its_own_forms_and_shown_by_no_other_page() {
    let directory = tempfile::tempdir().unwrap();
    let control = Control::start(&configured(&directory, "", &[])).await.unwrap();
    let address = control.listening()[0];
    let served = tokio::spawn(control.run(std::future::pending()));
    let ask = async |line: &str, host: &str, more: &str| asked(address, &format!("{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n")).await;
    let own = address.to_string();
    // In words of the guard's own: a sign-in that fails is a 403, too.
    let is_sent_away = |said: &str| {
        said.starts_with("HTTP/1.1 403") && ["under the name of control.public_url", "from a page of this console"].iter().any(|words| said.contains(words))
    };
    for page in ["/console", "/console/style.css", "/console/setup", "/console/sign-in", "/console/second-factor", "/console/account"] {
        let line = format!("GET {page}");
        assert!(is_sent_away(&ask(&line, "evil.example", "").await), "{page}");
        assert!(!is_sent_away(&ask(&line, &own, "").await), "{page}");
    }
    for page in ["/console/style.css", "/console/sign-in"] {
        let said = ask(&format!("GET {page}"), &own, "").await;
        for header in [
            "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n",
            "x-frame-options: DENY\r\n",
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "cache-control: no-store\r\n",
        ] {
            assert!(said.contains(header), "{page} {header}: {said}");
        }
    }
    let form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n";
    for target in ["setup", "sign-in", "second-factor", "sign-out", "account/tokens", "account/tokens/1"] {
        let line = format!("POST /console/{target}");
        assert!(is_sent_away(&ask(&line, &own, form).await), "{target}");
        assert!(is_sent_away(&ask(&line, &own, &format!("{form}origin: http://evil.example\r\n")).await), "{target}");
        assert!(!is_sent_away(&ask(&line, &own, &format!("{form}origin: http://{own}\r\n")).await), "{target}");
    }
    let left = ask("POST /console/sign-out", &own, &format!("{form}origin: http://{own}\r\n")).await;
    assert!(left.contains("\r\nset-cookie: doorward-session=; Path=/console; HttpOnly; SameSite=Strict"), "{left}");
    served.abort();
}

#[tokio::test]
async fn a_filter_may_be_as_long_as_is_said_however_it_is_escaped() {
    let directory = tempfile::tempdir().unwrap();
    let control = Control::start(&configured(&directory, "", &[])).await.unwrap();
    let address = control.listening()[0];
    let served = tokio::spawn(control.run(std::future::pending()));
    let ask = async |target: &str| asked(address, &format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    let filter = "%27".repeat(16_384);
    assert!(ask(&format!("/access/api/policies/page?filter={filter}")).await.starts_with("HTTP/1.1 401"), "it is a question of the token");
    assert!(ask(&format!("/access/api/policies/page?filter={filter}{}", "a".repeat(8_192))).await.starts_with("HTTP/1.1 414"));
    served.abort();
}

#[tokio::test]
async fn a_token_of_an_entered_issuer_opens_the_apis_to_the_user_that_it_names() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = [("PASSWORD", "correct horse battery"), ("SECRET", "s3cret-of-the-first")];
    let control = Control::start(&configured(&directory, BOOTSTRAP, &secrets)).await.unwrap();
    let (address, plane) = (control.listening()[0], control.plane.clone());
    let served = tokio::spawn(control.run(std::future::pending()));
    let forge = Forge::ed25519("one");
    let foreign = issuer(&forge).await;
    let ask = async |login: &str| {
        let end = clock::now().as_second() + 600;
        let token = forge.token(&serde_json::json!({ "iss": foreign.url, "aud": "lusid", "sub": "x", "mail": login, "exp": end }));
        let head = format!("GET /identity/api/me HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n");
        asked(address, &head).await
    };
    assert!(ask("owner@example.com").await.starts_with("HTTP/1.1 401"), "the issuer is not entered");
    let author = Author { user: "00u0".to_owned(), operation: "Test".to_owned(), request: String::new() };
    let own = entered("foreign", &foreign.url, Some(serde_json::json!({ "userId": "sub", "login": "mail" })));
    let change = |draft: &mut crate::store::Draft| {
        draft.put(own);
        Ok(())
    };
    plane.write_as(&author, change).await.unwrap();
    let answer = ask("owner@example.com").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("owner@example.com"), "{answer}");
    assert!(ask("stranger@example.com").await.starts_with("HTTP/1.1 403"));
    served.abort();
}
