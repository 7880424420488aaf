//! The corners of JSON's grammar (RFC 8259), one by one through the filter of answers as
//! `doorward filter` drives it: for a restricted caller what is no JSON is unfilterable wherever it
//! stands, and what is JSON passes with its bytes as they were.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod either;
mod refused;
mod valid;

#[path = "../support/mod.rs"]
mod support;

use doorward::authorize::{Admission, Answer, AnswerFilter, Call, DecisionId, Door, Identity, Step, Stop, UpstreamMetadata, Verdict, authorize};
use doorward::observe::clock;
use doorward::snapshot::World;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};
use support::world;

static WORLD: LazyLock<Arc<World>> = LazyLock::new(|| Arc::new(world::world()));

/// The admission of the user's call for a list of which not everything may be seen.
fn admission() -> Box<Admission> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    let identity = Identity::Opaque(Sha256::digest(world::TOKEN).into());
    let call = Call {
        door: Door::Proxy,
        decision_id: DecisionId(0),
        method: "GET",
        target: "/api/portfolios",
        headers: &headers,
        authority: None,
        identity: &identity,
        body: None,
        metadata: &UpstreamMetadata::default(),
    };
    match authorize(&WORLD, &call, clock::now()) {
        Step::Done(Verdict::Admit(admission)) => admission,
        _ => panic!("the list is not admitted"),
    }
}

fn filter() -> AnswerFilter {
    match admission().answer(StatusCode::OK, &mut HeaderMap::new()) {
        Ok(Answer::Filter(filter)) => *filter,
        _ => panic!("the list is not filtered"),
    }
}

/// What the caller gets of an answer that comes in these pieces; nothing when it is refused.
fn shown<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Option<Vec<u8>> {
    let mut filter = filter();
    let mut out = Vec::new();
    let feed = || {
        for piece in pieces {
            filter.write_alone(piece, &mut out)?;
        }
        filter.end_alone(&mut out)
    };
    match feed() {
        Ok(()) => Some(out),
        Err(Stop::Refuse(refusal)) => {
            assert_eq!(refusal.name.as_str(), "UnfilterableResponse");
            assert!(serde_json::from_slice::<serde_json::Value>(&out).is_err(), "a refused answer is whole: {}", out.escape_ascii());
            None
        }
        Err(Stop::Replace(_)) => panic!("the call reads"),
    }
}

/// The same whole and byte by byte, which must not differ.
fn whole_and_cut(answer: &[u8]) -> Option<Vec<u8>> {
    let whole = shown(std::iter::once(answer));
    assert_eq!(whole, shown(answer.chunks(1)), "{}", answer.escape_ascii());
    whole
}

/// Where a value can stand: beside the items, deep beside them, in an item that stays, in one that goes.
fn places(value: &[u8]) -> [(Vec<u8>, Vec<u8>); 4] {
    const STAYS: &[u8] = b"{\"id\":{\"scope\":\"US\",\"code\":\"a\"}";
    const GOES: &[u8] = b"{\"id\":{\"scope\":\"EU\",\"code\":\"b\"}";
    let same = |answer: Vec<u8>| (answer.clone(), answer);
    [
        same([b"{\"values\":[],\"x\":", value, b"}"].concat()),
        same([b"{\"x\":[{\"y\":", value, b"}],\"values\":null}"].concat()),
        same([b"{\"values\":[", STAYS, b",\"x\":", value, b"}]}"].concat()),
        ([b"{\"values\":[", GOES, b",\"x\":", value, b"}]}"].concat(), b"{\"values\":[]}".to_vec()),
    ]
}

#[test]
fn what_is_no_json_is_unfilterable_wherever_it_stands() {
    for value in refused::VALUES {
        assert!(whole_and_cut(value).is_none(), "passes alone: {}", value.escape_ascii());
        for (answer, _) in places(value) {
            assert!(whole_and_cut(&answer).is_none(), "passes: {}", answer.escape_ascii());
        }
    }
}

#[test]
fn what_is_json_passes_with_its_bytes_as_they_were() {
    for value in valid::VALUES {
        for (answer, expected) in places(value) {
            let shown = whole_and_cut(&answer);
            assert_eq!(shown.as_deref(), Some(expected.as_slice()), "{}", answer.escape_ascii());
        }
    }
}

/// RFC 8259 leaves these to the reader: they pass as they are, or not at all.
#[test]
fn what_readers_may_differ_about_passes_as_it_is_or_not_at_all() {
    for value in either::VALUES {
        for (answer, expected) in places(value) {
            if let Some(shown) = whole_and_cut(&answer) {
                assert_eq!(shown, expected, "{}", answer.escape_ascii());
            }
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_never_followed() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]"), ("[", ""), ("{\"\":", "")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let answer = format!("{{\"values\":[],\"x\":{deep}}}");
        assert!(shown(std::iter::once(answer.as_bytes())).is_none(), "{open}");
        assert!(shown(std::iter::once(deep.as_bytes())).is_none(), "{open}");
    }
}
