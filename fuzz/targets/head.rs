//! The heads of a request and of its answer. The input is lines: `METHOD TARGET`, then the request's
//! headers; behind an empty line the status of the answer, then its headers. `:authority: …` is the
//! authority of the target. What is admitted can be read in one way only, and what goes up and what
//! comes back carries nothing that it must not.

#![no_main]

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONNECTION, HOST, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use rooms::authorize::{Admission, Answer};
use rooms::calls::{self, Asked, DECISION, USER};
use rooms::token::{Bearer, bearer, bearer_bytes};

/// By which some frameworks take another method than the request line's.
const OVERRIDES: [&str; 4] = ["x-http-method-override", "x-method-override", "x-http-method", "x-original-method"];

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (method, target) = first.split_once(' ').unwrap_or(("GET", "/free"));
    let (headers, authority) = read_headers(lines.by_ref().take_while(|line| !line.is_empty()));
    check_bearer(&headers);
    let asked = Asked { method, target, headers: &headers, authority: authority.as_deref(), body: b"{}" };
    let Ok(admission) = calls::ask(calls::plain(), asked) else { return };
    check_head(&headers, authority.as_deref());
    check_request(&admission, &headers);
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok()).unwrap_or(StatusCode::OK);
    check_answer(admission, status, read_headers(lines).0);
});

fn read_headers<'l>(lines: impl Iterator<Item = &'l [u8]>) -> (HeaderMap, Option<String>) {
    let (mut headers, mut authority) = (HeaderMap::new(), None);
    for line in lines.take(200) {
        if let Some(text) = line.strip_prefix(b":authority: ") {
            authority = std::str::from_utf8(text).ok().map(str::to_owned);
        } else if let Some(at) = line.iter().position(|byte| *byte == b':') {
            let (name, value) = (&line[..at], line[at + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
    }
    (headers, authority)
}

/// A credential is one header, and every character of it is a token's.
fn check_bearer(headers: &HeaderMap) {
    let count = headers.get_all(AUTHORIZATION).iter().count();
    match bearer(headers) {
        Bearer::Missing => assert_eq!(count, 0),
        Bearer::Malformed => assert!(count > 0),
        Bearer::Token(token) => {
            assert_eq!(count, 1);
            assert_eq!(bearer_bytes(headers), Some(token.as_bytes()));
            assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)), "{token}");
            let whole = headers[AUTHORIZATION].to_str().expect("a token is text");
            assert!(whole.to_ascii_lowercase().starts_with("bearer ") && whole.ends_with(token));
        }
    }
}

/// Nothing of an admitted head can be read in two ways.
fn check_head(headers: &HeaderMap, authority: Option<&str>) {
    let hosts: Vec<_> = headers.get_all(HOST).iter().collect();
    let host = hosts.first().map(|host| host.as_bytes()).or(authority.map(str::as_bytes)).expect("a host");
    assert!(hosts.len() <= 1 && !host.is_empty());
    assert!(authority.is_none_or(|authority| authority.as_bytes().eq_ignore_ascii_case(host)));
    assert!(headers.len() <= 100);
    assert!(headers.get_all(AUTHORIZATION).iter().count() <= 1);
    assert!(headers.get_all("x-team").iter().count() <= 1, "a policy names it");
    for value in headers.get_all(CONNECTION) {
        let text = value.to_str().expect("a connection header is text").to_ascii_lowercase();
        assert!(!text.split(',').any(|name| name.trim().starts_with("doorward") || name.trim() == "authorization" || name.trim() == "host"), "{text}");
    }
}

/// What goes up carries our identity once, nothing that could be taken for it, and beside that only what came.
fn check_request(admission: &Admission, came: &HeaderMap) {
    let mut goes = came.clone();
    admission.edit_request(&mut goes);
    let decision = DECISION.to_string();
    for (name, value) in &goes {
        let folded = name.as_str().replace(['_', '.'], "-");
        assert!(!["te", "trailer", "transfer-encoding", "proxy-authorization", "keep-alive"].contains(&name.as_str()), "{name}");
        assert!(!folded.starts_with("x-forwarded-") && folded != "forwarded" && !OVERRIDES.contains(&folded.as_str()), "{name}");
        match (name.as_str(), folded.starts_with("doorward-")) {
            ("doorward-decision-id", _) => assert_eq!(value.as_bytes(), decision.as_bytes()),
            ("doorward-user", _) => assert_eq!(value, USER),
            ("doorward-roles", _) => assert_eq!(value, "default/reader"),
            (_, true) => panic!("{name} goes up"),
            ("accept-encoding", _) if admission.is_filtered() => assert_eq!(value, "identity"),
            ("range" | "if-range", _) => assert!(!admission.is_filtered()),
            ("if-none-match", _) if admission.is_filtered() => {}
            _ => assert!(came.get_all(name).iter().any(|own| own == value), "{name} is not what came"),
        }
    }
    assert!(["doorward-decision-id"].iter().all(|name| goes.get_all(*name).iter().count() == 1));
    if !admission.is_upgrade() {
        assert!(!goes.contains_key(CONNECTION) && !goes.contains_key("upgrade"));
    }
    let mut again = goes.clone();
    admission.edit_request(&mut again);
    assert!(admission.is_filtered() || again == goes, "what was edited stays as it is");
}

/// What comes back is for this caller alone, and says nothing of a body that the caller does not get.
fn check_answer(admission: Box<Admission>, status: StatusCode, mut headers: HeaderMap) {
    let (is_filtered, came) = (admission.is_filtered(), headers.clone());
    let answer = admission.answer(status, &mut headers);
    let private = headers[CACHE_CONTROL].to_str().expect("it is text").to_ascii_lowercase();
    assert!(private.split(',').any(|directive| directive.trim() == "private"));
    assert!(!private.split(',').any(|directive| matches!(directive.split('=').next().unwrap_or_default().trim(), "public" | "s-maxage")), "{private}");
    let varies = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().windows(13).any(|window| window == b"authorization");
    assert!(headers.get_all(VARY).iter().any(varies));
    assert_eq!(headers.get_all("doorward-decision-id").iter().count(), 1);
    assert!(!is_filtered || matches!(answer, Ok(Answer::Filter(_) | Answer::Empty) | Err(_)), "a filtered answer passes by");
    if is_filtered {
        for name in ["content-length", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges", "content-range", "last-modified", "link"] {
            assert!(!headers.contains_key(name), "{name} is said of a filtered answer");
        }
        assert!(answer.is_err() || !headers.contains_key("content-encoding"));
        assert!(headers.get_all("etag").iter().all(|tag| tag.as_bytes().starts_with(b"W/\"dw-")), "an upstream's own tag");
        assert!(status != StatusCode::PARTIAL_CONTENT || answer.is_err());
    }
    for (name, value) in headers.iter().filter(|(name, _)| !["cache-control", "vary", "etag", "doorward-decision-id"].contains(&name.as_str())) {
        assert!(came.get_all(name).iter().any(|own| own == value), "{name} is not what came");
    }
}
