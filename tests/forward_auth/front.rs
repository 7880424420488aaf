//! A real proxy between a client and an API, asking a real door.

use crate::programs::{Neighbours, Program, Running};
use crate::site::Site;
use crate::support::client::{Answer, Client};
use crate::support::upstream::{Upstream, ok};

/// An API behind a proxy that asks a door.
pub(crate) struct Front {
    pub(crate) program: Program,
    pub(crate) proxy: Running,
    pub(crate) api: Upstream,
    pub(crate) site: Site,
}

impl Front {
    /// Starts all of them.
    pub(crate) async fn open(program: Program) -> Self {
        let api = Upstream::start(|_| ok("{\"said\":\"by the api\"}")).await;
        let site = Site::open(api.address).await;
        let proxy = program.start(Neighbours { door: site.door(), api: api.address }).await;
        let front = Self { program, proxy, api, site };
        front.routed().await;
        front
    }

    /// Traefik listens before it knows its routes.
    async fn routed(&self) {
        crate::support::within(async { while self.ask("GET /free", "").await.status == 404 {} }).await;
    }

    /// The answer to a request line with these header lines.
    pub(crate) async fn ask(&self, line: &str, headers: &str) -> Answer {
        self.say(&format!("{line} HTTP/1.1\r\nhost: api.example\r\n{headers}\r\n")).await
    }

    /// The answer to these bytes, on a connection of their own.
    pub(crate) async fn say(&self, bytes: &str) -> Answer {
        let mut client = Client::connect(self.proxy.address).await;
        client.send(bytes).await;
        client.answer().await
    }

    /// The answer is a refusal with this status, and the API was not called.
    pub(crate) async fn refuses(&self, status: u16, line: &str, headers: &str) -> Answer {
        let before = self.api.seen().len();
        let answer = self.ask(line, headers).await;
        assert_eq!(answer.status, status, "{:?}: {line}: {answer:?}\n{}", self.program, self.proxy.log());
        assert_eq!(self.api.seen().len(), before, "{:?}: {line}", self.program);
        answer
    }
}
