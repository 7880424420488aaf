//! The values that keys take: addresses, durations, origins.

use super::reader::Section;
use crate::http_client::is_askable;
use crate::sources::SnapshotOrigin;
use http::Uri;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A number and a unit: `500ms`, `10s`, `5m`, `24h`, `7d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => number,
        "m" => number.checked_mul(60)?,
        "h" => number.checked_mul(3600)?,
        "d" => number.checked_mul(86_400)?,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

pub(super) fn duration_or(section: &Section<'_>, key: &str, default: &str) -> Duration {
    let read = section.parsed(key, "write a number with its unit, such as \"500ms\", \"10s\", \"5m\" or \"24h\"", duration);
    read.or_else(|| duration(default)).unwrap_or_default()
}

/// As [`duration_or`], but nothing is not enough.
pub(super) fn some_duration_or(section: &Section<'_>, key: &str, default: &str) -> Duration {
    let read = duration_or(section, key, default);
    if read.is_zero() {
        section.problem(key, format!("must be longer than nothing, write \"{default}\" or the like"));
    }
    read
}

/// The addresses of a door; port 0 lets the system choose.
pub(super) fn listen(section: &Section<'_>, default: &str) -> Vec<SocketAddr> {
    let parse = |text: &str| text.parse().ok();
    let remedy = "write an IP address with a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"";
    section.list("listen", remedy, parse).unwrap_or_else(|| default.parse().into_iter().collect())
}

/// An http or https URL.
pub(super) fn url(text: &str) -> Option<Uri> {
    text.parse().ok().filter(is_askable)
}

/// A URL of nothing but a host: what is asked there is the request's own target.
pub(super) fn host_url(text: &str) -> Option<Uri> {
    url(text).filter(|url| url.path() == "/" && url.query().is_none() && !text.contains('#'))
}

/// A request target in origin form.
pub(super) fn request_target(text: &str) -> Option<Box<str>> {
    let is_plain = text.starts_with('/') && text.bytes().all(|byte| (0x21..=0x7E).contains(&byte) && byte != b'#');
    is_plain.then(|| text.into())
}

/// `file:PATH`, or an http or https URL.
pub(super) fn snapshot_origin(text: &str) -> Option<SnapshotOrigin> {
    match text.strip_prefix("file:") {
        Some(path) => file_path(path).map(SnapshotOrigin::File),
        None => url(text).map(SnapshotOrigin::Http),
    }
}

/// What follows `file:`: a path, or `//` and an absolute path.
pub(super) fn file_path(path: &str) -> Option<PathBuf> {
    let rest = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    self::path(rest)
}

/// A path that is not empty. A URL is none: it would be shown as it is wherever the file is missed.
pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty() && !text.contains("://")).then(|| text.into())
}

/// A network, or the network of a single address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A text that is not empty.
pub(super) fn some_text(text: &str) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}
