//! What a call brings to its questions, owned, so that the answer can be judged by the same facts
//! long after the request is gone.

use super::caller::Caller;
use super::query::Query;
use super::refusal::{Refusal, RefusalName};
use super::request_headers::is_lookalike;
use super::spellings;
use super::trace::Trace;
use crate::api_map::{Binding, DateSource, Operation, Source};
use crate::policy::{Context, Dates, HeaderSource, HeaderValue, Instant, Interval, Policies, Subject, parse_query_instant};
use crate::snapshot::World;
use http::header::{HOST, HeaderMap, HeaderValue as HeaderValueOf};
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// The facts of one call under one world.
#[derive(Clone)]
pub(super) struct Inputs {
    /// The world it is judged by, from the first byte of its answer to the last.
    pub(super) world: Arc<World>,
    /// The index of its operation.
    pub(super) operation: usize,
    pub(super) captures: Vec<Box<str>>,
    pub(super) query: Query,
    pub(super) headers: Headers,
    pub(super) caller: Caller,
    pub(super) effective: Dates,
    pub(super) as_at: Dates,
    pub(super) now: Timestamp,
    /// Where questions are noted, if anybody asked for it.
    pub(super) trace: Option<Arc<Trace>>,
}

/// The headers that policies or bindings may ask for; all others are of no concern here.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers {
    values: Vec<(Box<str>, Option<Box<str>>)>,
}

impl Headers {
    /// Keeps the named headers; the authority stands for `Host` where it alone was sent. What is not UTF-8 is
    /// kept as unknown, and so is what a client could only forge: our own headers, and those of proxies.
    pub(super) fn keep<'n>(headers: &HeaderMap, authority: Option<&str>, names: impl Iterator<Item = &'n str>) -> Self {
        let mut values: Vec<(Box<str>, Option<Box<str>>)> = Vec::new();
        for name in names {
            let authority = authority.filter(|_| name.eq_ignore_ascii_case(HOST.as_str()));
            if is_lookalike(name) {
                values.push((name.into(), None));
            } else if let Some(value) = headers.get(name).map(HeaderValueOf::as_bytes).or(authority.map(str::as_bytes)) {
                values.push((name.into(), std::str::from_utf8(value).ok().map(Into::into)));
            }
        }
        Self { values }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| **known == *name).and_then(|(_, value)| value.as_deref())
    }
}

impl HeaderSource for Headers {
    fn value(&self, name: &str) -> HeaderValue<'_> {
        match self.values.iter().find(|(known, _)| **known == *name) {
            None => HeaderValue::Absent,
            Some((_, None)) => HeaderValue::Unknown,
            Some((_, Some(text))) => HeaderValue::Text(text),
        }
    }
}

impl Inputs {
    /// The operation of the call.
    pub(super) fn operation(&self) -> Option<&Operation> {
        self.world.maps.operations().get(self.operation)
    }

    /// The subject of every question of this call.
    pub(super) fn subject<'a>(&'a self, feature: Option<(&'a str, &'a str)>) -> Subject<'a> {
        let policies = &self.world.snapshot.policies;
        let context = Context { now: self.now, headers: &self.headers, claims: self.caller.claims(), scopes: self.caller.scopes(), feature };
        Subject::new(policies, self.caller.roles(policies), context)
    }

    /// The value of a binding as far as the request gives it. `None`: no source of the request is
    /// present before one that depends on the item, so it is not known here.
    pub(super) fn resolve<'a>(&'a self, binding: &'a Binding) -> Option<Cow<'a, str>> {
        for source in &binding.sources {
            if source.is_of_item() {
                return None;
            }
            if let Some(text) = self.source(source) {
                return Some(Cow::Borrowed(text));
            }
        }
        None
    }

    /// A source of the request.
    pub(super) fn source<'a>(&'a self, source: &'a Source) -> Option<&'a str> {
        match source {
            Source::Path(index) => self.captures.get(*index).map(AsRef::as_ref),
            Source::Query(name) => self.query.first(name),
            Source::Header(name) => self.headers.text(name),
            Source::Literal(text) => Some(text),
            Source::Item { .. } | Source::Key => None,
        }
    }

    /// Reads the two intervals of the request (semantics §5).
    pub(super) fn read_dates(&mut self, operation: &Operation) {
        self.effective = self.interval(&operation.dates.effective);
        self.as_at = self.interval(&operation.dates.as_at);
    }

    fn interval(&self, source: &DateSource) -> Dates {
        match source {
            DateSource::Now => Dates::Between(Interval::at(self.now)),
            DateSource::Single(source) => self.source(source).map_or(Dates::Between(Interval::at(self.now)), single_date),
            DateSource::Pair(from, to) => pair_of_dates(self.source(from), self.source(to)),
        }
    }
}

/// A parameter's date as an interval; one that is no date is unknown.
fn single_date(text: &str) -> Dates {
    parse_query_instant(text).map_or(Dates::Unknown, |instant| Dates::Between(Interval::at(instant)))
}

/// A missing end is unbounded; a pair whose end is before its start is unknown (semantics §5).
fn pair_of_dates(from: Option<&str>, to: Option<&str>) -> Dates {
    let from = from.map_or(Some(Instant::MIN), parse_query_instant);
    let to = to.map_or(Some(Instant::MAX), parse_query_instant);
    let interval = from.zip(to).and_then(|(from, to)| Interval::between(from, to));
    interval.map_or(Dates::Unknown, Dates::Between)
}

/// Refuses a parameter or a header that feeds an id part or a date and occurs more than once (interfaces §3),
/// and what could be taken for one.
///
/// # Errors
/// 400.
pub(super) fn check_bindings(operation: &Operation, method: &str, query: &Query, headers: &HeaderMap) -> Result<(), Refusal> {
    bound_headers(operation).try_for_each(|name| spellings::check_header(headers, name))?;
    spellings::check_parameters(operation, method, query, headers)?;
    let repeated = operation.bound_sources().find(|source| match source {
        Source::Query(name) => query.is_repeated(name),
        Source::Header(name) => headers.get_all(name.as_ref()).iter().nth(1).is_some(),
        _ => false,
    });
    match repeated {
        Some(source) => {
            let detail = "A parameter that may occur only once occurs more than once.";
            Err(Refusal::new(RefusalName::InvalidRequest, detail, format!("{source:?} occurs more than once")))
        }
        None => Ok(()),
    }
}

/// The names of the headers that an operation's bindings read.
pub(super) fn bound_headers(operation: &Operation) -> impl Iterator<Item = &str> {
    operation.bound_sources().filter_map(|source| match source {
        Source::Header(name) => Some(name.as_ref()),
        _ => None,
    })
}

/// Whether the snapshot's policies name headers at all, so that most calls keep none.
pub(super) fn named_headers<'a>(policies: &'a Policies, operation: &'a Operation) -> impl Iterator<Item = &'a str> {
    policies.headers_named().chain(bound_headers(operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_the_host_and_what_anybody_can_forge_is_unknown() {
        let mut sent = HeaderMap::new();
        for (name, value) in [("host", "a.example"), ("x-forwarded-for", "10.0.0.1"), ("doorward-user", "boss")] {
            sent.insert(name, HeaderValueOf::from_static(value));
        }
        let names = || ["host", "x-forwarded-for", "doorward-user", "forwarded", "x-team"].into_iter();
        let seen = |headers: &Headers| names().map(|name| format!("{:?}", headers.value(name))).collect::<Vec<_>>();
        let both = Headers::keep(&sent, Some("b.example"), names());
        assert_eq!(seen(&both), ["Text(\"a.example\")", "Unknown", "Unknown", "Unknown", "Absent"]);
        let alone = Headers::keep(&HeaderMap::new(), Some("b.example"), names());
        assert_eq!(seen(&alone), ["Text(\"b.example\")", "Unknown", "Unknown", "Unknown", "Absent"]);
    }
}
