//! What belongs to one hop only, and the door's own headers towards the upstream. Framing is never
//! copied: hyper writes it anew from the body.

use super::call::Peer;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Uri, Version};
use std::borrow::Cow;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// Headers that RFC 9110 §7.6.1 and custom keep on one connection.
const HOP_BY_HOP: [HeaderName; 10] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, PROXY_AUTHENTICATION_INFO, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// The request target as it came. Over HTTP/1.1 anything but origin form keeps its form, so that
/// `authorize` sees, and refuses, what the client wrote (threats §2).
pub(super) fn target(uri: &Uri, version: Version) -> Cow<'_, str> {
    let is_origin_form = uri.scheme().is_none() && uri.authority().is_none();
    match uri.path_and_query() {
        Some(path) if is_origin_form || version == Version::HTTP_2 => Cow::Borrowed(path.as_str()),
        _ => Cow::Owned(uri.to_string()),
    }
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

/// Removes everything that ends at this hop, with what `Connection` names.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The request's wish for a WebSocket. No other protocol is changed to: by `h2c` whole calls would
/// pass that nobody judged.
pub(super) fn upgrade_asked(head: &Parts) -> Option<HeaderValue> {
    let headers = &head.headers;
    if head.version != Version::HTTP_11 || head.method != Method::GET {
        return None;
    }
    let is_named = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("upgrade"));
    let mut protocols = headers.get_all(UPGRADE).iter();
    let protocol = protocols.next().filter(|protocol| is_named && is_web_socket(protocol))?;
    protocols.next().is_none().then(|| protocol.clone())
}

/// Whether an `Upgrade` names the WebSocket protocol and nothing else.
pub(super) fn is_web_socket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// The client's name for the host, from its `Host` or its HTTP/2 authority.
pub(super) fn host(headers: &HeaderMap, uri: &Uri) -> Option<HeaderValue> {
    headers.get(HOST).cloned().or_else(|| HeaderValue::try_from(uri.authority()?.as_str()).ok())
}

/// Writes the door's own headers after `authorize` edited the rest: who asked, by which scheme and
/// name. Framing goes: hyper writes it anew.
pub(super) fn dress_request(headers: &mut HeaderMap, peer: &Peer, host: Option<HeaderValue>, upgrade: Option<HeaderValue>, version: Version) {
    remove_hop_by_hop(headers);
    headers.remove(CONTENT_LENGTH);
    headers.remove(EXPECT);
    headers.insert(FORWARDED_FOR, peer.address.clone());
    headers.insert(FORWARDED_PROTO, peer.scheme.clone());
    match host {
        Some(host) => headers.insert(FORWARDED_HOST, host),
        None => headers.remove(FORWARDED_HOST),
    };
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
    if version == Version::HTTP_2 {
        join_cookies(headers);
    }
}

/// HTTP/2 may split `Cookie`; towards HTTP/1.1 it is one header again (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice())) {
            headers.insert(COOKIE, cookie);
        }
    }
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
    }

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("connection", "close, X-Private"), ("x-private", "1"), ("te", "trailers"), ("x-kept", "2")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }

    #[test]
    fn cookies_of_http2_are_one_header_again() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        join_cookies(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
