//! `POST /decisions`: data planes post what they decided, many at once. All of a post is kept, or
//! nothing; a decision that was kept before is passed over, for posts are repeated.

use super::log::Log;
use crate::control::body::Body;
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::observe::clock;
use crate::store::DecisionRow;
use axum::extract::State;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// No more decisions in one post.
const MOST: usize = 5000;

/// How far before and after now a decision may have been made: what is older is forgotten, and what is to come did not happen.
const PAST: SignedDuration = SignedDuration::from_hours(366 * 24);
const FUTURE: SignedDuration = SignedDuration::from_hours(24);

/// Decisions, at most 5000.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AccessEvaluationLogs)]
struct Posted(Vec<Log>);

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(post))
}

/// Post decisions
///
/// Takes in what doors decided, at most 5000 records in 8 MiB. Each has an `id`; one that is known already is passed over.
#[utoipa::path(post, path = "/decisions", operation_id = "PostDecisions", tag = "Data planes", request_body = Posted,
    responses((status = 202, description = "They are kept.")))]
async fn post(State(plane): State<Plane>, Body(posted): Body<Posted>) -> Result<StatusCode, Problem> {
    let rows = rows(posted, clock::now())?;
    plane.store.append_decisions(&rows).await.map_err(super::logs::unavailable)?;
    Ok(StatusCode::ACCEPTED)
}

/// The rows of a post, if all of it fits.
fn rows(posted: Posted, now: Timestamp) -> Result<Vec<DecisionRow>, Problem> {
    let mut problem = Problem::invalid();
    if posted.0.len() > MOST {
        return Err(problem.field("", format!("A post has at most {MOST} decisions.")));
    }
    let mut rows = Vec::with_capacity(posted.0.len());
    for (index, log) in posted.0.into_iter().enumerate() {
        match log.kept(now) {
            Ok(row) if !is_of_now(row.at, now) => {
                problem.report(format!("[{index}].timestamp"), "A decision is at most 366 days old, and at most a day ahead.");
            }
            Ok(row) => rows.push(row),
            Err(("", message)) => problem.report(format!("[{index}]"), message),
            Err((member, message)) => problem.report(format!("[{index}].{member}"), message),
        }
    }
    problem.or_ok(rows)
}

fn is_of_now(at: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(at);
    -FUTURE <= age && age <= PAST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::body::read;
    use crate::control::plane::empty;
    use serde_json::{Value, json};

    fn posted(body: &Value) -> Result<Posted, Problem> {
        read(body)
    }

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_record_is_kept_with_all_that_clients_ask_for() {
        let record = json!({"decisionId": "0a1b", "time": "2026-11-21T11:00:00Z", "door": "proxy", "revision": 7, "user": null,
            "refusal": "AccessDenied", "itemsRemoved": 0, "result": "Denied", "unknown": [1],
            "resource": {"scope": "US", "code": "eq"}, "authoritativeRoleId": {"scope": "default", "code": "managers"}, "authoritativePolicyId": "default/read-us"});
        let row = rows(posted(&json!([record])).unwrap(), now()).unwrap().remove(0);
        assert_eq!((&*row.id, row.at, &*row.user, &*row.application), ("0a1b", now(), "", ""));
        let body: Value = serde_json::from_str(&row.body).unwrap();
        let expected = json!({"timestamp": "2026-11-21T12:00:00.0000000+00:00", "application": "", "id": "0a1b", "user": "", "duration": 0.0, "result": "Denied",
            "authoritativeRoleId": "default/managers", "authoritativePolicyId": "default/read-us", "resource": {"scope": "US", "code": "eq"},
            "decisionId": "0a1b", "door": "proxy", "revision": 7, "refusal": "AccessDenied", "itemsRemoved": 0, "links": []});
        assert_eq!(body, expected);
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_index() {
        let flaws = |body: Value| posted(&body).and_then(|posted| rows(posted, now())).unwrap_err();
        let problem = flaws(json!([{"id": "good"}, {"user": "00u1"}, {"id": "a b"}, {"id": "good", "timestamp": "yesterday"}]));
        assert_eq!(problem.errors().keys().collect::<Vec<_>>(), ["[1].id", "[2].id", "[3].timestamp"]);
        let problem = flaws(json!([{"id": 7}, {"id": "a", "duration": "long"}, "text"]));
        assert_eq!(problem.errors().keys().collect::<Vec<_>>(), ["[0].id", "[1].duration", "[2]"]);
        assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
        assert_eq!(flaws(json!({"id": "a"})).status(), StatusCode::BAD_REQUEST);
        let many: Vec<Value> = (0..=MOST).map(|index| json!({"id": index.to_string()})).collect();
        assert_eq!(flaws(Value::Array(many)).errors().keys().collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn a_decision_of_another_age_is_refused() {
        let fits = |at: &str| rows(posted(&json!([{"id": "a", "timestamp": at}])).unwrap(), now());
        for at in ["0001-01-01T00:00:00Z", "2025-11-20T11:59:59Z", "2026-11-22T12:00:01Z", "9999-12-30T00:00:00Z"] {
            assert_eq!(fits(at).unwrap_err().errors().keys().collect::<Vec<_>>(), ["[0].timestamp"], "{at}");
        }
        for at in ["2025-11-20T12:00:00Z", "2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"] {
            assert_eq!(fits(at).unwrap().len(), 1, "{at}");
        }
    }

    #[tokio::test]
    async fn a_post_with_a_flaw_leaves_nothing_and_a_repeated_one_changes_nothing() {
        let plane = empty().await;
        let send = |body: Value| post(State(plane.clone()), Body(posted(&body).unwrap()));
        assert_eq!(send(json!([{"id": "one"}, {}])).await.unwrap_err().status(), StatusCode::BAD_REQUEST);
        assert!(plane.store.decision("one").await.unwrap().is_none());
        for user in ["00u1", "00u2"] {
            assert_eq!(send(json!([{"id": "one", "user": user}])).await.unwrap(), StatusCode::ACCEPTED);
        }
        assert_eq!(plane.store.decision("one").await.unwrap().unwrap().user, "00u1");
    }
}
