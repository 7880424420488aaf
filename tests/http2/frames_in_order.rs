//! Frames that a server must take, or must pass over.

use super::conformance::{Case, Expect, after, case};
use crate::support::frames::*;
use crate::support::world::TOKEN;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    [streams(), bodies(), heads(), settings(), windows(), unknown(), compression()].into_iter().flatten().collect()
}

fn streams() -> Vec<Case> {
    let priority = |stream: u32, on: u32, weight: u8| frame(PRIORITY, 0, stream, [on.to_be_bytes().as_slice(), &[weight]].concat());
    let open = |more: Vec<u8>| [post(1, "/free"), more, frame(DATA, END_STREAM, 1, b"x")].concat();
    let ended = || get(1, "/free");
    vec![
        case("3.4", "a request right behind the preface", get(1, "/free"), Expect::Answer(1)),
        case("5.1", "a request on a later stream first", get(7, "/free"), Expect::Answer(7)),
        case("5.1", "two requests at once", [get(1, "/free"), get(3, "/free")].concat(), Expect::Answer(3)),
        case("5.1", "PRIORITY on an idle stream", priority(1, 0, 15), Expect::Alive),
        case("5.1", "PRIORITY on an idle stream, then a request on an earlier one", [priority(3, 0, 15), get(1, "/free")].concat(), Expect::Answer(1)),
        case("5.1", "WINDOW_UPDATE on a half-closed stream", [get(1, "/free"), frame(WINDOW_UPDATE, 0, 1, 1_u32.to_be_bytes())].concat(), Expect::Answer(1)),
        case("5.1", "PRIORITY on a half-closed stream", [get(1, "/free"), priority(1, 0, 15)].concat(), Expect::Answer(1)),
        case("5.1", "RST_STREAM on a half-closed stream", [get(1, "/free"), frame(RST_STREAM, 0, 1, CANCEL.to_be_bytes())].concat(), Expect::Alive),
        after("5.1", "PRIORITY on a closed stream", ended(), priority(1, 0, 15), Expect::Alive),
        after("5.1", "WINDOW_UPDATE on a closed stream", ended(), frame(WINDOW_UPDATE, 0, 1, 1_u32.to_be_bytes()), Expect::Alive),
        after("5.1", "RST_STREAM on a closed stream", ended(), frame(RST_STREAM, 0, 1, CANCEL.to_be_bytes()), Expect::Alive),
        after("5.1", "a second request behind the first", ended(), get(3, "/free"), Expect::Answer(3)),
        case("6.3", "PRIORITY with weight 1", [priority(1, 0, 0), get(1, "/free")].concat(), Expect::Answer(1)),
        case("6.3", "PRIORITY with weight 256", [priority(1, 0, 255), get(1, "/free")].concat(), Expect::Answer(1)),
        case("6.3", "PRIORITY that depends on another stream", [priority(3, 1, 15), get(5, "/free")].concat(), Expect::Answer(5)),
        case("6.3", "PRIORITY that depends exclusively", [priority(3, 1 | 1 << 31, 15), get(5, "/free")].concat(), Expect::Answer(5)),
        case("6.3", "PRIORITY in the middle of a body", open(priority(1, 0, 7)), Expect::Answer(1)),
        case("6.4", "RST_STREAM of a request", [post(1, "/free"), frame(RST_STREAM, 0, 1, CANCEL.to_be_bytes()), get(3, "/free")].concat(), Expect::Answer(3)),
        case("7", "RST_STREAM with an unknown code", [post(1, "/free"), frame(RST_STREAM, 0, 1, 0xff_u32.to_be_bytes())].concat(), Expect::Alive),
        case("6.7", "PING", frame(PING, 0, 0, b"pingpong"), Expect::Pong(*b"pingpong")),
        case(
            "6.7",
            "PING that is an answer is not answered",
            [frame(PING, ACK, 0, b"unasked!"), frame(PING, 0, 0, b"pingpong")].concat(),
            Expect::Pong(*b"pingpong"),
        ),
        case("6.8", "GOAWAY, after which the connection ends", frame(GOAWAY, 0, 0, [0; 8]), Expect::Connection(&[0])),
    ]
}

fn bodies() -> Vec<Case> {
    let body = |frames: &[Vec<u8>]| [post(1, "/free"), frames.concat()].concat();
    vec![
        case("6.1", "a body of one frame", body(&[frame(DATA, END_STREAM, 1, b"x")]), Expect::Answer(1)),
        case("6.1", "a body of several frames", body(&[frame(DATA, 0, 1, b"x"), frame(DATA, 0, 1, b"y"), frame(DATA, END_STREAM, 1, b"z")]), Expect::Answer(1)),
        case("6.1", "an empty body", body(&[frame(DATA, END_STREAM, 1, [])]), Expect::Answer(1)),
        case("6.1", "a padded frame", body(&[frame(DATA, END_STREAM | PADDED, 1, [&[5][..], b"x", &[0; 5]].concat())]), Expect::Answer(1)),
        case("6.1", "a frame of nothing but padding", body(&[frame(DATA, PADDED, 1, [3, 0, 0, 0]), frame(DATA, END_STREAM, 1, b"x")]), Expect::Answer(1)),
        case("4.2", "a frame as large as it may be", body(&[frame(DATA, END_STREAM, 1, vec![b'x'; 16384])]), Expect::Answer(1)),
        case("8.1", "trailers", body(&[frame(DATA, 0, 1, b"x"), frame(HEADERS, END_STREAM | END_HEADERS, 1, literal("x-trailer", "1"))]), Expect::Answer(1)),
        case(
            "8.1.1",
            "a length that fits",
            [head_with(END_HEADERS, "POST", &[("content-length", "2")]), frame(DATA, 0, 1, b"x"), frame(DATA, END_STREAM, 1, b"y")].concat(),
            Expect::Answer(1),
        ),
    ]
}

/// A request's head on stream 1 with more headers.
fn head_with(flags: u8, method: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags, 1, [request(method, "/free"), block(headers)].concat())
}

fn heads() -> Vec<Case> {
    let whole = END_STREAM | END_HEADERS;
    let block = request("GET", "/free");
    let parts = |cuts: usize| {
        let size = block.len() / cuts + 1;
        let mut chunks = block.chunks(size);
        let mut frames = frame(HEADERS, END_STREAM, 1, chunks.next().unwrap());
        let rest: Vec<_> = chunks.collect();
        for (place, chunk) in rest.iter().enumerate() {
            frames.extend(frame(CONTINUATION, if place + 1 == rest.len() { END_HEADERS } else { 0 }, 1, chunk));
        }
        frames
    };
    let padded = [&[4][..], &block, &[0; 4]].concat();
    let prioritized = [&[0, 0, 0, 0, 200][..], &block].concat();
    let both = [&[4, 0, 0, 0, 0, 200][..], &block, &[0; 4]].concat();
    vec![
        case("6.2", "a padded head", frame(HEADERS, whole | PADDED, 1, padded), Expect::Answer(1)),
        case("6.2", "a head with a priority", frame(HEADERS, whole | PRIORITIZED, 1, prioritized), Expect::Answer(1)),
        case("6.2", "a head with both", frame(HEADERS, whole | PADDED | PRIORITIZED, 1, both), Expect::Answer(1)),
        case("6.10", "a head in two frames", parts(2), Expect::Answer(1)),
        case("6.10", "a head in five frames", parts(5), Expect::Answer(1)),
        case("6.10", "an empty CONTINUATION", [frame(HEADERS, END_STREAM, 1, &block), frame(CONTINUATION, END_HEADERS, 1, [])].concat(), Expect::Answer(1)),
        case("8.2.2", "TE with trailers", head_with(whole, "GET", &[("te", "trailers")]), Expect::Answer(1)),
        case("8.2.3", "cookies in crumbs", head_with(whole, "GET", &[("cookie", "a=1"), ("cookie", "b=2")]), Expect::Answer(1)),
        case("8.3.1", "a host that is the authority", head_with(whole, "GET", &[("host", "api.example")]), Expect::Answer(1)),
        case("8.1", "a HEAD", frame(HEADERS, whole, 1, request("HEAD", "/free")), Expect::Answer(1)),
    ]
}

fn settings() -> Vec<Case> {
    let set = |settings: &[(u16, u32)]| settings_frame(settings);
    vec![
        case("6.5", "SETTINGS are acknowledged", set(&[(3, 100)]), Expect::Settings),
        case("6.5", "empty SETTINGS are acknowledged", set(&[]), Expect::Settings),
        case("6.5", "several in one", set(&[(1, 4096), (3, 1), (4, 65535), (5, 16384), (6, 1000)]), Expect::Settings),
        case("6.5.2", "an unknown setting", set(&[(0xff, 1)]), Expect::Settings),
        case("6.5.2", "no push", set(&[(2, 0)]), Expect::Settings),
        case("6.5.2", "no table", [set(&[(1, 0)]), get(1, "/free")].concat(), Expect::Answer(1)),
        case("6.5.2", "the largest window", set(&[(4, 0x7fff_ffff)]), Expect::Settings),
        case("6.5.2", "the largest frame", set(&[(5, 0x00ff_ffff)]), Expect::Settings),
        case("6.5.3", "the same one twice: the last counts", [set(&[(4, 100), (4, 1)]), get(1, "/free")].concat(), Expect::Data(&[1])),
    ]
}

fn windows() -> Vec<Case> {
    let small = |section, what, settings, send, expect| Case { section, what, settings, before: None, send, expect };
    vec![
        case("6.9", "WINDOW_UPDATE of the connection", [frame(WINDOW_UPDATE, 0, 0, 1000_u32.to_be_bytes()), get(1, "/free")].concat(), Expect::Answer(1)),
        small("6.9.1", "a window of one byte", &[(4, 1)], get(1, "/free"), Expect::Data(&[1])),
        small(
            "6.9.1",
            "a window of one byte, twice",
            &[(4, 1)],
            [get(1, "/free"), frame(WINDOW_UPDATE, 0, 1, 2_u32.to_be_bytes())].concat(),
            Expect::Data(&[]),
        ),
        small("6.9.2", "a window that is opened by settings", &[(4, 0)], [get(1, "/free"), settings_frame(&[(4, 1)])].concat(), Expect::Data(&[1])),
        small(
            "6.9.2",
            "a window that is opened by an update",
            &[(4, 0)],
            [get(1, "/free"), frame(WINDOW_UPDATE, 0, 1, 5_u32.to_be_bytes())].concat(),
            Expect::Data(&[5]),
        ),
    ]
}

fn unknown() -> Vec<Case> {
    vec![
        case("4.1", "a frame of an unknown type", frame(0xff, 0, 0, b"anything"), Expect::Alive),
        case("4.1", "a frame of an unknown type on a stream", [frame(0x20, 7, 1, b"anything"), get(1, "/free")].concat(), Expect::Answer(1)),
        case("4.1", "a PING with unknown flags", frame(PING, 0xfe, 0, b"pingpong"), Expect::Pong(*b"pingpong")),
        case("4.1", "a PING with the reserved bit", frame(PING, 0, 1 << 31, b"pingpong"), Expect::Pong(*b"pingpong")),
        case("5.5", "an extension frame before a request", [frame(0x16, 0, 0, b"12345678"), get(1, "/free")].concat(), Expect::Answer(1)),
    ]
}

fn compression() -> Vec<Case> {
    let whole = END_STREAM | END_HEADERS;
    let token = literal("authorization", format!("Bearer {TOKEN}"));
    let head = |fields: &[&[u8]]| frame(HEADERS, whole, 1, [fields.concat(), token.clone()].concat());
    let path: &[u8] = b"\x04\x05/free";
    let authority: &[u8] = b"\x01\x0bapi.example";
    vec![
        case("7541 6.1", "indexed fields", head(&[&[0x82, 0x86], path, authority]), Expect::Answer(1)),
        case("7541 6.2.1", "a field that is indexed, by its name's index", head(&[&[0x82, 0x86], path, b"\x41\x0bapi.example"]), Expect::Answer(1)),
        case("7541 6.2.1", "a field that is indexed, by a new name", head(&[&[0x82, 0x86], path, authority, b"\x40\x03x-a\x01b"]), Expect::Answer(1)),
        case("7541 6.2.1", "a field from the dynamic table", head(&[&[0x82, 0x86], path, authority, b"\x40\x03x-a\x01b", &[0xbe]]), Expect::Answer(1)),
        case("7541 6.2.2", "a field without indexing", head(&[&[0x82, 0x86], path, authority, b"\x00\x03x-a\x01b"]), Expect::Answer(1)),
        case("7541 6.2.3", "a field that is never indexed", head(&[&[0x82, 0x86], path, authority, b"\x10\x03x-a\x01b"]), Expect::Answer(1)),
        case("7541 6.2.3", "a field that is never indexed, by its name's index", head(&[&[0x82, 0x86], path, b"\x11\x0bapi.example"]), Expect::Answer(1)),
        case("7541 6.3", "a smaller table", head(&[&[0x20, 0x82, 0x86], path, authority]), Expect::Answer(1)),
        case("7541 6.3", "two sizes at the beginning", head(&[&[0x20, 0x3f, 0xe1, 0x1f, 0x82, 0x86], path, authority]), Expect::Answer(1)),
        // `www.example.com` as the RFC's appendix writes it.
        case(
            "7541 5.2",
            "a text in Huffman's code",
            head(&[&[0x82, 0x86], path, b"\x01\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"]),
            Expect::Answer(1),
        ),
    ]
}
