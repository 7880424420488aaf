//! The commands as a person runs them: arguments, standard streams, exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MAP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/conformance/common/map.yaml");

fn doorward(arguments: &[&str], input: &str) -> Output {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_doorward")).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses its arguments does not read; that it is gone is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A snapshot in which `us` reads the portfolios of scope US and their risk properties.
fn snapshot(scope: &str) -> String {
    serde_json::json!({
        "schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-01-01T00:00:00Z",
        "users": [{ "id": "us", "login": "us@example.com", "type": "Service", "status": "ACTIVE", "roles": [{ "code": "us" }] }],
        "roles": [{ "id": { "code": "us" }, "roleHierarchyIndex": 2, "when": {},
            "resource": { "policyIdRoleResource": { "policies": [{ "code": "features" }, { "code": "portfolios" }, { "code": "risk" }] } } }],
        "policies": [
            { "id": { "code": "features" }, "grant": "Allow", "when": {}, "selectors": [{ "idSelectorDefinition": { "identifier": { "scope": "LUSID", "code": "*" },
                "actions": [{ "scope": "LUSID", "activity": "Execute", "entity": "Feature" }] } }] },
            { "id": { "code": "portfolios" }, "grant": "Allow", "when": {}, "selectors": [{ "idSelectorDefinition": { "identifier": { "scope": scope },
                "actions": [{ "scope": "default", "activity": "Read", "entity": "Portfolio" }] } }] },
            { "id": { "code": "risk" }, "grant": "Allow", "when": {}, "selectors": [{ "idSelectorDefinition": { "identifier": { "domain": "*", "scope": "risk", "code": "*" },
                "actions": [{ "scope": "default", "activity": "Read", "entity": "PropertyValue" }] } }] },
        ],
    })
    .to_string()
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn arguments_that_cannot_be_used_end_with_2() {
    for arguments in [&["fly"][..], &[], &["serve"], &["token"], &["filter", "--user", "x"], &["map", "import"], &["test"]] {
        assert_eq!(doorward(arguments, "").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn test_counts_and_says_what_came_instead() {
    let case = "name: n\nnow: 2026-01-02T00:00:00Z\nsnapshot: SNAPSHOT\napiMap: MAP\ncases:\n\
        \x20 - { name: good, user: us, request: { method: GET, target: /api/portfolios/US/a }, upstream: { body: { id: { scope: US, code: a } } }, expect: { status: 200 } }\n\
        \x20 - { name: bad, user: us, request: { method: GET, target: /api/portfolios/UK/a }, expect: { status: 200 } }\n";
    let case = case.replace("SNAPSHOT", &snapshot("US")).replace("MAP", MAP);
    let output = doorward(&["test", "-"], &case);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(out(&output).lines().last(), Some("1 passed, 1 failed"));
    assert!(out(&output).contains("bad") && out(&output).contains("403"));
    let json = out(&doorward(&["test", "--json", "-"], &case));
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((first["case"].as_str(), first["passed"].as_bool()), (Some("good"), Some(true)));
}

#[test]
fn filter_shows_what_a_user_would_see() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "snapshot.json", &snapshot("US"));
    let arguments = ["filter", "--snapshot", text(&path), "--api-map", MAP, "--user", "us", "--target", "/api/portfolios"];
    let answer = r#"{"values":[{"id":{"scope":"US","code":"a"},"properties":{"P/risk/x":1.0,"P/pay/y":2}},{"id":{"scope":"UK","code":"b"}}]}"#;
    let output = doorward(&arguments, answer);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(out(&output), r#"{"values":[{"id":{"scope":"US","code":"a"},"properties":{"P/risk/x":1.0}}]}"#);
    let broken = doorward(&arguments, r#"{"values":[{"id":{"scope":"US","#);
    assert_eq!(broken.status.code(), Some(1));
    assert!(errors(&broken).contains("UnfilterableResponse"));
    assert!(serde_json::from_str::<serde_json::Value>(&out(&broken)).is_err());
    let refused = doorward(&["filter", "--snapshot", text(&path), "--api-map", MAP, "--user", "us", "--target", "/api/portfolios/UK/a"], "{}");
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("AccessDenied"));
}

#[test]
fn explain_names_the_policy_that_decided() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "snapshot.json", &snapshot("US"));
    let base = ["explain", "--snapshot", text(&path), "--api-map", MAP, "--user", "us", "--method", "GET", "--target"];
    let granted = out(&doorward(&[&base[..], &["/api/portfolios/US/a"]].concat(), ""));
    assert!(granted.contains("verdict: admitted") && granted.contains("policy default/portfolios"), "{granted}");
    let refused = out(&doorward(&[&base[..], &["/api/portfolios/UK/a", "--json"]].concat(), ""));
    let report: serde_json::Value = serde_json::from_str(&refused).unwrap();
    assert_eq!((report["verdict"].as_str(), report["status"].as_u64(), report["refusal"].as_str()), (Some("refused"), Some(403), Some("AccessDenied")));
    let last = report["questions"].as_array().unwrap().last().unwrap();
    assert!(last.to_string().contains("does not match the pattern"), "{last}");
}

#[test]
fn check_reports_everything_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot =
        write(&folder, "snapshot.json", r#"{"schema":"doorward.snapshot/1","revision":1,"issuedAt":"never","users":[{"id":"a","status":"ASLEEP"}]}"#);
    let map = write(&folder, "map.yaml", "application: A\noperations:\n  - { feature: f, match: GET /a }\n  - { feature: f, match: GET }\n");
    let config = format!(
        "[proxy]\nlistem = 1\n[proxy.limits]\ntarget_bytes = \"many\"\n[api]\nmaps = [{:?}]\n[snapshot]\nsource = \"file:{}\"\n",
        text(&map),
        text(&snapshot)
    );
    let config = write(&folder, "doorward.toml", &config);
    let output = doorward(&["check", "--config", text(&config)], "");
    assert_eq!(output.status.code(), Some(1));
    for place in ["proxy.listem", "proxy.limits.target_bytes"] {
        assert!(errors(&output).contains(place), "{place}: {}", errors(&output));
    }
    let config = format!("[api]\nmaps = [{:?}]\n[snapshot]\nsource = \"file:{}\"\n", text(&map), text(&snapshot));
    let config = write(&folder, "doorward.toml", &config);
    let output = doorward(&["check", "--config", text(&config)], "");
    assert_eq!(output.status.code(), Some(1));
    for place in ["operations[0]", "operations[1].match", "users[0].status", "issuedAt"] {
        assert!(errors(&output).contains(place), "{place}: {}", errors(&output));
    }
}

#[test]
fn diff_says_who_gains_and_who_loses() {
    let folder = tempfile::tempdir().unwrap();
    let from = write(&folder, "from.json", &snapshot("US"));
    let to = write(&folder, "to.json", &snapshot("U*").replace(r#"{"code":"risk"}]"#, "]").replace(r#"{"code":"portfolios"},]"#, r#"{"code":"portfolios"}]"#));
    let output = doorward(&["diff", "--from", text(&from), "--to", text(&to), "--api-map", MAP], "");
    assert!(output.status.success(), "{}", errors(&output));
    assert!(out(&output).contains("us loses the Allow policy default/risk"), "{}", out(&output));
    assert!(out(&output).contains("us loses Read on PropertyValue"));
    assert!(out(&output).contains("us keeps Read on Portfolio, but not as before"));
    assert_eq!(out(&output).lines().last(), Some("1 users gain or lose something"));
}

#[test]
fn map_import_writes_a_skeleton_that_check_accepts() {
    let openapi =
        r#"{"openapi":"3.0.1","info":{},"paths":{"/api/a/{id}":{"get":{"tags":["Things"],"operationId":"GetA"}},"/api/b":{"post":{"tags":["Things"]}}}}"#;
    let output = doorward(&["map", "import", "-", "--application", "Shop", "--controller", "Things=stock"], openapi);
    assert!(output.status.success());
    assert!(out(&output).contains("api-stock-geta") && out(&output).contains("refused: true"), "{}", out(&output));
    assert!(errors(&output).contains("has no operationId"));
    assert_eq!(doorward(&["map", "import", "-"], "{}").status.code(), Some(1));
}

#[test]
fn token_refuses_what_no_key_signed() {
    let folder = tempfile::tempdir().unwrap();
    // RFC 8037 A.2 and A.4: a public key, and a text signed with it.
    let keys = write(&folder, "keys.json", r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#);
    let signed =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let none = "eyJhbGciOiJub25lIn0.e30.";
    let output = doorward(&["token", "--jwks", text(&keys), "--signature-only"], &format!("{signed}\n{none}\n{}\n", signed.strip_suffix("KAg").unwrap()));
    let verdicts: Vec<String> = out(&output).lines().map(|line| line.split(' ').next().expect("a word").to_owned()).collect();
    assert_eq!(verdicts, ["accepted", "refused", "refused"], "{}", errors(&output));
}

#[test]
fn token_judges_by_the_configured_issuers() {
    let folder = tempfile::tempdir().unwrap();
    let keys = write(&folder, "keys.json", r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#);
    let config = format!("[[issuers]]\nissuer = \"https://id.example\"\naudience = [\"a\"]\njwks = {:?}\n", text(&keys));
    let config = write(&folder, "doorward.toml", &config);
    let foreign = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let output = doorward(&["token", "--config", text(&config)], &format!("{foreign}\nopaque\n"));
    let lines = out(&output);
    assert_eq!(lines.lines().count(), 2, "{}", errors(&output));
    assert!(lines.lines().all(|line| line.starts_with("refused ")), "{lines}");
}

#[test]
fn health_of_nobody_is_an_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = doorward(&["health", "--address", &port.to_string()], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("cannot reach"));
}
