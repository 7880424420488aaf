//! A candidate snapshot beside the one in force: what it would change is counted by kind, and nothing of
//! it is ever enforced.

use crate::support::client::{Client, request};
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use crate::support::world::{api_map, portfolios, snapshot, visible_portfolios};
use doorward::config::Config;
use doorward::gateway::Gateway;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A gateway with a candidate, and its folder.
struct Site {
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Site {
    /// The candidate is a file of the folder.
    async fn open(upstream: &Upstream, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let candidate = format!("file:{}", folder.path().join("candidate.json").display());
        Self::open_with(upstream, folder, &candidate, more).await
    }

    async fn open_with(upstream: &Upstream, folder: tempfile::TempDir, candidate: &str, more: &str) -> Self {
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("map.yaml"), api_map().to_string()).unwrap();
        std::fs::write(path("snapshot.json"), snapshot().to_string()).unwrap();
        let text = format!(
            "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{}\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[api]\nmaps = [{:?}]\n\
             [snapshot]\nsource = \"file:{}\"\npoll = \"1s\"\n[decisions]\nsink = \"none\"\n[shadow]\nsnapshot = \"{candidate}\"\n{more}",
            upstream.address,
            path("map.yaml"),
            path("snapshot.json"),
        );
        let gateway = Gateway::start(Config::parse("doorward.toml", &text, []).unwrap()).await.unwrap();
        within(gateway.ready()).await;
        Self { gateway, folder }
    }

    /// Moves a candidate into place.
    fn propose(&self, document: &str) {
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("candidate.new"), document).unwrap();
        std::fs::rename(path("candidate.new"), path("candidate.json")).unwrap();
    }

    fn metric(&self, line: &str) -> f64 {
        let text = self.gateway.wiring().metrics.render().unwrap();
        text.lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(' ')?.parse().ok()).unwrap()
    }

    fn count(&self, difference: &str) -> f64 {
        self.metric(&format!("doorward_shadow_total{{difference=\"{difference}\"}}"))
    }

    async fn counted(&self, difference: &str, count: f64) {
        within(async {
            while self.count(difference) < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Asks until the candidate is looked at.
    async fn noticed(&self, target: &str, difference: &str) {
        let mut client = Client::connect(self.gateway.listening().proxy[0]).await;
        let before = self.count(difference);
        within(async {
            while self.count(difference) == before {
                client.get(target).await;
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// The policies of tomorrow: portfolios of EU instead of US.
fn tomorrow() -> Value {
    let mut document = snapshot();
    document["policies"][1]["selectors"][0]["idSelectorDefinition"]["identifier"]["scope"] = json!("EU");
    document
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_candidate_would_change_is_counted_and_changes_nothing() {
    let upstream = Upstream::start(|seen| match seen.line().contains("/api/portfolios ") {
        true => ok(&portfolios(4)),
        false => ok(r#"{"id":{"scope":"US","code":"x"}}"#),
    })
    .await;
    let site = Site::open(&upstream, "").await;
    let mut client = Client::connect(site.gateway.listening().proxy[0]).await;
    assert_eq!(client.get("/free").await.status, 200);
    assert_eq!(site.count("none"), 0.0, "there is no candidate yet");
    site.propose(&tomorrow().to_string());
    site.noticed("/free", "none").await;
    for (target, status, difference) in
        [("/api/portfolios/US/x", 200, "lost"), ("/api/portfolios/EU/x", 403, "gained"), ("/api/portfolios", 200, "filter"), ("/unmapped", 403, "none")]
    {
        let before = site.count(difference);
        let answer = client.get(target).await;
        assert_eq!(answer.status, status, "{target}");
        if target == "/api/portfolios" {
            assert_eq!(answer.text(), visible_portfolios(4));
        }
        site.counted(difference, before + 1.0).await;
    }
    // A body is looked at too, if it is not too long to be kept.
    let put = |name: &str| {
        let body = format!(r#"{{"id":{{"scope":"US","code":"x"}},"name":"{name}"}}"#);
        format!("{}{body}", request("PUT", "/api/portfolios", &format!("content-length: {}\r\n", body.len())))
    };
    let lost = site.count("lost");
    client.send(put("short")).await;
    assert_eq!(client.answer().await.status, 200);
    site.counted("lost", lost + 1.0).await;
    assert_eq!(site.count("undecided"), 0.0);
    client.send(put(&"long".repeat(20_000))).await;
    assert_eq!(client.answer().await.status, 200);
    site.counted("undecided", 1.0).await;
    // A candidate without the user refuses for another reason.
    let mut nobody = tomorrow();
    nobody["users"] = json!([]);
    nobody["personalAccessTokens"] = json!([]);
    site.propose(&nobody.to_string());
    site.noticed("/api/portfolios/EU/x", "refusal").await;
    assert_eq!(client.get("/free").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_cannot_be_loaded_concerns_nobody() {
    let upstream = Upstream::start(|_| ok(&portfolios(4))).await;
    let offered = Arc::new(Mutex::new(tomorrow().to_string()));
    let source = Upstream::start({
        let offered = Arc::clone(&offered);
        move |_| ok(&offered.lock().unwrap())
    })
    .await;
    let site = Site::open_with(&upstream, tempfile::tempdir().unwrap(), &format!("http://{}/candidate", source.address), "").await;
    site.noticed("/api/portfolios", "filter").await;
    let loads = || ["ok", "refused", "failed"].map(|result| site.metric(&format!("doorward_snapshot_loads_total{{result=\"{result}\"}}")));
    let (before, asked) = (loads(), source.seen().len());
    let broken = tomorrow().to_string();
    *offered.lock().unwrap() = broken[..broken.len() / 2].to_owned();
    // The second of these was asked for after the first was refused.
    within(async {
        while source.seen().len() < asked + 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The former candidate goes on, and what is in force is what was.
    site.noticed("/api/portfolios", "filter").await;
    let mut client = Client::connect(site.gateway.listening().proxy[0]).await;
    assert_eq!(client.get("/api/portfolios").await.text(), visible_portfolios(4));
    assert_eq!(loads(), before);
    assert_eq!(site.gateway.wiring().world.load().snapshot.policies.revision(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_enforced_the_verdicts_are_compared_that_would_be() {
    let upstream = Upstream::start(|_| ok(&portfolios(4))).await;
    let site = Site::open(&upstream, "mode = \"observe\"\n").await;
    site.propose(&tomorrow().to_string());
    site.noticed("/api/portfolios/EU/x", "gained").await;
    assert_eq!(site.count("none"), 0.0);
    let mut client = Client::connect(site.gateway.listening().proxy[0]).await;
    assert_eq!(client.get("/api/portfolios").await.text(), portfolios(4));
    site.counted("filter", 1.0).await;
}
