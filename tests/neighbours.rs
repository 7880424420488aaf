//! The upstream, the key server and the snapshot's source go down and come back under load: while
//! the last good state suffices nobody notices, and nobody ever sees what they may not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod support;

use doorward::config::Config;
use doorward::gateway::Gateway;
use doorward::observe::clock;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use support::client::{Answer, Client, request};
use support::issuer::{AUDIENCE, Key};
use support::load::Load;
use support::upstream::{Reply, Seen, Upstream, ok};
use support::within;
use support::world::{api_map, portfolios, snapshot, visible_portfolios};
use tokio::sync::Notify;

const ISSUER: &str = "https://id.example";
const CLIENTS: usize = 4;
const ITEMS: usize = 400;

/// The snapshot of this revision: odd ones show the portfolios of US alone, even ones those of EU.
fn revision(number: u64) -> Value {
    let mut document = snapshot();
    document["revision"] = json!(number);
    document["policies"][1]["selectors"][0]["idSelectorDefinition"]["identifier"]["scope"] = json!(if number % 2 == 1 { "US" } else { "EU" });
    document
}

/// Which portfolios an answer shows: `US`, `EU`, nothing but a problem's name, or what should not be.
fn shown(answer: &Answer) -> String {
    if answer.status != 200 {
        return answer.problem();
    }
    let text = answer.text();
    let has = |scope: &str| text.contains(&format!("\"scope\":\"{scope}\""));
    match (has("US"), has("EU")) {
        (true, true) => "both".to_owned(),
        (true, false) if answer.is_whole && text != visible_portfolios(ITEMS) => "not all of US".to_owned(),
        (true, false) => "US".to_owned(),
        (false, true) => "EU".to_owned(),
        (false, false) if answer.is_whole => "nothing".to_owned(),
        (false, false) => "a cut".to_owned(),
    }
}

fn list(_: &Seen) -> Reply {
    ok(&portfolios(ITEMS))
}

/// A source of snapshots that can be changed.
#[derive(Clone)]
struct Source(Arc<Mutex<String>>);

impl Source {
    fn new(document: &Value) -> Self {
        Self(Arc::new(Mutex::new(document.to_string())))
    }

    fn offer(&self, document: &str) {
        *self.0.lock().unwrap() = document.to_owned();
    }

    fn answers(&self) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
        let document = Arc::clone(&self.0);
        move |_| ok(&document.lock().unwrap())
    }
}

/// A data plane with all its neighbours.
struct Site {
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Site {
    /// `source` is a URL, or nothing for a file in the site's own folder.
    async fn open(upstream: SocketAddr, keys: SocketAddr, source: Option<SocketAddr>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("map.yaml"), api_map().to_string()).unwrap();
        let source = source.map_or_else(|| format!("file:{}", path("snapshot.json")), |address| format!("http://{address}/snapshot"));
        let text = format!(
            "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{upstream}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [api]\nmaps = [\"{}\"]\n[snapshot]\nsource = \"{source}\"\npoll = \"1s\"\n[decisions]\nsink = \"none\"\n\
             [[issuers]]\nissuer = \"{ISSUER}\"\naudience = [\"{AUDIENCE}\"]\njwks = \"http://{keys}/keys\"\nrefresh = \"1s\"\nrefresh_cooldown = \"1s\"\n",
            path("map.yaml")
        );
        let site = Self { gateway: Gateway::start(Config::parse("doorward.toml", &text, []).unwrap()).await.unwrap(), folder };
        if source.starts_with("file:") {
            site.publish(&revision(1).to_string());
        }
        within(site.gateway.ready()).await;
        site
    }

    /// Moves a snapshot document into the file that is watched.
    fn publish(&self, document: &str) {
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("snapshot.new"), document).unwrap();
        std::fs::rename(path("snapshot.new"), path("snapshot.json")).unwrap();
    }

    fn proxy(&self) -> SocketAddr {
        self.gateway.listening().proxy[0]
    }

    /// Waits until a line of the metrics is above a number.
    async fn metric_above(&self, line: &str, least: f64) {
        within(async {
            while self.metric(line).await <= least {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn metric(&self, line: &str) -> f64 {
        let mut client = Client::connect(self.gateway.listening().admin[0]).await;
        client.send("GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let metrics = client.answer().await;
        let value = metrics.text().lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_default()
    }
}

fn token(key: &Key) -> String {
    let now = clock::now().as_second();
    key.token(&json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "00u1", "iat": now, "exp": now + 3600 }).to_string())
}

fn asking(key: &Key) -> String {
    format!("GET /api/portfolios HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n", token(key))
}

/// The same with a token of its own, which nobody has seen yet.
fn asking_late(key: &Key, place: usize) -> String {
    let now = clock::now().as_second();
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "00u1", "iat": now, "exp": now + 3600, "jti": place.to_string() });
    format!("GET /api/portfolios HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n", key.token(&claims.to_string()))
}

async fn key_server(key: &Key) -> Upstream {
    let set = key.set();
    Upstream::start(move |_| ok(&set)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_goes_down_is_noticed_only_while_it_is() {
    let key = Key::new("one");
    let (upstream, keys) = (Upstream::start(list).await, key_server(&key).await);
    let site = Site::open(upstream.address, keys.address, None).await;
    let load = Load::start(CLIENTS, site.proxy(), &asking(&key), shown);
    let mut upstream = upstream;
    let mut down = Vec::new();
    for _ in 0..3 {
        load.hear(40, |heard| heard.word == "US" && heard.is_whole).await;
        down.push(load.next_phase());
        let address = upstream.kill().await;
        load.hear(40, |heard| heard.status == 502).await;
        upstream = Upstream::start_at(address, list).await;
        load.next_phase();
    }
    load.hear(40, |heard| heard.word == "US" && heard.is_whole).await;
    for heard in load.stop().await {
        let is_touched = (heard.from..=heard.to).any(|phase| down.contains(&phase));
        let is_good = heard.status == 200 && heard.is_whole && heard.word == "US";
        let is_outage =
            heard.word == "UpstreamUnavailable" || heard.word == "UpstreamTimeout" || !heard.is_whole && matches!(heard.word.as_str(), "US" | "a cut");
        assert!(is_good || is_touched && is_outage, "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_server_that_is_down_takes_no_known_key_along() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let (upstream, keys) = (Upstream::start(list).await, key_server(&old).await);
    let site = Site::open(upstream.address, keys.address, None).await;
    let load = Load::start(CLIENTS, site.proxy(), &asking(&old), shown);
    load.hear(40, |heard| heard.word == "US").await;
    let address = keys.kill().await;
    load.next_phase();
    let failed = format!("doorward_jwks_refreshes_total{{issuer=\"{ISSUER}\",result=\"failed\"}}");
    site.metric_above(&failed, 1.0).await;
    // Tokens that were never seen go on too, and a key that nobody has is a refusal, not an error of ours.
    let mut client = Client::connect(site.proxy()).await;
    for place in 0..20 {
        client.send(asking_late(&old, place)).await;
        assert_eq!(client.answer().await.status, 200);
        client.send(asking(&new)).await;
        assert_eq!(client.answer().await.problem(), "InvalidIdentityToken");
    }
    load.hear(40, |heard| heard.word == "US").await;
    // It comes back with another key alone: the new one opens, the old one does no longer.
    let set = new.set();
    let _keys = Upstream::start_at(address, move |_| ok(&set)).await;
    within(async {
        loop {
            client.send(asking(&new)).await;
            let answer = client.answer().await;
            if answer.status == 200 {
                return;
            }
            assert_eq!(answer.problem(), "InvalidIdentityToken");
        }
    })
    .await;
    load.next_phase();
    load.hear(40, |heard| heard.word == "InvalidIdentityToken").await;
    for heard in load.stop().await {
        let is_expected =
            if heard.from == 2 { heard.word == "InvalidIdentityToken" } else { heard.word == "US" || heard.to > 0 && heard.word == "InvalidIdentityToken" };
        assert!(is_expected && heard.is_whole, "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_source_that_is_down_or_lies_is_not_noticed() {
    let key = Key::new("one");
    let (upstream, keys) = (Upstream::start(list).await, key_server(&key).await);
    let source = Source::new(&revision(5));
    let server = Upstream::start(source.answers()).await;
    let site = Site::open(upstream.address, keys.address, Some(server.address)).await;
    let load = Load::start(CLIENTS, site.proxy(), &asking(&key), shown);
    load.hear(40, |heard| heard.word == "US").await;
    let address = server.kill().await;
    load.next_phase();
    site.metric_above("doorward_snapshot_loads_total{result=\"failed\"}", 1.0).await;
    load.hear(40, |heard| heard.word == "US").await;
    // It comes back with lies: rolled back, cut, not understood, with a member twice.
    let server = Upstream::start_at(address, source.answers()).await;
    let broken = revision(8).to_string();
    let mut dangling = revision(8);
    dangling["roles"][0]["resource"]["policyIdRoleResource"]["policies"][0]["code"] = json!("nowhere");
    for lie in
        [revision(4).to_string(), broken[..broken.len() / 2].to_owned(), dangling.to_string(), broken.replacen('{', "{\"revision\":8,", 1), "{}".to_owned()]
    {
        let before = site.metric("doorward_snapshot_loads_total{result=\"refused\"}").await;
        source.offer(&lie);
        site.metric_above("doorward_snapshot_loads_total{result=\"refused\"}", before).await;
    }
    load.next_phase();
    load.hear(40, |heard| heard.word == "US").await;
    // And at last with the truth.
    load.next_phase();
    source.offer(&revision(6).to_string());
    load.hear(40, |heard| heard.word == "EU").await;
    drop(server);
    for heard in load.stop().await {
        let is_expected = heard.word == "US" || heard.to == 3 && heard.word == "EU";
        assert!(is_expected && heard.status == 200 && heard.is_whole, "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_made_by_one_revision() {
    let key = Key::new("one");
    let (upstream, keys) = (Upstream::start(list).await, key_server(&key).await);
    let site = Site::open(upstream.address, keys.address, None).await;
    let load = Load::start(CLIENTS, site.proxy(), &asking(&key), shown);
    for number in 2..=9 {
        load.hear(25, |heard| heard.word == if number % 2 == 0 { "US" } else { "EU" }).await;
        load.next_phase();
        site.publish(&revision(number).to_string());
    }
    load.hear(25, |heard| heard.word == "US").await;
    let heard = load.stop().await;
    assert!(heard.iter().all(|heard| heard.status == 200 && heard.is_whole && matches!(heard.word.as_str(), "US" | "EU")), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_began_under_one_revision_ends_under_it() {
    let key = Key::new("one");
    let told = Arc::new(Notify::new());
    let all = portfolios(4000);
    let upstream = Upstream::start({
        let told = Arc::clone(&told);
        move |seen| {
            let (first, rest) = all.split_at(all.len() / 2);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{first}", all.len());
            if seen.line().contains("slow") { Reply::When(head.into(), Arc::clone(&told), rest.into()) } else { list(seen) }
        }
    })
    .await;
    let keys = key_server(&key).await;
    let site = Site::open(upstream.address, keys.address, None).await;
    let mut slow = Client::connect(site.proxy()).await;
    slow.send(asking(&key).replace("portfolios", "portfolios?slow")).await;
    let mut head = slow.head().await;
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    site.publish(&revision(2).to_string());
    let mut other = Client::connect(site.proxy()).await;
    within(async {
        loop {
            other.send(asking(&key)).await;
            if shown(&other.answer().await) == "EU" {
                return;
            }
        }
    })
    .await;
    told.notify_one();
    slow.rest(&mut head).await;
    assert!(head.is_whole && head.text() == visible_portfolios(4000));
}

#[tokio::test]
async fn the_personal_access_token_needs_no_key_server() {
    let upstream = Upstream::start(list).await;
    let keys = Upstream::start(|_| Reply::Close(vec![])).await;
    let site = Site::open(upstream.address, keys.address, None).await;
    let mut client = Client::connect(site.proxy()).await;
    client.send(request("GET", "/api/portfolios", "")).await;
    assert_eq!(shown(&client.answer().await), "US");
    client.send(asking(&Key::new("one"))).await;
    assert_eq!(client.answer().await.problem(), "InvalidIdentityToken");
}
