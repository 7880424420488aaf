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
use axum::extract::{Path, State};
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
async fn list(State(plane): State<Plane>, parameters: Parameters, uri: Uri) -> Result<Json<Logs>, Problem> {
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
    flaws.into_iter().fold(Problem::invalid(), |problem, (name, sentence)| problem.field(name, sentence))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::insights::log::Log;
    use crate::control::plane::empty;
    use http::StatusCode;
    use serde_json::json;

    /// Decisions at each full hour of a day, of two users by turns, every third one refused.
    async fn plane() -> Plane {
        let plane = empty().await;
        let log = |hour: u32| {
            let (user, result) = (format!("00u{}", hour % 2), if hour.is_multiple_of(3) { "Denied" } else { "Granted" });
            let log = json!({"id": format!("id{hour:02}"), "timestamp": format!("2026-11-21T{hour:02}:00:00Z"), "user": user, "result": result,
                "application": "LUSID", "resource": {"scope": "US"}});
            serde_json::from_value::<Log>(log).unwrap().kept(Timestamp::UNIX_EPOCH).unwrap()
        };
        plane.store.append_decisions(&(0..24).map(log).collect::<Vec<_>>()).await.unwrap();
        plane
    }

    async fn ask(plane: &Plane, query: &str) -> Result<Value, Problem> {
        let uri: Uri = format!("/insights/api/access?{query}").parse().unwrap();
        let logs = list(State(plane.clone()), Parameters::parse(query)?, uri).await?;
        Ok(serde_json::to_value(&*logs).unwrap())
    }

    fn ids(answer: &Value) -> Vec<&str> {
        answer["values"].as_array().unwrap().iter().map(|log| log["id"].as_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn the_newest_come_first_and_pages_lead_to_the_rest() {
        let plane = plane().await;
        let first = ask(&plane, "limit=10").await.unwrap();
        assert_eq!((ids(&first).len(), ids(&first)[0], ids(&first)[9]), (10, "id23", "id14"));
        assert_eq!(first["href"], "http://127.0.0.1:9910/insights/api/access?limit=10");
        assert!(first.get("histogram").is_none() && first.get("previousPage").is_none(), "{first}");
        assert_eq!(first["values"][0]["duration"], 0.0);
        let page = |answer: &Value| percent_encoding::utf8_percent_encode(answer["nextPage"].as_str().unwrap(), percent_encoding::NON_ALPHANUMERIC).to_string();
        let second = ask(&plane, &format!("limit=10&page={}", page(&first))).await.unwrap();
        assert_eq!((ids(&second).len(), ids(&second)[0]), (10, "id13"));
        let third = ask(&plane, &format!("limit=10&page={}", page(&second))).await.unwrap();
        assert_eq!(ids(&third), ["id03", "id02", "id01", "id00"]);
        assert!(third.get("nextPage").is_none());
    }

    #[tokio::test]
    async fn a_span_a_filter_and_an_order_choose() {
        let plane = plane().await;
        let of_span = ask(&plane, "startAt=2026-11-21T03:00:00Z&endAt=2026-11-21T06:00:00%2B00:00").await.unwrap();
        assert_eq!(ids(&of_span), ["id05", "id04", "id03"]);
        let refused = ask(&plane, "filter=result+eq+'Denied'+and+user+eq+'00u1'&sortBy=timestamp").await.unwrap();
        assert_eq!(ids(&refused), ["id03", "id09", "id15", "id21"]);
        let of_resource = ask(&plane, "filter=resource.scope+eq+'EU'").await.unwrap();
        assert!(ids(&of_resource).is_empty());
    }

    #[tokio::test]
    async fn a_histogram_counts_what_the_filter_leaves_whatever_the_page() {
        let plane = plane().await;
        let answer = ask(&plane, "limit=1&filter=user+eq+'00u0'&histogramInterval=12:00:00").await.unwrap();
        let buckets = answer["histogram"]["buckets"].as_array().unwrap();
        let counts: Vec<_> = buckets.iter().map(|bucket| (bucket["startTime"].as_str().unwrap(), bucket["itemCount"].as_u64().unwrap())).collect();
        assert_eq!(counts, [("2026-11-21T00:00:00.0000000+00:00", 6), ("2026-11-21T12:00:00.0000000+00:00", 6)]);
        assert_eq!(ids(&answer), ["id22"]);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named() {
        let plane = plane().await;
        for (query, field) in [
            ("limit=10001", "limit"),
            ("filter=result+is+fine", "filter"),
            (&*format!("filter=id+eq+'{}'", "x".repeat(3000)), "filter"),
            ("startAt=yesterday", "startAt"),
            ("histogramInterval=often", "histogramInterval"),
            ("page=AAAA", "page"),
        ] {
            let problem = ask(&plane, query).await.unwrap_err();
            assert_eq!((problem.status(), problem.errors().keys().next().map(String::as_str)), (StatusCode::BAD_REQUEST, Some(field)), "{query}");
            let said = problem.errors().values().flatten().cloned().collect::<String>();
            assert!(said.ends_with('.') && !said.contains("..") && !said.contains("The value The"), "{said}");
        }
    }

    #[tokio::test]
    async fn one_decision_is_found_by_its_id() {
        let plane = plane().await;
        let Json(log) = show_by_instance(State(plane.clone()), Path("id07".to_owned())).await.unwrap();
        assert_eq!((&log["user"], &log["timestamp"], &log["links"]), (&json!("00u1"), &json!("2026-11-21T07:00:00.0000000+00:00"), &json!([])));
        assert_eq!(show(State(plane), Path("id24".to_owned())).await.unwrap_err().status(), StatusCode::NOT_FOUND);
    }
}
