//! Personal access tokens of the caller: shown once, kept as a digest, good until they are deleted
//! or their time has come.

use super::logs::{Target, tell};
use super::{accounts, made, read_time, secret};
use crate::control::body::Body;
use crate::control::caller::Caller;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::{hexadecimal, random, write_optional_time, write_time};
use crate::store::{Draft, PersonalAccessToken, State as Remembered};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How many of a user may be good at once (error 238).
const MOST: usize = 3;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(remove))
}

/// Create an API key
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateApiKey {
    /// The display name for the API key
    #[schema(min_length = 1, max_length = 512, pattern = r"^[\s\S]*$")]
    display_name: String,
    /// The date at which the key deactivates, if it does
    #[serde(default, deserialize_with = "read_time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    deactivation_date: Option<Timestamp>,
}

/// The metadata of an API key
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiKey {
    /// The unique id of the API key
    #[schema(min_length = 1, max_length = 64, pattern = r"^[a-zA-Z0-9\-_]+$")]
    id: String,
    /// The display name of the API key
    #[schema(min_length = 1, max_length = 512, pattern = r"^[\s\S]*$")]
    display_name: String,
    /// The creation date of the API key
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    created_date: Timestamp,
    /// The deactivation date of the API key
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_optional_time")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    deactivation_date: Option<Timestamp>,
}

/// A newly created API key
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedApiKey {
    /// The value: shown now and never again
    #[schema(min_length = 1)]
    key: String,
    /// What describes it
    #[serde(flatten)]
    described: ApiKey,
}

impl From<&PersonalAccessToken> for ApiKey {
    fn from(token: &PersonalAccessToken) -> Self {
        Self {
            id: token.id.clone(),
            display_name: token.display_name.clone(),
            created_date: token.created_date,
            deactivation_date: token.deactivation_date,
        }
    }
}

/// The keys of a user that were not deleted, oldest first.
fn listing(state: &Remembered, user: &str) -> Vec<ApiKey> {
    let mut keys: Vec<ApiKey> = state.personal_access_tokens.beginning(&format!("{user}/")).map(|(_, token)| token.as_ref().into()).collect();
    keys.sort_by(|one, other| (one.created_date, &one.id).cmp(&(other.created_date, &other.id)));
    keys
}

fn creation(draft: &mut Draft, user: &str, request: CreateApiKey) -> Result<CreatedApiKey, Problem> {
    accounts::living(draft, user)?;
    let now = draft.now();
    if request.deactivation_date.is_some_and(|end| end <= now) {
        return Err(Problem::invalid().field("deactivationDate", "The date is not in the future."));
    }
    let present = listing(draft, user);
    if present.iter().any(|key| key.display_name == request.display_name) {
        return Err(Problem::of(Code::KeyNameTaken).detail("You have a key with this display name already."));
    }
    if present.iter().filter(|key| key.deactivation_date.is_none_or(|end| end > now)).count() >= MOST {
        return Err(Problem::of(Code::TooManyKeys).detail(format!("A user has at most {MOST} keys that are active: delete one first.")));
    }
    let key = hexadecimal(&made(random::<32>())?);
    let token = PersonalAccessToken {
        id: hexadecimal(&made(random::<16>())?),
        user_id: user.to_owned(),
        sha256: hexadecimal(&Sha256::digest(&key)),
        display_name: request.display_name,
        created_date: now,
        deactivation_date: request.deactivation_date,
    };
    let described = ApiKey::from(&token);
    draft.put(token);
    Ok(CreatedApiKey { key, described })
}

fn removal(draft: &mut Draft, user: &str, id: &str) -> Result<ApiKey, Problem> {
    let key = format!("{user}/{id}");
    let missing = || Problem::of(Code::KeyMissing).detail("You have no key with this id.");
    let described = draft.personal_access_tokens.find(&key).map(|token| ApiKey::from(token.as_ref())).ok_or_else(missing)?;
    draft.remove::<PersonalAccessToken>(&key);
    Ok(described)
}

/// Makes a key of the user for the console; its value, shown now and never again.
///
/// # Errors
/// As the operation.
pub(in crate::control) fn create_key(draft: &mut Draft, user: &str, display_name: String) -> Result<String, Problem> {
    let length = display_name.chars().count();
    if length == 0 || length > 512 {
        return Err(Problem::invalid().field("displayName", "Write what it is for, in 1 to 512 characters."));
    }
    creation(draft, user, CreateApiKey { display_name, deactivation_date: None }).map(|created| created.key)
}

/// Ends a key of the user for the console.
///
/// # Errors
/// As the operation.
pub(in crate::control) fn delete_key(draft: &mut Draft, user: &str, id: &str) -> Result<(), Problem> {
    removal(draft, user, id).map(drop)
}

/// Gets the meta data for all of the user's existing Personal Access Tokens.
///
/// Those that have not been deleted; they may be of no use any more by their deactivation date.
#[utoipa::path(get, path = "/identity/api/keys", operation_id = "ListOwnApiKeys", tag = "PersonalAuthenticationTokens", responses((status = 200, body = Vec<ApiKey>)))]
async fn list(State(plane): State<Plane>, caller: Caller) -> Result<Json<Vec<ApiKey>>, Problem> {
    Ok(Json(listing(&*plane.state().await?, caller.user())))
}

/// Create a Personal Access Token
///
/// The key is sent as any bearer token and acts as its user with the roles that the user has at the time of the call.
#[utoipa::path(post, path = "/identity/api/keys", operation_id = "CreateApiKey", tag = "PersonalAuthenticationTokens", request_body = CreateApiKey,
    responses((status = 200, body = CreatedApiKey), (status = 409, description = "The caller has a key with this display name.")))]
async fn create(State(plane): State<Plane>, caller: Caller, Body(request): Body<CreateApiKey>) -> Result<Response, Problem> {
    let created = plane.write(&caller, |draft| creation(draft, caller.user(), request)).await?;
    tell(&plane, &caller, "system.api_token.create", Target::key(&created.described.id)).await;
    Ok(secret(created))
}

/// Invalidate a Personal Access Token
#[utoipa::path(delete, path = "/identity/api/keys/{id}", operation_id = "DeleteApiKey", tag = "PersonalAuthenticationTokens",
    params(("id" = String, Path, description = "The id of the key")),
    responses((status = 200, body = ApiKey), (status = 404, description = "The caller has no such key.")))]
async fn remove(State(plane): State<Plane>, caller: Caller, Path(id): Path<String>) -> Result<Json<ApiKey>, Problem> {
    let removed = plane.write(&caller, |draft| removal(draft, caller.user(), &id)).await?;
    tell(&plane, &caller, "system.api_token.revoke", Target::key(&removed.id)).await;
    Ok(Json(removed))
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{active, at, draft};
    use super::*;
    use crate::store::State;

    fn request(name: &str, end: Option<&str>) -> CreateApiKey {
        CreateApiKey { display_name: name.to_owned(), deactivation_date: end.map(at) }
    }

    fn with_users() -> Draft {
        let mut draft = draft();
        draft.put(active("00u1", "ada@acme.com"));
        draft.put(active("00u12", "other@acme.com"));
        draft
    }

    #[test]
    fn a_key_is_shown_once_and_kept_as_its_digest() {
        let mut draft = with_users();
        let created = creation(&mut draft, "00u1", request("laptop", None)).unwrap();
        assert_eq!((created.key.len(), created.described.id.len()), (64, 32));
        let kept = draft.personal_access_tokens.find(&format!("00u1/{}", created.described.id)).unwrap();
        assert_eq!(kept.sha256, hexadecimal(&Sha256::digest(created.key.as_bytes())));
        assert!(!serde_json::to_string(kept.as_ref()).unwrap().contains(&created.key));
        let answer = serde_json::to_value(&created).unwrap();
        assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["key", "id", "displayName", "createdDate"]);
    }

    #[test]
    fn a_user_has_three_that_are_active() {
        let mut draft = with_users();
        for name in ["a", "b", "c"] {
            creation(&mut draft, "00u1", request(name, Some("2026-11-22T00:00:00Z"))).unwrap();
        }
        assert_eq!(creation(&mut draft, "00u1", request("d", None)).err().unwrap().code(), Code::TooManyKeys);
        creation(&mut draft, "00u12", request("d", None)).unwrap();
        let later = State::default();
        let mut later = Draft::new(&later, at("2026-11-22T00:00:00Z"));
        for token in draft.personal_access_tokens.values() {
            later.put(token.as_ref().clone());
        }
        later.put(active("00u1", "ada@acme.com"));
        creation(&mut later, "00u1", request("d", None)).unwrap();
        assert_eq!(listing(&later, "00u1").len(), 4);
    }

    #[test]
    fn a_display_name_is_given_once_to_a_user() {
        let mut draft = with_users();
        let first = creation(&mut draft, "00u1", request("laptop", None)).unwrap();
        assert_eq!(creation(&mut draft, "00u1", request("laptop", None)).err().unwrap().code(), Code::KeyNameTaken);
        creation(&mut draft, "00u12", request("laptop", None)).unwrap();
        removal(&mut draft, "00u1", &first.described.id).unwrap();
        creation(&mut draft, "00u1", request("laptop", None)).unwrap();
    }

    #[test]
    fn a_key_does_not_end_before_it_begins() {
        let mut draft = with_users();
        let problem = creation(&mut draft, "00u1", request("laptop", Some("2026-11-21T12:00:00Z"))).err().unwrap();
        assert_eq!(problem.errors().keys().collect::<Vec<_>>(), ["deactivationDate"]);
        creation(&mut draft, "00u1", request("laptop", Some("2026-11-21T12:00:01Z"))).unwrap();
    }

    #[test]
    fn nobody_sees_or_removes_the_keys_of_another() {
        let mut draft = with_users();
        let own = creation(&mut draft, "00u1", request("laptop", None)).unwrap().described;
        assert!(listing(&draft, "00u12").is_empty());
        assert_eq!(removal(&mut draft, "00u12", &own.id).unwrap_err().code(), Code::KeyMissing);
        assert_eq!(removal(&mut draft, "00u1", &own.id).unwrap(), own);
        assert_eq!(removal(&mut draft, "00u1", &own.id).unwrap_err().code(), Code::KeyMissing);
    }

    #[test]
    fn who_is_no_user_has_no_key() {
        assert_eq!(creation(&mut draft(), "somebody", request("laptop", None)).err().unwrap().code(), Code::UserMissing);
    }
}
