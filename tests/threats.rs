//! The page of the ways around keeps what it says: every row names tests, and every test it names is
//! there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that meets the unexpected has failed")]

use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = include_str!("../docs/threats.md");

/// How many ways around each part of the page has at least: none of them is dropped unseen.
const ROWS: [usize; 6] = [6, 6, 5, 5, 10, 6];

/// The rows of every table of a page, part by part, each as its cells.
fn parts(page: &str) -> Vec<Vec<Vec<&str>>> {
    let mut parts: Vec<Vec<Vec<&str>>> = Vec::new();
    for line in page.lines() {
        if line.starts_with("## ") {
            parts.push(Vec::new());
        }
        let is_row = line.starts_with("| ") && !line.starts_with("| way around |");
        if let (true, Some(part)) = (is_row, parts.last_mut()) {
            part.push(line.trim_matches('|').split(" | ").map(str::trim).collect());
        }
    }
    parts
}

/// The texts in backticks of a cell.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What is wrong with a row, the tests that there are being these.
fn faults(row: &[&str], tests: &BTreeSet<String>) -> Vec<String> {
    let names = row.get(2).map(|cell| named(cell)).unwrap_or_default();
    let mut faults: Vec<_> = names.iter().filter(|name| !tests.contains(**name)).map(|name| format!("`{name}` is no test")).collect();
    if names.is_empty() {
        faults.push(format!("no test is named for: {}", row.first().unwrap_or(&"")));
    }
    faults
}

/// The names of the functions that a test attribute stands before, or that stand in a `proptest!`.
fn tests_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, behind)) = line.split_once("fn ").filter(|(before, _)| matches!(*before, "" | "async ")) {
            let name = behind.split(['(', '<']).next().unwrap_or_default();
            if std::mem::take(&mut is_test) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn add_tests(folder: &Path, tests: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_tests(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            tests.extend(tests_of(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_way_around_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    ["src", "tests"].iter().for_each(|folder| add_tests(&root.join(folder), &mut tests));
    let faults: Vec<_> = parts(PAGE).iter().flatten().flat_map(|row| faults(row, &tests)).collect();
    assert!(faults.is_empty(), "docs/threats.md:\n{}", faults.join("\n"));
}

#[test]
fn no_way_around_is_dropped() {
    let counts: Vec<_> = parts(PAGE).iter().map(Vec::len).collect();
    assert_eq!(counts.len(), ROWS.len());
    assert!(counts.iter().zip(ROWS).all(|(count, least)| *count >= least), "{counts:?}");
}

#[test]
fn a_row_without_a_test_and_a_test_that_is_not_there_are_caught() {
    let tests = BTreeSet::from(["a_guard_holds".to_owned()]);
    let page =
        "## 1. Part\n\n| way around | what we do | tests |\n|---|---|---|\n| `x` | refused | `a_guard_holds` |\n| y | refused | |\n| z | refused | `gone` |\n";
    let rows = &parts(page)[0];
    assert_eq!(rows.iter().map(|row| faults(row, &tests).len()).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(tests_of("#[test]\nfn a() {\n#[tokio::test]\nasync fn b() {\nfn no_test() {\n"), ["a", "b"]);
}
