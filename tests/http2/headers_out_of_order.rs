//! Heads that are no request, and blocks that cannot be decoded.

use super::conformance::{Case, Expect, case};
use crate::support::frames::*;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    [fields(), pseudo_fields(), bodies(), compression()].into_iter().flatten().collect()
}

const MALFORMED: Expect = Expect::Stream(1, &[PROTOCOL]);
const UNDECODABLE: Expect = Expect::Connection(&[COMPRESSION]);

fn head(headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, 1, block(headers))
}

/// A whole request with these behind its own headers.
fn with(headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, 1, [request("GET", "/free"), block(headers)].concat())
}

fn fields() -> Vec<Case> {
    vec![
        case("8.2.1", "a name in upper case", with(&[("X-Test", "1")]), MALFORMED),
        case("8.2.1", "a name with a blank", with(&[("x test", "1")]), MALFORMED),
        case("8.2.1", "a name with a colon", with(&[("x:test", "1")]), MALFORMED),
        case("8.2.1", "a value with NUL", with(&[("x-test", "a\0b")]), MALFORMED),
        case("8.2.1", "a value with CR LF", with(&[("x-test", "a\r\nb: c")]), MALFORMED),
        case("8.2.2", "connection", with(&[("connection", "keep-alive")]), MALFORMED),
        case("8.2.2", "keep-alive", with(&[("keep-alive", "timeout=5")]), MALFORMED),
        case("8.2.2", "proxy-connection", with(&[("proxy-connection", "keep-alive")]), MALFORMED),
        case("8.2.2", "transfer-encoding", with(&[("transfer-encoding", "chunked")]), MALFORMED),
        case("8.2.2", "upgrade", with(&[("upgrade", "websocket")]), MALFORMED),
        case("8.2.2", "TE that is not trailers", with(&[("te", "trailers, deflate;q=0.5")]), MALFORMED),
    ]
}

fn pseudo_fields() -> Vec<Case> {
    let (method, scheme, path, authority) = ((":method", "GET"), (":scheme", "http"), (":path", "/free"), (":authority", "api.example"));
    vec![
        case("8.3", "an unknown pseudo header", head(&[method, scheme, path, authority, (":test", "1")]), MALFORMED),
        case("8.3", "a pseudo header of an answer", head(&[method, scheme, path, authority, (":status", "200")]), MALFORMED),
        case("8.3", "a pseudo header behind others", head(&[method, scheme, authority, ("x-test", "1"), path]), MALFORMED),
        case(
            "8.3",
            "a pseudo header among the trailers",
            [post(1, "/free"), frame(DATA, 0, 1, b"x"), frame(HEADERS, END_STREAM | END_HEADERS, 1, block(&[(":method", "GET")]))].concat(),
            MALFORMED,
        ),
        case("8.3.1", "an empty path", head(&[method, scheme, (":path", ""), authority]), MALFORMED),
        case("8.3.1", "no method", head(&[scheme, path, authority]), MALFORMED),
        case("8.3.1", "no scheme", head(&[method, path, authority]), MALFORMED),
        case("8.3.1", "no path", head(&[method, scheme, authority]), MALFORMED),
        case("8.3.1", "two methods", head(&[method, method, scheme, path, authority]), MALFORMED),
        case("8.3.1", "two schemes", head(&[method, scheme, scheme, path, authority]), MALFORMED),
        case("8.3.1", "two paths", head(&[method, scheme, path, path, authority]), MALFORMED),
        case("8.3.1", "two authorities", head(&[method, scheme, path, authority, authority]), MALFORMED),
        case("8.5", "CONNECT with a path", head(&[(":method", "CONNECT"), scheme, path, authority]), MALFORMED),
        case(
            "8441",
            "a CONNECT that is extended, which was not offered",
            head(&[(":method", "CONNECT"), (":protocol", "websocket"), scheme, path, authority]),
            MALFORMED,
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let sized = |length: &str| frame(HEADERS, END_HEADERS, 1, [request("POST", "/free"), literal("content-length", length)].concat());
    vec![
        case("8.1.1", "a body shorter than its length", [sized("3"), frame(DATA, END_STREAM, 1, b"x")].concat(), MALFORMED),
        case("8.1.1", "a body longer than its length", [sized("1"), frame(DATA, END_STREAM, 1, b"xyz")].concat(), MALFORMED),
        case(
            "8.1.1",
            "a body of several frames shorter than its length",
            [sized("3"), frame(DATA, 0, 1, b"x"), frame(DATA, END_STREAM, 1, b"y")].concat(),
            MALFORMED,
        ),
        case(
            "8.1",
            "a second head in the middle of a body",
            [post(1, "/free"), frame(DATA, 0, 1, b"x"), frame(HEADERS, END_HEADERS, 1, literal("x-trailer", "1"))].concat(),
            MALFORMED,
        ),
    ]
}

fn compression() -> Vec<Case> {
    let raw = |bytes: &[u8]| frame(HEADERS, END_STREAM | END_HEADERS, 1, [request("GET", "/free"), bytes.to_vec()].concat());
    vec![
        case("7541 2.3.3", "an index beyond the tables", raw(&[0xc6]), UNDECODABLE),
        case("7541 2.3.3", "a name by an index beyond the tables", raw(&[0x7f, 0x07, 0x01, b'x']), UNDECODABLE),
        case("7541 4.2", "a table's size behind a field", raw(&[0x20]), UNDECODABLE),
        case("7541 5.1", "a number without an end", raw(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), UNDECODABLE),
        case("7541 5.2", "Huffman's code padded by more than seven bits", raw(b"\x00\x01x\x82\x1f\xff"), UNDECODABLE),
        case("7541 5.2", "Huffman's code padded by zeros", raw(b"\x00\x01x\x81\x18"), UNDECODABLE),
        case("7541 5.2", "Huffman's code with its end", raw(b"\x00\x01x\x84\xff\xff\xff\xff"), UNDECODABLE),
        case("7541 5.2", "a text that is longer than the block", raw(b"\x00\x01x\x7e"), UNDECODABLE),
        case("7541 6.1", "the index 0", raw(&[0x80]), UNDECODABLE),
        case(
            "7541 6.3",
            "a table larger than was offered",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, [vec![0x3f, 0xe1, 0xff, 0x03], request("GET", "/free")].concat()),
            UNDECODABLE,
        ),
    ]
}
