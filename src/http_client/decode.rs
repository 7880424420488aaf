//! Content codings: gzip and zstd, one at a time, with a bound on what comes out.

use super::{Answer, HttpError};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use std::io::Read;

/// No zstd window is larger: 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The body of an answer without its content coding. It computes, so large bodies are decoded on a
/// thread that may block.
///
/// # Errors
/// When the coding is unknown or doubled, the body is not of it, or it decodes to more than `limit` bytes.
pub fn decoded(answer: &Answer, limit: usize) -> Result<Bytes, HttpError> {
    let mut codings = answer.headers.get_all(CONTENT_ENCODING).iter();
    let coding = codings.next().map_or("identity", |value| value.to_str().unwrap_or("unreadable"));
    if codings.next().is_some() {
        return Err(HttpError::Encoding("it has more than one `Content-Encoding`".into()));
    }
    let wrong = |error: std::io::Error| HttpError::Encoding(error.to_string());
    match coding.trim().to_ascii_lowercase().as_str() {
        "identity" | "" if answer.body.len() <= limit => Ok(answer.body.clone()),
        "identity" | "" => Err(HttpError::TooLarge(limit)),
        "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(&*answer.body), limit),
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&*answer.body).map_err(wrong)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(wrong)?;
            bounded(decoder, limit)
        }
        _ => Err(HttpError::Encoding("its `Content-Encoding` is not one that was asked for".into())),
    }
}

fn bounded(decoder: impl Read, limit: usize) -> Result<Bytes, HttpError> {
    let mut body = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(most).read_to_end(&mut body).map_err(|error| HttpError::Encoding(error.to_string()))?;
    if body.len() > limit {
        return Err(HttpError::TooLarge(limit));
    }
    Ok(body.into())
}
