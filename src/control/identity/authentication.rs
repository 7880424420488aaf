//! How users sign in: who issues their tokens, what passwords must be like, how long sessions last.

use super::logs::{Target, tell};
use super::user_bodies::kind_named;
use crate::control::body::{Body, OptionalBody};
use crate::control::caller::Caller;
use crate::control::oauth::{PasswordAge, PasswordComplexity, PasswordLockout, PasswordPolicy, SessionPolicy};
use crate::control::plane::Plane;
use crate::control::problem::Problem;
use crate::control::wire::Link;
use crate::store::{Draft, Setting, UserKind};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(information))
        .routes(routes!(password_policy, update_password_policy))
        .routes(routes!(session_policy, update_session_policy))
}

/// Who issues tokens here
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthenticationInformation {
    /// The issuer of the tokens
    #[schema(min_length = 1)]
    issuer_url: String,
    /// Other issuers; there are none
    fallback_issuer_urls: Vec<String>,
    /// Whether users can sign in
    status: bool,
    /// Empty
    links: Vec<Link>,
}

/// What becomes of a password policy
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct UpdatePasswordPolicyRequest {
    /// Its conditions
    conditions: UpdatePasswordPolicyRequestConditions,
}

/// Password policy conditions for a password policy
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct UpdatePasswordPolicyRequestConditions {
    /// What a password consists of
    complexity: UpdatePasswordPolicyRequestComplexity,
    /// How old it may become
    age: UpdatePasswordPolicyRequestAge,
    /// How often it may be guessed
    lockout: UpdatePasswordPolicyRequestLockout,
}

/// What a password consists of
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdatePasswordPolicyRequestComplexity {
    /// The minimum length for a password; no password has fewer than 12 characters or more than 50
    #[schema(minimum = 12, maximum = 50)]
    min_length: u32,
    /// Whether the user's first name is kept out of it
    exclude_first_name: bool,
    /// Whether the user's last name is kept out of it
    exclude_last_name: bool,
}

/// How old a password may become
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdatePasswordPolicyRequestAge {
    /// The maximum age in days of a password before it has to be changed; 0 = no limit
    #[schema(maximum = 3650)]
    max_age_days: u32,
    /// How many passwords have to be used before one is permitted again; 0 = none
    #[schema(maximum = 24)]
    history_count: u32,
}

/// How often a password may be guessed
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdatePasswordPolicyRequestLockout {
    /// With so many wrong attempts in a row the account is locked; 0 = never
    #[schema(maximum = 100)]
    max_attempts: u32,
}

/// Session timing settings.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateSessionPolicyRequest {
    /// Maximum minutes a user's session can be idle before it ends: 5 minutes to 12 hours
    #[schema(minimum = 5, maximum = 720)]
    max_session_idle_minutes: u32,
    /// Maximum minutes a user's session can live in total: 5 minutes to 24 hours. Absent = without limit
    #[schema(minimum = 5, maximum = 1440)]
    max_session_lifetime_minutes: Option<u32>,
}

/// What passwords must be like
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PasswordPolicyResponse {
    /// Its conditions
    conditions: PasswordPolicyResponseConditions,
}

/// Password policy conditions for a password policy
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PasswordPolicyResponseConditions {
    /// What a password consists of
    complexity: PasswordPolicyResponseComplexity,
    /// How old it may become
    age: PasswordPolicyResponseAge,
    /// How often it may be guessed
    lockout: PasswordPolicyResponseLockout,
}

/// What a password consists of
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordPolicyResponseComplexity {
    /// The minimum length for a password
    min_length: u32,
    /// Whether the user's first name is kept out of it
    exclude_first_name: bool,
    /// Whether the user's last name is kept out of it
    exclude_last_name: bool,
}

/// How old a password may become
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordPolicyResponseAge {
    /// The maximum age in days of a password before it has to be changed; 0 = no limit
    max_age_days: u32,
    /// How many passwords have to be used before one is permitted again; 0 = none
    history_count: u32,
}

/// How often a password may be guessed
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordPolicyResponseLockout {
    /// With so many wrong attempts in a row the account is locked; 0 = never
    max_attempts: u32,
}

/// Session timing settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionPolicyResponse {
    /// Maximum minutes a user's session can be idle before it ends
    max_session_idle_minutes: u32,
    /// Maximum minutes a user's session can live in total. Absent = without limit
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    max_session_lifetime_minutes: Option<u32>,
}

impl From<UpdatePasswordPolicyRequest> for PasswordPolicy {
    fn from(request: UpdatePasswordPolicyRequest) -> Self {
        let UpdatePasswordPolicyRequestConditions { complexity, age, lockout } = request.conditions;
        let UpdatePasswordPolicyRequestComplexity { min_length, exclude_first_name, exclude_last_name } = complexity;
        Self {
            complexity: PasswordComplexity { min_length, exclude_first_name, exclude_last_name },
            age: PasswordAge { max_age_days: age.max_age_days, history_count: age.history_count },
            lockout: PasswordLockout { max_attempts: lockout.max_attempts },
        }
    }
}

impl From<PasswordPolicy> for PasswordPolicyResponse {
    fn from(policy: PasswordPolicy) -> Self {
        let PasswordComplexity { min_length, exclude_first_name, exclude_last_name } = policy.complexity;
        let complexity = PasswordPolicyResponseComplexity { min_length, exclude_first_name, exclude_last_name };
        let age = PasswordPolicyResponseAge { max_age_days: policy.age.max_age_days, history_count: policy.age.history_count };
        let lockout = PasswordPolicyResponseLockout { max_attempts: policy.lockout.max_attempts };
        Self { conditions: PasswordPolicyResponseConditions { complexity, age, lockout } }
    }
}

impl From<SessionPolicy> for SessionPolicyResponse {
    fn from(policy: SessionPolicy) -> Self {
        let SessionPolicy { max_session_idle_minutes, max_session_lifetime_minutes } = policy;
        Self { max_session_idle_minutes, max_session_lifetime_minutes }
    }
}

fn kind_of(user_type: &str) -> Result<UserKind, Problem> {
    kind_named(user_type).ok_or_else(|| Problem::invalid().field("userType", "The type is neither Personal nor Service."))
}

/// Sets the policy for the passwords of that kind of user. Passwords there are stay as they are.
fn password_policy_change(draft: &mut Draft, kind: UserKind, request: UpdatePasswordPolicyRequest) -> PasswordPolicy {
    let policy = PasswordPolicy::from(request);
    let value = serde_json::to_value(&policy).unwrap_or_default();
    draft.put(Setting { name: PasswordPolicy::setting(kind).to_owned(), value });
    policy
}

fn session_policy_change(draft: &mut Draft, request: &UpdateSessionPolicyRequest) -> Result<SessionPolicy, Problem> {
    let UpdateSessionPolicyRequest { max_session_idle_minutes, max_session_lifetime_minutes } = *request;
    if max_session_lifetime_minutes.is_some_and(|lifetime| lifetime < max_session_idle_minutes) {
        return Err(Problem::invalid().field("maxSessionLifetimeMinutes", "A session does not live shorter than it may be idle."));
    }
    let policy = SessionPolicy { max_session_idle_minutes, max_session_lifetime_minutes };
    // Null is said aloud: a lifetime that is absent would be the default one.
    let value = json!({"maxSessionIdleMinutes": max_session_idle_minutes, "maxSessionLifetimeMinutes": max_session_lifetime_minutes});
    draft.put(Setting { name: SessionPolicy::SETTING.to_owned(), value });
    Ok(policy)
}

/// Gets AuthenticationInformation
#[utoipa::path(get, path = "/identity/api/authentication/information", operation_id = "GetAuthenticationInformation", tag = "Authentication",
    responses((status = 200, body = AuthenticationInformation)))]
async fn information(State(plane): State<Plane>) -> Json<AuthenticationInformation> {
    Json(AuthenticationInformation { issuer_url: plane.settings.issuer(), fallback_issuer_urls: Vec::new(), status: true, links: Vec::new() })
}

/// Gets password policy for a user type
#[utoipa::path(get, path = "/identity/api/authentication/password-policy/{userType}", operation_id = "GetPasswordPolicy", tag = "Authentication",
    params(("userType" = String, Path, description = "Personal or Service")), responses((status = 200, body = PasswordPolicyResponse)))]
async fn password_policy(State(plane): State<Plane>, Path(user_type): Path<String>) -> Result<Json<PasswordPolicyResponse>, Problem> {
    let kind = kind_of(&user_type)?;
    Ok(Json(PasswordPolicy::of(&*plane.state().await?, kind).into()))
}

/// Updates password policy for a user type
///
/// It holds for passwords that are set from then on, and at once for their age and for guessing.
#[utoipa::path(put, path = "/identity/api/authentication/password-policy/{userType}", operation_id = "UpdatePasswordPolicy", tag = "Authentication",
    params(("userType" = String, Path, description = "Personal or Service")), request_body = UpdatePasswordPolicyRequest,
    responses((status = 200, body = PasswordPolicyResponse)))]
async fn update_password_policy(
    State(plane): State<Plane>,
    caller: Caller,
    Path(user_type): Path<String>,
    OptionalBody(request): OptionalBody<UpdatePasswordPolicyRequest>,
) -> Result<Json<PasswordPolicyResponse>, Problem> {
    let kind = kind_of(&user_type)?;
    let request = request.ok_or_else(|| Problem::invalid().field("", "A request body is needed."))?;
    let policy = plane.write(&caller, |draft| Ok(password_policy_change(draft, kind, request))).await?;
    tell(&plane, &caller, "policy.lifecycle.update", Target::setting(PasswordPolicy::setting(kind))).await;
    Ok(Json(policy.into()))
}

/// Get session policy
#[utoipa::path(get, path = "/identity/api/authentication/session-policy", operation_id = "GetSessionPolicy", tag = "Authentication",
    responses((status = 200, body = SessionPolicyResponse)))]
async fn session_policy(State(plane): State<Plane>) -> Result<Json<SessionPolicyResponse>, Problem> {
    Ok(Json(SessionPolicy::of(&*plane.state().await?).into()))
}

/// Update session policy
#[utoipa::path(put, path = "/identity/api/authentication/session-policy", operation_id = "UpdateSessionPolicy", tag = "Authentication",
    request_body = UpdateSessionPolicyRequest, responses((status = 200, body = SessionPolicyResponse)))]
async fn update_session_policy(
    State(plane): State<Plane>,
    caller: Caller,
    Body(request): Body<UpdateSessionPolicyRequest>,
) -> Result<Json<SessionPolicyResponse>, Problem> {
    let policy = plane.write(&caller, |draft| session_policy_change(draft, &request)).await?;
    tell(&plane, &caller, "policy.lifecycle.update", Target::setting(SessionPolicy::SETTING)).await;
    Ok(Json(policy.into()))
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::draft;
    use super::*;
    use crate::control::body;

    fn policy(min_length: u32) -> serde_json::Value {
        json!({"conditions": {
            "complexity": {"minLength": min_length, "excludeFirstName": false, "excludeLastName": true},
            "age": {"maxAgeDays": 0, "historyCount": 24},
            "lockout": {"maxAttempts": 5}
        }})
    }

    #[test]
    fn each_kind_of_user_has_the_policy_that_was_set_for_it() {
        let mut draft = draft();
        let request = body::read(&policy(20)).unwrap();
        let set = password_policy_change(&mut draft, UserKind::Service, request);
        assert_eq!(serde_json::to_value(PasswordPolicyResponse::from(set.clone())).unwrap(), policy(20));
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Service), set);
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Personal), PasswordPolicy::default());
        assert!(kind_of("Robot").is_err());
    }

    #[test]
    fn a_policy_keeps_to_its_bounds() {
        for (min_length, fits) in [(11, false), (12, true), (50, true), (51, false)] {
            assert_eq!(body::read::<UpdatePasswordPolicyRequest>(&policy(min_length)).is_ok(), fits, "{min_length}");
        }
        for (idle, lifetime, fits) in
            [(4, json!(60), false), (5, json!(5), true), (721, json!(null), false), (720, json!(1440), true), (720, json!(1441), false)]
        {
            let request = json!({"maxSessionIdleMinutes": idle, "maxSessionLifetimeMinutes": lifetime});
            assert_eq!(body::read::<UpdateSessionPolicyRequest>(&request).is_ok(), fits, "{request}");
        }
    }

    #[test]
    fn a_session_lives_as_long_as_it_may_be_idle_at_least() {
        let mut draft = draft();
        let request = |lifetime| UpdateSessionPolicyRequest { max_session_idle_minutes: 60, max_session_lifetime_minutes: lifetime };
        assert!(session_policy_change(&mut draft, &request(Some(59))).is_err());
        let set = session_policy_change(&mut draft, &request(None)).unwrap();
        assert_eq!(SessionPolicy::of(&draft), set);
        assert_eq!(set.max_session_lifetime_minutes, None);
        assert_eq!(serde_json::to_value(SessionPolicyResponse::from(set)).unwrap(), json!({"maxSessionIdleMinutes": 60}));
    }
}
