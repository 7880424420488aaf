//! Frames that a server must not take.

use super::conformance::{Case, Expect, after, case};
use crate::support::frames::*;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    [sizes(), states(), ids(), bodies(), heads(), settings(), windows(), continuations()].into_iter().flatten().collect()
}

const PROTOCOL_ERROR: Expect = Expect::Connection(&[PROTOCOL]);
const SIZE_ERROR: Expect = Expect::Connection(&[FRAME_SIZE]);
const CLOSED: Expect = Expect::Stream(1, &[STREAM_CLOSED]);
const CLOSED_OR_PROTOCOL: Expect = Expect::Connection(&[STREAM_CLOSED, PROTOCOL]);

fn block() -> Vec<u8> {
    request("GET", "/free")
}

fn sizes() -> Vec<Case> {
    vec![
        case("4.2", "DATA over the frame size", [post(1, "/free"), frame(DATA, END_STREAM, 1, vec![0; 16385])].concat(), Expect::Stream(1, &[FRAME_SIZE])),
        case(
            "4.2",
            "HEADERS over the frame size",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, [block(), literal("x", vec![b'x'; 16384])].concat()),
            SIZE_ERROR,
        ),
        case("4.2", "an unknown frame over the frame size", frame(0x20, 0, 0, vec![0; 16385]), SIZE_ERROR),
        case("6.3", "PRIORITY of four bytes", frame(PRIORITY, 0, 1, [0; 4]), Expect::Stream(1, &[FRAME_SIZE])),
        case("6.3", "PRIORITY of six bytes", frame(PRIORITY, 0, 1, [0; 6]), Expect::Stream(1, &[FRAME_SIZE])),
        case("6.4", "RST_STREAM of three bytes", [post(1, "/free"), frame(RST_STREAM, 0, 1, [0; 3])].concat(), SIZE_ERROR),
        case("6.4", "RST_STREAM of five bytes", [post(1, "/free"), frame(RST_STREAM, 0, 1, [0; 5])].concat(), SIZE_ERROR),
        case("6.5", "SETTINGS of five bytes", frame(SETTINGS, 0, 0, [0; 5]), SIZE_ERROR),
        case("6.5", "an acknowledgement with a setting", frame(SETTINGS, ACK, 0, [0; 6]), SIZE_ERROR),
        case("6.7", "PING of six bytes", frame(PING, 0, 0, [0; 6]), SIZE_ERROR),
        case("6.7", "PING of nine bytes", frame(PING, 0, 0, [0; 9]), SIZE_ERROR),
        case("6.9", "WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, 0, 0, [0; 3]), SIZE_ERROR),
        case("6.9", "WINDOW_UPDATE of five bytes", frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1, 0]), SIZE_ERROR),
        case("6.8", "GOAWAY of seven bytes", frame(GOAWAY, 0, 0, [0; 7]), SIZE_ERROR),
    ]
}

fn states() -> Vec<Case> {
    let ended = || get(1, "/free");
    let was_reset = |more: Vec<u8>| [post(1, "/free"), frame(RST_STREAM, 0, 1, CANCEL.to_be_bytes()), more].concat();
    vec![
        case("5.1", "DATA on an idle stream", frame(DATA, END_STREAM, 1, b"x"), PROTOCOL_ERROR),
        case("5.1", "RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, CANCEL.to_be_bytes()), PROTOCOL_ERROR),
        case("5.1", "WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, 0, 1, 100_u32.to_be_bytes()), PROTOCOL_ERROR),
        case("5.1", "CONTINUATION on an idle stream", frame(CONTINUATION, END_HEADERS, 1, block()), PROTOCOL_ERROR),
        case("5.1", "DATA on a half-closed stream", [get(1, "/free"), frame(DATA, END_STREAM, 1, b"x")].concat(), CLOSED),
        case("5.1", "HEADERS on a half-closed stream", [get(1, "/free"), get(1, "/free")].concat(), Expect::Connection(&[STREAM_CLOSED, PROTOCOL])),
        case("5.1", "CONTINUATION on a half-closed stream", [get(1, "/free"), frame(CONTINUATION, END_HEADERS, 1, block())].concat(), CLOSED_OR_PROTOCOL),
        case("5.1", "DATA on a stream that was reset", was_reset(frame(DATA, END_STREAM, 1, b"x")), CLOSED),
        case("5.1", "HEADERS on a stream that was reset", was_reset(get(1, "/free")), Expect::Stream(1, &[STREAM_CLOSED, PROTOCOL])),
        case("5.1", "CONTINUATION on a stream that was reset", was_reset(frame(CONTINUATION, END_HEADERS, 1, block())), CLOSED_OR_PROTOCOL),
        after("5.1", "DATA on a stream that has ended", ended(), frame(DATA, END_STREAM, 1, b"x"), CLOSED),
        after("5.1", "HEADERS on a stream that has ended", ended(), get(1, "/free"), Expect::Connection(&[STREAM_CLOSED, PROTOCOL])),
        after("5.1", "CONTINUATION on a stream that has ended", ended(), frame(CONTINUATION, END_HEADERS, 1, block()), CLOSED_OR_PROTOCOL),
    ]
}

fn ids() -> Vec<Case> {
    let on_itself = [&[0, 0, 0, 1, 15][..], &block()].concat();
    vec![
        case("5.1.1", "a request on an even stream", get(2, "/free"), PROTOCOL_ERROR),
        case("5.1.1", "a request on an earlier stream", [get(5, "/free"), get(3, "/free")].concat(), PROTOCOL_ERROR),
        case(
            "5.3.1",
            "HEADERS that depend on themselves",
            frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, on_itself),
            Expect::Stream(1, &[PROTOCOL]),
        ),
        case("5.3.1", "PRIORITY that depends on itself", frame(PRIORITY, 0, 1, [0, 0, 0, 1, 15]), Expect::Stream(1, &[PROTOCOL])),
        case("6.1", "DATA on stream 0", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        case("6.2", "HEADERS on stream 0", get(0, "/free"), PROTOCOL_ERROR),
        case("6.3", "PRIORITY on stream 0", frame(PRIORITY, 0, 0, [0, 0, 0, 1, 15]), PROTOCOL_ERROR),
        case("6.4", "RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, CANCEL.to_be_bytes()), PROTOCOL_ERROR),
        case("6.5", "SETTINGS on a stream", frame(SETTINGS, 0, 1, []), PROTOCOL_ERROR),
        case("6.7", "PING on a stream", frame(PING, 0, 1, [0; 8]), PROTOCOL_ERROR),
        case("6.8", "GOAWAY on a stream", frame(GOAWAY, 0, 1, [0; 8]), PROTOCOL_ERROR),
        case(
            "8.4",
            "PUSH_PROMISE of a client",
            [post(1, "/free"), frame(PUSH_PROMISE, END_HEADERS, 1, [&[0, 0, 0, 2][..], &block()].concat())].concat(),
            PROTOCOL_ERROR,
        ),
    ]
}

fn bodies() -> Vec<Case> {
    vec![
        case("6.1", "padding longer than the frame", [post(1, "/free"), frame(DATA, END_STREAM | PADDED, 1, [6, 0, 0, 0])].concat(), PROTOCOL_ERROR),
        case("6.1", "padding as long as the frame", [post(1, "/free"), frame(DATA, END_STREAM | PADDED, 1, [4, 0, 0, 0])].concat(), PROTOCOL_ERROR),
        case(
            "6.1",
            "a padded frame without a length",
            [post(1, "/free"), frame(DATA, END_STREAM | PADDED, 1, [])].concat(),
            Expect::Connection(&[PROTOCOL, FRAME_SIZE]),
        ),
    ]
}

fn heads() -> Vec<Case> {
    let begun = |more: Vec<u8>| [frame(HEADERS, END_STREAM, 1, block()), more].concat();
    vec![
        case("4.3", "a head that cannot be decoded", frame(HEADERS, END_STREAM | END_HEADERS, 1, [0x82, 0x86, 0x44, 0x7f]), Expect::Connection(&[COMPRESSION])),
        case("4.3", "PRIORITY in the middle of a head", begun(frame(PRIORITY, 0, 1, [0, 0, 0, 0, 15])), PROTOCOL_ERROR),
        case("6.2", "HEADERS of another stream in the middle of a head", begun(get(3, "/free")), PROTOCOL_ERROR),
        case("5.5", "an extension frame in the middle of a head", begun(frame(0x16, 0, 0, [0; 8])), PROTOCOL_ERROR),
        case("6.2", "PING in the middle of a head", begun(frame(PING, 0, 0, [0; 8])), PROTOCOL_ERROR),
        case("6.2", "DATA in the middle of a head", begun(frame(DATA, END_STREAM, 1, b"x")), PROTOCOL_ERROR),
        case(
            "6.2",
            "padding longer than the head",
            frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, &[&[255][..], &block()].concat()[..60]),
            PROTOCOL_ERROR,
        ),
    ]
}

fn settings() -> Vec<Case> {
    let set = |id, value| settings_frame(&[(id, value)]);
    vec![
        case("6.5.2", "a push that is neither on nor off", set(2, 2), PROTOCOL_ERROR),
        case("6.5.2", "a window over the largest", set(4, 0x8000_0000), Expect::Connection(&[FLOW_CONTROL])),
        case("6.5.2", "a frame size under the least", set(5, 16383), PROTOCOL_ERROR),
        case("6.5.2", "a frame size over the largest", set(5, 0x0100_0000), PROTOCOL_ERROR),
    ]
}

fn windows() -> Vec<Case> {
    let update = |stream, by: u32| frame(WINDOW_UPDATE, 0, stream, by.to_be_bytes());
    vec![
        case("6.9", "a window that grows by nothing", update(0, 0), PROTOCOL_ERROR),
        case("6.9", "a stream's window that grows by nothing", [post(1, "/free"), update(1, 0)].concat(), Expect::Stream(1, &[PROTOCOL])),
        case("6.9.1", "a window beyond the largest", [update(0, 0x7fff_ffff), update(0, 0x7fff_ffff)].concat(), Expect::Connection(&[FLOW_CONTROL])),
        case(
            "6.9.1",
            "a stream's window beyond the largest",
            [post(1, "/free"), update(1, 0x7fff_ffff), update(1, 0x7fff_ffff)].concat(),
            Expect::Stream(1, &[FLOW_CONTROL]),
        ),
        case(
            "6.9.2",
            "a stream's window beyond the largest, by settings",
            [post(1, "/free"), update(1, 0x7fff_0000), settings_frame(&[(4, 0x7fff_ffff)])].concat(),
            Expect::Connection(&[FLOW_CONTROL]),
        ),
    ]
}

fn continuations() -> Vec<Case> {
    let begun = |more: Vec<u8>| [frame(HEADERS, END_STREAM, 1, block()), more].concat();
    let empty = || frame(CONTINUATION, 0, 1, []);
    vec![
        case("6.10", "CONTINUATION and then another frame", begun([empty(), frame(DATA, END_STREAM, 1, b"x")].concat()), PROTOCOL_ERROR),
        case("6.10", "CONTINUATION on stream 0", begun(frame(CONTINUATION, END_HEADERS, 0, [])), PROTOCOL_ERROR),
        case("6.10", "CONTINUATION of another stream", begun(frame(CONTINUATION, END_HEADERS, 3, [])), PROTOCOL_ERROR),
        case("6.10", "CONTINUATION behind a whole head", [post(1, "/free"), frame(CONTINUATION, END_HEADERS, 1, [])].concat(), PROTOCOL_ERROR),
        case("6.10", "CONTINUATION behind the last", [begun(frame(CONTINUATION, END_HEADERS, 1, [])), empty()].concat(), CLOSED_OR_PROTOCOL),
        case("6.10", "CONTINUATION behind DATA", [post(1, "/free"), frame(DATA, 0, 1, b"x"), frame(CONTINUATION, END_HEADERS, 1, [])].concat(), PROTOCOL_ERROR),
    ]
}
