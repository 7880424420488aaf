//! Access metadata of entities (LUSID's wire, C.8): what policies with metadata selectors look at. An
//! entity is named by its parts, each a query parameter: `?scope=US&code=eq`. The next snapshot has it.

use super::body::Body;
use super::caller::Caller;
use super::parameters::Parameters;
use super::plane::Plane;
use super::problem::{Code, Problem, ProblemDetails};
use crate::store::{AccessMetadata, Draft, MetadataValue, State};
use axum::Json;
use axum::extract::{Path, State as Extracted};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const LONGEST_ENTITY: usize = 100;
const LONGEST_PART: usize = 100;
const LONGEST_PART_VALUE: usize = 2048;
const LONGEST_KEY: usize = 256;
/// No id of LUSID's has as many parts.
const MOST_PARTS: usize = 20;

/// A value of a metadata key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AccessMetadataValue)]
struct AccessValue {
    /// What policies compare with.
    #[schema(max_length = 2048)]
    value: String,
    /// Who licenses the data, if somebody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 50)]
    provider: Option<String>,
}

/// Values by metadata key; a key with null or without values is none.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AccessMetadataRequest)]
struct Request(BTreeMap<String, Option<Vec<AccessValue>>>);

/// Values by metadata key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessMetadataResponse)]
struct Metadata(BTreeMap<String, Vec<AccessValue>>);

/// The routes of this room.
pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(show, replace, merge, remove))
}

/// Get access metadata
///
/// The access metadata of one entity, named by the parts of its id as query parameters.
#[utoipa::path(get, path = "/access/api/accessmetadata/{entity}", operation_id = "GetAccessMetadata", tag = "AccessMetadata",
    params(
        ("entity" = String, Path, description = "The kind of entity.", pattern = "^[A-Za-z][\\w-]{0,99}$", example = "Portfolio"),
        ("id" = BTreeMap<String, String>, Query, style = Form, explode, description = "The parts of the id, each a parameter of its own."),
    ),
    responses(
        (status = 200, description = "Values by metadata key.", body = Metadata),
        (status = 404, description = "The entity has no access metadata.", body = ProblemDetails, content_type = "application/problem+json"),
    ))]
async fn show(Extracted(plane): Extracted<Plane>, Path(entity): Path<String>, parameters: Parameters) -> Result<Json<Metadata>, Problem> {
    let entity = Entity::read(&entity, &parameters)?;
    Ok(Json(entity.find(&*plane.state().await?)?.into()))
}

/// Set access metadata
///
/// Replaces the access metadata of one entity as a whole. Without any key the entity is known to have none.
#[utoipa::path(put, path = "/access/api/accessmetadata/{entity}", operation_id = "PutAccessMetadata", tag = "AccessMetadata",
    params(
        ("entity" = String, Path, description = "The kind of entity.", pattern = "^[A-Za-z][\\w-]{0,99}$", example = "Portfolio"),
        ("id" = BTreeMap<String, String>, Query, style = Form, explode, description = "The parts of the id, each a parameter of its own."),
    ),
    request_body = Request,
    responses((status = 200, description = "Values by metadata key.", body = Metadata)))]
async fn replace(
    Extracted(plane): Extracted<Plane>,
    caller: Caller,
    Path(entity): Path<String>,
    parameters: Parameters,
    Body(request): Body<Request>,
) -> Result<Json<Metadata>, Problem> {
    let entity = Entity::read(&entity, &parameters)?;
    let metadata = plane.write(&caller, |draft| replacement(draft, entity, request)).await?;
    Ok(Json(metadata))
}

/// Patch access metadata
///
/// Sets the keys that are named and leaves the others. A key with null or without values is removed.
#[utoipa::path(patch, path = "/access/api/accessmetadata/{entity}", operation_id = "PatchAccessMetadata", tag = "AccessMetadata",
    params(
        ("entity" = String, Path, description = "The kind of entity.", pattern = "^[A-Za-z][\\w-]{0,99}$", example = "Portfolio"),
        ("id" = BTreeMap<String, String>, Query, style = Form, explode, description = "The parts of the id, each a parameter of its own."),
    ),
    request_body = Request,
    responses(
        (status = 200, description = "All values by metadata key.", body = Metadata),
        (status = 404, description = "There is nothing to remove keys from.", body = ProblemDetails, content_type = "application/problem+json"),
    ))]
async fn merge(
    Extracted(plane): Extracted<Plane>,
    caller: Caller,
    Path(entity): Path<String>,
    parameters: Parameters,
    Body(request): Body<Request>,
) -> Result<Json<Metadata>, Problem> {
    let entity = Entity::read(&entity, &parameters)?;
    let metadata = plane.write(&caller, |draft| merged(draft, entity, request)).await?;
    Ok(Json(metadata))
}

/// Delete access metadata
///
/// Forgets the access metadata of one entity: it is not known then whether it has any.
#[utoipa::path(delete, path = "/access/api/accessmetadata/{entity}", operation_id = "DeleteAccessMetadata", tag = "AccessMetadata",
    params(
        ("entity" = String, Path, description = "The kind of entity.", pattern = "^[A-Za-z][\\w-]{0,99}$", example = "Portfolio"),
        ("id" = BTreeMap<String, String>, Query, style = Form, explode, description = "The parts of the id, each a parameter of its own."),
    ),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "The entity has no access metadata.", body = ProblemDetails, content_type = "application/problem+json"),
    ))]
async fn remove(Extracted(plane): Extracted<Plane>, caller: Caller, Path(entity): Path<String>, parameters: Parameters) -> Result<StatusCode, Problem> {
    let entity = Entity::read(&entity, &parameters)?;
    plane.write(&caller, |draft| removal(draft, &entity)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which entity is meant.
#[derive(Debug)]
struct Entity {
    name: String,
    id: BTreeMap<String, String>,
}

impl Entity {
    /// Reads the entity's name and the parts of its id, which differ whatever their case.
    fn read(name: &str, parameters: &Parameters) -> Result<Self, Problem> {
        let mut problem = Problem::invalid();
        if !is_entity(name) {
            problem.report("entity", "An entity is named by letters, digits, `_` and `-`, a letter first.");
        }
        let pairs = parameters.pairs();
        if pairs.is_empty() || pairs.len() > MOST_PARTS {
            problem.report("", format!("Name the entity by the parts of its id, at most {MOST_PARTS}, such as ?scope=US&code=eq."));
        }
        for (index, (part, value)) in pairs.iter().take(MOST_PARTS).enumerate() {
            if pairs.iter().take(index).any(|(earlier, _)| earlier.eq_ignore_ascii_case(part)) {
                problem.report(part, "The part stands more than once.");
            }
            if part.is_empty() || part.chars().count() > LONGEST_PART {
                problem.report(part, format!("The name of a part has 1 to {LONGEST_PART} characters."));
            }
            if value.is_empty() || value.chars().count() > LONGEST_PART_VALUE {
                problem.report(part, format!("The value of a part has 1 to {LONGEST_PART_VALUE} characters."));
            }
        }
        problem.or_ok(())?;
        Ok(Self { name: name.to_owned(), id: pairs.iter().cloned().collect() })
    }

    fn key(&self) -> String {
        AccessMetadata::key_of(&self.name, &self.id)
    }

    fn find<'a>(&self, state: &'a State) -> Result<&'a AccessMetadata, Problem> {
        state.access_metadata.find(&self.key()).map(|found| &**found).ok_or_else(|| Problem::of(Code::MetadataMissing))
    }
}

fn is_entity(name: &str) -> bool {
    name.len() <= LONGEST_ENTITY
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn replacement(draft: &mut Draft, entity: Entity, request: Request) -> Result<Metadata, Problem> {
    let changes = request.checked()?;
    let metadata = changes.into_iter().filter(|(_, values)| !values.is_empty()).collect();
    Ok(put(draft, entity, metadata))
}

fn merged(draft: &mut Draft, entity: Entity, request: Request) -> Result<Metadata, Problem> {
    let changes = request.checked()?;
    let before = entity.find(draft).map(|before| before.metadata.clone());
    let sets_nothing = changes.values().all(Vec::is_empty);
    let mut metadata = if sets_nothing { before? } else { before.unwrap_or_default() };
    for (key, values) in changes {
        match values.is_empty() {
            true => drop(metadata.remove(&key)),
            false => drop(metadata.insert(key, values)),
        }
    }
    Ok(put(draft, entity, metadata))
}

fn removal(draft: &mut Draft, entity: &Entity) -> Result<(), Problem> {
    match draft.remove::<AccessMetadata>(&entity.key()) {
        true => Ok(()),
        false => Err(Problem::of(Code::MetadataMissing)),
    }
}

fn put(draft: &mut Draft, entity: Entity, metadata: BTreeMap<String, Vec<MetadataValue>>) -> Metadata {
    let document = AccessMetadata { entity: entity.name, id: entity.id, metadata };
    let answer = Metadata::from(&document);
    draft.put(document);
    answer
}

impl Request {
    /// The values of every key, none where it is to be removed.
    fn checked(self) -> Result<BTreeMap<String, Vec<MetadataValue>>, Problem> {
        let mut problem = Problem::invalid();
        for key in self.0.keys().filter(|key| !is_key(key)) {
            problem.report(key, format!("A key has 1 to {LONGEST_KEY} letters, digits, blanks and `_.:+-`, and begins with a letter, a digit or `_`."));
        }
        let stored = |value: AccessValue| MetadataValue { value: value.value, provider: value.provider };
        let values = |values: Option<Vec<AccessValue>>| values.unwrap_or_default().into_iter().map(stored).collect();
        problem.or_ok(self.0.into_iter().map(|(key, listed)| (key, values(listed))).collect())
    }
}

fn is_key(key: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    key.chars().count() <= LONGEST_KEY && key.starts_with(is_word) && key.chars().all(|letter| is_word(letter) || " .:+-".contains(letter))
}

impl From<&AccessMetadata> for Metadata {
    fn from(document: &AccessMetadata) -> Self {
        let shown = |value: &MetadataValue| AccessValue { value: value.value.clone(), provider: value.provider.clone() };
        Self(document.metadata.iter().map(|(key, values)| (key.clone(), values.iter().map(shown).collect())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::caller::testing::administrator;
    use crate::control::plane::{self, empty};
    use serde_json::json;

    fn entity(name: &str, query: &str) -> Result<Entity, Problem> {
        Entity::read(name, &Parameters::parse(query).unwrap())
    }

    fn draft() -> Draft {
        Draft::new(&State::default(), "2026-11-21T12:00:00Z".parse().unwrap())
    }

    fn request(value: &serde_json::Value) -> Request {
        crate::control::body::read(value).unwrap()
    }

    fn shown(metadata: &Metadata) -> serde_json::Value {
        serde_json::to_value(metadata).unwrap()
    }

    fn eq() -> Entity {
        entity("Portfolio", "scope=US&code=eq").unwrap()
    }

    #[test]
    fn an_entity_is_named_by_all_parts_of_its_id() {
        assert_eq!(eq().key(), entity("portfolio", "CODE=eq&Scope=US").unwrap().key());
        assert_ne!(eq().key(), entity("Portfolio", "scope=US&code=EQ").unwrap().key());
        assert_ne!(eq().key(), entity("Portfolio", "scope=US").unwrap().key());
        for (name, query) in [
            ("Portfolio", ""),
            ("Portfolio", "scope=US&SCOPE=US"),
            ("Portfolio", "scope="),
            ("Portfolio", "=US"),
            ("7", "scope=US"),
            ("Port folio", "scope=US"),
            ("", "scope=US"),
        ] {
            assert_eq!(entity(name, query).unwrap_err().status(), StatusCode::BAD_REQUEST, "{name}?{query}");
        }
        let many: Vec<String> = (0..=MOST_PARTS).map(|index| format!("part{index}=1")).collect();
        assert!(entity("Portfolio", &many.join("&")).is_err());
        assert!(entity("Portfolio", &format!("scope={}", "x".repeat(LONGEST_PART_VALUE + 1))).is_err());
    }

    #[test]
    fn what_is_put_replaces_all_that_was_there() {
        let mut draft = draft();
        let first = replacement(&mut draft, eq(), request(&json!({"Desk": [{"value": "EQ"}, {"value": "FI", "provider": "Acme"}], "Region": null}))).unwrap();
        assert_eq!(shown(&first), json!({"Desk": [{"value": "EQ"}, {"value": "FI", "provider": "Acme"}]}));
        let second = replacement(&mut draft, eq(), request(&json!({"Region": [{"value": "US", "provider": null}]}))).unwrap();
        assert_eq!(shown(&second), json!({"Region": [{"value": "US"}]}));
        assert_eq!(shown(&eq().find(&draft).unwrap().into()), shown(&second));
        let none = replacement(&mut draft, eq(), request(&json!({}))).unwrap();
        assert_eq!((shown(&none), draft.access_metadata.len()), (json!({}), 1));
        assert!(draft.is_published());
    }

    #[test]
    fn what_is_merged_leaves_the_other_keys() {
        let mut draft = draft();
        assert_eq!(merged(&mut draft, eq(), request(&json!({"Desk": []}))).unwrap_err().status(), StatusCode::NOT_FOUND);
        merged(&mut draft, eq(), request(&json!({"Desk": [{"value": "EQ"}], "Region": [{"value": "US"}]}))).unwrap();
        let other = entity("PORTFOLIO", "Code=eq&Scope=US").unwrap();
        let metadata = merged(&mut draft, other, request(&json!({"Desk": [], "Team": [{"value": "A"}]}))).unwrap();
        assert_eq!(shown(&metadata), json!({"Region": [{"value": "US"}], "Team": [{"value": "A"}]}));
        let rest = merged(&mut draft, eq(), request(&json!({"Region": null, "Team": []}))).unwrap();
        assert_eq!((shown(&rest), draft.access_metadata.len()), (json!({}), 1));
    }

    #[test]
    fn what_does_not_fit_changes_nothing_and_is_named() {
        let long = "x".repeat(2049);
        for (body, field) in [
            (json!({"Desk": [{"value": long}]}), "Desk[0].value"),
            (json!({"Desk": [{"value": "a", "provider": "x".repeat(51)}]}), "Desk[0].provider"),
            (json!({"Desk": [{}]}), "Desk[0].value"),
            (json!({"Desk": "EQ"}), "Desk"),
        ] {
            let problem = crate::control::body::read::<Request>(&body).unwrap_err();
            assert!(problem.errors().contains_key(field), "{body} {:?}", problem.errors());
        }
        let mut draft = draft();
        for key in ["", "-a", "a/b", " a", "a\n", &"k".repeat(257)] {
            let problem = replacement(&mut draft, eq(), Request(BTreeMap::from([(key.to_owned(), None)]))).unwrap_err();
            assert_eq!(problem.errors().keys().collect::<Vec<_>>(), [key]);
        }
        assert!(draft.is_empty());
    }

    #[tokio::test]
    async fn what_was_put_is_shown_until_it_is_removed() {
        let plane = empty().await;
        let parameters = || Parameters::parse("scope=US&code=eq").unwrap();
        let path = || Path("Portfolio".to_owned());
        let with = |plane: &plane::Plane| Extracted(plane.clone());
        assert_eq!(show(with(&plane), path(), parameters()).await.unwrap_err().status(), StatusCode::NOT_FOUND);
        let body = || Body(request(&json!({"Desk": [{"value": "EQ"}]})));
        let put = replace(with(&plane), administrator(), path(), parameters(), body()).await.unwrap();
        let found = show(with(&plane), path(), parameters()).await.unwrap();
        assert_eq!(shown(&found), shown(&put));
        assert_eq!(plane.state().await.unwrap().revision, 1);
        assert_eq!(remove(with(&plane), administrator(), path(), parameters()).await.unwrap(), StatusCode::NO_CONTENT);
        assert_eq!(remove(with(&plane), administrator(), path(), parameters()).await.unwrap_err().status(), StatusCode::NOT_FOUND);
    }
}
