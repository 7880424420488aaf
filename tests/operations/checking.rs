//! What `doorward check` finds in the files that a configuration names, and which of it ends a start too.

use crate::process::{Said, Site, doorward, said};
use crate::support::address::reserved;
use crate::support::certificates::{authority, issue, issue_expired};
use crate::support::issuer::Key;
use crate::support::world::snapshot;
use serde_json::json;

/// A site in whose configuration these sections have these further lines.
fn site(lines: &[(&str, &str)]) -> Site {
    let site = Site::ready("127.0.0.1:1".parse().unwrap(), "");
    let (certificate, key) = issue(&authority(), "door.example");
    for (name, text) in [("certificate.pem", certificate.as_str()), ("key.pem", &key), ("garbage", "garbage"), ("keys.json", &Key::new("k").set())] {
        std::fs::write(site.path(name), text).unwrap();
    }
    std::fs::create_dir(site.path("folder")).unwrap();
    let mut text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    for (section, line) in lines {
        let line = line.replace("HERE", &site.folder.path().display().to_string());
        match text.contains(&format!("{section}\n")) {
            true => text = text.replace(&format!("{section}\n"), &format!("{section}\n{line}\n")),
            false => text.push_str(&format!("{section}\n{line}\n")),
        }
    }
    std::fs::write(site.path("doorward.toml"), text).unwrap();
    site
}

async fn run(site: &Site, command: &str) -> Said {
    said(doorward(command, &site.path("doorward.toml"), &[])).await
}

async fn assert_faulty(site: &Site, command: &str, words: &[&str]) {
    let said = run(site, command).await;
    assert_eq!(said.code, Some(1), "{command}: {}", said.all());
    let here = site.folder.path().display().to_string();
    for word in words {
        let word = word.replace("HERE", &here);
        assert!(said.errors.lines().any(|line| line.contains(&word)), "{command} does not say `{word}`: {}", said.errors);
    }
    // What has one fault has one error.
    if command == "check" {
        assert_eq!(said.out.lines().last().unwrap().split(' ').next(), Some("1"), "{}", said.errors);
    }
}

#[tokio::test]
async fn a_sound_configuration_has_no_errors() {
    let tls = "tls = { certificate = \"HERE/certificate.pem\", key = \"HERE/key.pem\", client_ca = \"HERE/certificate.pem\" }\nupstream_ca = \"HERE/certificate.pem\"";
    let issuer = "issuer = \"https://id.example\"\naudience = [\"a\"]\njwks = \"HERE/keys.json\"";
    let process = "hand_over = \"HERE/hand-over\"";
    let shadow = "snapshot = \"file:HERE/snapshot.json\"";
    let site = site(&[("[proxy]", tls), ("[[issuers]]", issuer), ("[process]", process), ("[shadow]", shadow)]);
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    let sink = format!("sink = \"file:{}\"", site.path("decisions.jsonl").display());
    std::fs::write(site.path("doorward.toml"), text.replace("sink = \"none\"", &sink)).unwrap();
    let said = run(&site, "check").await;
    assert!(said.code == Some(0) && said.out.contains("\n0 errors, "), "{}", said.all());
    // Looking at it leaves nothing behind.
    assert!(!site.path("decisions.jsonl").exists() && !site.path("hand-over").exists());
}

#[tokio::test]
async fn files_of_certificates_that_are_none_end_the_start_and_are_errors_of_check() {
    let tls = |certificate: &str, key: &str, more: &str| format!("tls = {{ certificate = \"HERE/{certificate}\", key = \"HERE/{key}\"{more} }}");
    let faults = [
        (tls("garbage", "key.pem", ""), "proxy.tls.certificate: `HERE/garbage`: there is no certificate in it"),
        (tls("certificate.pem", "garbage", ""), "proxy.tls.key: `HERE/garbage`: "),
        (tls("certificate.pem", "key.pem", ", client_ca = \"HERE/garbage\""), "proxy.tls.client_ca: `HERE/garbage`: "),
        ("upstream_ca = \"HERE/garbage\"".to_owned(), "proxy.upstream_ca: `HERE/garbage`: "),
    ];
    for (line, words) in faults {
        let site = site(&[("[proxy]", &line)]);
        assert_faulty(&site, "check", &[words]).await;
        assert_faulty(&site, "serve", &[words]).await;
    }
}

#[tokio::test]
async fn an_expired_certificate_is_a_warning() {
    let site = site(&[("[proxy]", "tls = { certificate = \"HERE/certificate.pem\", key = \"HERE/key.pem\" }")]);
    let (certificate, key) = issue_expired(&authority(), "door.example");
    std::fs::write(site.path("certificate.pem"), certificate).unwrap();
    std::fs::write(site.path("key.pem"), key).unwrap();
    let said = run(&site, "check").await;
    assert!(said.code == Some(0) && said.out.contains("warning: proxy.tls.certificate: ") && said.out.contains("has expired"), "{}", said.all());
}

#[tokio::test]
async fn a_decision_log_that_cannot_be_written_ends_the_start_and_is_an_error_of_check() {
    for (place, words) in
        [("HERE/nowhere/log", "HERE/nowhere/log`: No such file"), ("HERE/folder", "HERE/folder`: "), ("HERE/garbage/log", "HERE/garbage/log`: ")]
    {
        let site = site(&[]);
        let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
        let sink = format!("sink = \"file:{place}\"").replace("HERE", &site.folder.path().display().to_string());
        std::fs::write(site.path("doorward.toml"), text.replace("sink = \"none\"", &sink)).unwrap();
        assert_faulty(&site, "check", &["cannot open the decision log `", words]).await;
        assert_faulty(&site, "serve", &["cannot open the decision log `", words]).await;
    }
}

#[tokio::test]
async fn a_decision_log_in_a_folder_of_somebody_else_is_an_error_of_check() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let site = site(&[]);
    std::fs::set_permissions(site.path("folder"), std::fs::Permissions::from_mode(0o555)).unwrap();
    std::fs::write(site.path("folder/there"), "").unwrap();
    for (path, mode) in [(site.folder.path().to_owned(), 0o755), (site.path("folder/there"), 0o444)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    for name in ["log", "there"] {
        let sink = format!("sink = \"file:{}/{name}\"", site.path("folder").display());
        std::fs::write(site.path("doorward.toml"), text.replace("sink = \"none\"", &sink)).unwrap();
        let mut command = doorward("check", &site.path("doorward.toml"), &[]);
        if rustix::process::geteuid().is_root() {
            // To root every folder is open.
            command.uid(65534).gid(65534);
        }
        let said = said(command).await;
        assert!(said.code == Some(1) && said.errors.contains("cannot open the decision log") && said.errors.contains("denied"), "{name}: {}", said.all());
    }
}

#[tokio::test]
async fn addresses_that_take_each_other_are_errors() {
    let port = reserved().port();
    for (wide, narrow) in [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("[::]", "[::1]")] {
        let site = site(&[]);
        let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
        let text = text.replace(&site.proxy.to_string(), &format!("{wide}:{port}")).replace(&site.admin.to_string(), &format!("{narrow}:{port}"));
        std::fs::write(site.path("doorward.toml"), text).unwrap();
        let words = format!("admin.listen: `{narrow}:{port}` is taken by proxy.listen with `{wide}:{port}`");
        assert_faulty(&site, "check", &[&words]).await;
        assert_faulty(&site, "serve", &[&words]).await;
    }
}

#[tokio::test]
async fn key_sets_and_candidates_that_are_garbage_are_errors_of_check() {
    let issuer = "issuer = \"https://id.example\"\naudience = [\"a\"]\njwks = \"HERE/garbage\"";
    assert_faulty(&site(&[("[[issuers]]", issuer)]), "check", &["issuers[0].jwks: `HERE/garbage`: "]).await;
    let empty = site(&[("[[issuers]]", &issuer.replace("garbage", "empty.json"))]);
    std::fs::write(empty.path("empty.json"), r#"{"keys":[]}"#).unwrap();
    assert_faulty(&empty, "check", &["issuers[0].jwks: `HERE/empty.json`: the key set has no key"]).await;
    assert_faulty(&site(&[("[snapshot]", "public_keys = \"HERE/garbage\"")]), "check", &["snapshot.public_keys: `HERE/garbage`: "]).await;
    assert_faulty(&site(&[("[shadow]", "snapshot = \"file:HERE/garbage\"")]), "check", &["shadow.snapshot: HERE/garbage: "]).await;
    assert_faulty(&site(&[("[shadow]", "snapshot = \"file:HERE/nothing\"")]), "check", &["shadow.snapshot: HERE/nothing: "]).await;
}

#[tokio::test]
async fn a_snapshot_that_is_not_signed_as_it_must_be_is_an_error_of_check() {
    let site = site(&[("[snapshot]", "public_keys = \"HERE/public.json\"")]);
    let key = Key::new("k");
    std::fs::write(site.path("public.json"), key.set()).unwrap();
    let signature = |key: &Key, text: &str| {
        let whole = key.sign(&json!({ "alg": "EdDSA", "kid": "k" }), text);
        let parts: Vec<_> = whole.split('.').collect();
        format!("{}..{}\n", parts[0], parts[2])
    };
    let document = snapshot().to_string();
    assert_faulty(&site, "check", &["snapshot.source: `HERE/snapshot.json`: it is not signed", "HERE/snapshot.json.signature"]).await;
    for wrong in [signature(&Key::new("k"), &document), signature(&key, "another"), "\u{0}".repeat(5000)] {
        std::fs::write(site.path("snapshot.json.signature"), wrong).unwrap();
        assert_faulty(&site, "check", &["snapshot.source: `HERE/snapshot.json`: "]).await;
    }
    std::fs::write(site.path("snapshot.json.signature"), signature(&key, &document)).unwrap();
    let said = run(&site, "check").await;
    assert_eq!(said.code, Some(0), "{}", said.all());
    // By keys that are elsewhere it cannot be verified here, but that it is signed can be seen.
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    let elsewhere = text.replace(&site.path("public.json").display().to_string(), "https://id.example/keys");
    std::fs::write(site.path("doorward.toml"), elsewhere).unwrap();
    assert_eq!(run(&site, "check").await.code, Some(0));
    std::fs::remove_file(site.path("snapshot.json.signature")).unwrap();
    assert_faulty(&site, "check", &["it is not signed"]).await;
}
