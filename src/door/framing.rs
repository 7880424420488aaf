//! What belongs to one hop only, and what a door that carries calls says of itself towards the
//! upstream. Framing is never copied: the door's HTTP library writes it anew from the body.

use crate::authorize::{Refusal, RefusalName, nominated};
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::{Method, Version};
use std::net::IpAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// Headers that RFC 9110 §7.6.1 and custom keep on one connection.
static HOP_BY_HOP: [HeaderName; 10] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, PROXY_AUTHENTICATION_INFO, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// The client's end of a connection, as the upstream is told of it.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Its address.
    pub address: HeaderValue,
    /// `http` or `https`.
    pub scheme: HeaderValue,
}

impl Visitor {
    /// Who comes from this address.
    #[must_use]
    pub fn new(address: IpAddr, is_tls: bool) -> Self {
        // An address is always a valid value.
        let text = HeaderValue::try_from(address.to_canonical().to_string());
        Self {
            address: text.unwrap_or(HeaderValue::from_static("unknown")),
            scheme: HeaderValue::from_static(if is_tls { "https" } else { "http" }),
        }
    }
}

/// Checks how long a head is: its first line has these bytes without its blanks; of a header count name,
/// value, colon, blank and line end.
///
/// # Errors
/// 431 for a head over `limit` bytes (interfaces §6).
pub fn check_size(line_bytes: usize, headers: &HeaderMap, limit: usize) -> Result<(), Refusal> {
    let size = line_bytes + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum::<usize>();
    if size > limit {
        let detail = "The request has a longer head than this service accepts.";
        return Err(Refusal::new(RefusalName::HeadTooLarge, detail, format!("a head of {size} bytes, limit {limit}")));
    }
    Ok(())
}

/// Takes the framing of an upstream's answer for what it is: a transfer coding beats a length beside it
/// (RFC 9112 §6.3), which then says nothing of the body and goes.
///
/// # Errors
/// 502 for any coding but `chunked` alone: such a body can be passed on neither as it is nor undone.
pub fn settle_answer(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
        let reason = "the upstream's transfer-encoding is not chunked alone";
        return Err(Refusal::new(RefusalName::UpstreamUnavailable, "The upstream is not available.", reason));
    }
    headers.remove(CONTENT_LENGTH);
    Ok(())
}

/// Removes everything that ends at this hop, with what `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = nominated(headers).collect();
    let going: Vec<HeaderName> = headers.keys().filter(|name| HOP_BY_HOP.contains(name) || named.contains(name)).cloned().collect();
    for name in going {
        headers.remove(name);
    }
}

/// The request's wish for a WebSocket. No other protocol is changed to: by `h2c` whole calls would
/// pass that nobody judged.
#[must_use]
pub fn upgrade_asked(head: &Parts) -> Option<HeaderValue> {
    let headers = &head.headers;
    if head.version != Version::HTTP_11 || head.method != Method::GET {
        return None;
    }
    let is_named = nominated(headers).any(|name| name == UPGRADE);
    let mut protocols = headers.get_all(UPGRADE).iter();
    let protocol = protocols.next().filter(|protocol| is_named && is_web_socket(protocol))?;
    protocols.next().is_none().then(|| protocol.clone())
}

/// Whether an `Upgrade` names the WebSocket protocol and nothing else.
#[must_use]
pub fn is_web_socket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// Writes the door's own headers after `authorize` edited the rest: who asked, by which scheme and
/// name. Framing goes: it is written anew.
pub fn dress_request(headers: &mut HeaderMap, visitor: &Visitor, host: Option<HeaderValue>, upgrade: Option<HeaderValue>, version: Version) {
    remove_hop_by_hop(headers);
    headers.remove(CONTENT_LENGTH);
    headers.remove(EXPECT);
    headers.insert(FORWARDED_FOR, visitor.address.clone());
    headers.insert(FORWARDED_PROTO, visitor.scheme.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_frames_a_request_is_not_copied_and_who_sent_it_is_not_believed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-length", "2"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "forged"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let visitor = Visitor::new([192, 0, 2, 1].into(), false);
        dress_request(&mut headers, &visitor, None, None, Version::HTTP_11);
        let mut left: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(left, [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "http")]);
    }

    #[test]
    fn a_websocket_is_wished_for_by_a_get_of_http_1_1_that_says_so_once_and_nothing_else() {
        let asked = |method: Method, version: Version, lines: &[(&'static str, &'static str)]| {
            let (mut head, ()) = http::Request::builder().method(method).version(version).body(()).unwrap().into_parts();
            head.headers.extend(lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))));
            upgrade_asked(&head).is_some()
        };
        let (named, wish) = (("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"));
        assert!(asked(Method::GET, Version::HTTP_11, &[named, wish]));
        for (method, version) in
            [(Method::POST, Version::HTTP_11), (Method::HEAD, Version::HTTP_11), (Method::GET, Version::HTTP_10), (Method::GET, Version::HTTP_2)]
        {
            assert!(!asked(method.clone(), version, &[named, wish]), "{method} {version:?}");
        }
        for lines in [
            &[][..],
            &[named],
            &[wish],
            &[("connection", "keep-alive"), wish],
            &[named, wish, wish],
            &[named, ("upgrade", "websocket, h2c")],
            &[named, ("upgrade", "h2c")],
        ] {
            assert!(!asked(Method::GET, Version::HTTP_11, lines), "{lines:?}");
        }
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
