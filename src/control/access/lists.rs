//! Pages of lists, and the parameters that lists and reads share.

use super::super::listing::{Asked, ListQuery, ListRules, Row, page};
use super::super::parameters::Parameters;
use super::super::problem::{Code, Problem};
use super::super::wire::ResourceList;
use super::moment::Moment;
use crate::policy::{Instant, parse_query_instant};
use http::Uri;
use serde::Serialize;
use serde_json::Value;
use utoipa::IntoParams;

/// `sortBy`, `limit`, `filter` and `page`, as they are documented.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is the description of parameters that `ListQuery` reads")]
pub(super) struct PageParameters {
    /// Fields to sort by, separated by commas; `-Field` sorts downwards.
    #[param(rename = "sortBy", min_length = 1, max_length = 16384)]
    sort_by: Option<String>,
    /// Rows on a page.
    #[param(minimum = 1, maximum = 5000)]
    limit: Option<u32>,
    /// An expression that the rows must satisfy, such as `id.scope eq 'default'`.
    #[param(max_length = 16384)]
    filter: Option<String>,
    /// The token of another page of the same list.
    #[param(max_length = 500, pattern = r"^[a-zA-Z0-9\+/]*={0,3}$")]
    page: Option<String>,
}

/// `asAt`, as it is documented.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is the description of a parameter that `as_at` reads")]
pub(super) struct AsAtParameter {
    /// What it was at that time; absent = what it is.
    #[param(rename = "asAt")]
    as_at: Option<Moment>,
}

/// A list of which a page is asked.
pub(super) struct List {
    /// Its name, which tells its tokens from others.
    pub(super) name: &'static str,
    /// The address of the request.
    pub(super) href: String,
}

impl List {
    /// The page that the parameters ask for, of rows with their keys.
    ///
    /// # Errors
    /// 400 for parameters that cannot be read, and for a token of something else.
    pub(super) fn page<'k>(self, parameters: &Parameters, rows: impl Iterator<Item = (&'k str, impl Row)>) -> Result<ResourceList<Value>, Problem> {
        let query = ListQuery::read(parameters.pairs(), &ListRules::of(self.name))
            .map_err(|problems| problems.into_iter().fold(Problem::invalid(), |problem, (name, sentence)| problem.field(name, sentence)))?;
        let page = page(rows, &query).map_err(|error| Problem::of(Code::PageToken).field("page", format!("{error}.")))?;
        Ok(ResourceList { values: page.rows, href: self.href, links: Vec::new(), next_page: page.next_page, previous_page: page.previous_page })
    }
}

/// A document in a list, with what is answered of it.
pub(super) struct Listed<'a, D, T> {
    /// The document.
    pub(super) document: &'a D,
    /// What is answered of it.
    pub(super) answer: fn(&D) -> T,
    /// Whether the caller may see it.
    pub(super) is_shown: &'a dyn Fn(&D) -> bool,
}

impl<D, T: Serialize> Row for Listed<'_, D, T> {
    fn is_shown(&self) -> bool {
        (self.is_shown)(self.document)
    }

    fn members(&self, asked: &Asked) -> Value {
        asked.of_row(&(self.answer)(self.document))
    }

    fn made(self) -> Value {
        serde_json::to_value((self.answer)(self.document)).unwrap_or_default()
    }
}

/// Path and query of a request, for `href`.
pub(super) fn target(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string)
}

/// Reads `asAt`: the time of which a version is asked for; none = the newest.
///
/// # Errors
/// 400 for what is no date.
pub(super) fn as_at(parameters: &Parameters) -> Result<Option<Instant>, Problem> {
    let Some(text) = parameters.text("asAt")? else { return Ok(None) };
    let unread = || Problem::invalid().field("asAt", "The value is no date; write it like 2026-01-31T12:00:00Z.");
    parse_query_instant(text).map(Some).ok_or_else(unread)
}
