//! URLs as people are shown them: without what stands before the `@`, where a password may be.

use std::borrow::Cow;

/// The text of a URL, or of what was meant to be one, for a message, a log or a page: `https://…@host/path`.
/// All that stands before the last `@` is left out, for in a password that is not encoded there may be a
/// `/` or another `@`.
#[must_use]
pub fn without_userinfo(url: &str) -> Cow<'_, str> {
    let Some((before, after)) = url.rsplit_once('@') else { return Cow::Borrowed(url) };
    let is_scheme = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    match before.split_once("://").map(|(scheme, _)| scheme).filter(is_scheme) {
        Some(scheme) => Cow::Owned(format!("{scheme}://…@{after}")),
        None => Cow::Owned(format!("…@{after}")),
    }
}

#[cfg(test)]
mod tests {
    use super::without_userinfo;

    #[test]
    fn what_stands_before_the_at_sign_is_not_shown() {
        for (url, shown) in [
            ("https://id.example/keys?a=b", "https://id.example/keys?a=b"),
            ("https://user:canary@id.example/keys", "https://…@id.example/keys"),
            ("https://canary@id.example", "https://…@id.example"),
            ("https://user:c/a@n?a#r:y@id.example", "https://…@id.example"),
            ("ftp+x://user:canary@id.example", "ftp+x://…@id.example"),
            ("user:canary@id.example", "…@id.example"),
            ("user:canary://x@id.example", "…@id.example"),
            ("//user:canary@id.example", "…@id.example"),
            ("canary@", "…@"),
        ] {
            assert_eq!(without_userinfo(url), shown);
        }
    }
}
