//! No secret is in anything that the process says: its log at its most talkative, its decision records,
//! its metrics, its status, its answers, and its words about a configuration that it refuses.

use crate::process::{Process, Site};
use crate::support::client::Client;
use crate::support::upstream::{Upstream, ok};
use crate::support::world::TOKEN;
use rustix::process::Signal;
use std::process::Command;

const SIDECAR: &str = "canary-of-the-sidecar-5c1d";
/// A token that looks like one of an issuer.
const SIGNED: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJzdWIiOiJhIn0.Y2FuYXJ5LW9mLWEtc2lnbmF0dXJl";

fn assert_silent(what: &str, text: &str) {
    assert!(!text.is_empty(), "{what} says nothing");
    for secret in [TOKEN, SIDECAR, SIGNED, SIGNED.rsplit('.').next().unwrap()] {
        if let Some(place) = text.find(secret) {
            let around = text[..place].lines().next_back().unwrap_or_default();
            panic!("{what} tells a secret behind {around}");
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_anything_that_the_process_says() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let issuer = "[[issuers]]\nissuer = \"https://id.example\"\naudience = [\"a\"]\njwks = \"http://127.0.0.1:1/keys\"\n";
    let site = Site::ready(upstream.address, issuer);
    let config = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    let log = format!("sink = [\"file:{}\"]\nwhen = \"all\"", site.path("decisions.jsonl").display());
    let config = config.replace("sink = \"none\"", &log).replace("[snapshot]\n", &format!("[snapshot]\ntoken = \"{SIDECAR}\"\n"));
    std::fs::write(site.path("doorward.toml"), config).unwrap();
    let mut command = site.command();
    command.env("RUST_LOG", "trace");
    let process = Process::listening(command, site.folder.path()).await;
    site.readiness(200).await;
    let mut answers = String::new();
    // A target with what would begin a new line of a log: it is refused, and recorded as it is, escaped.
    for target in ["/free", "/api/portfolios", "/api/portfolios/EU/x", "/unmapped", "/free%0d%0aoutcome=granted"] {
        for token in [TOKEN, SIGNED] {
            let mut client = Client::connect(site.proxy).await;
            client.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n")).await;
            let answer = client.answer().await;
            answers.push_str(&format!("{}\n{}\n", answer.head, answer.text()));
        }
    }
    let mut told = Vec::new();
    for path in ["/metrics", "/status", "/readyz"] {
        told.push((path, site.ask(path).await.text().to_owned()));
    }
    process.tell(Signal::TERM);
    let errors = site.path("errors-3");
    assert_eq!(process.end().await.code(), Some(0));
    let records = std::fs::read_to_string(site.path("decisions.jsonl")).unwrap();
    assert!(records.lines().count() == 10 && records.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{records}");
    told.extend([("the answers", answers), ("the decision log", records), ("standard error", std::fs::read_to_string(errors).unwrap())]);
    for (what, text) in told {
        assert_silent(what, &text);
    }
}

#[tokio::test]
async fn no_secret_is_in_the_words_about_a_configuration_that_is_refused() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let site = Site::ready(
        upstream.address,
        &format!("[control]\nencryption_key = \"{SIDECAR}\"\nstore = \"{SIDECAR}\"\nsidecar_tokens = [\"{SIDECAR}\"]\n[nonsense]\n"),
    );
    for command in ["serve", "check"] {
        let output = Command::new(env!("CARGO_BIN_EXE_doorward")).arg(command).arg("--config").arg(site.path("doorward.toml")).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = [output.stdout, output.stderr].concat();
        assert_silent(command, &String::from_utf8(told).unwrap());
    }
}
