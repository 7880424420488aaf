//! The files that a configuration names, looked at before anything starts.

use super::{Config, Problem, VerifiedBy};
use crate::sources::{KeyOrigin, SnapshotOrigin};
use std::path::Path;

impl Config {
    /// One problem for every file that the data plane needs and that is not there. What may come later
    /// (a watched snapshot, the snapshot's cache) is not asked for, but its directory is.
    #[must_use]
    pub fn missing_files(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut require = |path: String, file: &Path, is_there: bool| {
            if !is_there {
                let message = format!("`{}` is not there, write the path of a file that is", file.display());
                problems.push(Problem { origin: self.file.clone(), path, message });
            }
        };
        for (index, map) in self.api.maps.iter().enumerate() {
            require(format!("api.maps[{index}]"), map, map.is_file() || map.as_os_str() == "-");
        }
        if let Some(tls) = &self.proxy.tls {
            require("proxy.tls.certificate".into(), &tls.certificate, tls.certificate.is_file());
            require("proxy.tls.key".into(), &tls.key, tls.key.is_file());
            tls.client_ca.iter().for_each(|file| require("proxy.tls.client_ca".into(), file, file.is_file()));
        }
        self.proxy.upstream_ca.iter().for_each(|file| require("proxy.upstream_ca".into(), file, file.is_file()));
        for (index, issuer) in self.issuers.iter().enumerate() {
            if let VerifiedBy::Keys(KeyOrigin::File(file)) = &issuer.verified_by {
                require(format!("issuers[{index}].jwks"), file, file.is_file());
            }
        }
        if let Some(KeyOrigin::File(file)) = &self.snapshot.public_keys {
            require("snapshot.public_keys".into(), file, file.is_file());
        }
        if let SnapshotOrigin::File(file) = &self.snapshot.source {
            require("snapshot.source".into(), file, has_directory(file));
        }
        self.snapshot.cache.iter().for_each(|file| require("snapshot.cache".into(), file, has_directory(file)));
        self.process.hand_over.iter().for_each(|file| require("process.hand_over".into(), file, has_directory(file)));
        problems
    }
}

fn has_directory(file: &Path) -> bool {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.is_dir(),
        _ => true,
    }
}
