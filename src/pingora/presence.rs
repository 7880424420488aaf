//! What a client's stream knows and Pingora does not tell: whether a call is being answered on it,
//! what the request line looked like on the wire, and how much came with the head. A stream that is
//! not ours knows nothing; what depends on it is not granted then.

use super::stream::ClientStream;
use pingora_core::protocols::Stream;
use std::sync::{Arc, Mutex, PoisonError};

/// What a stream and the calls on it share.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Seen>);

/// What was seen since the last call ended.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    is_answering: bool,
    bytes: usize,
    line: Line,
}

/// A request line on its way in.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    is_begun: bool,
    is_ended: bool,
    blanks: usize,
    has_return: bool,
    is_odd: bool,
}

/// A call that is being answered, on a stream that may be ours.
#[derive(Debug)]
pub(super) struct Presence(Option<Arc<Watch>>);

impl Watch {
    /// Whether a call is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.seen(|seen| seen.is_answering)
    }

    /// Takes notice of bytes that came in.
    pub(super) fn notice(&self, bytes: &[u8]) {
        self.seen(|seen| {
            seen.bytes = seen.bytes.saturating_add(bytes.len());
            if !seen.is_answering {
                bytes.iter().for_each(|byte| seen.line.take(*byte));
            }
        });
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Line {
    fn take(&mut self, byte: u8) {
        if self.is_ended {
            return;
        }
        match byte {
            // Empty lines before the request line are passed over (RFC 9112 §2.2).
            b'\r' | b'\n' if !self.is_begun => {}
            b'\n' => {
                self.is_ended = true;
                self.is_odd |= self.blanks != 2;
            }
            _ => {
                self.is_begun = true;
                self.blanks += usize::from(byte == b' ');
                // A return ends the line or is odd.
                self.is_odd |= self.has_return || !(byte == b'\r' || matches!(byte, b' '..=b'~'));
                self.has_return = byte == b'\r';
            }
        }
    }
}

impl Presence {
    /// A call begins on this stream; HTTP/2 has none for a single call.
    pub(super) fn on(stream: Option<&Stream>) -> Self {
        let ours = stream.and_then(|stream| (**stream).as_any().downcast_ref::<ClientStream>());
        let watch = ours.map(ClientStream::watch);
        if let Some(watch) = &watch {
            watch.seen(|seen| seen.is_answering = true);
        }
        Self(watch)
    }

    /// Whether the request line was not what it must be.
    pub(super) fn is_odd(&self) -> bool {
        self.0.as_ref().is_some_and(|watch| watch.seen(|seen| seen.line.is_odd))
    }

    /// Whether it is known that nothing came behind a head of so many bytes.
    pub(super) fn is_nothing_behind(&self, head_bytes: usize) -> bool {
        self.0.as_ref().is_some_and(|watch| watch.seen(|seen| seen.bytes <= head_bytes))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(watch) = &self.0 {
            watch.seen(|seen| *seen = Seen::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_odd(head: &[u8]) -> bool {
        let watch = Watch::default();
        // Its bytes come one by one or all at once.
        head.iter().for_each(|byte| watch.notice(&[*byte]));
        let whole = Watch::default();
        whole.notice(head);
        assert_eq!(watch.seen(|seen| seen.line.is_odd), whole.seen(|seen| seen.line.is_odd));
        whole.seen(|seen| seen.line.is_odd)
    }

    #[test]
    fn a_request_line_has_three_words_of_printable_characters() {
        for head in ["GET / HTTP/1.1\r\nx: \u{e9}  y\r\n\r\n", "\r\nGET /a?b HTTP/1.1\nhost: x\n\n"] {
            assert!(!is_odd(head.as_bytes()), "{head}");
        }
        let odd: [&[u8]; 7] = [
            b"GET /a b HTTP/1.1\r\n",
            b"GET /\x01 HTTP/1.1\r\n",
            b"GET /\xe9 HTTP/1.1\r\n",
            b"GET\t/ HTTP/1.1\r\n",
            b"GET /\r HTTP/1.1\r\n",
            b"GET  / HTTP/1.1\r\n",
            b"GET /\r\n",
        ];
        for head in odd {
            assert!(is_odd(head), "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn what_comes_while_a_call_is_answered_is_no_head() {
        let watch = Arc::new(Watch::default());
        watch.notice(b"GET / HTTP/1.1\r\n\r\n");
        watch.seen(|seen| seen.is_answering = true);
        let presence = Presence(Some(Arc::clone(&watch)));
        assert!(presence.is_nothing_behind(18) && !presence.is_nothing_behind(17));
        watch.notice(b"\x00\x01 body");
        assert!(!presence.is_odd() && !presence.is_nothing_behind(18));
        drop(presence);
        assert!(!watch.is_answering());
        watch.notice(b"GET /\x00 HTTP/1.1\r\n");
        assert!(Presence(Some(watch)).is_odd());
    }
}
