//! `doorward test`: case files through the real pipeline.

use crate::cases::{CaseFile, Outcome, run as run_file};
use crate::policy::OneLine;
use anyhow::{Result, anyhow};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Prints one JSON object a case.
    #[arg(long)]
    json: bool,
    /// Case files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    super::input::require_one_standard_input(arguments.files.iter().map(|path| ("a case file", path.as_path())))?;
    let mut out = std::io::stdout().lock();
    let (mut passed, mut failed) = (0_u64, 0_u64);
    for path in &arguments.files {
        let outcomes = match read(path) {
            Ok(file) => run_file(&file).outcomes,
            Err(message) => vec![Outcome { name: "the file can be read".to_owned(), mismatches: vec![message] }],
        };
        for outcome in &outcomes {
            let is_passed = outcome.mismatches.is_empty();
            *(if is_passed { &mut passed } else { &mut failed }) += 1;
            print(&mut out, arguments.json, path, outcome)?;
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> Result<CaseFile, String> {
    if path.as_os_str() != "-" {
        return CaseFile::read(path).map_err(|error| error.to_string());
    }
    let bytes = super::input::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|error| anyhow!(error).to_string())?;
    CaseFile::parse(&text, Path::new("."))
}

fn print(out: &mut impl Write, as_json: bool, path: &Path, outcome: &Outcome) -> std::io::Result<()> {
    if as_json {
        let line = json!({"file": path.display().to_string(), "case": outcome.name, "passed": outcome.mismatches.is_empty(), "mismatches": outcome.mismatches});
        return writeln!(out, "{line}");
    }
    if outcome.mismatches.is_empty() {
        return Ok(());
    }
    writeln!(out, "FAILED {}: {}: {}", path.display(), OneLine(&outcome.name), OneLine(&outcome.mismatches.join("; ")))
}
