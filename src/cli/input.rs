//! What commands read: files, or `-` for standard input.

use crate::api_map::ApiMap;
use crate::cases::read_yaml;

use crate::snapshot::Snapshot;
use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use std::io::Read;
use std::path::Path;

/// Standard input was named for more than one thing; there is one, and who reads second finds nothing.
#[derive(Debug, thiserror::Error)]
#[error("standard input can be only one thing, and is named for {0}")]
pub(super) struct NamedTwice(String);

/// # Errors
/// If more than one of these, each with what it is called, is standard input.
pub(super) fn require_one_standard_input<'a>(named: impl IntoIterator<Item = (&'a str, &'a Path)>) -> Result<(), NamedTwice> {
    let taken: Vec<&str> = named.into_iter().filter(|(_, path)| path.as_os_str() == "-").map(|(name, _)| name).collect();
    if taken.len() > 1 { Err(NamedTwice(taken.join(" and "))) } else { Ok(()) }
}

/// Where what a command always reads from standard input comes from.
pub(super) fn standard_input() -> &'static Path {
    Path::new("-")
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("standard input")?;
        return Ok(bytes);
    }
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// Reads a snapshot; every problem is a line of the error.
pub(super) fn read_snapshot(path: &Path) -> Result<Snapshot> {
    Snapshot::load(&read(path)?, Timestamp::UNIX_EPOCH).map_err(|problems| anyhow!(lines(path, &problems)))
}

/// Reads an API map; every problem is a line of the error.
pub(super) fn read_map(path: &Path) -> Result<ApiMap> {
    let text = String::from_utf8(read(path)?).with_context(|| path.display().to_string())?;
    let value = read_yaml(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    ApiMap::load(&[(path.display().to_string(), value)]).map_err(|problems| anyhow!(join(problems.iter())))
}

/// Reads the time of a command from its argument.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is no date such as `2026-11-21T12:00:00Z`"))
}

/// The time of a command: as given, or the clock's.
pub(super) fn time_or_clock(now: Option<Timestamp>) -> Timestamp {
    now.unwrap_or_else(crate::observe::clock::now)
}

fn lines<T: std::fmt::Display>(path: &Path, problems: &[T]) -> String {
    join(problems.iter().map(|problem| format!("{}: {problem}", path.display())))
}

fn join<T: std::fmt::Display>(problems: impl Iterator<Item = T>) -> String {
    problems.map(|problem| problem.to_string()).collect::<Vec<_>>().join("\n")
}
