//! Headers that make a request ambiguous are refused before anything else is looked at
//! (threats §1, §3). Pure: it sees the head, never the wire.

use super::call::Call;
use super::charset;
use super::refusal::{Refusal, RefusalName};
use super::spellings::{self, Form};
use crate::policy::Policies;
use core::net::Ipv6Addr;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};

/// What a `Connection` header may name (threats §3).
const HOP_BY_HOP: &[&str] = &["keep-alive", "close", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings", "proxy-connection"];

/// Checks the head of a call.
///
/// # Errors
/// 400 for a head that could be read in two ways, 431 for one with too many headers.
pub(super) fn check(call: &Call<'_>, policies: &Policies, header_count: usize) -> Result<(), Refusal> {
    let headers = call.headers;
    if headers.len() > header_count {
        let detail = "The request has more headers than this service accepts.";
        return Err(Refusal::new(RefusalName::HeadTooLarge, detail, format!("{} headers, limit {header_count}", headers.len())));
    }
    check_host(call)?;
    check_connection(headers)?;
    check_length(headers)?;
    check_values(headers)?;
    if occurs_twice(headers, AUTHORIZATION.as_str()) {
        return Err(refuse("two authorization headers".to_owned()));
    }
    // A header on which a policy depends must say one thing (semantics §6).
    for name in policies.headers_named() {
        if occurs_twice(headers, name) {
            return Err(refuse(format!("the header `{name}`, which a policy names, occurs twice")));
        }
        spellings::check_header(headers, name)?;
    }
    Ok(())
}

/// Checks how a body that is to be inspected says it is to be read: a coding or a charset that is undone
/// only behind us would make another text of it there.
///
/// # Errors
/// 400 for a body that is encoded or not in UTF-8.
pub(super) fn check_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(refuse_body("it is encoded".to_owned()));
    }
    match charset::foreign(headers) {
        Some(charset) => Err(refuse_body(format!("its charset is `{charset}`"))),
        None => Ok(()),
    }
}

/// Checks that an inspected body says nothing else to who believes its type: a JSON text may be a form with
/// fields of its own. Other types read a JSON text as what it is, or not at all.
///
/// # Errors
/// 400 for a form with fields.
pub(super) fn check_type(headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let has_fields = |content_type: &&HeaderValue| match spellings::form(content_type) {
        None => false,
        Some(Form::Fields) => body.iter().any(|byte| b"=&;".contains(byte)),
        Some(Form::Parts) => true,
    };
    match headers.get_all(CONTENT_TYPE).iter().find(has_fields) {
        Some(form) => Err(refuse_body(format!("it is {form:?}, and read so it has fields of its own"))),
        None => Ok(()),
    }
}

fn check_host(call: &Call<'_>) -> Result<(), Refusal> {
    let mut hosts = call.headers.get_all(HOST).iter();
    let host = match (hosts.next(), call.authority) {
        (Some(host), _) => host.as_bytes(),
        (None, Some(authority)) => authority.as_bytes(),
        (None, None) => return Err(refuse("no host".to_owned())),
    };
    if hosts.next().is_some() {
        return Err(refuse("two host headers".to_owned()));
    }
    if !is_host(host) {
        return Err(refuse("the host is empty or no host".to_owned()));
    }
    match call.authority {
        Some(authority) if !authority.as_bytes().eq_ignore_ascii_case(host) => Err(refuse("the host differs from the authority".to_owned())),
        _ => Ok(()),
    }
}

/// Whether this is a name or an address with or without a port (RFC 9110 §7.2), written in the bytes that
/// names are made of.
fn is_host(host: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(host) else { return false };
    let (is_named, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, port) = text.split_at(end);
            (is_name(name), port)
        }
    };
    is_named && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn is_name(name: &str) -> bool {
    let escapes = name.split('%').skip(1);
    let are_whole = escapes.into_iter().all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    !name.is_empty() && are_whole && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
}

/// A port may be left out behind its colon.
fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok())
}

fn check_connection(headers: &HeaderMap) -> Result<(), Refusal> {
    for value in headers.get_all(CONNECTION) {
        let text = value.to_str().map_err(|_| refuse("the connection header is not text".to_owned()))?;
        let odd = text.split(',').map(str::trim).find(|name| !name.is_empty() && !HOP_BY_HOP.iter().any(|known| known.eq_ignore_ascii_case(name)));
        if let Some(odd) = odd {
            return Err(refuse(format!("the connection header names `{odd}`")));
        }
    }
    Ok(())
}

/// A length is plain digits, once, and no coding but chunked is undone: whoever reads the framing
/// otherwise finds the end elsewhere.
fn check_length(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if lengths.next().is_some_and(|length| !is_plain_length(length)) || lengths.next().is_some() {
        return Err(refuse("the content-length is not one plain number".to_owned()));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) || codings.next().is_some() {
        return Err(refuse("the transfer-encoding is not chunked alone".to_owned()));
    }
    Ok(())
}

/// Whether this is a length as everybody writes it: digits, none of them a leading zero.
#[must_use]
pub fn is_plain_length(length: &HeaderValue) -> bool {
    matches!(length.as_bytes(), [_] | [b'1'..=b'9', ..]) && length.as_bytes().iter().all(u8::is_ascii_digit)
}

/// HTTP/1.1 cuts the blanks around a value off, HTTP/2 has none there: a value with them is another on
/// the other side (RFC 9113 §8.2.1).
fn check_values(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_padded = |value: &HeaderValue| matches!(value.as_bytes(), [b' ' | b'\t', ..] | [.., b' ' | b'\t']);
    match headers.iter().find(|(_, value)| is_padded(value)) {
        Some((name, _)) => Err(refuse(format!("the value of `{name}` begins or ends with a blank"))),
        None => Ok(()),
    }
}

fn occurs_twice(headers: &HeaderMap, name: &str) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

fn refuse_body(reason: String) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request body is not what this operation takes.", format!("request body: {reason}"))
}

fn refuse(reason: String) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request head is not acceptable.", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for host in ["a", "api.example", "a:80", "a:", "a:65535", "a_b", "127.0.0.1:8080", "[::1]", "[::1]:80", "a%20b", "A~"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let odd = [
            "",
            ":",
            ":80",
            "a:x",
            "a:99999",
            "a:80:80",
            "a:+1",
            "a:-1",
            "a: 1",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:x",
            "[]",
            "[a]",
            "[::1%25eth0]",
            "a]",
            "a[",
            "a/b",
            "a@b",
            "a,b",
            "a b",
            "a%",
            "a%2",
            "a%zz",
            "a\u{e9}",
        ];
        for host in odd {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_length_is_written_in_one_way() {
        let is_plain = |text: &str| is_plain_length(&HeaderValue::try_from(text).unwrap());
        for text in ["0", "1", "10", "18446744073709551615"] {
            assert!(is_plain(text), "{text}");
        }
        for text in ["", "00", "010", "+1", "1,1", " 1", "1 ", "0x1", "-1", "a"] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
