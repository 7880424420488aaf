//! Which headers of a filtered answer would tell of what was filtered out of it: how much there was, where
//! it is, or a digest of it. They are known by the words of their names, not by a list of names, for every
//! API has its own. It never looks at values.

/// Words that tell by themselves.
const WORDS: [&str; 27] = [
    "counts",
    "counter",
    "size",
    "sizes",
    "range",
    "ranges",
    "rows",
    "records",
    "items",
    "results",
    "hits",
    "matches",
    "elements",
    "entries",
    "pages",
    "sha",
    "hash",
    "crc",
    "crc32",
    "crc32c",
    "sum",
    "modified",
    "link",
    "links",
    "timing",
    "timings",
    "signature",
];

/// Whether a header of this name, in lower case, would tell. `ETag` itself is not for here: it is bound.
pub(super) fn is_revealing(name: &str) -> bool {
    if is_usual(name) {
        return false;
    }
    // `_` and `.` part words as `-` does, for who reads an answer may fold them.
    let words = || name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words().any(is_revealing_word) && !is_of_rate_limits(words())
}

/// What nearly every answer has, so that it costs one look.
fn is_usual(name: &str) -> bool {
    matches!(
        name,
        "content-type" | "date" | "server" | "cache-control" | "vary" | "etag" | "connection" | "set-cookie" | "expires" | "x-request-id" | "traceparent"
    )
}

fn is_revealing_word(word: &str) -> bool {
    WORDS.contains(&word) || ends_in_a_number_of(word) || is_compound(word)
}

/// `count`, `totalcount`, `contentlength`; not `account`.
fn ends_in_a_number_of(word: &str) -> bool {
    let is_count = word.ends_with("count") && !word.ends_with("account") && !word.ends_with("discount");
    is_count || word.ends_with("length")
}

fn is_compound(word: &str) -> bool {
    const PARTS: [&str; 6] = ["total", "digest", "checksum", "paginat", "md5", "etag"];
    let is_hash = word.split("sha").skip(1).any(|behind| behind.starts_with(|digit: char| digit.is_ascii_digit()));
    is_hash || PARTS.iter().any(|part| word.contains(part))
}

/// `X-RateLimit-Total`, `RateLimit-Limit-Count`: they tell of the caller's calls, and he needs them.
fn is_of_rate_limits<'w>(mut words: impl Iterator<Item = &'w str>) -> bool {
    let mut last = "";
    words.any(|word| {
        let found = word.starts_with("ratelimit") || (last == "rate" && word.starts_with("limit")) || word == "retry";
        last = word;
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_digests_and_places_of_what_was_filtered_are_revealing() {
        for name in [
            "content-length",
            "content-md5",
            "digest",
            "content-digest",
            "repr-digest",
            "unencoded-digest",
            "want-digest",
            "content-sha256",
            "x-amz-content-sha256",
            "x-contentsha512",
            "x-checksum-sha1",
            "x-checksum",
            "x-goog-hash",
            "x-total-count",
            "x_total_count",
            "x.total.count",
            "x-totalcount",
            "total-count",
            "x-total",
            "x-total-pages",
            "x-wp-total",
            "x-wp-totalpages",
            "x-count",
            "x-result-count",
            "x-page-count",
            "odata-count",
            "x-pagination",
            "pagination",
            "x-pagination-total-count",
            "x-total-results",
            "x-total-elements",
            "x-content-length",
            "x-original-content-length",
            "x-uncompressed-length",
            "x-contentlength",
            "content-range",
            "x-range",
            "accept-ranges",
            "link",
            "last-modified",
            "last_modified",
            "x-etag",
            "x_etag",
            "server-timing",
            "x-object-size",
            "x-row-count",
            "x-number-of-rows",
            "signature",
            "x-items-count",
            "x-object-meta-count",
        ] {
            assert!(is_revealing(name), "{name}");
        }
    }

    #[test]
    fn what_a_client_needs_stays() {
        for name in [
            "content-type",
            "content-encoding",
            "content-language",
            "content-disposition",
            "content-security-policy",
            "etag",
            "date",
            "server",
            "age",
            "expires",
            "vary",
            "cache-control",
            "set-cookie",
            "www-authenticate",
            "allow",
            "location",
            "retry-after",
            "retry-count",
            "x-request-id",
            "x-correlation-id",
            "traceparent",
            "ratelimit-limit",
            "ratelimit-remaining",
            "x-ratelimit-total",
            "x-rate-limit-count",
            "x-ratelimit-limit-total",
            "x-account-id",
            "x-country",
            "x-discount",
            "x-share",
            "x-shard",
            "x-version",
            "api-version",
            "deprecation",
            "sunset",
            "strict-transport-security",
            "access-control-expose-headers",
            "access-control-max-age",
            "lusid-meta-requestid",
            "lusid-meta-success",
            "lusid-meta-correlationid",
            "lusid-meta-duration",
            "x-powered-by",
            "server-id",
            "x-orange",
            "x-next-page",
            "x-hashicorp",
        ] {
            assert!(!is_revealing(name), "{name}");
        }
    }
}
