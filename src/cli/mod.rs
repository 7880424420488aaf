//! The command line: one file per command. Arguments in, exit code out; errors go to standard error,
//! one per line.

mod check;
mod checked_files;
mod control;
mod demo;
mod diff;
mod explain;
mod filter;
mod input;
mod map;
mod offline;
mod recorded;
mod serve;
mod test;
mod token;

use crate::policy::OneLine;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// A reverse-proxy authorization sidecar for JSON APIs.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the data plane: the proxy and its admin listener, each where its `listen` is set.
    Serve(serve::Arguments),
    /// Runs the control plane: the Identity and Access APIs, tokens, the snapshot, the console.
    Control(control::Arguments),
    /// Takes the users, roles and policies of a snapshot document over into the control plane's store.
    Import(control::ImportArguments),
    /// Copies the control plane's store, which may be in use, into a new file.
    Backup(control::BackupArguments),
    /// Makes a link by which a user sets a password; for a control plane that is stopped.
    SetupLink(control::SetupLinkArguments),
    /// Runs everything in one process on loopback, with seeded data and a small LUSID-like upstream.
    Demo(demo::Arguments),
    /// Validates configuration, API maps and snapshot, and prints all problems with their place.
    Check(check::Arguments),
    /// Runs case files through the real pipeline without sockets.
    Test(test::Arguments),
    /// Says the verdict on a call and why, or what is recorded of a decision.
    Explain(Box<explain::Arguments>),
    /// Filters an answer on standard input as a user would see it.
    Filter(filter::Arguments),
    /// Verifies tokens on standard input, one a line.
    Token(token::Arguments),
    /// Works on API maps.
    #[command(subcommand)]
    Map(map::Command),
    /// Says which users gain or lose what between two snapshots.
    Diff(diff::Arguments),
    /// Asks a running gateway whether it is ready; for container health checks.
    Health(serve::HealthArguments),
}

/// An error with its causes, those that it does not tell itself.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

/// Runs a command; its errors are printed, one per line.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Control(arguments) => control::run(&arguments),
        Command::Import(arguments) => control::import(&arguments),
        Command::Backup(arguments) => control::backup(&arguments),
        Command::SetupLink(arguments) => control::setup_link(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Filter(arguments) => filter::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Map(command) => map::run(&command),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Health(arguments) => serve::health(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to be told when standard error is gone.
            let mut errors = std::io::stderr();
            for line in told(&error).lines() {
                let _ = writeln!(errors, "{}", OneLine(line));
            }
            // As arguments that cannot be used.
            if error.is::<input::NamedTwice>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::told;
    use anyhow::Context;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let error = Err::<(), _>(std::io::Error::other("it is full")).context("`a`: it is full").context("cannot write").unwrap_err();
        assert_eq!(told(&error), "cannot write: `a`: it is full");
    }
}
