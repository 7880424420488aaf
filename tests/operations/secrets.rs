//! No secret is in anything that the process says: its log at its most talkative, its decision records,
//! its metrics, its status, its answers, and its words about a configuration that it refuses.

use crate::process::{Process, Site, doorward, said};
use crate::support::client::Client;
use crate::support::upstream::{Upstream, ok};
use crate::support::world::TOKEN;
use rustix::process::Signal;
use std::process::Command;

/// The password, or a part of it, of a URL.
const USERINFO: &str = "canary-of-a-url-77e0";
const SIDECAR: &str = "canary-of-the-sidecar-5c1d";
/// A token that looks like one of an issuer.
const SIGNED: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJzdWIiOiJhIn0.Y2FuYXJ5LW9mLWEtc2lnbmF0dXJl";

fn assert_silent(what: &str, text: &str) {
    assert!(!text.is_empty(), "{what} says nothing");
    for secret in [TOKEN, SIDECAR, USERINFO, SIGNED, SIGNED.rsplit('.').next().unwrap()] {
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

/// Every key that takes a URL, or a path where one may mistake it for a URL.
const KEYS: &str = r#"
[proxy]
upstream = ["http://127.0.0.1:1", "URL"]
upstream_ca = "URL"
tls = { certificate = "URL", key = "URL", client_ca = "URL" }
[forward_auth]
public_url = "URL"
[api]
maps = ["URL"]
strip_prefix = "URL"
[snapshot]
source = "URL"
public_keys = "URL"
cache = "URL"
token = { file = "URL" }
[shadow]
snapshot = "URL"
[decisions]
control_url = "URL"
sink = "URL"
[control]
public_url = "URL"
store = "URL"
[process]
hand_over = "URL"
[[issuers]]
issuer = "URL"
audience = ["a"]
jwks = "URL"
[[issuers]]
issuer = "https://id.example"
audience = ["a"]
introspection = { endpoint = "URL", client_id = "a", client_secret = "b" }
"#;

/// The same with what stands before a path, with a text instead of an array, and with an issuer twice.
const OTHERWISE: &str = r#"
[proxy]
upstream = "URL"
[snapshot]
source = "file:URL"
public_keys = "file:URL"
[shadow]
snapshot = "file:URL"
[decisions]
sink = "file:URL"
[[issuers]]
issuer = "URL"
audience = ["a"]
discovery = true
[[issuers]]
issuer = "URL"
audience = ["a"]
jwks = "keys.json"
"#;

/// The keys of a document whose value is, or has in it, `URL`.
fn keys_of(document: &str) -> Vec<String> {
    fn walk(path: &str, value: &toml::Value, found: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => table.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, found)),
            toml::Value::Array(values) if values.iter().any(toml::Value::is_table) => {
                values.iter().enumerate().for_each(|(index, value)| walk(&format!("{path}[{index}]"), value, found));
            }
            value if value.to_string().contains("URL") => found.push(path.trim_start_matches('.').to_owned()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("", &document.parse::<toml::Table>().unwrap().into(), &mut found);
    found
}

#[tokio::test]
async fn no_password_of_a_url_is_in_the_words_about_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("doorward.toml");
    // As it would be written; with a password that is not encoded; with one that is another's comma.
    let urls = [
        format!("http://user:{USERINFO}@127.0.0.1:1/snapshot"),
        format!("https://{USERINFO}@id.example"),
        format!("https://user:pa,{USERINFO},ss@id.example/x"),
        format!("ftp://user:{USERINFO}@id.example/x"),
        format!("HTTP://user:{USERINFO}@id.example:port/x?y=@#z"),
    ];
    let mut faults = Vec::new();
    for document in [KEYS, OTHERWISE] {
        let keys = keys_of(document);
        let name = |key: &String| format!("DOORWARD_{}", key.to_uppercase().replace(['.', '['], "__").replace(']', ""));
        for url in &urls {
            let in_environment: Vec<_> = keys.iter().map(|key| (name(key), url.clone())).collect();
            for (text, variables) in [(document.replace("URL", url), &[][..]), (document.replace("URL", "x"), &in_environment)] {
                std::fs::write(&config, &text).unwrap();
                for command in ["check", "serve"] {
                    let said = said(doorward(command, &config, variables)).await;
                    assert_eq!(said.code, Some(1), "{}", said.all());
                    faults.extend(said.all().lines().filter(|line| line.contains(USERINFO)).map(|line| format!("{command} tells it: {line}")));
                    let is_missing = |key: &&String| !said.all().contains(&format!(": {key}: "));
                    faults.extend(keys.iter().filter(is_missing).map(|key| format!("{command} says nothing of {key}, {url}")));
                }
            }
        }
    }
    // What is no TOML at all.
    std::fs::write(&config, format!("[proxy]\nupstream = http://user:{USERINFO}@id.example\n")).unwrap();
    for command in ["check", "serve"] {
        assert_silent(command, &said(doorward(command, &config, &[])).await.all());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn no_password_of_the_database_is_in_the_words_of_the_control_plane() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("doorward.toml");
    for place in ["127.0.0.1:1/x", "127.0.0.1:port/x", "[::1/x", "127.0.0.1:1/x?sslmode=odd", "127.0.0.1:1/x?options=odd"] {
        std::fs::write(&config, format!("[control]\nlisten = \"127.0.0.1:0\"\nstore = \"postgres://user:{USERINFO}@{place}\"\n")).unwrap();
        let said = said(doorward("control", &config, &[])).await;
        assert_eq!(said.code, Some(1), "{}", said.all());
        assert_silent(place, &said.all());
    }
}

#[tokio::test]
async fn no_password_of_a_url_is_in_the_words_about_an_argument() {
    let url = format!("http://user:{USERINFO}@127.0.0.1:1");
    let spaced = format!("http://user:{USERINFO} x@127.0.0.1:1");
    for url in [&url, &spaced] {
        let arguments =
            [&["explain", "--decision", "1f", "--control", url][..], &["explain", "--decision", "1f", "--admin", url], &["health", "--address", url]];
        for arguments in arguments {
            let output = Command::new(env!("CARGO_BIN_EXE_doorward")).args(arguments).output().unwrap();
            assert_ne!(output.status.code(), Some(0));
            assert_silent(arguments[0], &String::from_utf8([output.stdout, output.stderr].concat()).unwrap());
        }
    }
}
