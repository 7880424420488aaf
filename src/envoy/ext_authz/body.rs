//! The request's body as Envoy sent it along: whole, or refused. Envoy sends none if it was not told
//! to, and cuts a long one if it was allowed to; neither is ever taken for the body.

use crate::authorize::Refusal;
use crate::envoy::head::refused;
use crate::envoy::refuse::cannot;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header by which Envoy says whether the body beside it is a part.
pub(super) const PARTIAL_BODY: HeaderName = HeaderName::from_static("x-envoy-auth-partial-body");

/// A body and what is known of it.
pub(super) struct Body {
    pub(super) raw: Bytes,
    pub(super) text: Bytes,
    /// Of the whole body in bytes, as far as it had come; negative where unknown.
    pub(super) size: i64,
    pub(super) is_http1: bool,
    /// Every value of the header above: the last is Envoy's, if it sent a body; the others are not.
    pub(super) partial: Vec<HeaderValue>,
}

impl Body {
    /// The whole body, of at most `limit` bytes.
    ///
    /// # Errors
    /// A body that is too long, or that Envoy may not have sent in full.
    pub(super) fn whole(&self, headers: &HeaderMap, limit: usize) -> Result<&Bytes, Refusal> {
        let bytes = self.bytes()?;
        if bytes.len() > limit || self.is_partial(bytes) {
            return Err(Refusal::body_too_large(limit));
        }
        let length = declared_length(headers)?;
        if bytes.is_empty() {
            let is_told = length == Some(0) || (length.is_none() && self.is_http1 && !headers.contains_key(TRANSFER_ENCODING));
            return if is_told { Ok(bytes) } else { Err(cannot("the body is to be inspected, and Envoy did not send it")) };
        }
        match length {
            Some(length) if length != bytes.len() as u64 => Err(Refusal::body_too_large(limit)),
            _ if self.partial.last().is_none_or(|value| value != "false") => Err(cannot("Envoy did not say that the body is whole")),
            _ => Ok(bytes),
        }
    }

    fn is_partial(&self, bytes: &[u8]) -> bool {
        self.partial.iter().any(|value| value != "false") || u64::try_from(self.size).is_ok_and(|size| size > bytes.len() as u64)
    }

    /// Of a body as text Envoy has put `!` where it was no UTF-8, so a text without any is exact.
    fn bytes(&self) -> Result<&Bytes, Refusal> {
        match (self.raw.is_empty(), self.text.is_empty()) {
            (false, false) => Err(refused("the check has two bodies")),
            (true, false) if self.text.contains(&b'!') => Err(cannot("Envoy sent the body as text, set `pack_as_bytes`")),
            (true, false) => Ok(&self.text),
            (_, true) => Ok(&self.raw),
        }
    }
}

fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            text.and_then(|text| text.parse().ok()).map(Some).ok_or_else(|| refused("the content-length is no number"))
        }
        _ => Err(refused("two content-lengths")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::RefusalName;

    const LIMIT: usize = 10;

    fn body(raw: &[u8], partial: &[&'static str]) -> Body {
        let partial = partial.iter().map(|value| HeaderValue::from_static(value)).collect();
        Body { raw: Bytes::copy_from_slice(raw), text: Bytes::new(), size: raw.len() as i64, is_http1: true, partial }
    }

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn refusal(body: &Body, said: &[(&'static str, &'static str)]) -> Option<RefusalName> {
        body.whole(&headers(said), LIMIT).err().map(|refusal| refusal.name)
    }

    #[test]
    fn a_whole_body_is_taken() {
        assert_eq!(body(b"{}", &["false"]).whole(&headers(&[("content-length", "2")]), LIMIT).unwrap(), "{}");
        assert_eq!(body(b"{}", &["false"]).whole(&headers(&[]), LIMIT).unwrap(), "{}");
        let text = Body { text: Bytes::from_static(b"{}"), ..body(b"", &["false"]) };
        assert_eq!(text.whole(&headers(&[]), LIMIT).unwrap(), "{}");
    }

    #[test]
    fn a_part_of_a_body_is_refused() {
        let large = Some(RefusalName::BodyTooLarge);
        assert_eq!(refusal(&body(b"{}", &["true"]), &[]), large);
        assert_eq!(refusal(&body(b"{}", &["true", "false"]), &[]), large);
        assert_eq!(refusal(&body(b"{}", &["false"]), &[("content-length", "3")]), large);
        assert_eq!(refusal(&Body { size: 3, ..body(b"{}", &["false"]) }, &[]), large);
        assert_eq!(refusal(&body(b"12345678901", &["false"]), &[]), large);
    }

    #[test]
    fn a_body_that_envoy_did_not_send_is_refused() {
        let denied = Some(RefusalName::AccessDenied);
        assert_eq!(refusal(&body(b"{}", &[]), &[]), denied);
        assert_eq!(refusal(&body(b"", &["false"]), &[("content-length", "3")]), denied);
        assert_eq!(refusal(&body(b"", &["false"]), &[("transfer-encoding", "chunked")]), denied);
        assert_eq!(refusal(&Body { is_http1: false, ..body(b"", &["false"]) }, &[]), denied);
        assert_eq!(refusal(&Body { text: Bytes::from_static(b"!"), ..body(b"", &["false"]) }, &[]), denied);
    }

    #[test]
    fn a_request_that_plainly_has_no_body_has_an_empty_one() {
        assert_eq!(refusal(&body(b"", &[]), &[]), None);
        assert_eq!(refusal(&Body { is_http1: false, ..body(b"", &[]) }, &[("content-length", "0")]), None);
    }

    #[test]
    fn two_bodies_and_odd_lengths_are_refused() {
        let invalid = Some(RefusalName::InvalidRequest);
        assert_eq!(refusal(&Body { text: Bytes::from_static(b"{}"), ..body(b"{}", &["false"]) }, &[]), invalid);
        assert_eq!(refusal(&body(b"{}", &["false"]), &[("content-length", "+2")]), invalid);
        assert_eq!(refusal(&body(b"{}", &["false"]), &[("content-length", "2"), ("content-length", "2")]), invalid);
    }
}
