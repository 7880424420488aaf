//! What the start would stumble over in the files of a configuration, found before: nothing is bound,
//! written or fetched.

use super::certificates::Certificates;
use super::hand_over::require_no_other;
use super::{GatewayError, settings};
use crate::config::{Config, Sink};
use crate::observe::DecisionLogError;
use rustix::fs::{Access, access};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// What was found.
#[derive(Debug, Default)]
pub struct Faults {
    /// What ends the start; files that are not there are not among them, see `Config::missing_files`.
    pub errors: Vec<GatewayError>,
    /// What does not, each with its key.
    pub warnings: Vec<String>,
}

/// Looks at the files that the doors, their log and the hand-over are made of, as the start does.
#[must_use]
pub fn faults(config: &Config) -> Faults {
    let mut faults = Faults::default();
    faults.look_at_certificates(config);
    faults.errors.extend(settings::require_authority(&config.proxy).err());
    for sink in &config.decisions.sinks {
        if let Sink::File(path) = sink {
            let unusable = |source| GatewayError::Log(DecisionLogError::Open { path: path.clone(), source });
            faults.errors.extend(require_appendable(path).err().map(unusable));
        }
    }
    if let Some(path) = &config.process.hand_over {
        let unusable = |source| GatewayError::HandOver { path: path.clone(), source };
        faults.errors.extend(require_no_other(path).err().map(unusable));
    }
    let is_missing = |error: &GatewayError| matches!(error, GatewayError::File { source, .. } if source.kind() == ErrorKind::NotFound);
    faults.errors.retain(|error| !is_missing(error));
    faults
}

impl Faults {
    fn look_at_certificates(&mut self, config: &Config) {
        let Some(paths) = &config.proxy.tls else { return };
        match Certificates::load(paths) {
            Ok(certificates) => self.warnings.extend(certificates.valid.err().map(|error| error.to_string())),
            Err(error) => self.errors.push(error),
        }
    }
}

/// Whether the file could be appended to, or made; it is not.
fn require_appendable(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Error::from(ErrorKind::IsADirectory)),
        Ok(_) => Ok(access(path, Access::WRITE_OK)?),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Err(_) => Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?),
    }
}
