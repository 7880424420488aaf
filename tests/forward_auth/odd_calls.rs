//! Calls that are no plain ones, through each of the real proxies: what its file says must keep them
//! from passing unjudged.

use crate::front::Front;
use crate::programs::Program;
use crate::support::world::authorization;

const ALL: [Program; 5] = [Program::Nginx, Program::Traefik, Program::Caddy, Program::HaProxy, Program::Envoy];

/// Behind a change of protocol nothing would be asked about.
#[tokio::test]
async fn no_change_of_protocol_reaches_the_api() {
    for program in ALL {
        let front = Front::open(program).await;
        for (target, protocol) in [("/free", "websocket"), ("/free", "h2c"), ("/socket", "websocket"), ("/socket", "h2c"), ("/free", "other")] {
            let lines = format!("connection: upgrade\r\nupgrade: {protocol}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n");
            let answer = front.ask(&format!("GET {target}"), &(lines + &authorization())).await;
            assert_ne!(answer.status, 101, "{program:?}: {target} {protocol}");
        }
        for seen in front.api.seen() {
            assert!(seen.header("upgrade").iter().all(String::is_empty), "{program:?}: {}", seen.head);
            assert!(!seen.header("connection").iter().any(|value| value.to_ascii_lowercase().contains("upgrade")), "{program:?}: {}", seen.head);
        }
    }
}

/// A client that names headers in `Connection` takes nothing away of who asks.
#[tokio::test]
async fn no_client_takes_away_who_asks() {
    for program in ALL {
        let front = Front::open(program).await;
        for names in ["doorward-user, doorward-roles", "Doorward-User", "doorward-decision-id, close", "authorization"] {
            let before = front.api.seen().len();
            front.ask("GET /free", &format!("connection: {names}\r\n{}", authorization())).await;
            for seen in front.api.seen().split_off(before) {
                assert_eq!(
                    (seen.header("doorward-user"), seen.header("doorward-roles")),
                    (vec!["00u1".to_owned()], vec!["default/reader".to_owned()]),
                    "{program:?}: {names}"
                );
            }
        }
    }
}

#[tokio::test]
async fn trailers_of_a_request_do_not_reach_the_api_as_headers() {
    for program in ALL {
        let front = Front::open(program).await;
        for announced in ["", "trailer: doorward-user\r\n"] {
            let head = format!("POST /free HTTP/1.1\r\nhost: api.example\r\n{}{announced}transfer-encoding: chunked\r\n\r\n", authorization());
            let answer = front.say(&format!("{head}2\r\n{{}}\r\n0\r\ndoorward-user: root\r\nx-team: root\r\n\r\n")).await;
            assert!(matches!(answer.status, 200 | 400 | 411), "{program:?}: {answer:?}");
        }
        // What is left over of a request would be the API's next one.
        assert_eq!(front.ask("GET /free", &authorization()).await.status, 200);
        assert!(front.api.seen().iter().all(|seen| !seen.head.contains("root")), "{program:?}: {:?}", front.api.seen());
    }
}

#[tokio::test]
async fn a_call_that_names_no_host_is_not_forwarded() {
    for program in ALL {
        let front = Front::open(program).await;
        let before = front.api.seen().len();
        for (version, host) in [("1.0", ""), ("1.1", ""), ("1.0", "host:\r\n"), ("1.1", "host:\r\n")] {
            let mut client = crate::support::client::Client::connect(front.proxy.address).await;
            client.send(format!("GET /free HTTP/{version}\r\n{host}{}\r\n", authorization())).await;
            let status = client.answer_or_end().await.map(|answer| answer.status);
            assert!(status.is_none_or(|status| (400..500).contains(&status)), "{program:?}: {version} {host:?}: {status:?}");
        }
        assert_eq!(front.api.seen().len(), before, "{program:?}: {:?}", front.api.seen());
    }
}

/// Of two headers of one name one alone must never be judged.
#[tokio::test]
async fn two_authorizations_are_refused() {
    for program in ALL {
        let front = Front::open(program).await;
        let two = format!("{}authorization: Bearer other\r\n", authorization());
        let before = front.api.seen().len();
        let answer = front.ask("GET /free", &two).await;
        assert!(matches!(answer.status, 400 | 401 | 403), "{program:?}: {answer:?}");
        assert_eq!(front.api.seen().len(), before, "{program:?}");
    }
}

#[tokio::test]
async fn many_headers_bring_no_proxy_down() {
    for program in ALL {
        let front = Front::open(program).await;
        for count in [40, 60, 70, 90, 97, 98, 99, 110] {
            let many: String = (0..count).map(|number| format!("x-a{number}: 1\r\n")).collect();
            let mut client = crate::support::client::Client::connect(front.proxy.address).await;
            client.send(format!("GET /free HTTP/1.1\r\nhost: api.example\r\n{}{many}\r\n", authorization())).await;
            let answer = client.answer_or_end().await.map(|answer| answer.status);
            assert!(answer.is_none_or(|status| status == 200 || status >= 400), "{program:?}: {count}: {answer:?}\n{}", front.proxy.log());
            assert_eq!(front.ask("GET /free", &authorization()).await.status, 200, "{program:?} after {count} headers\n{}", front.proxy.log());
        }
    }
}
