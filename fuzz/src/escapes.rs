//! Percent-encoding, read byte by byte.

/// The decoded bytes; `None` where an escape is malformed.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        decoded.push(high * 16 + low);
    }
    Some(decoded)
}

/// The same as text.
pub fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

/// Names and values of a query, form style.
pub fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let text = |part: &str| decode_text(&part.replace('+', "%20"));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((text(name)?.to_ascii_lowercase(), text(value)?))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Text as it may stand in a query: every byte that may not is escaped, every other stays.
pub fn query_of(bytes: &[u8]) -> String {
    let show = |byte: &u8| if (0x21..=0x7E).contains(byte) && *byte != b'#' { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    bytes.iter().map(show).collect()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
