//! Certificates that are renewed on disk are shown from the next connection on. Files that cannot be
//! used change nothing: the former ones stay.

use crate::config::Tls;
use crate::door::{ServerTls, TlsError};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Looks at the files for ever.
pub(super) async fn keep_fresh(tls: ServerTls, paths: Tls) {
    let mut shown = written(&paths).await;
    loop {
        tokio::time::sleep(LOOK).await;
        let on_disk = written(&paths).await;
        if on_disk == shown {
            continue;
        }
        // Not remembered before it is shown: a pair that is half written is read again.
        match replace(&tls, &paths).await {
            Ok(()) => {
                shown = on_disk;
                tracing::info!("the new certificate is shown");
            }
            Err(error) => tracing::warn!(%error, "the new certificate cannot be used, the former one stays"),
        }
    }
}

async fn replace(tls: &ServerTls, paths: &Tls) -> Result<(), CertificateError> {
    let (certificate, key) = (tokio::fs::read(&paths.certificate).await?, tokio::fs::read(&paths.key).await?);
    let client_ca = match &paths.client_ca {
        Some(path) => Some(tokio::fs::read(path).await?),
        None => None,
    };
    tls.replace(&certificate, &key, client_ca.as_deref())?;
    Ok(())
}

/// Why new files are not shown.
#[derive(Debug, thiserror::Error)]
enum CertificateError {
    #[error("it cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

type Written = [Option<SystemTime>; 3];

async fn written(paths: &Tls) -> Written {
    let client_ca = match &paths.client_ca {
        Some(path) => modified(path).await,
        None => None,
    };
    [modified(&paths.certificate).await, modified(&paths.key).await, client_ca]
}

async fn modified(path: &Path) -> Option<SystemTime> {
    tokio::fs::metadata(path).await.and_then(|file| file.modified()).ok()
}
