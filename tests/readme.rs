//! The README cannot lie: its lines are run, its configuration and its policy are read.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const README: &str = include_str!("../README.md");

/// The blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    README.split(opening.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// A running demo; it is told to stop when dropped, and waited for.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // The shell has its own `kill`; the program is not on every machine.
        let _ = Command::new("bash").arg("-c").arg(format!("kill {}", self.0.id())).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_lines_to_try_show_what_their_comments_say() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    let mut demo = Demo(command.arg("demo").arg("--dir").arg(directory.path()).stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line == "Ctrl-C ends the demo.").expect("the demo's page ends before its last line");
    let [script] = blocks("bash")[..] else { unreachable!("one block of lines to try") };
    assert!(README.contains("./demo --dir /tmp/doorward-demo"));
    let script = script.replace("/tmp/doorward-demo", directory.path().to_str().unwrap());
    let output = Command::new("bash").arg("-c").arg(script).env("no_proxy", "127.0.0.1").env("LC_ALL", "C").output().unwrap();
    drop(demo);
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<&str> = printed.lines().map(str::trim).collect();
    assert_eq!(printed.get(..3), Some(&["42", "42", "14"][..]), "{printed:?}");
    assert!(printed.get(3).is_some_and(|line| line.contains("\"AccessDenied\"")), "{printed:?}");
}

#[test]
fn the_configuration_is_one() {
    let [config] = blocks("toml")[..] else { unreachable!("one configuration") };
    doorward::config::Config::parse("README.md", config, []).unwrap();
}

#[test]
fn the_policy_is_one() {
    let [policy] = blocks("json")[..] else { unreachable!("one policy") };
    let document = format!(r#"{{"schema":"doorward.snapshot/1","revision":1,"issuedAt":"2026-01-01T00:00:00Z","policies":[{policy}]}}"#);
    assert_eq!(doorward::policy::load(document.as_bytes()).map(|policies| policies.policies().len()).unwrap(), 1);
}

#[test]
fn its_links_lead_somewhere_and_it_is_short() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let links = README.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    for link in links.filter(|link| !link.is_empty() && !link.starts_with("http")) {
        assert!(root.join(link).exists(), "{link}");
    }
    assert!(README.lines().count() <= 150);
}
