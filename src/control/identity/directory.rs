//! The directory: who stands behind an id.

use super::user_bodies::kind_name;
use crate::control::caller::Caller;
use crate::control::parameters::Parameters;
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::control::wire::Link;
use crate::store::{State as Remembered, User};
use axum::Json;
use axum::extract::{OriginalUri, State};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(search))
}

/// Lightweight view of a user
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserSummary {
    /// The user's id
    id: String,
    /// The user's login
    login: String,
    /// The user's email address
    email: String,
    /// The user's second email address
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    second_email: Option<String>,
    /// The user's first name
    first_name: String,
    /// The user's last name
    last_name: String,
    /// The user's type
    #[serde(rename = "type")]
    kind: &'static str,
    /// The user's alternative ids; only those of the caller are told
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    alternative_user_ids: BTreeMap<String, String>,
    /// Empty
    links: Vec<Link>,
}

/// Why there is nothing for an id
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// The id
    id: String,
    /// The kind of error
    #[serde(rename = "type")]
    kind: &'static str,
    /// What happened
    detail: String,
}

/// What the directory says
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ListUsersResponse {
    /// The request's own address
    href: String,
    /// Those that were found, by id
    values: BTreeMap<String, UserSummary>,
    /// Those that were not, by id
    failed: BTreeMap<String, ErrorDetail>,
    /// Empty
    links: Vec<Link>,
}

fn summary(user: &User, is_own: bool) -> UserSummary {
    let alternative = user.alternative_user_ids.iter().filter(|_| is_own);
    UserSummary {
        id: user.id.clone(),
        login: user.login.clone(),
        email: user.email_address.clone(),
        second_email: user.second_email_address.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        kind: kind_name(user.kind),
        alternative_user_ids: alternative.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect(),
        links: Vec::new(),
    }
}

/// Looks up each id, once.
fn found<'a>(state: &Remembered, asker: &str, ids: impl Iterator<Item = &'a str>, href: String) -> Result<ListUsersResponse, Problem> {
    let (mut values, mut failed) = (BTreeMap::new(), BTreeMap::new());
    for id in ids {
        match state.users.find(id) {
            Some(user) => drop(values.insert(id.to_owned(), summary(user, id == asker))),
            None => {
                let detail = ErrorDetail { id: id.to_owned(), kind: "UserNotFound", detail: "There is no user with this id.".to_owned() };
                failed.insert(id.to_owned(), detail);
            }
        }
    }
    if values.is_empty() && failed.is_empty() {
        return Err(Problem::invalid().field("id", "At least one id is needed."));
    }
    Ok(ListUsersResponse { href, values, failed, links: Vec::new() })
}

/// Find users by id endpoint
///
/// Those that were found and those that were not, each by its id.
#[utoipa::path(get, path = "/identity/api/directory", operation_id = "FindUsersById", tag = "Users",
    params(("id" = Vec<String>, Query, description = "The ids to look up; repeat the parameter for each")),
    responses((status = 200, body = ListUsersResponse)))]
async fn search(State(plane): State<Plane>, caller: Caller, parameters: Parameters, uri: OriginalUri) -> Result<Json<ListUsersResponse>, Problem> {
    let href = plane.settings.href(&uri.to_string());
    found(&*plane.state().await?, caller.user(), parameters.all("id"), href).map(Json)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{active, draft};
    use super::*;

    #[test]
    fn each_id_is_found_or_failed() {
        let mut draft = draft();
        draft.put(active("00u1", "ada@acme.com"));
        let answer = found(&draft, "00u9", ["00u1", "00u2", "00u1"].into_iter(), "h".to_owned()).unwrap();
        assert_eq!(answer.values.keys().collect::<Vec<_>>(), ["00u1"]);
        assert_eq!(answer.failed.keys().collect::<Vec<_>>(), ["00u2"]);
        assert!(found(&draft, "00u9", std::iter::empty(), "h".to_owned()).is_err());
    }

    #[test]
    fn alternative_ids_are_told_to_their_user_alone() {
        let mut draft = draft();
        draft.put(User { alternative_user_ids: BTreeMap::from([("staff".to_owned(), Some("17".to_owned()))]), ..active("00u1", "ada@acme.com") });
        let told = |asker: &str| found(&draft, asker, ["00u1"].into_iter(), String::new()).unwrap().values["00u1"].alternative_user_ids.len();
        assert_eq!((told("00u1"), told("00u9")), (1, 0));
    }
}
