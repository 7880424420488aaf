//! What goes on the wire everywhere: times, ids that the server makes, links, list envelopes.

use aws_lc_rs::rand::fill;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;
use utoipa::ToSchema;

/// What a never-ending `when` says.
pub(super) const END_OF_TIME: &str = "9999-12-31T23:59:59.9999999+00:00";

/// The id of one request: its decision id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(pub(super) String);

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A link of a resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Link {
    /// What it leads to.
    pub(super) relation: String,
    /// Where.
    pub(super) href: String,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) description: Option<String>,
    /// By which method.
    pub(super) method: String,
}

/// `ResourceListOf…`: the envelope of a page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceList<T: ToSchema> {
    /// The rows of this page.
    pub(super) values: Vec<T>,
    /// The request's own address.
    pub(super) href: String,
    /// Empty.
    pub(super) links: Vec<Link>,
    /// The token of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) next_page: Option<String>,
    /// The token of the page before, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) previous_page: Option<String>,
}

impl<T: ToSchema> ResourceList<T> {
    /// All there is, on one page.
    pub(super) fn whole(values: Vec<T>, href: String) -> Self {
        Self { values, href, links: Vec::new(), next_page: None, previous_page: None }
    }
}

/// A time as LUSID writes it: `2026-11-21T12:00:00.0000000+00:00`.
#[must_use]
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let (whole, fraction) = text.trim_end_matches('Z').split_once('.').unwrap_or((text.trim_end_matches('Z'), ""));
    let seven: String = fraction.chars().chain(std::iter::repeat('0')).take(7).collect();
    format!("{whole}.{seven}+00:00")
}

/// For `#[serde(serialize_with)]`.
pub(super) fn write_time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time(*at))
}

/// The same for a time that may be absent; such members are skipped, so it is always there.
#[expect(clippy::ref_option, reason = "the shape that serde calls")]
pub(super) fn write_optional_time<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => write_time(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// Random bytes of the operating system's quality.
///
/// # Errors
/// When the system has no randomness to give; nothing secret may be made then.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// The system has no randomness to give.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random source failed")]
pub(super) struct NoRandomness;

/// An id as the server makes them: the prefix and 17 letters and digits.
///
/// # Errors
/// Without randomness.
pub(super) fn new_id(prefix: &str) -> Result<String, NoRandomness> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let bytes = random::<32>()?;
    // Bytes from 248 on would favour some letters; 32 random bytes hold 17 below it but for once in 10²⁰.
    let letters = bytes.iter().filter(|byte| **byte < 248).filter_map(|byte| LETTERS.get(usize::from(*byte % 62)));
    Ok(prefix.chars().chain(letters.take(17).map(|letter| char::from(*letter))).collect())
}

/// Bytes as hexadecimal digits.
#[must_use]
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_seven_digits_and_an_offset() {
        assert_eq!(time("2026-11-21T12:00:00Z".parse().unwrap()), "2026-11-21T12:00:00.0000000+00:00");
        assert_eq!(time("2026-11-21T12:00:00.123456789Z".parse().unwrap()), "2026-11-21T12:00:00.1234567+00:00");
    }

    #[test]
    fn ids_have_a_prefix_and_seventeen_letters_and_differ() {
        let (one, other) = (new_id("00u").unwrap(), new_id("00u").unwrap());
        assert_eq!((one.len(), one.get(..3)), (20, Some("00u")));
        assert!(one.chars().all(|letter| letter.is_ascii_alphanumeric()));
        assert_ne!(one, other);
    }
}
