//! The direction of the house, held by a test: which room may name which, who may touch the world
//! outside, how long a file may be, and what nothing may be called.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected has failed")]

mod rules;
mod source;

use rules::{File, LONGEST_FILE, ROOMS, cycles};
use source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every Rust file below `src/` that is not a test, by its path there.
fn sources() -> Vec<(String, Source)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut files: Vec<(PathBuf, Source)> = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = Source::read(&std::fs::read_to_string(&path).unwrap());
                files.push((path, source));
            }
        }
    }
    let tests: Vec<PathBuf> = files.iter().flat_map(|(path, source)| source.test_modules().iter().map(|name| folder_of(path).join(name))).collect();
    let is_test = |path: &Path| tests.iter().any(|test| path == test.with_extension("rs") || path.starts_with(test));
    let below = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
    files.into_iter().filter(|(path, _)| !is_test(path)).map(|(path, source)| (below(&path), source)).collect()
}

/// Where the modules of a file are.
fn folder_of(path: &Path) -> PathBuf {
    if ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| path.ends_with(name)) { path.parent().unwrap().to_owned() } else { path.with_extension("") }
}

fn offences(path: &str, text: &str) -> Vec<String> {
    File { path, source: &Source::read(text) }.offences()
}

#[track_caller]
fn assert_caught(path: &str, text: &str, rule: &str) {
    let found = offences(path, text);
    assert!(found.len() == 1 && found.iter().all(|offence| offence.contains(rule)), "{path}: {text}: {found:?}");
}

#[test]
fn every_file_keeps_the_rules() {
    let files = sources();
    assert!(files.len() > 80, "only {} files", files.len());
    let found: Vec<String> = files.iter().flat_map(|(path, source)| File { path, source }.offences()).collect();
    assert!(found.is_empty(), "{} offences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_room_stands_in_the_map_of_the_rooms() {
    let map = Source::read(&std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap());
    let named = map.modules();
    let files = sources();
    let rooms = files.iter().map(|(path, source)| File { path, source }.room().to_owned()).filter(|room| room != "lib" && room != "main");
    let missing: BTreeSet<String> = rooms.filter(|room| !named.contains(room)).collect();
    assert!(missing.is_empty(), "src/lib.rs does not have {missing:?}");
}

#[test]
fn the_rules_themselves_lead_in_no_circle() {
    assert_eq!(cycles(), Vec::<String>::new());
    for room in ROOMS {
        let unknown: Vec<_> = room.may.iter().filter(|name| !ROOMS.iter().any(|room| room.name == **name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", room.name);
    }
}

#[test]
fn an_arrow_that_points_the_wrong_way_is_caught() {
    assert_caught("policy/decide.rs", "use crate::api_map::ApiMap;", "`policy` may not name `api_map`");
    assert_caught("json_filter/plan.rs", "fn f(x: &crate::policy::Policies) {}", "`json_filter` may not name `policy`");
    assert_caught("authorize/judge.rs", "use crate::observe::clock;", "`authorize` may not name `observe`");
    assert_caught("snapshot.rs", "use super::authorize::Call;", "`snapshot` may not name `authorize`");
    assert_caught("token/keys.rs", "use super::super::sources::KeySets;", "`token` may not name `sources`");
    assert_caught("api_map/load/rules.rs", "use super::super::super::snapshot;", "`api_map` may not name `snapshot`");
    assert_caught("sources/mod.rs", "use crate::{authorize::Identity, observe::Metrics};", "`sources` may not name `observe`");
    assert_caught("main.rs", "fn main() { doorward::gateway::run(); }", "`main` may not name `gateway`");
}

#[test]
fn doors_that_name_each_other_are_caught() {
    for (door, other) in [("proxy", "envoy"), ("envoy", "forward_auth"), ("forward_auth", "proxy"), ("pingora", "proxy"), ("proxy", "admin")] {
        assert_caught(&format!("{door}/mod.rs"), &format!("use crate::{other}::Settings;"), "may not name");
    }
}

#[test]
fn the_world_outside_is_caught_below_the_edges() {
    for (text, what) in [
        ("use tokio::sync::Mutex;", "a runtime"),
        ("use std::{collections::HashMap, net::SocketAddr};", "sockets"),
        ("fn f() { std::fs::read(\"x\"); }", "files"),
        ("use std::time::{Duration, Instant};", "a clock"),
        ("use jiff::Timestamp; fn f() { Timestamp::now(); }", "a clock"),
        ("fn f() { rand::random() }", "a random source"),
        ("fn f() { tracing::info!(\"x\"); }", "logging"),
    ] {
        assert_caught("policy/decide.rs", text, what);
        assert_caught("snapshot.rs", text, what);
    }
    assert!(offences("policy/decide.rs", "use jiff::Timestamp; use std::time::Duration; fn f(now: Timestamp) {}").is_empty());
}

#[test]
fn libraries_stay_in_the_rooms_that_keep_them() {
    assert_caught("gateway/mod.rs", "use hyper::Request;", "only proxy, forward_auth, http_client, http_server may name it");
    assert_caught("proxy/mod.rs", "use axum::Router;", "only admin, control, forward_auth, http_server, demo may name it");
    assert_caught("sources/mod.rs", "fn f() -> anyhow::Result<()> { todo }", "only cli, main may name it");
    assert_caught("gateway/mod.rs", "fn f() { std::env::var(\"X\"); }", "only config reads the environment");
    assert_caught("observe/mod.rs", "use std::env::vars_os;", "only config reads the environment");
    assert!(offences("config/environment.rs", "fn f() { std::env::vars_os(); }").is_empty());
}

#[test]
fn empty_names_and_unknown_rooms_are_caught() {
    assert_caught("policy/util.rs", "", "`util` names nothing of the domain");
    assert_caught("proxy/http_helpers/mod.rs", "", "`http_helpers` names nothing of the domain");
    assert_caught("token/mod.rs", "mod key_manager;", "`key_manager` names nothing of the domain");
    assert_caught("cellar/mod.rs", "", "`cellar` is no known room");
}

#[test]
fn a_file_that_grows_too_long_is_caught() {
    let body = "fn f() {}\n".repeat(LONGEST_FILE + 1);
    assert_caught("policy/decide.rs", &body, "split it");
    assert!(offences("policy/decide.rs", &format!("#[cfg(test)]\nmod tests {{\n{body}}}\n")).is_empty());
}

#[test]
fn comments_texts_and_tests_are_not_code() {
    let text = "// use crate::observe::clock;\n/* use /* hyper */ tokio::net; */\nconst A: &str = \"crate::proxy::x \\\" hyper::y\";\n\
                const B: &str = r#\"tokio::z\" \"#; const C: char = '\"'; fn f<'a>(x: &'a str) {}\n\
                #[cfg(test)]\nmod tests {\n    use crate::cases::run;\n    fn f() { std::fs::read(1); }\n}\n";
    assert_eq!(offences("policy/decide.rs", text), Vec::<String>::new());
    assert_caught("policy/decide.rs", &format!("{text}use crate::proxy::Proxy;"), "policy/decide.rs:10");
    assert_caught("policy/decide.rs", "#[cfg(test)]\nmod forge;\nuse crate::proxy::Proxy;", "policy/decide.rs:3");
    assert_eq!(Source::read("#[cfg(test)]\npub(crate) mod forge;\n#[cfg(test)]\nmod tests;\n").test_modules(), ["forge", "tests"]);
}

#[test]
fn use_trees_are_written_out() {
    let references = Source::read("use a::{self, b::{C as D, e::*}, F};\nlet x = g::h::<K>(m);").references();
    let paths: Vec<String> = references.iter().map(|reference| reference.path.join("::")).collect();
    assert_eq!(paths, ["a::self", "a::b::C", "a::b::e::*", "a::F", "g::h"]);
}
