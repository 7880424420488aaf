//! What we build on: licences that may be in the house, one registry, and crates that may not come
//! in. It needs no network: `cargo metadata` reads what was fetched for this build. `deny.toml` says
//! the same, and asks for advisories too, where cargo-deny is at hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that meets the unexpected has failed")]

use serde_json::Value;
use std::process::Command;

/// Licences that ask for no more than to be named.
const LICENCES: &[&str] =
    &["Apache-2.0", "MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "Unicode-3.0", "CC0-1.0", "BSL-1.0", "Unlicense", "CDLA-Permissive-2.0"];

/// Exceptions that only give more than the licence.
const EXCEPTIONS: &[&str] = &["LLVM-exception"];

/// Crates that stay out, with the reason.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "TLS is rustls, with aws-lc-rs"),
    ("openssl-sys", "TLS is rustls, with aws-lc-rs"),
    ("native-tls", "TLS is rustls, with aws-lc-rs"),
    ("serde_yaml", "unmaintained; YAML is read by serde-saphyr"),
    ("reqwest", "the one HTTP client is ours, on hyper"),
];

/// Who may still bring a banned crate: Pingora reads its own configuration by it, which we never give it, and no
/// build has Pingora unless it is asked for.
const SUFFERED: &[(&str, &str)] = &[("serde_yaml", "pingora-core")];

/// Crates that may be in the graph, but not in what ships.
const NOT_SHIPPED: &[(&str, &str)] = &[("ring", "one crypto provider ships: aws-lc-rs")];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO"));
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).args(["--offline", "--locked"]).output().unwrap();
    assert!(output.status.success(), "cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The triple of this machine: packages of other ones may not have been fetched.
fn host() -> String {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(rustc.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Every package of the graph on this machine, our own aside.
fn packages() -> Vec<Value> {
    let host = host();
    let output = cargo(&["metadata", "--all-features", "--format-version", "1", "--filter-platform", &host]);
    let metadata: Value = serde_json::from_slice(&output).unwrap();
    let nodes: Vec<&Value> = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| &node["id"]).collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.filter(|package| nodes.contains(&&package["id"]) && package["name"] != "doorward").cloned().collect()
}

/// Name, source and dependencies of every package in the lock file, for every platform.
fn locked() -> Vec<(String, String, Vec<String>)> {
    let lock: toml::Table = include_str!("../Cargo.lock").parse().unwrap();
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    // A dependency may be named with its version.
    let name = |dependency: &toml::Value| dependency.as_str().unwrap().split(' ').next().unwrap().to_owned();
    let needs = |package: &toml::Value| package.get("dependencies").and_then(toml::Value::as_array).into_iter().flatten().map(name).collect();
    lock["package"].as_array().unwrap().iter().map(|package| (text(package, "name"), text(package, "source"), needs(package))).collect()
}

/// Whether an SPDX expression can be met by allowed licences: `OR` needs one side, `AND` both. One
/// that is not understood is not allowed.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    any_of(&mut rest).is_some_and(|allowed| allowed && rest.is_empty())
}

fn any_of(rest: &mut &[&str]) -> Option<bool> {
    let mut allowed = all_of(rest)?;
    while take(rest, "OR") {
        allowed |= all_of(rest)?;
    }
    Some(allowed)
}

fn all_of(rest: &mut &[&str]) -> Option<bool> {
    let mut allowed = one(rest)?;
    while take(rest, "AND") {
        allowed &= one(rest)?;
    }
    Some(allowed)
}

fn one(rest: &mut &[&str]) -> Option<bool> {
    if take(rest, "(") {
        let allowed = any_of(rest)?;
        return take(rest, ")").then_some(allowed);
    }
    let licence = LICENCES.contains(&next(rest)?);
    let exception = if take(rest, "WITH") { EXCEPTIONS.contains(&next(rest)?) } else { true };
    Some(licence && exception)
}

fn next<'t>(rest: &mut &[&'t str]) -> Option<&'t str> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    Some(first)
}

fn take(rest: &mut &[&str], token: &str) -> bool {
    match rest.split_first() {
        Some((first, behind)) if *first == token => {
            *rest = behind;
            true
        }
        _ => false,
    }
}

#[test]
fn every_licence_is_one_that_we_allow() {
    let packages = packages();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    let expression = |package: &Value| package["license"].as_str().unwrap_or_default().to_owned();
    let odd: Vec<String> =
        packages.iter().filter(|package| !is_allowed(&expression(package))).map(|package| format!("{}: {}", package["name"], expression(package))).collect();
    assert!(odd.is_empty(), "not allowed: {odd:?}");
}

#[test]
fn everything_comes_from_one_registry() {
    let locked = locked();
    assert!(locked.len() > 100, "only {} packages", locked.len());
    let odd: Vec<_> = locked.iter().filter(|(name, source, _)| name != "doorward" && source != REGISTRY).collect();
    assert!(odd.is_empty(), "from elsewhere: {odd:?}");
}

#[test]
fn no_banned_crate_comes_in() {
    let locked = locked();
    for (banned, reason) in BANNED {
        let by: Vec<&str> = locked.iter().filter(|(_, _, needs)| needs.iter().any(|need| need == banned)).map(|(name, ..)| name.as_str()).collect();
        let odd: Vec<&&str> = by.iter().filter(|by| !SUFFERED.contains(&(banned, by))).collect();
        assert!(odd.is_empty(), "`{banned}` came in by {odd:?}: {reason}");
    }
}

#[test]
fn no_crate_ships_that_is_only_for_tests() {
    let host = host();
    let output = cargo(&["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--target", &host]);
    let text = String::from_utf8(output).unwrap();
    for (name, reason) in NOT_SHIPPED {
        assert!(!text.lines().any(|line| line.split(' ').next() == Some(*name)), "`{name}` would ship: {reason}");
    }
}

#[test]
fn licence_expressions_are_understood() {
    for allowed in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "ISC AND (GPL-2.0 OR ISC)", "Apache-2.0 WITH LLVM-exception OR GPL-3.0"] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND AGPL-3.0", "MIT WITH odd-exception", "MIT MIT", "(MIT", "MIT OR"] {
        assert!(!is_allowed(refused), "{refused}");
    }
}
