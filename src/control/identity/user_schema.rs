//! The user schema: by which names users may have alternative ids.

use crate::control::body::Body;
use crate::control::caller::Caller;
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::store::{Draft, Setting, State as Remembered, User};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Under this name it is kept.
const NAME: &str = "user-schema";

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(read, update))
}

/// One kind of alternative id
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct UserSchemaProperty {
    /// Its name
    #[schema(min_length = 1, max_length = 50, pattern = r"^[a-zA-Z0-9\-_]+$")]
    pub(super) name: String,
    /// What it is
    #[schema(min_length = 0, max_length = 1024)]
    pub(super) description: String,
}

/// The user schema
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserSchemaResponse {
    /// The alternative ids that users may have
    pub(super) alternative_user_ids: Vec<UserSchemaProperty>,
}

/// What becomes of the user schema
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateUserSchemaRequest {
    /// The alternative ids that users may have
    #[schema(max_items = 50)]
    pub(super) alternative_user_ids: Vec<UserSchemaProperty>,
}

/// The schema in force; empty until one is set.
pub(super) fn schema(state: &Remembered) -> UserSchemaResponse {
    let setting = state.settings.find(NAME);
    setting.and_then(|setting| serde_json::from_value(setting.value.clone()).ok()).unwrap_or_default()
}

/// Reports alternative ids of a user that the schema does not name or that another user has.
pub(super) fn check(state: &Remembered, own_id: &str, ids: &BTreeMap<String, Option<String>>, problem: &mut Problem) {
    if ids.is_empty() {
        return;
    }
    let schema = schema(state);
    for (name, value) in ids {
        let path = format!("alternativeUserIds.{name}");
        let length = value.as_deref().map_or(0, |value| value.chars().count());
        if !schema.alternative_user_ids.iter().any(|property| property.name == *name) {
            problem.report(path, "The user schema has no alternative id of this name.");
        } else if !(1..=100).contains(&length) {
            problem.report(path, "An alternative id has 1 to 100 characters.");
        } else if state.users.values().any(|user| user.id != own_id && user.alternative_user_ids.get(name) == Some(value)) {
            problem.report(path, "Another user has this id.");
        }
    }
}

/// Sets the schema. Ids of names that it does not have any more are taken from the users.
fn change(draft: &mut Draft, request: UpdateUserSchemaRequest) -> Result<UserSchemaResponse, Problem> {
    let mut problem = Problem::invalid();
    let mut names = BTreeSet::new();
    for (index, property) in request.alternative_user_ids.iter().enumerate() {
        if !names.insert(property.name.clone()) {
            problem.report(format!("alternativeUserIds[{index}].name"), "The name stands twice.");
        }
    }
    problem.or_ok(())?;
    let is_gone = |name: &String| !names.contains(name);
    let users: Vec<User> = draft.users.values().filter(|user| user.alternative_user_ids.keys().any(is_gone)).map(|user| user.as_ref().clone()).collect();
    for mut user in users {
        user.alternative_user_ids.retain(|name, _| names.contains(name));
        draft.put(user);
    }
    let schema = UserSchemaResponse { alternative_user_ids: request.alternative_user_ids };
    let value = serde_json::to_value(&schema).unwrap_or_default();
    draft.put(Setting { name: NAME.to_owned(), value });
    Ok(schema)
}

/// Get User Schema
///
/// The alternative ids that users may have.
#[utoipa::path(get, path = "/identity/api/users/schema", operation_id = "GetUserSchema", tag = "Users", responses((status = 200, body = UserSchemaResponse)),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn read(State(plane): State<Plane>) -> Result<Json<UserSchemaResponse>, Problem> {
    Ok(Json(schema(&*plane.state().await?)))
}

/// Update User Schema
///
/// Users lose the alternative ids whose names are not in the schema any more.
#[utoipa::path(put, path = "/identity/api/users/schema", operation_id = "UpdateUserSchema", tag = "Users", request_body = UpdateUserSchemaRequest,
    responses((status = 200, body = UserSchemaResponse)), extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn update(State(plane): State<Plane>, caller: Caller, Body(request): Body<UpdateUserSchemaRequest>) -> Result<Json<UserSchemaResponse>, Problem> {
    let schema = plane.write(&caller, |draft| change(draft, request)).await?;
    super::logs::tell(&plane, &caller, "user.schema.update", super::logs::Target::setting(NAME)).await;
    Ok(Json(schema))
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{active, draft};
    use super::*;

    fn property(name: &str) -> UserSchemaProperty {
        UserSchemaProperty { name: name.to_owned(), description: String::new() }
    }

    fn set(draft: &mut Draft, names: &[&str]) -> Result<UserSchemaResponse, Problem> {
        change(draft, UpdateUserSchemaRequest { alternative_user_ids: names.iter().map(|name| property(name)).collect() })
    }

    fn ids(name: &str, value: &str) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([(name.to_owned(), Some(value.to_owned()))])
    }

    fn complaints(draft: &Draft, own_id: &str, ids: &BTreeMap<String, Option<String>>) -> usize {
        let mut problem = Problem::invalid();
        check(draft, own_id, ids, &mut problem);
        problem.errors().len()
    }

    #[test]
    fn users_have_alternative_ids_by_the_names_of_the_schema_only() {
        let mut draft = draft();
        assert_eq!(complaints(&draft, "", &ids("staff", "17")), 1);
        set(&mut draft, &["staff"]).unwrap();
        assert_eq!(complaints(&draft, "", &ids("staff", "17")), 0);
        assert_eq!(complaints(&draft, "", &ids("staff", "")), 1);
        assert_eq!(schema(&draft).alternative_user_ids, [property("staff")]);
    }

    #[test]
    fn an_alternative_id_is_given_once() {
        let mut draft = draft();
        set(&mut draft, &["staff"]).unwrap();
        draft.put(User { alternative_user_ids: ids("staff", "17"), ..active("00u1", "ada@acme.com") });
        assert_eq!(complaints(&draft, "00u2", &ids("staff", "17")), 1);
        assert_eq!(complaints(&draft, "00u1", &ids("staff", "17")), 0);
    }

    #[test]
    fn users_lose_the_ids_whose_name_is_gone() {
        let mut draft = draft();
        set(&mut draft, &["staff", "badge"]).unwrap();
        let both = ids("staff", "17").into_iter().chain(ids("badge", "B")).collect();
        draft.put(User { alternative_user_ids: both, ..active("00u1", "ada@acme.com") });
        set(&mut draft, &["badge"]).unwrap();
        assert_eq!(draft.users.find("00u1").unwrap().alternative_user_ids, ids("badge", "B"));
        assert!(set(&mut draft, &["badge", "badge"]).is_err());
    }
}
