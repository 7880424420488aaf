//! What the original call was, as the asking proxy says it: method and target, and its head without
//! what proxies add. Whatever could be read in two ways is refused (threats §3).

use crate::authorize::{Refusal, RefusalName, is_lookalike};
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");

/// What asking proxies say of their own client; no part of the call.
const OF_PROXIES: [HeaderName; 9] = [
    FORWARDED_HOST,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-real-ip"),
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
];

/// A call that somebody else carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Original {
    /// The method's exact bytes.
    pub(super) method: String,
    /// The target's exact bytes.
    pub(super) target: String,
    /// The headers that the client sent.
    pub(super) headers: HeaderMap,
}

impl Original {
    /// Reads the call from the headers of Traefik and Caddy, or of nginx.
    ///
    /// # Errors
    /// 400 unless method and target are said once, or twice alike, and no header is a lookalike.
    pub(super) fn of_headers(mut headers: HeaderMap) -> Result<Self, Refusal> {
        let forwarded = pair(&mut headers, &FORWARDED_METHOD, &FORWARDED_URI)?;
        let original = pair(&mut headers, &ORIGINAL_METHOD, &ORIGINAL_URI)?;
        let (method, target) = match (forwarded, original) {
            (Some(one), Some(other)) if one != other => return Err(refuse("the headers of two kinds of proxies differ")),
            (Some(said), _) | (None, Some(said)) => said,
            (None, None) => return Err(refuse("no header says what the call was")),
        };
        if let Some(host) = taken(&mut headers, &FORWARDED_HOST)? {
            headers.insert(HOST, host);
        }
        Ok(Self { method, target, headers: of_client(headers)? })
    }

    /// Takes the call from the request itself, as Envoy asks: its target behind a prefix.
    ///
    /// # Errors
    /// 400 when a header is a lookalike.
    pub(super) fn of_path(method: &str, target: &str, headers: HeaderMap) -> Result<Self, Refusal> {
        Ok(Self { method: method.to_owned(), target: target.to_owned(), headers: of_client(headers)? })
    }
}

type Said = Option<(String, String)>;

/// Method and target by one kind of proxy, or nothing of both.
fn pair(headers: &mut HeaderMap, method: &HeaderName, target: &HeaderName) -> Result<Said, Refusal> {
    match (taken(headers, method)?, taken(headers, target)?) {
        (Some(method), Some(target)) => Ok(Some((text(&method)?, text(&target)?))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(refuse(format!("`{method}` without `{target}`"))),
        (None, Some(_)) => Err(refuse(format!("`{target}` without `{method}`"))),
    }
}

/// Takes out a header that stands at most once and is not empty.
fn taken(headers: &mut HeaderMap, name: &HeaderName) -> Result<Option<HeaderValue>, Refusal> {
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(refuse(format!("`{name}` occurs twice")));
    }
    match headers.remove(name) {
        Some(value) if value.is_empty() => Err(refuse(format!("`{name}` is empty"))),
        value => Ok(value),
    }
}

fn text(value: &HeaderValue) -> Result<String, Refusal> {
    value.to_str().map(str::to_owned).map_err(|_| refuse("the original method or target is not plain text"))
}

/// What is left when everything is gone that the asking proxy says in its own name.
fn of_client(mut headers: HeaderMap) -> Result<HeaderMap, Refusal> {
    for name in &OF_PROXIES {
        headers.remove(name);
    }
    // This door removes nothing from the call: what an upstream could take for ours stays out.
    match headers.keys().find(|name| is_lookalike(name.as_str())) {
        Some(name) => Err(refuse(format!("the header `{name}` could be taken for one of a proxy"))),
        None => Ok(headers),
    }
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request is not acceptable.", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    const TRAEFIK: [(&str, &str); 2] = [("x-forwarded-method", "GET"), ("x-forwarded-uri", "/a?b=%2F")];
    const NGINX: [(&str, &str); 2] = [("x-original-method", "GET"), ("x-original-uri", "/a?b=%2F")];

    fn reason(lines: &[(&'static str, &'static str)]) -> String {
        let refusal = Original::of_headers(headers(lines)).unwrap_err();
        assert_eq!(refusal.name, RefusalName::InvalidRequest);
        refusal.reason
    }

    #[test]
    fn the_call_is_what_a_proxy_says_it_is() {
        for said in [TRAEFIK, NGINX] {
            let read = Original::of_headers(headers(&said)).unwrap();
            assert_eq!((&*read.method, &*read.target, read.headers.len()), ("GET", "/a?b=%2F", 0));
        }
        assert!(Original::of_headers(headers(&[TRAEFIK, NGINX].concat())).is_ok());
    }

    #[test]
    fn the_call_said_twice_differently_is_refused() {
        let other = [("x-original-method", "GET"), ("x-original-uri", "/b")];
        assert_eq!(reason(&[TRAEFIK, other].concat()), "the headers of two kinds of proxies differ");
        let other = [("x-original-method", "PUT"), ("x-original-uri", "/a?b=%2F")];
        assert_eq!(reason(&[TRAEFIK, other].concat()), "the headers of two kinds of proxies differ");
    }

    #[test]
    fn the_call_said_incompletely_is_refused() {
        assert_eq!(reason(&[]), "no header says what the call was");
        assert_eq!(reason(&TRAEFIK[..1]), "`x-forwarded-method` without `x-forwarded-uri`");
        assert_eq!(reason(&NGINX[1..]), "`x-original-uri` without `x-original-method`");
        assert_eq!(reason(&[TRAEFIK[0], NGINX[0], NGINX[1]]), "`x-forwarded-method` without `x-forwarded-uri`");
        assert_eq!(reason(&[TRAEFIK[0], ("x-forwarded-uri", "")]), "`x-forwarded-uri` is empty");
        assert_eq!(reason(&[("x-original-method", ""), NGINX[1]]), "`x-original-method` is empty");
    }

    #[test]
    fn a_header_of_the_proxy_that_stands_twice_is_refused() {
        for name in ["x-forwarded-method", "x-forwarded-uri", "x-forwarded-host"] {
            let lines = [&TRAEFIK[..], &[(name, "GET"), (name, "GET")]].concat();
            assert_eq!(reason(&lines), format!("`{name}` occurs twice"));
        }
        assert_eq!(reason(&[&NGINX[..], &NGINX[1..]].concat()), "`x-original-uri` occurs twice");
    }

    #[test]
    fn what_a_proxy_says_of_its_client_is_no_part_of_the_call() {
        let added = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-real-ip", "1.2.3.4"), ("content-length", "0"), ("host", "doorward")];
        let read = Original::of_headers(headers(&[&TRAEFIK[..], &added, &[("x-forwarded-host", "api.example"), ("x-team", "eq")]].concat())).unwrap();
        let mut left: Vec<_> = read.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(left, [("host", "api.example"), ("x-team", "eq")]);
    }

    #[test]
    fn a_lookalike_is_refused() {
        let names =
            ["doorward-user", "doorward_user", "x_forwarded_for", "x-forwarded.host", "forwarded", "x-http-method-override", "x-original-url", "x-rewrite-url"];
        for name in names {
            assert!(reason(&[&TRAEFIK[..], &[(name, "1")]].concat()).contains(name), "{name}");
        }
        for name in ["x-forwarded-uri", "x-original-uri", "x-forwarded-method", "doorward-roles"] {
            assert!(Original::of_path("GET", "/a", headers(&[(name, "/b")])).is_err(), "{name}");
        }
    }
}
