//! What clients get, and what the API sees, through each of the real proxies.

use crate::front::Front;
use crate::programs::{Neighbours, Program, gone};
use crate::support::client::Client;
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::world::authorization;
use std::time::Duration;

impl Front {
    async fn lets_calls_pass_with_who_asks(&self) {
        let answer = self.ask("GET /free?x=%2Fa%20b&y=%c3%a4", &authorization()).await;
        assert_eq!((answer.status, answer.text()), (200, "{\"said\":\"by the api\"}"), "{:?}: {answer:?}\n{}", self.program, self.proxy.log());
        let seen = self.api.seen().pop().unwrap();
        assert_eq!(seen.line(), "GET /free?x=%2Fa%20b&y=%c3%a4 HTTP/1.1", "{:?}", self.program);
        for (name, value) in [("doorward-user", "00u1"), ("doorward-roles", "default/reader")] {
            assert_eq!(seen.header(name), [value], "{:?}: {}", self.program, seen.head);
        }
        assert_eq!(seen.header("doorward-decision-id")[0].len(), 32);
        let written = format!("POST /free HTTP/1.1\r\nhost: api.example\r\n{}content-length: 7\r\n\r\n{{\"a\":1}}", authorization());
        assert_eq!(self.say(&written).await.status, 200, "{:?}", self.program);
        let seen = self.api.seen().pop().unwrap();
        assert_eq!((seen.line(), &*seen.body), ("POST /free HTTP/1.1", &b"{\"a\":1}"[..]), "{:?}", self.program);
        let chunked = format!("PUT /free HTTP/1.1\r\nhost: api.example\r\n{}transfer-encoding: chunked\r\n\r\n7\r\n{{\"a\":1}}\r\n0\r\n\r\n", authorization());
        let status = self.say(&chunked).await.status;
        // HAProxy before 3.1 cannot drop the trailers that such a body may have.
        assert!(status == 200 || (status == 411 && self.program == Program::HaProxy), "{:?}: {status}\n{}", self.program, self.proxy.log());
        assert_eq!(self.api.seen().pop().unwrap().body, b"{\"a\":1}", "{:?}", self.program);
    }

    async fn relays_refusals(&self) {
        let authorized = authorization();
        let challenged = self.refuses(401, "GET /free", "").await;
        assert_eq!(challenged.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{:?}", self.program);
        self.refuses(401, "GET /free", "authorization: Bearer unknown\r\n").await;
        let unmapped = self.refuses(403, "GET /nowhere", &authorized).await;
        assert!(unmapped.text().contains("\"RouteNotMapped\""), "{:?}: {unmapped:?}", self.program);
        assert_eq!(unmapped.header("doorward-decision-id").map(str::len), Some(32), "{:?}: {unmapped:?}", self.program);
        self.refuses(403, "GET /api/portfolios/EU/p1", &authorized).await;
        self.refuses(403, "GET /api/portfolios", &authorized).await;
        self.refuses(403, "POST /api/portfolios", &format!("{authorized}content-length: 0\r\n")).await;
        self.refuses(400, "GET /free;x", &authorized).await;
    }

    /// Whatever a client claims: what the API sees of these names is Doorward's alone.
    async fn believes_no_client(&self) {
        for claim in ["Doorward-User: admin", "doorward-roles: x", "Doorward_User: admin", "Doorward.User: admin", "doorward-decision-id: 1"] {
            let before = self.api.seen().len();
            let answer = self.ask("GET /free", &format!("{claim}\r\n{}", authorization())).await;
            let seen = self.api.seen().split_off(before);
            assert!(seen.is_empty() == (answer.status != 200), "{:?}: {claim}: {answer:?}", self.program);
            for seen in seen {
                assert_eq!(seen.header("doorward-user"), ["00u1"], "{:?}: {claim}: {}", self.program, seen.head);
                assert!(!seen.head.contains("admin") && seen.header("doorward-roles") == ["default/reader"], "{:?}: {claim}: {}", self.program, seen.head);
            }
        }
        for claim in [
            "x-forwarded-method: GET\r\nx-forwarded-uri: /free",
            "x-original-method: GET\r\nx-original-uri: /free",
            "x-forwarded-method: GET\r\nx-forwarded-uri: /free\r\nx-original-method: GET\r\nx-original-uri: /free",
            "x-original-url: /free",
            "connection: x-forwarded-uri, x-forwarded-method, x-original-uri, x-original-method\r\nx-forwarded-uri: /free",
        ] {
            let before = self.api.seen().len();
            let answer = self.ask("GET /api/portfolios", &format!("{claim}\r\n{}", authorization())).await;
            assert!(answer.status == 400 || answer.status == 403, "{:?}: {claim}: {answer:?}", self.program);
            assert_eq!(self.api.seen().len(), before, "{:?}: {claim}", self.program);
        }
        let nobody = self.ask("GET /free", &format!("connection: authorization\r\n{}", authorization())).await;
        assert!(nobody.status != 200 || !self.api.seen().last().unwrap().header("doorward-user").is_empty(), "{:?}", self.program);
    }

    /// However a target is written: what the API sees is what was authorized.
    async fn forwards_what_was_authorized(&self) {
        for target in [
            "/api/portfolios/../../free",
            "//free",
            "/free/",
            "/free;x",
            "/%66ree",
            "/free%2f..%2fapi",
            "/x/..%2ffree",
            "/free?/../api/portfolios",
            "/free#/api",
        ] {
            let before = self.api.seen().len();
            let answer = self.ask(&format!("GET {target}"), &authorization()).await;
            for seen in self.api.seen().split_off(before) {
                let path = seen.line().split([' ', '?']).nth(1).unwrap_or_default().to_owned();
                assert_eq!(path, "/free", "{:?}: {target}: {}", self.program, seen.head);
            }
            assert!(matches!(answer.status, 200 | 301 | 307 | 308 | 400 | 403), "{:?}: {target}: {answer:?}", self.program);
        }
    }

    /// While the door is down nothing passes.
    async fn passes_nothing_without_the_door(self) {
        let (door, before) = (self.site.door(), self.api.seen().len());
        crate::support::within(self.site.gateway.run(async {})).await;
        gone(door).await;
        let mut client = Client::connect(self.proxy.address).await;
        client.send(format!("GET /free HTTP/1.1\r\nhost: api.example\r\n{}\r\n", authorization())).await;
        let answer = client.answer().await;
        assert!(answer.status >= 500, "{:?}: {answer:?}", self.program);
        assert_eq!(self.api.seen().len(), before, "{:?}", self.program);
    }
}

async fn runs(program: Program) {
    let front = Front::open(program).await;
    front.lets_calls_pass_with_who_asks().await;
    front.relays_refusals().await;
    front.believes_no_client().await;
    front.forwards_what_was_authorized().await;
    front.passes_nothing_without_the_door().await;
}

/// What a door answers that is none.
async fn passes_nothing_by(program: Program, reply: impl Fn() -> Reply + Send + Sync + 'static) {
    let (api, door) = (Upstream::start(|_| ok("{}")).await, Upstream::start(move |_| reply()).await);
    let proxy = program.start(Neighbours { door: door.address, api: api.address }).await;
    let status = loop {
        let mut client = Client::connect(proxy.address).await;
        client.send(format!("GET /free HTTP/1.1\r\nhost: api.example\r\n{}\r\n", authorization())).await;
        match patient_status(&mut client).await {
            // Traefik listens before it knows its routes.
            404 => {}
            status => break status,
        }
    };
    assert!(status >= 500, "{program:?}: {status}\n{}", proxy.log());
    assert!(api.seen().is_empty() && !door.seen().is_empty(), "{program:?}");
}

/// The status of the next answer, for which Traefik takes half a minute.
async fn patient_status(client: &mut Client) -> u16 {
    let answer = tokio::time::timeout(Duration::from_secs(90), client.patient_bytes(12)).await.expect("no answer");
    String::from_utf8(answer).unwrap()[9..12].parse().unwrap()
}

macro_rules! through {
    ($name:ident, $program:expr) => {
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn calls_pass_are_refused_and_are_what_they_seem() {
                runs($program).await;
            }

            #[tokio::test]
            async fn a_door_that_is_silent_lets_nothing_pass() {
                passes_nothing_by($program, || Reply::Silence).await;
            }

            #[tokio::test]
            async fn a_door_that_breaks_off_lets_nothing_pass() {
                passes_nothing_by($program, || Reply::Close(b"HTTP/1.1 2".to_vec())).await;
            }
        }
    };
}

through!(nginx, Program::Nginx);
through!(traefik, Program::Traefik);
through!(caddy, Program::Caddy);
through!(haproxy, Program::HaProxy);
through!(envoy, Program::Envoy);
