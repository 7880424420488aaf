//! A revision as it is served: its bytes, plain and compressed, and what its answers say of it. All
//! who ask share the same bytes.

use super::negotiation::Coding;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use tokio::sync::OnceCell;

/// Quick, and within a few per cent of what more work would give.
const ZSTD_LEVEL: i32 = 3;
/// How many bytes of the digest stand in an `ETag`.
const DIGEST_BYTES: usize = 8;

/// A document that may be served.
pub(super) struct Served {
    /// Its revision.
    pub(super) revision: u64,
    /// The detached signature of the plain bytes.
    pub(super) signature: HeaderValue,
    /// The key that signed.
    pub(super) key: String,
    etag: String,
    plain: Bytes,
    zstd: Bytes,
    gzip: OnceCell<Bytes>,
}

impl Served {
    /// The document of that revision with its signature, compressed; it takes a while.
    ///
    /// # Errors
    /// When the signature is no header value, or the compression fails.
    pub(super) fn new(revision: u64, plain: Bytes, signature: &str, key: String) -> io::Result<Self> {
        let digest = Sha256::digest(&plain);
        let digest: String = digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let etag = format!("W/\"{revision}-{digest}\"");
        let signature = HeaderValue::try_from(signature).map_err(io::Error::other)?;
        let zstd = zstd::bulk::compress(&plain, ZSTD_LEVEL)?.into();
        Ok(Self { revision, signature, key, etag, plain, zstd, gzip: OnceCell::new() })
    }

    /// The same under another signature.
    pub(super) fn signed_anew(&self, signature: &str, key: String) -> io::Result<Self> {
        let signature = HeaderValue::try_from(signature).map_err(io::Error::other)?;
        let (etag, plain, zstd) = (self.etag.clone(), self.plain.clone(), self.zstd.clone());
        Ok(Self { revision: self.revision, signature, key, etag, plain, zstd, gzip: self.gzip.clone() })
    }

    /// Its `ETag`; weak, for it is the same whatever the coding.
    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    /// The bytes without coding.
    pub(super) fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The bytes in that coding; gzip is made when somebody asks for it first.
    ///
    /// # Errors
    /// When the compression fails.
    pub(super) async fn bytes(&self, coding: Coding) -> io::Result<Bytes> {
        match coding {
            Coding::Identity => Ok(self.plain.clone()),
            Coding::Zstd => Ok(self.zstd.clone()),
            Coding::Gzip => self.gzip.get_or_try_init(|| gzip(self.plain.clone())).await.cloned(),
        }
    }
}

async fn gzip(plain: Bytes) -> io::Result<Bytes> {
    let compress = move || {
        let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
        encoder.write_all(&plain)?;
        encoder.finish().map(Bytes::from)
    };
    tokio::task::spawn_blocking(compress).await.map_err(io::Error::other)?
}
