//! The tokens of JSON, one at a time, strictly by RFC 8259, and resumable at any byte.

/// A string, number or word that the input's end cut, and how far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text(Text),
    Number(Number),
    Word(&'static [u8]),
}

impl Scalar {
    /// Whether it is complete if nothing follows: only a number can be.
    pub(super) fn may_end(self) -> bool {
        use Number::{Exponent, Fraction, Integer, Zero};
        matches!(self, Self::Number(Zero | Integer | Fraction | Exponent))
    }
}

/// Where inside a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Plain,
    Escape,
    Hex(u8),
}

/// What of a number was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

/// How reading a token went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// The token ends before this index.
    Ended(usize),
    /// The input ends first.
    Cut(Scalar),
    /// The byte at this index cannot stand there.
    Bad(usize),
}

/// The first index at or after `i` that holds no white space.
#[inline(always)]
pub(super) fn blank(bytes: &[u8], mut i: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(i) {
        i += 1;
    }
    i
}

/// The index behind the last byte before `i` that is no white space.
pub(super) fn blank_before(bytes: &[u8], i: usize) -> usize {
    let before = bytes.get(..i).unwrap_or_default();
    before.iter().rposition(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).map_or(0, |last| last + 1)
}

/// Starts the scalar whose first byte is `first`, at `i`.
#[inline(always)]
pub(super) fn scalar(bytes: &[u8], i: usize, first: u8) -> Scan {
    match first {
        b'"' => text(bytes, i + 1),
        b'0' => number(bytes, i + 1, Number::Zero),
        b'1'..=b'9' => number(bytes, i + 1, Number::Integer),
        b'-' => number(bytes, i + 1, Number::Minus),
        b't' => word(bytes, i + 1, b"rue"),
        b'f' => word(bytes, i + 1, b"alse"),
        b'n' => word(bytes, i + 1, b"ull"),
        _ => Scan::Bad(i),
    }
}

/// Goes on with a scalar that was cut.
pub(super) fn resume(bytes: &[u8], i: usize, cut: Scalar) -> Scan {
    match cut {
        Scalar::Text(state) => rest_of_text(bytes, i, state),
        Scalar::Number(state) => number(bytes, i, state),
        Scalar::Word(rest) => word(bytes, i, rest),
    }
}

/// Reads a string from behind its opening quote.
#[inline(always)]
pub(super) fn text(bytes: &[u8], i: usize) -> Scan {
    let end = special(bytes, i);
    match bytes.get(end) {
        Some(b'"') => Scan::Ended(end + 1),
        _ => rest_of_text(bytes, end, Text::Plain),
    }
}

/// Reads a name and its colon, if all of it is here and has no escapes; else a closer look is due.
#[inline(always)]
pub(super) fn quick_name(bytes: &[u8], i: usize) -> Option<usize> {
    let end = quick_text(bytes, blank(bytes, i))?;
    let colon = blank(bytes, end);
    (*bytes.get(colon)? == b':').then_some(colon + 1)
}

/// Reads a scalar that is here as a whole; else a closer look is due.
#[inline(always)]
pub(super) fn quick_scalar(bytes: &[u8], i: usize) -> Option<usize> {
    let start = blank(bytes, i);
    let scanned = match *bytes.get(start)? {
        b'"' => return quick_text(bytes, start),
        b'{' | b'[' => return None,
        first => scalar(bytes, start, first),
    };
    match scanned {
        Scan::Ended(end) => Some(end),
        Scan::Cut(_) | Scan::Bad(_) => None,
    }
}

/// Reads a string without escapes from its opening quote.
#[inline(always)]
pub(super) fn quick_text(bytes: &[u8], i: usize) -> Option<usize> {
    if *bytes.get(i)? != b'"' {
        return None;
    }
    let end = special(bytes, i + 1);
    (*bytes.get(end)? == b'"').then_some(end + 1)
}

#[inline(never)]
fn rest_of_text(bytes: &[u8], mut i: usize, mut state: Text) -> Scan {
    loop {
        if state == Text::Plain {
            i = special(bytes, i);
        }
        let Some(&byte) = bytes.get(i) else {
            return Scan::Cut(Scalar::Text(state));
        };
        state = match (state, byte) {
            (Text::Plain, b'"') => return Scan::Ended(i + 1),
            (Text::Plain, b'\\') => Text::Escape,
            (Text::Escape, b'u') => Text::Hex(4),
            (Text::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Text::Plain,
            (Text::Hex(1), byte) if byte.is_ascii_hexdigit() => Text::Plain,
            (Text::Hex(left), byte) if byte.is_ascii_hexdigit() => Text::Hex(left - 1),
            _ => return Scan::Bad(i),
        };
        i += 1;
    }
}

fn word(bytes: &[u8], mut i: usize, mut rest: &'static [u8]) -> Scan {
    while let Some((&wanted, left)) = rest.split_first() {
        match bytes.get(i) {
            Some(&byte) if byte == wanted => i += 1,
            Some(_) => return Scan::Bad(i),
            None => return Scan::Cut(Scalar::Word(rest)),
        }
        rest = left;
    }
    Scan::Ended(i)
}

#[inline(always)]
fn number(bytes: &[u8], mut i: usize, mut state: Number) -> Scan {
    use Number::{E, Exponent, Fraction, Integer, Minus, Point, Sign, Zero};
    while let Some(&byte) = bytes.get(i) {
        state = match (state, byte) {
            (Integer | Fraction | Exponent, b'0'..=b'9') => state,
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') => Integer,
            (Zero | Integer, b'.') => Point,
            (Point, b'0'..=b'9') => Fraction,
            (Zero | Integer | Fraction, b'e' | b'E') => E,
            (E, b'+' | b'-') => Sign,
            (E | Sign, b'0'..=b'9') => Exponent,
            (Zero | Integer | Fraction | Exponent, _) => return Scan::Ended(i),
            _ => return Scan::Bad(i),
        };
        i += 1;
    }
    Scan::Cut(Scalar::Number(state))
}

/// The first index at or after `i` with a quote, a backslash or a control byte; else the end.
#[inline(always)]
fn special(bytes: &[u8], mut i: usize) -> usize {
    while let Some(block) = bytes.get(i..).and_then(<[u8]>::first_chunk::<8>) {
        let found = special_in(u64::from_le_bytes(*block));
        if found < 8 {
            return i + found;
        }
        i += 8;
    }
    while let Some(&byte) = bytes.get(i) {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            return i;
        }
        i += 1;
    }
    i
}

/// Index of the first special byte of a little-endian word, else 8. A borrow can only mark bytes
/// above a true hit, so the lowest mark is right.
#[inline(always)]
fn special_in(word: u64) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let marks = (quote.wrapping_sub(ONES) & !quote) | (slash.wrapping_sub(ONES) & !slash) | (word.wrapping_sub(ONES * 0x20) & !word);
    ((marks & TOPS).trailing_zeros() / 8) as usize
}
