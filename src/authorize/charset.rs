//! The one charset that bodies are read in. A body that its reader takes for another says something
//! else there than it said here.

use http::header::{CONTENT_TYPE, HeaderMap};

/// A charset that is declared and is not UTF-8.
pub(super) fn foreign(headers: &HeaderMap) -> Option<String> {
    for value in headers.get_all(CONTENT_TYPE) {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let charsets = text.split(';').skip(1).filter_map(|parameter| parameter.trim().strip_prefix("charset"));
        for charset in charsets {
            let name = charset.trim().trim_start_matches('=').trim().trim_matches('"');
            if !matches!(name, "utf-8" | "utf8") {
                return Some(name.to_owned());
            }
        }
    }
    None
}
