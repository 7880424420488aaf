//! The query of a list whose caller may read the properties `P/ok/…` alone. What is admitted probes no
//! other, however an upstream reads its literals.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::calls::{self, Asked};
use rooms::escapes;

fuzz_target!(|input: &[u8]| {
    let query = escapes::query_of(input);
    check(&query);
    check(&format!("filter={}", encode(input)));
    check(&format!("sortBy=a&SORTBY={}", encode(input)));
});

/// Every byte escaped, so that what is decoded is the input.
fn encode(input: &[u8]) -> String {
    input.iter().map(|byte| format!("%{byte:02x}")).collect()
}

fn check(query: &str) {
    let target = format!("/api/portfolios?{query}");
    let headers = calls::bare_headers();
    let asked = Asked { method: "GET", target: &target, headers: &headers, authority: None, body: b"" };
    if calls::ask(calls::plain(), asked).is_err() {
        return;
    }
    for (name, expression) in escapes::pairs(query).expect("an admitted query decodes") {
        if name == "filter" || name == "sortby" {
            assert_guarded(&expression);
        }
    }
}

fn assert_guarded(expression: &str) {
    for key in references(expression) {
        let is_key = key.split('/').count() >= 3 && key.splitn(3, '/').all(|part| !part.is_empty());
        assert!(!is_key || key.starts_with("P/ok/") && !key.contains('['), "{expression} probes {key}");
    }
    let plain = outside_literals(expression);
    for key in references(&plain) {
        assert!(key.starts_with("P/ok/"), "{expression} speaks of properties outside its literals");
    }
    let rest = without_references(&plain).to_ascii_lowercase();
    assert!(!rest.contains("propert"), "{expression} speaks of properties");
}

/// What stands in the brackets behind every `properties` that is a word of its own, whatever stands around it.
fn references(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let is_word = |at: usize| !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    let behind = |(at, word): (usize, &str)| text[at + word.len()..].trim_start().strip_prefix('[').filter(|_| is_word(at));
    let key = |inside: &str| inside.split_once(']').map(|(key, _)| key.to_owned());
    lower.match_indices("properties").filter_map(behind).filter_map(key).collect()
}

fn without_references(text: &str) -> String {
    let mut rest = text.to_owned();
    let mut from = 0;
    while let Some(at) = rest[from..].to_ascii_lowercase().find("properties").map(|at| at + from) {
        let behind = &rest[at + "properties".len()..];
        let end = behind.trim_start().strip_prefix('[').and_then(|inside| inside.split_once(']')).map(|(_, after)| after.len());
        match end {
            Some(left) => rest.replace_range(at..rest.len() - left, " "),
            None => return rest,
        }
        from = at;
    }
    rest
}

/// What stands outside of `'…'`, in which `''` is one quote; a literal without an end is none.
fn outside_literals(text: &str) -> String {
    let mut outside = String::new();
    let mut pieces = text.split('\'').peekable();
    // Pieces alternate: outside, inside, outside; `''` inside shows as an empty piece outside.
    let mut is_outside = true;
    while let Some(piece) = pieces.next() {
        if is_outside || pieces.peek().is_none() {
            outside.push_str(piece);
            outside.push(' ');
        }
        is_outside = !is_outside;
    }
    outside
}
