//! `doorward check`: everything that is wrong with a configuration, its API maps and its snapshot.

use super::{checked_files, input};
use crate::api_map::ApiMap;
use crate::cases::read_yaml;
use crate::config::{Config, process_environment};
use crate::gateway::{faults, unavailable};
use crate::policy::OneLine;
use crate::snapshot::Snapshot;
use crate::sources::SnapshotOrigin;
use anyhow::Result;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration.
    #[arg(long)]
    config: PathBuf,
}

/// What was found: problems make the check fail, remarks do not.
#[derive(Default)]
struct Report {
    problems: Vec<String>,
    remarks: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut report = Report::default();
    let (config, problems) = Config::look_at(&arguments.config, process_environment());
    report.problems.extend(problems.iter().map(ToString::to_string));
    // A key that was not understood has its default, which is nobody's mistake.
    let is_understood = |section: &str| !problems.iter().any(|problem| problem.path.starts_with(section));
    if let Some(config) = config {
        check(&config, &arguments.config, &is_understood, &mut report);
    }
    let mut out = std::io::stdout().lock();
    let mut errors = std::io::stderr().lock();
    for problem in &report.problems {
        writeln!(errors, "error: {}", OneLine(problem))?;
    }
    for remark in &report.remarks {
        writeln!(out, "warning: {}", OneLine(remark))?;
    }
    writeln!(out, "{} errors, {} warnings", report.problems.len(), report.remarks.len())?;
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(config: &Config, file: &Path, is_understood: &dyn Fn(&str) -> bool, report: &mut Report) {
    // The configuration of a control plane alone needs nothing that doors need.
    let has_door = !config.proxy.listen.is_empty() || config.envoy.is_some() || config.forward_auth.is_some();
    let is_understood =
        |section: &str| is_understood(section) && (has_door || config.control.is_none() || !(section.starts_with("api") || section.starts_with("snapshot")));
    let missing = config.missing_files().into_iter().filter(|problem| is_understood(problem.path.split('[').next().unwrap_or_default()));
    report.problems.extend(missing.map(|problem| problem.to_string()));
    report.problems.extend(unavailable(config).map(|what| format!("{}: {what} is not available in this version; remove it", file.display())));
    let faults = faults(config);
    report.problems.extend(faults.errors.iter().map(ToString::to_string));
    report.remarks.extend(faults.warnings);
    report.problems.extend(checked_files::key_sets(config));
    let map = if is_understood("api.maps") { check_maps(config, report) } else { None };
    let snapshot = if is_understood("snapshot.source") { check_snapshot(config, report) } else { None };
    if let Some(candidate) = config.shadow.as_ref().and_then(|shadow| shadow.snapshot.as_ref()) {
        check_origin("shadow.snapshot", candidate, report);
    }
    if let Some(map) = map {
        let place = |finding: crate::api_map::Finding| format!("{}: {}", finding.place, finding.message);
        report.remarks.extend(map.findings().into_iter().map(place));
        if let (Some(snapshot), SnapshotOrigin::File(path)) = (snapshot, &config.snapshot.source) {
            let findings = map.policy_findings(&snapshot.policies).into_iter().map(place);
            report.remarks.extend(findings.map(|finding| format!("snapshot.source: {}: {finding}", path.display())));
        }
    }
}

fn check_maps(config: &Config, report: &mut Report) -> Option<ApiMap> {
    let before = report.problems.len();
    let mut documents = Vec::new();
    for path in &config.api.maps {
        let name = path.display().to_string();
        // A file that is not there was reported with its key.
        let Ok(bytes) = input::read(path) else { continue };
        match read_yaml(&String::from_utf8_lossy(&bytes)) {
            Ok(value) => documents.push((name, value)),
            Err(error) => report.problems.push(format!("{name}: {error}")),
        }
    }
    match ApiMap::load(&documents) {
        Ok(map) if report.problems.len() == before => Some(map),
        Ok(_) => None,
        Err(problems) => {
            report.problems.extend(problems.iter().map(ToString::to_string));
            None
        }
    }
}

fn check_snapshot(config: &Config, report: &mut Report) -> Option<Snapshot> {
    let snapshot = check_origin("snapshot.source", &config.snapshot.source, report);
    report.problems.extend(checked_files::signature(config, snapshot.as_ref().map(|(_, bytes)| bytes.as_slice())));
    snapshot.map(|(snapshot, _)| snapshot)
}

fn check_origin(key: &str, origin: &SnapshotOrigin, report: &mut Report) -> Option<(Snapshot, Vec<u8>)> {
    match origin {
        SnapshotOrigin::File(path) => checked_files::snapshot(key, path).map_err(|problems| report.problems.extend(problems)).ok(),
        SnapshotOrigin::Http(_) => {
            report.remarks.push(format!("{key}: comes over HTTP and is checked when it is loaded"));
            None
        }
    }
}
