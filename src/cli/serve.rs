//! `doorward serve`: the data plane; and `doorward health`, which asks it whether it is ready.

use crate::config::{Config, ServiceManager, process_environment};
use crate::gateway::Gateway;
use crate::http_client::without_userinfo;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration.
    #[arg(long)]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct HealthArguments {
    /// The address of the admin listener.
    #[arg(long, default_value = "127.0.0.1:9901")]
    address: String,
}

/// So long files that are still being read are waited for at the end.
const LAST_READS: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = Config::load(&arguments.config, process_environment())?;
    start_log();
    let manager = ServiceManager::of_this_process().context("the service manager's sockets cannot be used")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let (first, second) = told_twice()?;
        let mut first = pin!(first);
        // A task of its own: a file that hangs as it is read must not keep a signal from being heard.
        let mut start = tokio::spawn(Gateway::start_under(config, manager));
        let gateway = tokio::select! {
            started = &mut start => started??,
            () = &mut first => {
                start.abort();
                return Ok(ExitCode::SUCCESS);
            }
        };
        let line = serde_json::json!({ "listening": gateway.listening() });
        writeln!(std::io::stdout(), "{line}")?;
        gateway.run_until(first, second).await;
        Ok(ExitCode::SUCCESS)
    });
    // A read that hangs, of a mount that is gone for one, must not keep a process that is told to end.
    runtime.shutdown_timeout(LAST_READS);
    served
}

/// Ends at the first SIGTERM or SIGINT.
pub(super) fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let mut signals = Signals::new()?;
    Ok(async move { signals.next().await })
}

/// What ends at the first SIGTERM or SIGINT, and what ends at the second.
fn told_twice() -> Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    let mut signals = Signals::new()?;
    let (told, again) = tokio::sync::oneshot::channel();
    let first = async move {
        signals.next().await;
        let _ = told.send(signals);
    };
    let second = async move {
        match again.await {
            Ok(mut signals) => signals.next().await,
            // Whoever ends for another reason is not told twice.
            Err(_) => std::future::pending().await,
        }
    };
    Ok((first, second))
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What the sources and doors have to say goes to standard error; `RUST_LOG` chooses how much.
pub(super) fn start_log() {
    let filter = tracing_subscriber::EnvFilter::builder().with_default_directive(tracing::level_filters::LevelFilter::INFO.into()).from_env_lossy();
    // A second call, as in tests of the same process, changes nothing.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}

/// Exit 0 when `/readyz` answers 200.
pub(super) fn health(arguments: &HealthArguments) -> Result<ExitCode> {
    let address = without_userinfo(&arguments.address);
    let mut stream = TcpStream::connect(&arguments.address).with_context(|| format!("cannot reach the admin listener at `{address}`"))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("`{address}` did not answer"))?;
    if !answer.starts_with("HTTP/1.1 200") {
        bail!("not ready: {}", answer.lines().last().unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}
