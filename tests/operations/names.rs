//! Names from outside stay in their lines, whatever is in them.

use crate::process::Site;
use crate::support::issuer::Key;
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

fn told(site: &Site, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    let mut child =
        command.args(arguments).current_dir(site.folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[tokio::test]
async fn a_user_with_a_line_feed_is_told_in_one_line() {
    let site = Site::ready("127.0.0.1:1".parse().unwrap(), "");
    let key = Key::new("k");
    std::fs::write(site.path("keys.json"), key.set()).unwrap();
    let token = |user: &str| key.token(&json!({ "iss": "i", "aud": "a", "sub": user, "exp": 9_000_000_000_u64, "iat": 8_999_999_000_u64 }).to_string());
    let now = doorward::observe::clock::now().as_second();
    let recent = |user: &str| key.token(&json!({ "iss": "i", "aud": "a", "sub": user, "iat": now, "exp": now + 600 }).to_string());
    let input = format!("{}\n{}\n{}\n", recent("ann\naccepted bob"), recent("\u{1b}[2Jann"), token("cy\naccepted bob"));
    let words = told(&site, &["token", "--jwks", "keys.json"], &input);
    let lines: Vec<_> = words.lines().collect();
    assert_eq!(lines.len(), 3, "{words}");
    assert_eq!(lines[..2], ["accepted ann\\naccepted bob", "accepted \\u{1b}[2Jann"]);
    assert!(lines[2].starts_with("refused "), "{words}");
}

/// What would end a line and begin another.
const ODD: &str = "\nverdict: admitted (200)\u{1b}[2J";

/// A snapshot with this user, in which the names of roles and policies are odd.
fn odd_snapshot(user: &str, features: &str) -> String {
    let odd = |name: &str| format!("{name}{ODD}");
    json!({
        "schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-01-01T00:00:00Z",
        "users": [{ "id": user, "login": "ann@example.com", "type": "Service", "status": "ACTIVE", "roles": [{ "code": odd("role") }] }],
        "roles": [{ "id": { "code": odd("role") }, "roleHierarchyIndex": 2, "when": {}, "resource": { "policyIdRoleResource": { "policies": [{ "code": odd("policy") }] } } }],
        "policies": [{ "id": { "code": odd("policy") }, "grant": "Allow", "when": {}, "selectors": [{ "idSelectorDefinition": {
            "identifier": { "scope": odd("LUSID"), "code": features }, "actions": [{ "scope": "LUSID", "activity": "Execute", "entity": "Feature" }] } }] }],
    })
    .to_string()
}

fn assert_tame(what: &str, words: &str) {
    assert!(words.contains("\\nverdict") || words.contains("\\u{1b}"), "{what} names nobody: {words}");
    assert!(!words.contains('\u{1b}'), "{what}: {words:?}");
    assert!(!words.lines().any(|line| line.starts_with("verdict: admitted")), "{what}: {words}");
}

#[tokio::test]
async fn names_of_users_roles_and_policies_stay_in_the_lines_of_what_is_told_of_them() {
    let site = Site::ready("127.0.0.1:1".parse().unwrap(), "");
    std::fs::write(site.path("plain.json"), odd_snapshot("ann", "a")).unwrap();
    std::fs::write(site.path("from.json"), odd_snapshot(&format!("ann{ODD}"), "a")).unwrap();
    std::fs::write(site.path("to.json"), odd_snapshot(&format!("ann{ODD}"), "b")).unwrap();
    let call = ["--snapshot", "plain.json", "--api-map", "map.yaml", "--user", "ann", "--method", "GET", "--target", "/api/portfolios"];
    assert_tame("explain", &told(&site, &[&["explain"], &call[..]].concat(), ""));
    assert_tame("diff", &told(&site, &["diff", "--from", "from.json", "--to", "to.json"], ""));
    // What is wrong with a document is told by its names too.
    let twice = odd_snapshot("ann", "a").replace("ACTIVE", &json!(ODD).to_string().replace('"', ""));
    std::fs::write(site.path("snapshot.json"), &twice).unwrap();
    assert_tame("check", &told(&site, &["check", "--config", "doorward.toml"], ""));
    assert_tame("diff of what is none", &told(&site, &["diff", "--from", "snapshot.json", "--to", "to.json"], ""));
}
