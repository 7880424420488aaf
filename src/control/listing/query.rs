//! The parameters of a list, read.

use sha2::{Digest, Sha256};

use super::filter::{Filter, FilterError, LONGEST_FILTER};
use super::row::Asked;
use super::sort::Order;
use super::token::{FINGERPRINT_BYTES, LONGEST_TOKEN};

/// What a list allows its callers.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct ListRules {
    /// Its name, which tells its tokens from those of other lists.
    pub(in super::super) list: &'static str,
    /// Rows on a page when the caller does not say.
    pub(in super::super) usual_limit: usize,
    /// Rows that a caller may ask for at once.
    pub(in super::super) largest_limit: usize,
    /// Characters that a filter may have.
    pub(in super::super) longest_filter: usize,
}

impl ListRules {
    /// The rules of most lists: 2000 rows, at most 5000 (LUSID's wire, conventions).
    pub(in super::super) const fn of(list: &'static str) -> Self {
        Self { list, usual_limit: 2000, largest_limit: 5000, longest_filter: LONGEST_FILTER }
    }
}

/// What is wrong with a parameter: its name on the wire, and a sentence.
pub(in super::super) type QueryProblem = (&'static str, String);

/// What a caller asks of a list.
#[derive(Clone, Debug)]
pub(in super::super) struct ListQuery {
    limit: usize,
    page: Option<String>,
    filter: Option<Filter>,
    order: Order,
    asked: Asked,
    fingerprint: [u8; FINGERPRINT_BYTES],
}

impl ListQuery {
    /// Reads `limit`, `page`, `filter` and `sortBy` of decoded parameters; their names have no ASCII case, others are left alone.
    ///
    /// An empty `filter` or `page` is as good as none.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub(in super::super) fn read(parameters: &[(String, String)], rules: &ListRules) -> Result<Self, Vec<QueryProblem>> {
        let mut reader = Reader { parameters, problems: Vec::new() };
        let limit = reader.read("limit", |text| read_limit(text, rules)).unwrap_or(rules.usual_limit);
        let page = reader.read("page", read_page).flatten();
        let filter = reader.read("filter", |text| read_filter(text, rules)).flatten();
        let order = reader.read("sortBy", |text| Order::parse(text).map_err(|error| format!("The order cannot be read: {error}."))).unwrap_or_default();
        if !reader.problems.is_empty() {
            return Err(reader.problems);
        }
        let fingerprint = fingerprint(&[rules.list, reader.first("filter").unwrap_or_default().trim(), reader.first("sortBy").unwrap_or_default().trim()]);
        let asked = Asked::of(filter.iter().flat_map(Filter::members).chain(order.members()));
        Ok(Self { limit, page, filter, order, asked, fingerprint })
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    pub(super) const fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    pub(super) const fn order(&self) -> &Order {
        &self.order
    }

    /// The members that the filter and the order look at.
    pub(super) const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The same for the same list, filter and order, and for no other.
    pub(super) const fn fingerprint(&self) -> [u8; FINGERPRINT_BYTES] {
        self.fingerprint
    }
}

struct Reader<'p> {
    parameters: &'p [(String, String)],
    problems: Vec<QueryProblem>,
}

impl<'p> Reader<'p> {
    /// What a parameter says; none if it is not there, or has a problem.
    fn read<T>(&mut self, name: &'static str, read: impl FnOnce(&'p str) -> Result<T, String>) -> Option<T> {
        let text = self.first(name)?;
        let result = if self.all(name).nth(1).is_some() { Err("The parameter stands more than once.".to_owned()) } else { read(text) };
        result.map_err(|message| self.problems.push((name, message))).ok()
    }

    fn first(&self, name: &'static str) -> Option<&'p str> {
        self.all(name).next()
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &'p str> {
        self.parameters.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn read_limit(text: &str, rules: &ListRules) -> Result<usize, String> {
    let limit = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
    limit.filter(|limit| (1..=rules.largest_limit).contains(limit)).ok_or_else(|| format!("The value is no whole number from 1 to {}.", rules.largest_limit))
}

fn read_page(text: &str) -> Result<Option<String>, String> {
    // a plus sign that was not encoded came as a blank
    let text = text.replace(' ', "+");
    let plain = text.trim_end_matches('=');
    let is_base64 = text.len() - plain.len() <= 3 && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    if text.len() > LONGEST_TOKEN || !is_base64 {
        return Err("The value is no token of another page.".to_owned());
    }
    Ok((!text.is_empty()).then_some(text))
}

fn read_filter(text: &str, rules: &ListRules) -> Result<Option<Filter>, String> {
    let most = rules.longest_filter;
    let filter = match text {
        _ if text.chars().count() > most => Err(FilterError::TooLong { most }),
        _ if text.trim().is_empty() => return Ok(None),
        _ => Filter::parse(text),
    };
    filter.map(Some).map_err(|error| format!("The filter cannot be read: {error}."))
}

fn fingerprint(parts: &[&str]) -> [u8; FINGERPRINT_BYTES] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}
