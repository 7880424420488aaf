//! Every conformance case through the real pipeline, with the answers cut in three ways.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use doorward::cases::{CaseFile, mismatches, run, run_case};
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folders = ["tests/cases/conformance", "tests/cases/own"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(root.join(folder)).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 50, "only {} case files", files.len());
    files
}

#[test]
fn every_case_comes_out_as_it_must() {
    let mut failures = Vec::new();
    for path in files() {
        let file = CaseFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
        for outcome in run(&file).outcomes.iter().filter(|outcome| !outcome.mismatches.is_empty()) {
            failures.push(format!("{}: {}: {}", path.display(), outcome.name, outcome.mismatches.join("; ")));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn what_comes_out_never_depends_on_how_the_answer_was_cut() {
    for path in files() {
        for case in CaseFile::read(&path).unwrap().cases {
            for cut in [1, 7] {
                let differences = mismatches(&case.expect, &run_case(&case, cut));
                assert!(differences.is_empty(), "{}: {}, cut at {cut}: {differences:?}", path.display(), case.name);
            }
        }
    }
}

#[test]
fn the_cases_are_those_of_the_specification_where_it_is_at_hand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(folder) = std::fs::read_dir(root.join("../shared/cases")) else { return };
    for entry in folder.map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        let own = root.join("tests/cases/conformance").join(entry.file_name());
        assert_eq!(std::fs::read(&own).ok(), std::fs::read(entry.path()).ok(), "{} differs; copy it again", own.display());
    }
}
