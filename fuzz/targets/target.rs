//! A request target: `METHOD TARGET`. What is admitted is what came, is plainly what it seems, and is
//! the route that a slow reading finds.

#![no_main]

use http::uri::PathAndQuery;
use libfuzzer_sys::fuzz_target;
use rooms::api_map::Answering;
use rooms::calls::{self, Asked};
use rooms::snapshot::World;
use rooms::{escapes, routes};

fuzz_target!(|input: &str| {
    let (method, target) = input.split_once(' ').unwrap_or(("GET", input));
    check(calls::plain(), method, target);
    check(calls::prefixed(), method, target);
});

fn check(world: &std::sync::Arc<World>, method: &str, target: &str) {
    let headers = calls::bare_headers();
    let asked = Asked { method, target, headers: &headers, authority: None, body: b"{}" };
    let admission = match calls::ask(world, asked) {
        Ok(admission) => admission,
        Err(refusal) => {
            let again = calls::ask(world, asked).err().expect("a call that was refused is refused again");
            assert_eq!(refusal.name, again.name);
            return;
        }
    };
    assert_eq!(admission.target(), target, "what is forwarded is what was authorized");
    // Four bytes that no target holds are refused before us, by those who take and by those who send.
    assert!(PathAndQuery::try_from(target).map_or(target.contains(['<', '>', '`', '"']), |sent| sent.as_str() == target), "{target}");
    assert!(!matches!(method, "CONNECT" | "TRACE"));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    assert_plain(target, path);
    check_route(world, method, path, query);
}

fn assert_plain(target: &str, path: &str) {
    assert!(target.starts_with('/') && target.len() <= 8192, "{target}");
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{target}");
    assert!(path == "/" || !path.contains("//"), "{path}");
    let decoded = escapes::decode(path).expect("every escape is whole");
    assert!(std::str::from_utf8(&decoded).is_ok() && !decoded.iter().any(|byte| byte.is_ascii_control() || b"\\".contains(byte)), "{path}");
    assert!(!path.contains([';', '\\']), "{path}");
    for segment in routes::segments(path) {
        let decoded = escapes::decode_text(segment).expect("every escape is whole");
        assert!(decoded != "." && decoded != ".." && !segment.to_ascii_lowercase().contains("%2e"), "{path}");
    }
}

fn check_route(world: &World, method: &str, path: &str, query: Option<&str>) {
    let path = path.strip_prefix(world.settings.strip_prefix.as_str()).expect("it has the prefix");
    let index = routes::find(&world.maps, method, path).expect("a slow reading finds a route too");
    let found = world.maps.find(method, path).expect("its path is sound").expect("there is a route");
    assert_eq!(index, found.index, "{method} {path}");
    let operation = found.operation;
    assert_ne!(operation.answering, Answering::Refused);
    assert!(operation.encoded_slash || !path.to_ascii_lowercase().contains("%2f"), "{path}");
    let captures = routes::captures(operation, path).expect("every capture decodes");
    assert!(found.captures.iter().map(|capture| &**capture).eq(captures.iter().map(String::as_str)), "{path}");
    if operation.answering == Answering::Anonymous {
        return;
    }
    let pairs = escapes::pairs(query.unwrap_or_default()).expect("the query decodes");
    let count = |name: &str| pairs.iter().filter(|(own, _)| own == name).count();
    assert!(count("effectiveat") <= 1 && count("asat") <= 1, "{query:?}");
    check_scope(operation, &captures, &pairs, count("scope"));
}

/// The user sees the scope `US` alone.
fn check_scope(operation: &rooms::api_map::Operation, captures: &[String], pairs: &[(String, String)], scopes: usize) {
    let place = operation.captures.iter().position(|name| &**name == "scope");
    if !operation.targets.is_empty()
        && let Some(place) = place
    {
        assert_eq!(captures[place], "US", "{}", operation.template);
    }
    if &*operation.feature == "by-query" {
        assert!(scopes == 1 && pairs.iter().any(|(name, value)| name == "scope" && value == "US"), "{pairs:?}");
    }
    assert_ne!(&*operation.feature, "by-header");
}
