//! What the Identity API keeps.

use super::access::ScopedId;
use crate::store::state::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who uses an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserKind {
    /// A person.
    Personal,
    /// A program.
    Service,
}

/// Where an account stands in its life; an expiry that has passed shows as `SUSPENDED` without being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserStatus {
    /// Created; no password was set yet.
    Provisioned,
    /// May sign in.
    Active,
    /// Suspended by hand or by its expiry.
    Suspended,
    /// Deactivated: deleted, but not purged.
    Deprovisioned,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `00u…`, made by the server.
    pub id: String,
    /// Unique whatever its case.
    pub login: String,
    /// Its address.
    pub email_address: String,
    /// Only of service users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_email_address: Option<String>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The kind of account.
    #[serde(rename = "type")]
    pub kind: UserKind,
    /// As written; see [`User::status_at`].
    pub status: UserStatus,
    /// From then on it cannot sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_expiry: Option<Timestamp>,
    /// The identity roles it has, by scope and code.
    #[serde(default)]
    pub roles: Vec<ScopedId>,
    /// What else it is called.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alternative_user_ids: BTreeMap<String, Option<String>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed.
    pub last_updated: Timestamp,
}

/// A role of the Identity API: it has members; what they may do says the Access API's role of the same scope and code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityRole {
    /// `00g…`, made by the server.
    pub id: String,
    /// What joins it with the Access API.
    pub role_id: ScopedId,
    /// `LusidUser`.
    pub source: String,
    /// Unique.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A token that acts as its user; shown once, kept as SHA-256.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalAccessToken {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// 64 hexadecimal digits.
    pub sha256: String,
    /// Unique among its user's.
    pub display_name: String,
    /// When it was made.
    pub created_date: Timestamp,
    /// From then on it is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivation_date: Option<Timestamp>,
}

/// How a user signs in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Whose it is.
    pub user_id: String,
    /// The password by argon2id, as a PHC string; none was set yet, or it was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// When it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_changed: Option<Timestamp>,
    /// It is a temporary one and ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_until: Option<Timestamp>,
    /// The passwords before, newest first, as PHC strings.
    #[serde(default)]
    pub history: Vec<String>,
    /// Wrong attempts in a row.
    #[serde(default)]
    pub failed_attempts: u32,
    /// Too many of them: the account is locked from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_at: Option<Timestamp>,
    /// The TOTP secret, sealed; enrolled once `totp_confirmed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
    /// Whether a first code was given.
    #[serde(default)]
    pub totp_confirmed: bool,
    /// The step of the last code that was taken: none is taken twice.
    #[serde(default)]
    pub totp_last_step: u64,
    /// The last time the user signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
}

/// The kind of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplicationKind {
    /// A program with a secret that signs users in by their passwords, or itself.
    Native,
    /// A web application.
    Web,
}

/// An OAuth client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// `0oa…`, made by the server.
    pub id: String,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: ApplicationKind,
    /// What people call it.
    pub display_name: String,
    /// Unique.
    pub client_id: String,
    /// The secret, sealed: it can be shown again to who may see it.
    pub secret: String,
    /// The one before, sealed, good until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret: Option<(String, Timestamp)>,
    /// Where a web application may be led back to.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The same after signing out.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// The user that it acts as by `client_credentials`, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// A link that sets a password once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupLink {
    /// SHA-256 of what stands in the link, as hexadecimal digits.
    pub sha256: String,
    /// Whose it is.
    pub user_id: String,
    /// From then on it is of no use.
    pub expires_at: Timestamp,
}

/// A session at the console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// SHA-256 of the cookie, as hexadecimal digits.
    pub sha256: String,
    /// Whose it is.
    pub user_id: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used.
    pub last_seen: Timestamp,
    /// Whether a second factor was shown.
    pub is_complete: bool,
}

/// `ExternalTokenIssuerResponse`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalTokenIssuer {
    /// Unique.
    pub code: String,
    /// `iss` of its tokens.
    pub issuer: String,
    /// `aud` of its tokens.
    pub audience: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `ClaimMappings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_mappings: Option<Value>,
    /// Where one signs out.
    pub logout_url: String,
}

/// `NetworkZoneDefinitionResponse`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkZone {
    /// Unique.
    pub code: String,
    /// The order in which zones are looked at; dense, from 1.
    pub hierarchy: i64,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// `IpAddressDefinition`s.
    #[serde(rename = "networkZoneIPs")]
    pub network_zone_ips: Vec<Value>,
    /// `Block`, `Allow` or `NoOp`.
    pub action: String,
    /// `NetworkZonesApplyRules`.
    pub apply_rules: Value,
    /// Who made it.
    pub created_by: String,
    /// Who changed it.
    pub updated_by: String,
}

/// Something that is set for the whole domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// What: `password-policy/Personal`, `session-policy`, `user-schema` and the like.
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl User {
    /// Where it stands at that time: past its expiry an active account is suspended.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> UserStatus {
        match (self.status, self.user_expiry) {
            (UserStatus::Active, Some(expiry)) if expiry <= now => UserStatus::Suspended,
            (status, _) => status,
        }
    }

    pub(in crate::store) fn own_key(&self) -> String {
        self.id.clone()
    }

    /// Logins are looked up at every sign-in.
    pub(in crate::store) fn index(state: &mut State, before: Option<&Self>, after: Option<&Self>) {
        // Replicas take documents over in any order: the login may be another user's already.
        if let Some(before) = before.filter(|before| state.logins.find(&before.login.to_lowercase()).is_some_and(|id| **id == before.id)) {
            state.logins.remove(&before.login.to_lowercase());
        }
        if let Some(after) = after {
            state.logins.put(after.login.to_lowercase().into(), Arc::new(after.id.clone()));
        }
    }
}

impl IdentityRole {
    pub(in crate::store) fn own_key(&self) -> String {
        self.id.clone()
    }
}

impl PersonalAccessToken {
    /// `<user id>/<id>`, so that the tokens of a user stand together.
    pub(in crate::store) fn own_key(&self) -> String {
        format!("{}/{}", self.user_id, self.id)
    }
}

impl Credential {
    pub(in crate::store) fn own_key(&self) -> String {
        self.user_id.clone()
    }
}

impl Application {
    pub(in crate::store) fn own_key(&self) -> String {
        self.id.clone()
    }
}

impl SetupLink {
    pub(in crate::store) fn own_key(&self) -> String {
        self.sha256.clone()
    }
}

impl Session {
    pub(in crate::store) fn own_key(&self) -> String {
        self.sha256.clone()
    }
}

impl ExternalTokenIssuer {
    pub(in crate::store) fn own_key(&self) -> String {
        self.code.clone()
    }
}

impl NetworkZone {
    pub(in crate::store) fn own_key(&self) -> String {
        self.code.clone()
    }
}

impl Setting {
    pub(in crate::store) fn own_key(&self) -> String {
        self.name.clone()
    }
}
