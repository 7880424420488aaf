//! `doorward demo`: everything in one process on loopback, with data and lines to try.

use anyhow::Result;
use std::io::stdout;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where `demo.json` and the gateway's files are written; without it, a directory that goes with the demo.
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    // Only what goes wrong: the page is what the terminal is for. A second call, as in tests, changes nothing.
    let _ = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_writer(std::io::stderr).with_target(false).try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let until = super::serve::told_to_stop()?;
        crate::demo::run(arguments.dir.as_deref(), &mut stdout(), until).await?;
        Ok(ExitCode::SUCCESS)
    })
}
