//! The dashboard and the alerts that the project ships, on the real Prometheus, which scrapes two
//! gateways under every kind of load.

use crate::prometheus::{Prometheus, project, run};
use crate::support::client::{Client, request};
use crate::support::issuer::{AUDIENCE, Key};
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::within;
use crate::support::world::{api_map, snapshot};
use doorward::config::Config;
use doorward::gateway::Gateway;
use doorward::observe::clock;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const ISSUER: &str = "https://id.example";

/// What fills the variables of the dashboard: everything, over so short a time that the test ends.
fn filled(query: &str) -> String {
    let filled = query.replace("$__rate_interval", "5s").replace("$job", ".*").replace("$instance", ".*");
    assert!(!filled.contains('$'), "{query} has a variable that nobody fills");
    filled
}

fn dashboard() -> Value {
    serde_json::from_slice(&std::fs::read(project("config/grafana/doorward.json")).unwrap()).unwrap()
}

/// The queries of every panel, by its title.
fn panels() -> BTreeMap<String, Vec<String>> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let queries = |panel: &Value| panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    panels.map(|panel| (panel["title"].as_str().unwrap().to_owned(), queries(panel))).collect()
}

/// Portfolios with a property that the user may see, and one that he may not.
fn answer(line: &str) -> Reply {
    if line.contains("/api/portfolios") {
        return ok(r#"{"values":[{"id":{"scope":"US","code":"a"},"properties":{"P/risk/x":1,"P/pay/y":2}},{"id":{"scope":"EU","code":"b"}}]}"#);
    }
    // What cannot be filtered.
    ok(if line.contains("/api/books") { "no JSON" } else { "{}" })
}

/// A gateway in front of that upstream, with an issuer and a candidate snapshot.
async fn gateway(folder: &Path, upstream: SocketAddr, keys: SocketAddr) -> Gateway {
    let mut map = api_map();
    map["entities"]["Portfolio"]["properties"] = json!(["/properties"]);
    let mut policies = snapshot();
    policies["policies"].as_array_mut().unwrap().push(json!({ "id": { "scope": "default", "code": "risk" }, "grant": "Allow", "when": {}, "selectors": [
        { "idSelectorDefinition": { "identifier": { "domain": "*", "scope": "risk", "code": "*" }, "actions": [{ "scope": "default", "activity": "Read", "entity": "PropertyValue" }] } },
    ] }));
    let listed = policies["roles"][0]["resource"]["policyIdRoleResource"]["policies"].as_array_mut().unwrap();
    listed.push(json!({ "scope": "default", "code": "risk" }));
    std::fs::write(folder.join("map.yaml"), map.to_string()).unwrap();
    std::fs::write(folder.join("snapshot.json"), policies.to_string()).unwrap();
    // A candidate that shows the other portfolios.
    policies["policies"][1]["selectors"][0]["idSelectorDefinition"]["identifier"]["scope"] = json!("EU");
    std::fs::write(folder.join("candidate.json"), policies.to_string()).unwrap();
    let text = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{upstream}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[api]\nmaps = [{:?}]\n\
         [snapshot]\nsource = \"file:{}\"\npoll = \"1s\"\n[decisions]\nsink = \"file:{}\"\nwhen = \"all\"\n\
         [[issuers]]\nissuer = \"{ISSUER}\"\naudience = [\"{AUDIENCE}\"]\njwks = \"http://{keys}/keys\"\nrefresh = \"1s\"\nrefresh_cooldown = \"1s\"\n\
         [shadow]\nsnapshot = \"file:{}\"\n",
        folder.join("map.yaml"),
        folder.join("snapshot.json").display(),
        folder.join("decisions.jsonl").display(),
        folder.join("candidate.json").display(),
    );
    let gateway = Gateway::start(Config::parse("doorward.toml", &text, []).unwrap()).await.unwrap();
    within(gateway.ready()).await;
    gateway
}

/// Calls of every kind, for ever.
async fn busy(proxy: SocketAddr, key: &Key) {
    let now = clock::now().as_second();
    let token = key.token(&json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "00u1", "iat": now, "exp": now + 3600 }).to_string());
    let signed = format!("GET /free HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut client = Client::connect(proxy).await;
    loop {
        // Passed by its token, filtered, refused by its target, by its route, and failed.
        for request in [&signed, &request("GET", "/api/portfolios", ""), &request("GET", "/api/portfolios/EU/b", ""), &request("GET", "/nowhere", "")] {
            client.send(request).await;
            client.answer().await;
        }
        client.send(request("GET", "/api/books", "")).await;
        if client.answer().await.header("connection") == Some("close") {
            client = Client::connect(proxy).await;
        }
        // Not more than Prometheus needs.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_of_the_dashboard_shows_something_and_every_alert_can_be_evaluated() {
    let key = Key::new("one");
    let set = key.set();
    let keys = Upstream::start(move |_| ok(&set)).await;
    let upstream = Upstream::start(|seen| answer(seen.line())).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = gateway(folders[0].path(), upstream.address, keys.address).await;
    let second = gateway(folders[1].path(), upstream.address, keys.address).await;
    let addresses = [&first, &second].map(|gateway| (gateway.listening().proxy[0], gateway.listening().admin[0]));
    let prometheus = Prometheus::start(&addresses.map(|(_, admin)| admin)).await;
    let watched = async {
        let panels = panels();
        // Long enough for two scrapes and their rates.
        let mut missing: Vec<String> = Vec::new();
        for _ in 0..80 {
            missing.clear();
            for (title, queries) in &panels {
                for query in queries {
                    if prometheus.query(&filled(query)).await.is_empty() {
                        missing.push(format!("{title}: {query}"));
                    }
                }
            }
            if missing.is_empty() && prometheus.query("sum by (outcome) (rate(doorward_requests_total[5s])) > 0").await.len() == 4 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        assert!(missing.is_empty(), "these show nothing:\n{}", missing.join("\n"));
        shown(&prometheus, &panels).await;
        alerts(&prometheus).await;
    };
    tokio::select! {
        () = watched => {}
        () = async { tokio::join!(busy(addresses[0].0, &key), busy(addresses[1].0, &key)); } => {}
    }
}

type Series = [(Value, f64)];

/// Asks until the answer is as it must be: a scrape that came late leaves a gap for a moment.
async fn comes(prometheus: &Prometheus, query: &str, what: &str, holds: impl Fn(&Series) -> bool) {
    let began = clock::monotonic();
    loop {
        let series = prometheus.query(&filled(query)).await;
        if holds(&series) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: {series:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// What the panels must tell apart.
async fn shown(prometheus: &Prometheus, panels: &BTreeMap<String, Vec<String>>) {
    for (title, label, values) in [
        ("Calls by door and outcome", "outcome", &["passed", "filtered", "refused", "failed"][..]),
        ("Refusals by name", "name", &["AccessDenied", "RouteNotMapped", "UnfilterableResponse"]),
        ("Items removed by entity", "entity", &["Portfolio"]),
        ("Properties", "verdict", &["kept", "removed"]),
        ("Bytes through filters", "direction", &["in", "out"]),
        ("Decision log", "result", &["written"]),
        ("Differences to the candidate", "difference", &["none", "gained", "filter"]),
    ] {
        for value in values {
            let has = |series: &Series| series.iter().any(|(labels, rate)| labels[label] == *value && *rate > 0.0);
            comes(prometheus, &panels[title][0], &format!("{title} shows nothing for {value}"), has).await;
        }
    }
    for title in ["Revision in force, by replica", "Age of the snapshot, by replica", "Open connections"] {
        let has = |series: &Series| series.iter().map(|(labels, _)| labels["instance"].to_string()).collect::<BTreeSet<_>>().len() == 2;
        comes(prometheus, &panels[title][0], title, has).await;
    }
    let is_lost = |series: &Series| series.iter().any(|(labels, _)| labels["result"] == "dropped");
    comes(prometheus, &panels["Decision log"][0], "losses are not shown", is_lost).await;
    let is_share = |series: &Series| series.first().is_some_and(|(_, share)| *share > 0.0 && *share <= 1.0);
    comes(prometheus, &panels["Found in the token cache"][0], "no share", is_share).await;
    let is_aged = |series: &Series| series.first().is_some_and(|(labels, _)| labels["issuer"] == ISSUER);
    comes(prometheus, &panels["Age of keys by issuer"][0], "no age", is_aged).await;
    // What the dashboard's own variables are filled with.
    for variable in dashboard()["templating"]["list"].as_array().unwrap().iter().filter(|variable| variable["type"] == "query") {
        let query = variable["definition"].as_str().unwrap();
        let (selector, label) = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
        let has = |series: &Series| series.len() == 2 && series.iter().all(|(labels, _)| labels[label].is_string());
        comes(prometheus, selector, query, has).await;
    }
}

async fn alerts(prometheus: &Prometheus) {
    let rules = prometheus.ask("/api/v1/rules").await;
    let rules: Vec<&Value> = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 5, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

#[test]
fn promtool_finds_no_fault_in_the_alerts_and_they_ring_when_they_should() {
    let alerts = project("config/prometheus/alerts.yml");
    for arguments in [["check", "rules", alerts.to_str().unwrap()], ["test", "rules", project("tests/operations/alerts.yml").to_str().unwrap()]] {
        let output = run("promtool", &arguments);
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_alert_is_shown_to_ring_and_to_stay_silent() {
    let [alerts, shown] = ["config/prometheus/alerts.yml", "tests/operations/alerts.yml"].map(|path| std::fs::read_to_string(project(path)).unwrap());
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(shown.contains(&format!("alertname: {name}\n        exp_alerts:\n          - ")), "{name} never rings");
        assert!(shown.contains(&format!("alertname: {name}, exp_alerts: [] }}")), "{name} is never silent");
    }
}

#[test]
fn every_metric_that_the_alerts_and_the_dashboard_ask_for_is_one_of_ours() {
    let labels = doorward::observe::Labels { entities: vec!["Portfolio".into()], issuers: vec!["i".into()] };
    let metrics = doorward::observe::Metrics::new(&labels).unwrap();
    metrics.keys_age("i", Duration::from_secs(1));
    let exposed = metrics.render().unwrap();
    let known: Vec<&str> = exposed.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let texts = [std::fs::read_to_string(project("config/prometheus/alerts.yml")).unwrap(), dashboard().to_string()];
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let asked = texts.iter().flat_map(|text| text.split(|character: char| !is_name(character))).filter(|word| word.starts_with("doorward_"));
    for name in asked {
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(known.contains(&name), "{name} is no metric");
    }
}
