//! `GET /insights/api/access`: what was decided, newest first.

use super::histogram::{Histogram, interval};
use super::log::Log;
use crate::control::listing::{ListQuery, ListRules, Page, PageError, page};
use crate::control::parameters::Parameters;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem, ProblemDetails};
use crate::control::wire::Link;
use crate::store::{DecisionRow, Span, StoreError};
use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use http::Uri;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// No more decisions of a span are looked at, the newest first: a longer span is asked for in parts.
const LOOKED_AT: u32 = 50_000;
const USUAL_LIMIT: usize = 1000;
const LARGEST_LIMIT: usize = 10_000;
const LONGEST_FILTER: usize = 3000;

/// Of the list as its callers page through it.
const RULES: ListRules = ListRules { list: "access-logs", usual_limit: USUAL_LIMIT, largest_limit: LARGEST_LIMIT, longest_filter: LONGEST_FILTER };
/// Of all that the filter leaves, to be counted.
const COUNTED: ListRules =
    ListRules { list: "access-logs", usual_limit: LOOKED_AT as usize, largest_limit: LOOKED_AT as usize, longest_filter: LONGEST_FILTER };

/// `ResourceListWithHistogramOfAccessEvaluationLog`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ResourceListWithHistogramOfAccessEvaluationLog)]
struct Logs {
    /// How many fell into each interval, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    histogram: Option<Histogram>,
    /// The decisions of this page.
    #[schema(value_type = Vec<Log>)]
    values: Vec<Value>,
    /// The request's own address.
    href: String,
    /// The token of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_page: Option<String>,
    /// The token of the page before, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous_page: Option<String>,
    /// Empty.
    links: Vec<Link>,
}

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(show_by_instance))
}

/// List access evaluation logs
///
/// What the doors decided, newest first unless `sortBy` says otherwise; of a long span the newest 50,000.
#[utoipa::path(get, path = "/insights/api/access", operation_id = "ListAccessEvaluationLogs", tag = "AccessLogs",
    params(
        ("startAt" = Option<String>, Query, description = "From then on."),
        ("endAt" = Option<String>, Query, description = "Until then, exclusively."),
        ("filter" = Option<String>, Query, description = "Which decisions, such as `user eq '00u1'`.", max_length = 3000),
        ("sortBy" = Option<String>, Query, description = "Members, joined by commas; `-` in front for descending.", max_length = 16384),
        ("limit" = Option<i32>, Query, description = "Decisions on a page.", minimum = 1, maximum = 10000),
        ("page" = Option<String>, Query, description = "`nextPage` or `previousPage` of an earlier page.", max_length = 500),
        ("histogramInterval" = Option<String>, Query, description = "Counts by interval too, such as `1h` or `01:00:00`."),
    ),
    responses((status = 200, description = "Decisions.", body = Logs)))]
async fn list(State(plane): State<Plane>, parameters: Parameters, OriginalUri(uri): OriginalUri) -> Result<Json<Logs>, Problem> {
    let asked = Asked::read(&parameters)?;
    let rows = plane.store.decisions(&asked.span).await.map_err(unavailable)?;
    let href = plane.settings.href(uri.path_and_query().map_or_else(|| uri.path(), http::uri::PathAndQuery::as_str));
    let listing = tokio::task::spawn_blocking(move || asked.list(&rows, href));
    listing.await.map_err(|_| Problem::of(Code::Internal))?.map(Json)
}

/// Get access evaluation log
///
/// One decision, by the id that the answer carried in `Doorward-Decision-Id`.
#[utoipa::path(get, path = "/insights/api/access/{id}", operation_id = "GetAccessEvaluationLog", tag = "AccessLogs",
    params(("id" = String, Path, description = "The id of the decision.")),
    responses(
        (status = 200, description = "The decision.", body = Log),
        (status = 404, description = "No such decision is known.", body = ProblemDetails, content_type = "application/problem+json"),
    ))]
async fn show(State(plane): State<Plane>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let row = plane.store.decision(&id).await.map_err(unavailable)?.ok_or_else(|| Problem::of(Code::DecisionMissing))?;
    Ok(Json(value(&row)))
}

/// Look a refusal up
///
/// The same as `GET /insights/api/access/{id}`, where the `instance` of a problem leads.
#[utoipa::path(get, path = "/app/insights/logs/{id}", operation_id = "GetAccessEvaluationLogOfInstance", tag = "AccessLogs",
    params(("id" = String, Path, description = "The id of the decision.")),
    responses(
        (status = 200, description = "The decision.", body = Log),
        (status = 404, description = "No such decision is known.", body = ProblemDetails, content_type = "application/problem+json"),
    ))]
async fn show_by_instance(state: State<Plane>, id: Path<String>) -> Result<Json<Value>, Problem> {
    show(state, id).await
}

/// What a caller asks for.
struct Asked {
    span: Span,
    query: ListQuery,
    /// All that the filter leaves, and how to count it.
    counted: Option<(ListQuery, SignedDuration)>,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let query = ListQuery::read(parameters.pairs(), &RULES).map_err(flawed)?;
        let counted = match parameters.text("histogramInterval")? {
            None => None,
            Some(text) => {
                let interval =
                    interval(text).ok_or_else(|| no_interval("The value is no interval from 1 second to 366 days; write it like 1h or 01:00:00."))?;
                let filter: Vec<_> = parameters.pairs().iter().filter(|(name, _)| name.eq_ignore_ascii_case("filter")).cloned().collect();
                Some((ListQuery::read(&filter, &COUNTED).map_err(flawed)?, interval))
            }
        };
        // The first page of all there is needs no more than what is on it, and one to tell whether there is another.
        let is_plain = counted.is_none() && ["filter", "sortBy", "page"].iter().all(|name| parameters.all(name).next().is_none());
        let limit = parameters.number("limit", 0..=LOOKED_AT)?.unwrap_or(USUAL_LIMIT as u32);
        let limit = if is_plain { limit + 1 } else { LOOKED_AT };
        let span = Span { from: parameters.instant("startAt")?, to: parameters.instant("endAt")?, before: None, limit };
        Ok(Self { span, query, counted })
    }

    /// Runs on a thread that may take its time.
    fn list(&self, rows: &[DecisionRow], href: String) -> Result<Logs, Problem> {
        let listed = |query: &ListQuery| page(rows.iter().map(|row| (place(row), || value(row))), query);
        let histogram = match &self.counted {
            None => None,
            Some((all, interval)) => {
                let all = listed(all).map_err(stale)?;
                let times = all.rows.iter().filter_map(|row| row.get("timestamp")?.as_str()?.parse::<Timestamp>().ok());
                Some(Histogram::of(times, *interval).ok_or_else(|| no_interval("The span has too many such intervals; take longer ones."))?)
            }
        };
        let Page { rows: values, next_page, previous_page } = listed(&self.query).map_err(stale)?;
        Ok(Logs { histogram, values, href, next_page, previous_page, links: Vec::new() })
    }
}

/// The newest comes first, and of one time the ids in their order.
fn place(row: &DecisionRow) -> String {
    format!("{:020}/{}", i128::from(i64::MAX) - i128::from(row.at.as_microsecond()), row.id)
}

/// A decision as it is shown.
fn value(row: &DecisionRow) -> Value {
    serde_json::from_str(&row.body).unwrap_or_default()
}

fn flawed(flaws: Vec<(&'static str, String)>) -> Problem {
    flaws.into_iter().fold(Problem::invalid(), |problem, (name, message)| problem.field(name, format!("The value {message}.")))
}

fn no_interval(message: &str) -> Problem {
    Problem::invalid().field("histogramInterval", message)
}

fn stale(error: PageError) -> Problem {
    Problem::of(Code::PageToken).field("page", format!("{error}."))
}

/// The store failed.
pub(super) fn unavailable(error: StoreError) -> Problem {
    tracing::error!(%error, "the store failed");
    Problem::of(Code::Unavailable).detail("The store of the control plane does not answer; try again.")
}
