//! What Pingora's parser lets pass and this door does not (threats §1, §2). It looks at a head that
//! was read already and never at the body.

use super::presence::Presence;
use crate::authorize::{Refusal, RefusalName, is_plain_length};
use crate::door::framing::check_size;
use http::header::CONTENT_LENGTH;
use pingora_http::RequestHeader;

/// Checks a request's head before anything is asked or read behind it.
///
/// # Errors
/// 400 for a head that could be read in two ways, 431 for one that is too long.
pub(super) fn check(head: &RequestHeader, presence: &Presence, head_bytes: usize) -> Result<(), Refusal> {
    if presence.is_odd() {
        return Err(refuse("the request line has more or other than three words of printable characters"));
    }
    if let Some(odd) = head.headers.get_all(CONTENT_LENGTH).iter().find(|length| !is_plain_length(length)) {
        return Err(refuse(format!("the content length is {odd:?}")));
    }
    check_size(head.method.as_str().len() + head.raw_path().len() + " HTTP/1.1  \r\n".len(), &head.headers, head_bytes)
}

/// The target's exact bytes as text.
///
/// # Errors
/// 400 for bytes that are no text.
pub(super) fn target(head: &RequestHeader) -> Result<&str, Refusal> {
    std::str::from_utf8(head.raw_path()).map_err(|_| refuse("the target is not text"))
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusalName::InvalidRequest, "The request head is not acceptable.", reason)
}
