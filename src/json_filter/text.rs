//! What JSON strings say once their escapes are read.

use std::borrow::Cow;

/// A string without its quotes, escapes read. `None` when a surrogate stands alone: then the text
/// is no text, and equals none.
pub(super) fn decode(inner: &[u8]) -> Option<Cow<'_, str>> {
    decode_or(inner, |_| None)
}

/// The same, with U+FFFD for a surrogate that stands alone.
pub(super) fn decode_lossy(inner: &[u8]) -> Cow<'_, str> {
    decode_or(inner, |_| Some('\u{fffd}')).unwrap_or_default()
}

/// The value of a raw JSON scalar: a string decoded (`None` if a surrogate stands alone in it), a
/// number or boolean as its JSON text; null, objects and arrays are no value (interfaces §3).
pub fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    match raw {
        [b'"', inner @ .., b'"'] => decode(inner),
        [b'{' | b'[' | b'n' | b'"', ..] | [] => None,
        scalar => std::str::from_utf8(scalar).ok().map(Cow::Borrowed),
    }
}

fn decode_or(inner: &[u8], lone: impl Fn(u16) -> Option<char>) -> Option<Cow<'_, str>> {
    let whole = std::str::from_utf8(inner).ok()?;
    let Some((mut plain, escaped)) = memchr::memchr(b'\\', inner).and_then(|at| whole.split_at_checked(at)) else {
        return Some(Cow::Borrowed(whole));
    };
    let mut rest = escaped.get(1..)?;
    let mut out = String::with_capacity(whole.len());
    loop {
        out.push_str(plain);
        let mut letters = rest.chars();
        let letter = match letters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (code, after) = hex(letters.as_str())?;
                letters = after.chars();
                match (char::from_u32(u32::from(code)), low_surrogate(code, after)) {
                    (Some(letter), _) => letter,
                    (None, Some((letter, after))) => {
                        letters = after.chars();
                        letter
                    }
                    (None, None) => lone(code)?,
                }
            }
            other => other,
        };
        out.push(letter);
        match letters.as_str().split_once('\\') {
            Some((before, after)) => (plain, rest) = (before, after),
            None => {
                out.push_str(letters.as_str());
                return Some(Cow::Owned(out));
            }
        }
    }
}

fn hex(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

fn low_surrogate(high: u16, after: &str) -> Option<(char, &str)> {
    let (low, rest) = hex(after.strip_prefix("\\u")?)?;
    let letter = char::decode_utf16([high, low]).next()?.ok()?;
    Some((letter, rest)).filter(|_| (0xdc00..0xe000).contains(&low))
}
