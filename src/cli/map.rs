//! `doorward map`: API maps.

use crate::api_map::openapi::import;
use crate::cases::read_yaml;
use anyhow::{Context, Result, anyhow};
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Writes an API map skeleton from an OpenAPI 3 document, every operation refused until bound.
    Import(Import),
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The OpenAPI document, JSON or YAML.
    openapi: PathBuf,
    /// The application, which is the scope of every feature.
    #[arg(long, default_value = "LUSID")]
    application: String,
    /// The name that a tag has in feature codes, as `Tag=name`; may be given several times.
    #[arg(long, value_parser = controller)]
    controller: Vec<(String, String)>,
}

fn controller(text: &str) -> Result<(String, String), String> {
    let (tag, name) = text.split_once('=').ok_or("write it as Tag=name")?;
    Ok((tag.to_owned(), name.to_owned()))
}

pub(super) fn run(command: &Command) -> Result<ExitCode> {
    let Command::Import(arguments) = command;
    let text = String::from_utf8(super::input::read(&arguments.openapi)?).with_context(|| arguments.openapi.display().to_string())?;
    let place = arguments.openapi.display();
    let document = read_yaml(&text).map_err(|error| anyhow!("{place}: {error}"))?;
    let controllers: HashMap<String, String> = arguments.controller.iter().cloned().collect();
    let skeleton = import(&document, &arguments.application, &controllers).map_err(|error| anyhow!("{place}: {error}"))?;
    std::io::stdout().lock().write_all(skeleton.yaml.as_bytes())?;
    let mut errors = std::io::stderr().lock();
    for note in &skeleton.notes {
        writeln!(errors, "{place}: {note}")?;
    }
    writeln!(errors, "{place}: {} operations, each refused until someone binds it; {} notes", skeleton.operations, skeleton.notes.len())?;
    Ok(ExitCode::SUCCESS)
}
