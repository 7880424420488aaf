//! The target and the framing of a request on its way through hyper. Framing is never copied: hyper
//! writes it anew from the body.

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Uri, Version};
use std::borrow::Cow;

/// The request target as it came. Over HTTP/1.1 anything but origin form keeps its form, so that
/// `authorize` sees, and refuses, what the client wrote (threats §2).
pub(super) fn target(uri: &Uri, version: Version) -> Cow<'_, str> {
    let is_origin_form = uri.scheme().is_none() && uri.authority().is_none();
    match uri.path_and_query() {
        Some(path) if is_origin_form || version == Version::HTTP_2 && is_http(uri) => Cow::Borrowed(path.as_str()),
        _ => Cow::Owned(uri.to_string()),
    }
}

fn is_http(uri: &Uri) -> bool {
    uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)
}

/// The same target towards the upstream: what was authorized, byte for byte.
pub(super) fn upstream_uri(received: &Uri, authorized: &str) -> Option<Uri> {
    let path = match received.path_and_query() {
        Some(path) if path.as_str() == authorized => path.clone(),
        _ => PathAndQuery::try_from(authorized).ok()?,
    };
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

/// The client's name for the host, from its `Host` or its HTTP/2 authority.
pub(super) fn host(headers: &HeaderMap, uri: &Uri) -> Option<HeaderValue> {
    headers.get(HOST).cloned().or_else(|| HeaderValue::try_from(uri.authority()?.as_str()).ok())
}

/// Says how a body without a known length, or an empty one where one is usual, is framed.
/// Left alone, hyper would drop a GET's body of unknown length, and say nothing of a POST's absence.
pub(super) fn frame_request(headers: &mut HeaderMap, method: &Method, is_empty: bool, length: Option<u64>) {
    if is_empty {
        if *method == Method::POST || *method == Method::PUT || *method == Method::PATCH {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    } else if length.is_none() {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(uri: &str, version: Version) -> String {
        target(&uri.parse().unwrap(), version).into_owned()
    }

    #[test]
    fn a_target_keeps_the_form_it_came_in() {
        for written in ["/a?b=c", "/", "*", "b", "http://x/y?z", "//x/y", "/a%2fb"] {
            assert_eq!(target_of(written, Version::HTTP_11), written);
        }
        assert_eq!(target_of("https://host/a?b", Version::HTTP_2), "/a?b");
        assert_eq!(target_of("ftp://host/a?b", Version::HTTP_2), "ftp://host/a?b");
    }
}
