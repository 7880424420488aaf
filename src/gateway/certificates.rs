//! The certificates that the proxy shows. Those that are renewed on disk are shown from the next
//! connection on; it is the content of the files that counts, for a renewal may keep their times. Files
//! that cannot be used, a pair that has expired among them, change nothing: the former ones stay, and
//! that is said once for each content.

use super::GatewayError;
use crate::config::Tls;
use crate::door::{ServerTls, TlsError, require_valid};
use crate::observe::clock;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// No file of certificates is larger.
const LARGEST: u64 = 1 << 20;

/// What the files hold, as far as it is remembered: there is a private key among them.
type Content = [u8; 32];

/// The files as they were read.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// A file that could not be read.
type Unread = (PathBuf, Error);

impl Files {
    fn read(paths: &Tls) -> Result<Self, Unread> {
        let client_ca = paths.client_ca.as_deref().map(read).transpose()?;
        Ok(Self { certificate: read(&paths.certificate)?, key: read(&paths.key)?, client_ca })
    }

    fn content(&self) -> Content {
        let parts = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let of_parts = parts.map(|part| part.map(|part| <Content>::from(Sha256::digest(part))).unwrap_or_default());
        Sha256::digest(of_parts.concat()).into()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Unread> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut content));
    match read {
        Ok(length) if length as u64 > LARGEST => Err((path.to_owned(), Error::new(ErrorKind::FileTooLarge, "it is too large for certificates"))),
        Ok(_) => Ok(content),
        Err(error) => Err((path.to_owned(), error)),
    }
}

/// Certificates in use, and what is on disk since.
pub(super) struct Certificates {
    /// What the doors show.
    pub(super) shown: ServerTls,
    /// Whether that is valid at the start; it is shown all the same, for there is no better.
    pub(super) valid: Result<(), GatewayError>,
    paths: Tls,
    content: Content,
    /// What was found instead and could not be used.
    refused: Option<Content>,
}

impl Certificates {
    /// Those that the gateway starts with.
    pub(super) fn load(paths: &Tls) -> Result<Self, GatewayError> {
        let files = Files::read(paths).map_err(|(path, source)| GatewayError::File { path, source })?;
        let shown = ServerTls::from_pem(&files.certificate, &files.key, files.client_ca.as_deref()).map_err(|error| of_file(paths, error))?;
        let valid = require_valid(&files.certificate, clock::now()).map_err(|error| of_file(paths, error));
        Ok(Self { shown, valid, paths: paths.clone(), content: files.content(), refused: None })
    }

    /// Looks at the files for ever.
    pub(super) async fn keep_fresh(mut self) {
        if let Err(error) = &self.valid {
            tracing::warn!(%error, "it is shown all the same, for there is no other");
        }
        loop {
            tokio::time::sleep(LOOK).await;
            let paths = self.paths.clone();
            if let Ok(found) = tokio::task::spawn_blocking(move || Files::read(&paths)).await {
                self.look_at(found);
            }
        }
    }

    fn look_at(&mut self, found: Result<Files, Unread>) {
        let (content, error) = match found {
            Ok(files) if files.content() == self.content => return self.refused = None,
            // Tried again at every look: it may be a pair whose time has yet to come.
            Ok(files) => (files.content(), self.replace(&files).err().map(|error| of_file(&self.paths, error).to_string())),
            Err((path, error)) => {
                let error = format!("`{}`: {error}", path.display());
                (Sha256::digest(&error).into(), Some(error))
            }
        };
        let Some(error) = error else {
            tracing::info!("the new certificate is shown");
            (self.content, self.refused) = (content, None);
            return;
        };
        if self.refused.replace(content) != Some(content) {
            tracing::warn!(%error, "the new certificate cannot be used, the former one stays");
        }
    }

    fn replace(&self, files: &Files) -> Result<(), TlsError> {
        self.shown.replace(&files.certificate, &files.key, files.client_ca.as_deref(), clock::now())
    }
}

/// The error with the file that it is about.
fn of_file(paths: &Tls, source: TlsError) -> GatewayError {
    let (key, path) = match &source {
        TlsError::Key => ("proxy.tls.key", &paths.key),
        TlsError::Authority(_) => ("proxy.tls.client_ca", paths.client_ca.as_ref().unwrap_or(&paths.certificate)),
        _ => ("proxy.tls.certificate", &paths.certificate),
    };
    GatewayError::Certificates { key, path: path.clone(), source }
}
