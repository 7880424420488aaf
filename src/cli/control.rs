//! `doorward control`: the control plane; `doorward import`, which fills its store from a snapshot
//! document; `doorward backup`, which copies its store; and `doorward setup-link`, the way back in.

use super::input;
use super::serve::{start_log, told_to_stop};
use crate::config::{self, Config, process_environment};
use crate::control::Control;
use anyhow::{Context, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration.
    #[arg(long)]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportArguments {
    /// The configuration.
    #[arg(long)]
    config: PathBuf,
    /// The snapshot document; `-` is standard input.
    snapshot: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct BackupArguments {
    /// The configuration.
    #[arg(long)]
    config: PathBuf,
    /// The new file; it must not be there yet.
    to: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct SetupLinkArguments {
    /// The configuration.
    #[arg(long)]
    config: PathBuf,
    /// Whose password is to be set.
    login: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let section = section(&arguments.config)?;
    start_log();
    on_runtime(async {
        let control = Control::start(&section).await?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", serde_json::json!({ "listening": { "control": control.listening() } }))?;
        if let Some((link, ends)) = control.setup_link() {
            writeln!(out, "Set up the domain owner's account at {link} (until {ends})")?;
        }
        out.flush()?;
        control.run(told_to_stop()?).await;
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn import(arguments: &ImportArguments) -> Result<ExitCode> {
    let section = section(&arguments.config)?;
    let document = input::read(&arguments.snapshot)?;
    on_runtime(async {
        let revision = Control::import(&section, &document).await?;
        writeln!(std::io::stdout(), "taken over as revision {revision}")?;
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn backup(arguments: &BackupArguments) -> Result<ExitCode> {
    let section = section(&arguments.config)?;
    on_runtime(async {
        Control::backup(&section, &arguments.to).await?;
        writeln!(std::io::stdout(), "copied to {}", arguments.to.display())?;
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn setup_link(arguments: &SetupLinkArguments) -> Result<ExitCode> {
    let section = section(&arguments.config)?;
    on_runtime(async {
        let (link, ends) = Control::recover(&section, &arguments.login).await?;
        writeln!(std::io::stdout(), "Set the password of {} at {link} (until {ends})", arguments.login)?;
        Ok(ExitCode::SUCCESS)
    })
}

fn section(path: &Path) -> Result<config::Control> {
    let config = Config::load(path, process_environment())?;
    config.control.with_context(|| format!("{}: there is no [control] section; write one, even an empty one", path.display()))
}

fn on_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
