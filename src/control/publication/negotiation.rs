//! What the headers of a request for the snapshot ask for: which coding, which revisions are known
//! already, how long the answer may be held. What cannot be read asks for nothing.

use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};
use std::time::Duration;

/// RFC 7240.
pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// No answer is held longer.
const LONGEST_WAIT: u64 = 60;

/// How an answer is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// Its name in `Content-Encoding`; the plain text has none.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The one that the request prefers, zstd before gzip before none (RFC 9110 §12.5.3).
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let (mut zstd, mut gzip, mut any) = (None, None, None);
        for item in items(headers, &ACCEPT_ENCODING) {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            match &*name.trim().to_ascii_lowercase() {
                "zstd" => zstd = Some(quality(parameters)),
                "gzip" | "x-gzip" => gzip = Some(quality(parameters)),
                "*" => any = Some(quality(parameters)),
                _ => {}
            }
        }
        let (zstd, gzip) = (zstd.or(any).unwrap_or_default(), gzip.or(any).unwrap_or_default());
        match (zstd, gzip) {
            (0, 0) => Self::Identity,
            (zstd, gzip) if zstd >= gzip => Self::Zstd,
            _ => Self::Gzip,
        }
    }
}

/// The weight of an item in thousandths; one that cannot be read is not wanted.
fn quality(parameters: &str) -> u32 {
    let text = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(text) = text else { return 1000 };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let thousandths = format!("{fraction:0<3}").parse::<u32>().ok().filter(|_| fraction.len() <= 3);
    match (whole, thousandths) {
        ("0", Some(thousandths)) => thousandths,
        ("1", Some(0)) => 1000,
        _ => 0,
    }
}

/// What the caller has already, by `If-None-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    tags: Vec<String>,
}

impl Known {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        Self { tags: items(headers, &IF_NONE_MATCH).map(|tag| opaque(tag).to_owned()).collect() }
    }

    /// Whether the document with this `ETag` is known.
    pub(super) fn has(&self, etag: &str) -> bool {
        self.tags.iter().any(|tag| tag == "*" || tag == opaque(etag))
    }

    /// Whether it tells something new: it is none of those that are known, and none of these is of a
    /// later revision, which another replica may have shown before.
    pub(super) fn is_news(&self, etag: &str, revision: u64) -> bool {
        let is_later = |tag: &String| self::revision(tag).is_some_and(|known| known > revision);
        !self.has(etag) && !self.tags.iter().any(is_later)
    }
}

/// A tag without what makes it weak.
fn opaque(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/")
}

/// The revision that one of our tags tells of.
fn revision(tag: &str) -> Option<u64> {
    tag.trim_matches('"').split_once('-')?.0.parse().ok()
}

/// How long the answer may be held, by `Prefer: wait=30`, in whole seconds.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = items(headers, &PREFER).find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let value = name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))?;
        value.parse::<u64>().ok()
    });
    seconds.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.min(LONGEST_WAIT)))
}

/// The members of a list header, over all of its lines.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect()
    }

    fn coding(line: &str) -> Coding {
        Coding::wanted(&headers(ACCEPT_ENCODING, &[line]))
    }

    #[test]
    fn the_coding_with_the_greatest_weight_is_taken() {
        assert_eq!(Coding::wanted(&HeaderMap::new()), Coding::Identity);
        for (line, wanted) in [
            ("zstd, gzip", Coding::Zstd),
            ("gzip, zstd", Coding::Zstd),
            ("gzip;q=1.0, zstd;q=0.5", Coding::Gzip),
            ("gzip;q=0.5;x=1, ZSTD; Q=0.501", Coding::Zstd),
            ("gzip, deflate, br", Coding::Gzip),
            ("identity", Coding::Identity),
            ("br", Coding::Identity),
            ("*", Coding::Zstd),
            ("*;q=0", Coding::Identity),
            ("*, zstd;q=0", Coding::Gzip),
            ("zstd;q=0, gzip;q=0.000", Coding::Identity),
            ("zstd;q=2, gzip;q=much", Coding::Identity),
            ("", Coding::Identity),
        ] {
            assert_eq!(coding(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_known_tag_is_no_news_and_neither_is_an_older_revision() {
        let known = |lines: &[&str]| Known::read(&headers(IF_NONE_MATCH, lines));
        let is_news = |lines: &[&str]| known(lines).is_news("W/\"42-aa\"", 42);
        assert!(is_news(&[]));
        for line in ["W/\"42-aa\"", "\"42-aa\"", "\"7-bb\", W/\"42-aa\"", "*", "W/\"43-cc\""] {
            assert!(!is_news(&[line]), "{line}");
        }
        assert!(!is_news(&["\"7-bb\"", "\"42-aa\""]), "on two lines");
        for line in ["W/\"41-aa\"", "\"42-bb\"", "\"else\"", "42-aa"] {
            assert!(is_news(&[line]), "{line}");
        }
    }

    #[test]
    fn an_answer_is_held_as_long_as_the_caller_prefers_within_bounds() {
        let wait = |lines: &[&str]| wait(&headers(PREFER, lines)).map(|wait| wait.as_secs());
        for (line, seconds) in [
            ("wait=30", Some(30)),
            ("respond-async, Wait = 5 ; x=y", Some(5)),
            ("wait=\"7\"", Some(7)),
            ("wait=9999999", Some(60)),
            ("wait=0", None),
            ("wait=-1", None),
            ("wait", None),
            ("waits=3", None),
        ] {
            assert_eq!(wait(&[line]), seconds, "{line}");
        }
        assert_eq!(wait(&["return=minimal", "wait=3"]), Some(3));
    }
}
