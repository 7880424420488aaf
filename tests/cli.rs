//! The commands as a person runs them: arguments, standard streams, exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

#[path = "support/address.rs"]
mod address;

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
fn one_standard_input_is_one_thing() {
    let explain = ["explain", "--snapshot", "-", "--api-map", "-", "--user", "u", "--method", "GET", "--target", "/"];
    let body = ["explain", "--snapshot", MAP, "--api-map", MAP, "--user", "u", "--method", "GET", "--target", "/", "--body", "-", "--upstream", "-"];
    let filter = ["filter", "--snapshot", "-", "--api-map", MAP, "--user", "u", "--target", "/"];
    for (arguments, words) in [
        (&["diff", "--from", "-", "--to", "-"][..], "--from and --to"),
        (&["diff", "--from", "-", "--to", MAP, "--api-map", "-"], "--from and --api-map"),
        (&explain, "--snapshot and --api-map"),
        (&body, "--body and --upstream"),
        (&filter, "--snapshot and the answer"),
        (&["token", "--jwks", "-"], "--jwks and the tokens"),
        (&["test", "-", "-"], "a case file and a case file"),
    ] {
        let output = doorward(arguments, &snapshot("US"));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
        assert_eq!(errors(&output), format!("standard input can be only one thing, and is named for {words}\n"));
    }
}

#[test]
fn a_warning_of_check_names_the_file_and_the_place_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let policy = |code: &str, entity: &str| {
        let actions = serde_json::json!([{ "scope": "default", "activity": "Read", "entity": entity }]);
        serde_json::json!({ "id": { "code": code }, "grant": "Allow", "when": {}, "selectors": [{ "matchAllSelectorDefinition": { "actions": actions } }] })
    };
    // In order of their ids the one that matters stands first.
    let policies = [policy("zulu", "Portfolio"), policy("alpha", "Nothing")];
    let document = serde_json::json!({ "schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-01-01T00:00:00Z", "policies": policies });
    let snapshot = write(&folder, "snapshot.json", &document.to_string());
    let config = format!("[proxy]\nlisten = [\"127.0.0.1:0\"]\n[api]\nmaps = [{MAP:?}]\n[snapshot]\nsource = \"file:{}\"\n", text(&snapshot));
    let config = write(&folder, "doorward.toml", &config);
    let output = doorward(&["check", "--config", text(&config)], "");
    let expected = format!("warning: snapshot.source: {}: policies[1] (default/alpha): names the entity `Nothing`", text(&snapshot));
    assert!(out(&output).lines().any(|line| line.starts_with(&expected)), "{}{}", out(&output), errors(&output));
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
    let expected = "us loses Read on PropertyValue\nus loses the Allow policy default/risk of default/us\n\
        us: the Allow policy default/portfolios of default/us changes\nus: what policies say of Read on Portfolio changes (may gain)\n\
        1 users gain or lose something\n";
    assert_eq!(out(&output), expected);
}

/// What `diff` says of two snapshots, without and with the map.
fn diffed(from: &serde_json::Value, to: &serde_json::Value) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = [("from.json", from), ("to.json", to)].map(|(name, document)| write(&folder, name, &document.to_string()));
    let map = write(
        &folder,
        "map.yaml",
        "application: LUSID\nentities:\n  Portfolio: { id: { scope: /id/scope, code: /id/code }, metadata: snapshot }\noperations: []\n",
    );
    let base = ["diff", "--from", text(&from), "--to", text(&to), "--now", "2026-01-02T00:00:00Z"];
    [doorward(&base, ""), doorward(&[&base[..], &["--api-map", text(&map)]].concat(), "")].map(|output| {
        assert!(output.status.success(), "{}", errors(&output));
        out(&output)
    })
}

/// `u` with a role of policies on portfolios, and a role that denies them all unless it has nothing; by their ranks.
fn ranked(allowing: u32, denying: u32, has_deny: bool, selector: &serde_json::Value) -> serde_json::Value {
    let role = |code: &str, rank: u32, policies: &[&str]| {
        let ids: Vec<_> = policies.iter().map(|code| serde_json::json!({ "code": code })).collect();
        serde_json::json!({ "id": { "code": code }, "roleHierarchyIndex": rank, "resource": { "policyIdRoleResource": { "policies": ids } } })
    };
    let every = serde_json::json!({ "matchAllSelectorDefinition": { "actions": [{ "scope": "default", "activity": "Read", "entity": "Portfolio" }] } });
    let denied: &[&str] = if has_deny { &["no"] } else { &[] };
    serde_json::json!({
        "schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-01-01T00:00:00Z",
        "users": [{ "id": "u", "login": "u", "type": "Service", "status": "ACTIVE", "roles": [{ "code": "r" }, { "code": "q" }] }],
        "roles": [role("r", allowing, &["yes"]), role("q", denying, denied)],
        "policies": [{ "id": { "code": "yes" }, "grant": "Allow", "selectors": [selector] }, { "id": { "code": "no" }, "grant": "Deny", "selectors": [every] }],
    })
}

fn of_us() -> serde_json::Value {
    serde_json::json!({ "idSelectorDefinition": { "identifier": { "scope": "US" }, "actions": [{ "scope": "default", "activity": "Read", "entity": "Portfolio" }] } })
}

#[test]
fn diff_says_that_a_deny_takes_what_was_granted() {
    let [before, stronger, weaker] = [ranked(2, 1, false, &of_us()), ranked(2, 1, true, &of_us()), ranked(2, 3, true, &of_us())];
    let taken = "u loses Read on Portfolio\nu: the Deny policy default/no of default/q is added\n1 users gain or lose something\n";
    assert_eq!(diffed(&before, &stronger), [taken, taken]);
    let given = "u gains Read on Portfolio\nu: the Deny policy default/no of default/q is taken away\n1 users gain or lose something\n";
    assert_eq!(diffed(&stronger, &before), [given, given]);
    let kept = "u: the Deny policy default/no of default/q is added\n0 users gain or lose something, 1 others may\n";
    assert_eq!(diffed(&before, &weaker), [kept, kept], "the stronger role decides as before");
}

#[test]
fn diff_says_what_another_order_of_roles_does() {
    let [weak, strong] = [ranked(1, 2, true, &of_us()), ranked(2, 1, true, &of_us())];
    let lost = "u loses Read on Portfolio\n1 users gain or lose something\n";
    assert_eq!(diffed(&weak, &strong), [lost, lost]);
    assert_eq!(diffed(&weak, &weak), ["0 users gain or lose something\n"; 2]);
    let one = |mut document: serde_json::Value| {
        document["policies"][1]["selectors"][0] = serde_json::json!({ "idSelectorDefinition": { "identifier": { "code": "x" }, "actions": [{ "scope": "default", "activity": "Read", "entity": "Portfolio" }] } });
        document
    };
    let may = "u: what policies say of Read on Portfolio changes (may lose)\n0 users gain or lose something, 1 others may\n";
    assert_eq!(diffed(&one(weak), &one(strong)), [may, may]);
}

#[test]
fn diff_says_what_access_metadata_opens_and_closes() {
    let by_desk = serde_json::json!({ "metadataSelectorDefinition": { "expressions": [{ "metadataKey": "D", "operator": "Equals", "textValue": "EQ" }],
        "actions": [{ "scope": "default", "activity": "Read", "entity": "Portfolio" }] } });
    let with = |entity: &str, desk: &str| {
        let mut document = ranked(1, 2, false, &by_desk);
        document["accessMetadata"] = serde_json::json!([{ "entity": entity, "id": { "scope": "US", "code": "x" }, "metadata": { "D": [{ "value": desk }] } }]);
        document
    };
    let none = ranked(1, 2, false, &by_desk);
    let opened = "u gains Read on Portfolio code=x scope=US\n1 users gain or lose something\n";
    assert_eq!(diffed(&none, &with("Portfolio", "EQ")), [opened, opened]);
    let closed = "u loses Read on Portfolio code=x scope=US\n1 users gain or lose something\n";
    assert_eq!(diffed(&with("portfolio", "EQ"), &with("Portfolio", "FX")), [closed, closed]);
    assert_eq!(diffed(&none, &with("Portfolio", "FX")), ["0 users gain or lose something\n"; 2]);
    assert_eq!(diffed(&none, &with("Book", "EQ")), ["0 users gain or lose something\n"; 2], "nothing of the user looks at it");
    // What is only to be made is known to have no metadata, so a Deny that looks at it does not meet it.
    let action = serde_json::json!([{ "scope": "default", "activity": "Add", "entity": "Portfolio" }]);
    let guarded = |has_metadata: bool| {
        let mut document = if has_metadata { with("Portfolio", "EQ") } else { ranked(1, 2, false, &by_desk) };
        document["roles"][0]["resource"]["policyIdRoleResource"]["policies"] = serde_json::json!([{ "code": "yes" }, { "code": "no" }]);
        let everything = serde_json::json!({ "matchAllSelectorDefinition": { "actions": action } });
        let by_desk = serde_json::json!({ "metadataSelectorDefinition": { "expressions": [{ "metadataKey": "D", "operator": "Equals", "textValue": "EQ" }], "actions": action } });
        document["policies"] = serde_json::json!([{ "id": { "code": "yes" }, "grant": "Allow", "selectors": [everything] }, { "id": { "code": "no" }, "grant": "Deny", "selectors": [by_desk] }]);
        document
    };
    let freed = "u gains Add on Portfolio code=x scope=US\n1 users gain or lose something\n";
    assert_eq!(diffed(&guarded(true), &guarded(false)), [freed, freed]);
    let bound = "u loses Add on Portfolio code=x scope=US\n1 users gain or lose something\n";
    assert_eq!(diffed(&guarded(false), &guarded(true)), [bound, bound]);
    let dated = |mut document: serde_json::Value| {
        let past = serde_json::json!({ "effectiveRange": { "from": "2020-01-01", "to": "2021-01-01" } });
        document["policies"][0]["for"] = serde_json::json!([past]);
        document
    };
    let may = "u: access metadata behind Read on Portfolio code=x scope=US changes (may gain or lose)\n0 users gain or lose something, 1 others may\n";
    assert_eq!(diffed(&dated(none), &dated(with("Portfolio", "EQ"))), [may, may]);
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
    // A.1: the same with its private part, as the file of who signs has it.
    let own = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let output = doorward(&["token", "--jwks", text(&write(&folder, "own.json", own)), "--signature-only"], &format!("{signed}\n{none}\n"));
    assert_eq!(out(&output).lines().map(|line| line.starts_with("accepted")).collect::<Vec<_>>(), [true, false]);
    assert!(errors(&output).contains("warning: keys[0]: it carries its private part"), "{}", errors(&output));
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
    let output = doorward(&["health", "--address", &address::reserved().to_string()], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("cannot reach"));
}
