//! An answer on its way to a caller who may see the scope `US` and the properties `P/ok/…`. The input is
//! `STATUS PATH CODING CHARSET`, and behind that line the body as the upstream encoded it. Whatever the
//! caller gets holds nothing else, is JSON, and does not depend on how it was cut.

#![no_main]

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use rooms::authorize::{Answer, Stop};
use rooms::calls::{self, Asked};
use rooms::filtering::pieces;
use rooms::json;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let line = String::from_utf8_lossy(&input[..at]).into_owned();
    let body = input.get(at + 1..).unwrap_or_default();
    let words: Vec<_> = line.split(' ').collect();
    let word = |place: usize| words.get(place).copied().unwrap_or_default();
    let status = StatusCode::from_bytes(word(0).as_bytes()).unwrap_or(StatusCode::OK);
    let path = if word(1).starts_with("/api/portfolios") { word(1) } else { "/api/portfolios" };
    let whole = filtered(status, path, &words, std::iter::once(body));
    for most in [1, 7] {
        let cut = filtered(status, path, &words, pieces(body, word(0).len() as u8, most).into_iter());
        assert_eq!(whole, cut, "in pieces of up to {most}");
    }
    if let Some(Ok(shown)) = whole {
        check(status, path, &shown);
    }
});

/// What the caller gets: `None` when the call was not admitted or its answer passes, an error when the answer was refused.
fn filtered<'p>(status: StatusCode, path: &str, words: &[&str], pieces: impl Iterator<Item = &'p [u8]>) -> Option<Result<Vec<u8>, String>> {
    let headers = calls::bare_headers();
    let admission = calls::ask(calls::plain(), Asked { method: "GET", target: path, headers: &headers, authority: None, body: b"" }).ok()?;
    if !admission.is_filtered() {
        return None;
    }
    let mut answer = HeaderMap::new();
    for (name, word) in [(CONTENT_ENCODING, words.get(2)), (CONTENT_TYPE, words.get(3))] {
        if let Some(value) = word.filter(|word| !word.is_empty()).and_then(|word| HeaderValue::from_str(word).ok()) {
            answer.insert(name, value);
        }
    }
    let mut filter = match admission.answer(status, &mut answer) {
        Ok(Answer::Filter(filter)) => filter,
        Ok(Answer::Empty) => return Some(Ok(Vec::new())),
        Ok(Answer::Pass) => panic!("an answer that is to be filtered passes"),
        Err(refusal) => return Some(Err(refusal.reason)),
    };
    let mut out = Vec::new();
    let feed = || -> Result<(), Stop> {
        for piece in pieces {
            filter.write_alone(piece, &mut out)?;
        }
        filter.end_alone(&mut out)
    };
    match feed() {
        Ok(()) => Some(Ok(out)),
        Err(Stop::Replace(body)) => panic!("{} is said of a call that reads", body.escape_ascii()),
        Err(Stop::Refuse(refusal)) => {
            assert!(!json::is_json(&out), "an answer that was refused is whole: {}", out.escape_ascii());
            Some(Err(refusal.name.as_str().to_owned()))
        }
    }
}

fn check(status: StatusCode, path: &str, shown: &[u8]) {
    if shown.is_empty() {
        return;
    }
    assert!(json::is_json(shown), "what is shown is no JSON: {}", shown.escape_ascii());
    let Ok(shown) = serde_json::from_slice::<Value>(shown) else { return };
    if !status.is_success() {
        const PROBLEM: [&str; 9] = ["name", "code", "type", "title", "status", "detail", "instance", "errorDetails", "errors"];
        let members = shown.as_object().expect("a problem is an object");
        return assert!(members.keys().all(|name| PROBLEM.contains(&name.as_str())), "{shown}");
    }
    let path = path.split('?').next().unwrap_or_default();
    match path.matches('/').count() {
        2 | 3 => {
            assert!(path.contains("portfolios/") || shown.get("total").is_none(), "{shown}");
            each(&shown["values"]).for_each(check_item);
        }
        4 => check_item(&shown),
        _ => check_properties(&shown["properties"]),
    }
}

fn each(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(elements) => Box::new(elements.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn check_item(item: &Value) {
    if !item.is_null() || item.get("id").is_some() {
        assert_eq!(item["id"]["scope"], "US", "{item}");
        check_properties(&item["properties"]);
    }
}

fn check_properties(properties: &Value) {
    let is_visible = |key: &str| key.starts_with("P/ok/");
    match properties {
        Value::Object(members) => assert!(members.keys().all(|key| is_visible(key)), "{properties}"),
        Value::Array(elements) => assert!(elements.iter().all(|element| element["key"].as_str().is_some_and(is_visible)), "{properties}"),
        _ => {}
    }
}
