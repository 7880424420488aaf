//! A long time under load while the policies change: nobody gets an error, no answer is made of two
//! revisions, and memory does not grow. Here it lasts some seconds; `just soak` makes it an hour.

use crate::process::Site;
use crate::support::client::{Answer, Client, request};
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use crate::support::world::{portfolios, snapshot, visible_portfolios};
use doorward::observe::clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

const CLIENTS: u32 = 8;
const ITEMS: usize = 100;
/// How much of what it could carry at most it is asked for.
const SHARE: f64 = 0.7;
/// What memory may grow by between the second quarter of the time and the last.
const SLACK: f64 = 1.1;
const SLACK_KIB: f64 = 6.0 * 1024.0;

/// How long it lasts, and how often the policies change.
struct Plan {
    lasting: Duration,
    reload: Duration,
}

impl Plan {
    /// `DOORWARD_SOAK=3600,5`: seconds in all, and between two snapshots.
    #[expect(clippy::disallowed_methods, reason = "the test's own parameter")]
    fn asked_for() -> Self {
        let text = std::env::var("DOORWARD_SOAK").unwrap_or_else(|_| "24,1".to_owned());
        let (lasting, reload) = text.split_once(',').expect("DOORWARD_SOAK is two numbers of seconds, such as 3600,5");
        let seconds = |text: &str| Duration::from_secs_f64(text.parse().expect("a number of seconds"));
        Self { lasting: seconds(lasting), reload: seconds(reload) }
    }
}

/// The snapshot of this revision: odd ones show the portfolios of US alone, even ones those of EU.
fn revision(number: u64) -> Value {
    let mut document = snapshot();
    document["revision"] = json!(number);
    document["policies"][1]["selectors"][0]["idSelectorDefinition"]["identifier"]["scope"] = json!(if number % 2 == 1 { "US" } else { "EU" });
    document
}

/// What an answer is, in a word: one of the two that there may be, or what should not be.
fn word(answer: &Answer, of_us: &str, of_eu: &str) -> String {
    match (answer.status, answer.is_whole, answer.text()) {
        (200, true, text) if text == of_us => "US".to_owned(),
        (200, true, text) if text == of_eu => "EU".to_owned(),
        (200, true, _) => "an answer of two revisions".to_owned(),
        (status, is_whole, _) => format!("{status}, whole: {is_whole}"),
    }
}

/// Clients that ask as often as they are let, and count what they hear.
struct Askers {
    heard: Arc<Mutex<BTreeMap<String, u64>>>,
    is_over: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Askers {
    /// `pace` is the time between two questions of one client; nothing: as fast as it is answered.
    fn start(proxy: SocketAddr, pace: Duration) -> Self {
        let mut askers = Self { heard: Arc::default(), is_over: Arc::default(), clients: JoinSet::new() };
        let of_us = visible_portfolios(ITEMS);
        let of_eu = {
            let all: Value = serde_json::from_str(&portfolios(ITEMS)).unwrap();
            let of_eu: Vec<String> = all["values"].as_array().unwrap().iter().filter(|item| item["id"]["scope"] == "EU").map(Value::to_string).collect();
            format!("{{\"values\":[{}]}}", of_eu.join(","))
        };
        for _ in 0..CLIENTS {
            let (heard, is_over, of_us, of_eu) = (Arc::clone(&askers.heard), Arc::clone(&askers.is_over), of_us.clone(), of_eu.clone());
            askers.clients.spawn(async move {
                let mut client = Client::connect(proxy).await;
                let mut next = tokio::time::Instant::now();
                while !is_over.load(Ordering::Relaxed) {
                    next += pace;
                    tokio::time::sleep_until(next).await;
                    client.send(request("GET", "/api/portfolios", "")).await;
                    let answer = client.answer().await;
                    *heard.lock().unwrap().entry(word(&answer, &of_us, &of_eu)).or_default() += 1;
                    if !answer.is_whole || answer.header("connection") == Some("close") {
                        client = Client::connect(proxy).await;
                    }
                }
            });
        }
        askers
    }

    async fn stop(mut self) -> BTreeMap<String, u64> {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

/// The memory that a process holds, in KiB.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_and_with_policies_that_change_nothing_fails_and_memory_is_flat() {
    let plan = Plan::asked_for();
    let upstream = Upstream::start(|_| ok(&portfolios(ITEMS))).await;
    let site = Site::ready(upstream.address, "");
    site.publish(&revision(1));
    let process = site.start().await;
    site.readiness(200).await;
    let trial = Duration::from_secs(2);
    let fastest = Askers::start(site.proxy, Duration::ZERO);
    tokio::time::sleep(trial).await;
    let most: u64 = fastest.stop().await.values().sum();
    let pace = trial.mul_f64(f64::from(CLIENTS) / (SHARE * most as f64));
    let askers = Askers::start(site.proxy, pace);
    let begun = clock::monotonic();
    let (mut number, mut memory) = (1, Vec::new());
    while begun.elapsed() < plan.lasting {
        number += 1;
        site.publish(&revision(number));
        tokio::time::sleep(plan.reload).await;
        memory.push(resident(process.id()));
    }
    let heard = askers.stop().await;
    let largest = |samples: &[f64]| samples.iter().copied().fold(0.0, f64::max);
    assert!(memory.len() >= 4, "only {} revisions in all that time", memory.len());
    let quarter = memory.len() / 4;
    let (early, late) = (largest(&memory[quarter..2 * quarter]), largest(&memory[3 * quarter..]));
    let (rate, total) = (most as f64 / trial.as_secs_f64(), heard.values().sum::<u64>());
    println!("{total} calls, {SHARE} of {rate:.0}/s, {number} revisions, {heard:?}, {early} then {late} KiB");
    assert!(heard.keys().all(|word| word == "US" || word == "EU"), "{heard:?}");
    assert!(heard.len() == 2, "one revision alone was seen: {heard:?}");
    assert!(late <= early * SLACK + SLACK_KIB, "memory grows: {memory:?} KiB");
    let newest = format!("\"revision\":{number}");
    within(async { while !site.ask("/status").await.text().contains(&newest) {} }).await;
}
