//! The filter of answers. The first line is the plan (see `filtering::Written`), its first byte also
//! picks the verdicts; what follows is the answer. It is filtered alike however it is cut, as the slow
//! filter does it, and nothing but JSON passes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::filtering::{Hashed, LIMITS, Ran, Written, pieces, run, slow};
use rooms::json;
use rooms::json_filter::{Document, FilterError};

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (line, answer) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let (Some((seed, line)), true) = (line.split_first(), answer.len() <= 2000) else { return };
    let Some(written) = std::str::from_utf8(line).ok().and_then(Written::read) else { return };
    check_document(answer);
    let whole = run(&written.plan, LIMITS, std::iter::once(answer), &mut Hashed::new(*seed, false));
    check_cuts(&written, answer, *seed, &whole);
    check_outcome(&written, answer, *seed, &whole);
});

/// The reader of whole documents takes what serde_json takes, and reads the same.
fn check_document(answer: &[u8]) {
    let read = Document::parse(answer, json::DEEP);
    assert_eq!(read.is_ok(), json::is_json(answer), "{}", answer.escape_ascii());
    if let (Ok(document), Ok(value)) = (&read, serde_json::from_slice(answer)) {
        assert!(json::is_same(document.root(), &value), "{}", answer.escape_ascii());
    }
}

/// How the answer is cut, and whether a verdict has to be waited for, changes nothing.
fn check_cuts(written: &Written, answer: &[u8], seed: u8, whole: &Ran) {
    for (most, waits) in [(1, false), (1, true), (4, true), (70, false)] {
        let cut = run(&written.plan, LIMITS, pieces(answer, seed, most).into_iter(), &mut Hashed::new(seed, waits));
        match (whole, &cut) {
            (Err(one), Err(other)) => assert_eq!(std::mem::discriminant(one), std::mem::discriminant(other), "{one} {other}"),
            _ => assert_eq!(*whole, cut, "in pieces of up to {most}"),
        }
    }
}

fn check_outcome(written: &Written, answer: &[u8], seed: u8, whole: &Ran) {
    let Ok((out, counts)) = whole else {
        return check_refusal(written, answer, seed, whole);
    };
    if answer.is_empty() {
        return assert!(out.is_empty());
    }
    assert!(json::is_json(answer), "what is no JSON passes: {}", answer.escape_ascii());
    assert!(json::is_json(out), "what comes out is no JSON: {}", out.escape_ascii());
    if written.rules.is_empty() && written.strip.is_empty() {
        assert_eq!(out, answer);
    }
    let document = Document::parse(answer, LIMITS).expect("what passes is within its limits");
    let expected = slow(written, &document, answer, seed);
    assert!(expected.errors.is_empty(), "the slow filter refuses: {:?}", expected.errors);
    assert_eq!((out.as_slice(), counts), (expected.text.as_bytes(), &expected.counts));
}

/// A refusal has its reason in the text, in the verdicts, or in the limits.
fn check_refusal(written: &Written, answer: &[u8], seed: u8, whole: &Ran) {
    let Err(error) = whole else { return };
    let Ok(document) = Document::parse(answer, json::DEEP) else { return };
    if !matches!(error, FilterError::ItemTooLarge | FilterError::TooDeep { .. }) {
        let errors = slow(written, &document, answer, seed).errors;
        assert!(errors.contains(error), "{error} is not in {errors:?}");
    }
}
