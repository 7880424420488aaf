//! What requests say of a user, and what answers say.

use super::roles::{RoleBook, RoleId, RoleResponse};
use super::{read_if_there, read_time, read_time_if_there};
use crate::control::oauth::credentials;
use crate::control::wire::{Link, write_optional_time, write_time};
use crate::store::{Credential, State, User, UserKind, UserStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Details necessary for creating a new user
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateUserRequest {
    /// The first name of the user
    #[schema(min_length = 1, max_length = 50, pattern = r"^[\s\S]*$")]
    pub(super) first_name: String,
    /// The last name of the user
    #[schema(min_length = 2, max_length = 50, pattern = r"^[\s\S]*$")]
    pub(super) last_name: String,
    /// The user's email address. For personal users this should exactly match the login.
    #[schema(min_length = 5, max_length = 80)]
    pub(super) email_address: String,
    /// The user's second email address. Only allowed for service users
    #[schema(min_length = 5, max_length = 80)]
    pub(super) second_email_address: Option<String>,
    /// The user's login username, which must be unique within the system. For personal users this should exactly match the user's email address.
    #[schema(min_length = 5, max_length = 80)]
    pub(super) login: String,
    /// What else the user is called, by the names of the user schema
    pub(super) alternative_user_ids: Option<BTreeMap<String, Option<String>>>,
    /// Any known roles the user should be created with
    #[schema(max_items = 20)]
    pub(super) roles: Option<Vec<RoleId>>,
    /// The type of user: Personal or Service
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 20, pattern = "^[a-zA-Z]*$")]
    pub(super) kind: String,
    /// From then on the user cannot sign in
    #[serde(default, deserialize_with = "read_time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) user_expiry: Option<Timestamp>,
}

/// What becomes of a user. Optional members that are absent stay as they are; null takes them away.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateUserRequest {
    /// The first name of the user
    #[schema(min_length = 1, max_length = 50, pattern = r"^[\s\S]*$")]
    pub(super) first_name: String,
    /// The last name of the user
    #[schema(min_length = 2, max_length = 50, pattern = r"^[\s\S]*$")]
    pub(super) last_name: String,
    /// The user's email address
    #[schema(min_length = 5, max_length = 80)]
    pub(super) email_address: String,
    /// The user's second email address. Only allowed for service users
    #[serde(default, deserialize_with = "read_if_there")]
    #[schema(value_type = Option<String>, min_length = 5, max_length = 80)]
    pub(super) second_email_address: Option<Option<String>>,
    /// The user's login username, which must be unique within the system. For personal users this should exactly match the user's email address.
    #[schema(min_length = 5, max_length = 80, pattern = r"^[\s\S]*$")]
    pub(super) login: String,
    /// What else the user is called, by the names of the user schema
    #[serde(default, deserialize_with = "read_if_there")]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    pub(super) alternative_user_ids: Option<Option<BTreeMap<String, Option<String>>>>,
    /// Deprecated: use AddUserToRole and RemoveUserFromRole. If given, these become the user's roles; null leaves them
    #[schema(max_items = 20)]
    pub(super) roles: Option<Vec<RoleId>>,
    /// From then on the user cannot sign in
    #[serde(default, deserialize_with = "read_time_if_there")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) user_expiry: Option<Option<Timestamp>>,
}

/// A user.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserResponse {
    /// The user's system supplied unique identifier
    #[schema(min_length = 1)]
    pub(super) id: String,
    /// The user's alternative ids
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub(super) alternative_user_ids: BTreeMap<String, String>,
    /// The user's email address
    #[schema(min_length = 1)]
    pub(super) email_address: String,
    /// The user's second email address, of service users only
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) second_email_address: Option<String>,
    /// The user's login
    #[schema(min_length = 1)]
    pub(super) login: String,
    /// The user's first name
    #[schema(min_length = 1)]
    pub(super) first_name: String,
    /// The user's last name
    #[schema(min_length = 1)]
    pub(super) last_name: String,
    /// The roles that the user has
    pub(super) roles: Vec<RoleResponse>,
    /// The type of user: Personal or Service
    #[serde(rename = "type")]
    #[schema(min_length = 1)]
    pub(super) kind: &'static str,
    /// PROVISIONED, ACTIVE, LOCKED_OUT, SUSPENDED or DEPROVISIONED
    #[schema(min_length = 1)]
    pub(super) status: &'static str,
    /// Whether the user comes from another identity system
    pub(super) external: bool,
    /// Last time the user signed in
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_optional_time")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub(super) last_login: Option<Timestamp>,
    /// Last time the user was changed
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    pub(super) last_updated: Timestamp,
    /// When the user was created
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    pub(super) created: Timestamp,
    /// Last time the password was changed
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_optional_time")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub(super) password_changed: Option<Timestamp>,
    /// From then on the user cannot sign in
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_optional_time")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub(super) user_expiry: Option<Timestamp>,
    /// Empty
    pub(super) links: Vec<Link>,
}

/// Makes answers of users.
pub(super) struct Describer<'a> {
    state: &'a State,
    roles: RoleBook<'a>,
    now: Timestamp,
}

impl<'a> Describer<'a> {
    /// A describer of the users of this state, as they stand at that time.
    pub(super) fn new(state: &'a State, now: Timestamp) -> Self {
        Self { state, roles: RoleBook::of(state), now }
    }

    /// The user as it goes on the wire, its roles always with it.
    pub(super) fn user(&self, user: &User) -> UserResponse {
        let credential = self.state.credentials.find(&user.id).map(AsRef::as_ref);
        let alternative = user.alternative_user_ids.iter();
        UserResponse {
            id: user.id.clone(),
            alternative_user_ids: alternative.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect(),
            email_address: user.email_address.clone(),
            second_email_address: user.second_email_address.clone(),
            login: user.login.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            roles: user.roles.iter().filter_map(|id| self.roles.find(id)).map(RoleResponse::from).collect(),
            kind: kind_name(user.kind),
            status: status_name(user, credential, self.now),
            external: false,
            last_login: credential.and_then(|credential| credential.last_login),
            last_updated: user.last_updated,
            created: user.created,
            password_changed: credential.and_then(|credential| credential.password_changed),
            user_expiry: user.user_expiry,
            links: Vec::new(),
        }
    }

    /// All of these users, by login.
    pub(super) fn users<'u>(&self, users: impl Iterator<Item = &'u User>) -> Vec<UserResponse> {
        let mut found: Vec<UserResponse> = users.map(|user| self.user(user)).collect();
        found.sort_by(|one, other| one.login.cmp(&other.login));
        found
    }
}

/// What a kind of account is called on the wire.
pub(super) const fn kind_name(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Personal => "Personal",
        UserKind::Service => "Service",
    }
}

/// The kind of account of that name.
pub(super) fn kind_named(name: &str) -> Option<UserKind> {
    [UserKind::Personal, UserKind::Service].into_iter().find(|kind| kind_name(*kind) == name)
}

/// The status as it is shown: an active account whose credential is locked is locked out.
fn status_name(user: &User, credential: Option<&Credential>, now: Timestamp) -> &'static str {
    match user.status_at(now) {
        UserStatus::Provisioned => "PROVISIONED",
        UserStatus::Active if credential.is_some_and(|credential| credentials::is_locked(credential, now)) => "LOCKED_OUT",
        UserStatus::Active => "ACTIVE",
        UserStatus::Suspended => "SUSPENDED",
        UserStatus::Deprovisioned => "DEPROVISIONED",
    }
}
