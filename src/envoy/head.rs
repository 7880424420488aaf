//! The head of a request, or of an answer, as Envoy shows it. Bytes are kept as they are; a head that
//! says two things, or leaves out what every head has, is refused.

use crate::authorize::{Refusal, RefusalName, is_plain_length};
use crate::door::framing::check_size;
use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::HeaderValue as EnvoyHeader;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// What frames a message or belongs to one connection: Envoy writes it anew.
pub(super) const OF_ENVOY: [HeaderName; 6] =
    [CONNECTION, HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection"), TE, TRANSFER_ENCODING, UPGRADE];

/// A header as Envoy shows it: its value is a text, or bytes, never both.
pub(super) struct Shown {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    pub(super) raw_value: Bytes,
}

impl From<EnvoyHeader> for Shown {
    fn from(header: EnvoyHeader) -> Self {
        Self { key: header.key.into(), value: header.value.into(), raw_value: header.raw_value.into() }
    }
}

/// A request's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    /// The whole target, with its query.
    pub(super) target: String,
    pub(super) authority: String,
    pub(super) headers: HeaderMap,
}

/// What stands in the pseudo-headers.
#[derive(Default)]
struct Pseudo {
    method: Option<String>,
    path: Option<String>,
    authority: Option<String>,
    scheme: Option<String>,
    status: Option<String>,
}

/// What Envoy says of a request beside its headers.
pub(super) struct Attributes {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) host: String,
}

impl Head {
    /// A request's head from its headers alone.
    ///
    /// # Errors
    /// A head that is refused.
    pub(super) fn of_request(shown: Vec<EnvoyHeader>) -> Result<Self, Refusal> {
        let (pseudo, headers) = read(shown)?;
        let missing = |name: &str| refused(format!("the head has no `{name}`"));
        if pseudo.status.is_some() {
            return Err(refused("a request with a status"));
        }
        Ok(Self {
            method: pseudo.method.ok_or_else(|| missing(":method"))?,
            target: pseudo.path.ok_or_else(|| missing(":path"))?,
            authority: pseudo.authority.ok_or_else(|| missing(":authority"))?,
            headers,
        })
    }

    /// A request's head from its attributes and its headers, which must not say otherwise.
    ///
    /// # Errors
    /// A head that is refused.
    pub(super) fn of_attributes(attributes: Attributes, shown: Vec<impl Into<Shown>>) -> Result<Self, Refusal> {
        let (pseudo, headers) = read(shown)?;
        let pairs = [(&pseudo.method, &attributes.method), (&pseudo.path, &attributes.path), (&pseudo.authority, &attributes.host)];
        if pairs.iter().any(|(pseudo, attribute)| pseudo.as_ref().is_some_and(|pseudo| pseudo != *attribute)) || pseudo.status.is_some() {
            return Err(refused("the headers and the attributes of the request differ"));
        }
        let Attributes { method, path: target, host: authority } = attributes;
        if method.is_empty() || target.is_empty() {
            return Err(refused("the request has no method or no path"));
        }
        Ok(Self { method, target, authority, headers })
    }
}

impl Head {
    /// Checks what a head of HTTP/1.1 could be read by in two ways, and its size.
    ///
    /// # Errors
    /// 400 for a length that is not written as lengths are, or twice (threats §1); 431 for a head over `limit` bytes.
    pub(super) fn check(&self, limit: usize) -> Result<(), Refusal> {
        let mut lengths = self.headers.get_all(CONTENT_LENGTH).iter();
        if !lengths.next().is_none_or(is_plain_length) || lengths.next().is_some() {
            return Err(refused("the content-length is no plain number"));
        }
        check_size(self.method.len() + self.target.len() + self.authority.len(), &self.headers, limit)
    }
}

/// The head of an answer.
///
/// # Errors
/// A head that is refused.
pub(super) fn of_answer(shown: Vec<EnvoyHeader>) -> Result<(StatusCode, HeaderMap), Refusal> {
    let (pseudo, headers) = read(shown)?;
    if pseudo.method.is_some() || pseudo.path.is_some() {
        return Err(refused("an answer with a method or a path"));
    }
    let status = pseudo.status.and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
    Ok((status.ok_or_else(|| refused("the answer has no status"))?, headers))
}

fn read(shown: Vec<impl Into<Shown>>) -> Result<(Pseudo, HeaderMap), Refusal> {
    let mut pseudo = Pseudo::default();
    let mut headers = HeaderMap::with_capacity(shown.len());
    for header in shown {
        let Shown { key, value, raw_value } = header.into();
        let value = match (value.is_empty(), raw_value.is_empty()) {
            (_, true) => value,
            (true, false) => raw_value,
            (false, false) => return Err(refused(format!("the header `{}` has two values in one", key.escape_ascii()))),
        };
        if key.starts_with(b":") {
            pseudo.take(&key, &value)?;
        } else {
            append(&mut headers, &key, value)?;
        }
    }
    Ok((pseudo, headers))
}

impl Pseudo {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let odd = |what: &str| refused(format!("the pseudo-header `{}` {what}", name.escape_ascii()));
        let place = match name {
            b":method" => &mut self.method,
            b":path" => &mut self.path,
            b":authority" => &mut self.authority,
            b":scheme" => &mut self.scheme,
            b":status" => &mut self.status,
            _ => return Err(odd("is none")),
        };
        if place.is_some() {
            return Err(odd("occurs twice"));
        }
        *place = Some(std::str::from_utf8(value).map_err(|_| odd("is not text"))?.to_owned());
        Ok(())
    }
}

/// Envoy may have joined two `Authorization` headers with a comma, which no bearer credential holds:
/// they are two again.
fn append(headers: &mut HeaderMap, name: &[u8], value: Bytes) -> Result<(), Refusal> {
    let odd = || refused("a header that no request may have");
    let name = HeaderName::from_bytes(name).map_err(|_| odd())?;
    if name == AUTHORIZATION && value.contains(&b',') {
        for part in value.split(|byte| *byte == b',') {
            headers.append(name.clone(), HeaderValue::from_bytes(part.trim_ascii()).map_err(|_| odd())?);
        }
        return Ok(());
    }
    headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| odd())?);
    Ok(())
}

/// A head that is refused for this reason.
pub(super) fn refused(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request head is not acceptable.", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(headers: &[(&str, &str)]) -> Vec<EnvoyHeader> {
        headers.iter().map(|(key, value)| EnvoyHeader { key: (*key).to_owned(), value: String::new(), raw_value: value.as_bytes().to_vec() }).collect()
    }

    const PLAIN: [(&str, &str); 3] = [(":method", "GET"), (":path", "/a?b"), (":authority", "api.example")];

    fn with(more: &[(&str, &str)]) -> Vec<EnvoyHeader> {
        shown(&[&PLAIN[..], more].concat())
    }

    #[test]
    fn a_plain_head_is_taken_as_it_is() {
        let head = Head::of_request(with(&[("x-a", "1"), ("x-a", "2")])).unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str(), head.authority.as_str()), ("GET", "/a?b", "api.example"));
        assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn a_value_that_is_not_utf_8_keeps_its_bytes() {
        let mut shown = with(&[]);
        shown.push(EnvoyHeader { key: "x-a".to_owned(), value: String::new(), raw_value: vec![0xff, b'a'] });
        assert_eq!(Head::of_request(shown).unwrap().headers["x-a"].as_bytes(), [0xff, b'a']);
    }

    #[test]
    fn a_head_that_lacks_what_every_head_has_is_refused() {
        for (place, (name, _)) in PLAIN.iter().enumerate() {
            let mut shown = with(&[]);
            shown.remove(place);
            assert!(Head::of_request(shown).is_err(), "{name}");
        }
    }

    #[test]
    fn a_head_that_says_two_things_is_refused() {
        for twice in PLAIN {
            assert!(Head::of_request(with(&[twice])).is_err(), "{}", twice.0);
        }
        let mut shown = with(&[]);
        shown.push(EnvoyHeader { key: "x-a".to_owned(), value: "1".to_owned(), raw_value: b"2".to_vec() });
        assert!(Head::of_request(shown).is_err());
    }

    #[test]
    fn odd_headers_are_refused() {
        for odd in [(":protocol", "websocket"), (":status", "200"), ("x a", "1"), ("", "1"), ("x-a", "1\r\nx-b: 2"), ("x-a", "\0")] {
            assert!(Head::of_request(with(&[odd])).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn authorizations_that_envoy_joined_are_two() {
        let head = Head::of_request(with(&[("authorization", "Bearer a,Bearer b")])).unwrap();
        let values: Vec<_> = head.headers.get_all("authorization").iter().collect();
        assert_eq!(values, ["Bearer a", "Bearer b"]);
    }

    #[test]
    fn headers_and_attributes_must_agree() {
        let attributes = || Attributes { method: "GET".to_owned(), path: "/a?b".to_owned(), host: "api.example".to_owned() };
        assert!(Head::of_attributes(attributes(), with(&[])).is_ok());
        assert!(Head::of_attributes(attributes(), shown(&[])).is_ok());
        for odd in [(":method", "POST"), (":path", "/b"), (":authority", "other.example")] {
            assert!(Head::of_attributes(attributes(), shown(&[odd])).is_err(), "{odd:?}");
        }
        assert!(Head::of_attributes(Attributes { path: String::new(), ..attributes() }, shown(&[])).is_err());
        assert!(Head::of_attributes(Attributes { method: String::new(), ..attributes() }, shown(&[])).is_err());
    }

    #[test]
    fn a_length_is_written_once_and_plainly() {
        let check = |lengths: &[&str]| Head::of_request(with(&lengths.iter().map(|text| ("content-length", *text)).collect::<Vec<_>>())).unwrap().check(1000);
        assert!([&[][..], &["0"], &["10"]].iter().all(|lengths| check(lengths).is_ok()));
        for odd in [&["010"][..], &["00"], &["+1"], &["-1"], &["1, 1"], &["1", "1"], &[""], &["0x1"], &[" 1"]] {
            assert_eq!(check(odd).unwrap_err().name, RefusalName::InvalidRequest, "{odd:?}");
        }
    }

    #[test]
    fn a_long_head_is_431() {
        let (short, long) = ("a".repeat(900), "a".repeat(990));
        let name = |value: &str| Head::of_request(with(&[("x-long", value)])).unwrap().check(1000).map_err(|refusal| refusal.name);
        assert_eq!((name(&short), name(&long)), (Ok(()), Err(RefusalName::HeadTooLarge)));
    }

    #[test]
    fn an_answer_has_one_status_and_no_path() {
        assert_eq!(of_answer(shown(&[(":status", "204"), ("x-a", "1")])).unwrap().0, StatusCode::NO_CONTENT);
        for odd in [&[("x-a", "1")][..], &[(":status", "2000")], &[(":status", "200"), (":status", "200")], &[(":status", "200"), (":path", "/")]] {
            assert!(of_answer(shown(odd)).is_err(), "{odd:?}");
        }
    }
}
