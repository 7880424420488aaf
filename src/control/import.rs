//! Takes over a snapshot document (interfaces §5): its users, roles and policies become documents of
//! the store, over those with the same ids. It must load as a whole, or nothing of it is taken.

use super::defaults::{self, DefaultsError, administrator};
use super::wire::{END_OF_TIME, NoRandomness, new_id, time};
use crate::policy::{self, Problem};
use crate::store::{AccessMetadata, Draft, IdentityRole, Policy, PolicyCollection, Role, ScopedId, User, UserKind, UserRole, UserStatus, When};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Why a document is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It does not load as a snapshot.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Snapshot(Vec<Problem>),
    /// A part of it has another shape than the APIs have.
    #[error("{place}: {source}")]
    Shape {
        /// Such as `roles[3]`.
        place: String,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// Two users would sign in by one login.
    #[error("{place}.login: `{login}` is another user's already, but for case; give one of them another login")]
    Login {
        /// Such as `users[3]`.
        place: String,
        /// The login.
        login: String,
    },
    /// No ids can be made.
    #[error("the system's random source failed")]
    Randomness,
}

impl From<DefaultsError> for ImportError {
    fn from(error: DefaultsError) -> Self {
        match error {
            DefaultsError::File(source) => Self::Shape { place: "config/control/defaults.json".to_owned(), source },
            DefaultsError::Randomness(_) => Self::Randomness,
        }
    }
}

impl From<NoRandomness> for ImportError {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}

/// Takes a document over. Roles come behind those that are there, in their own order.
///
/// # Errors
/// When it is no snapshot; nothing is written then.
pub(super) fn take_over(draft: &mut Draft, json: &[u8]) -> Result<(), ImportError> {
    policy::load(json).map_err(ImportError::Snapshot)?;
    if draft.roles.is_empty() {
        defaults::lay_out(draft)?;
    }
    let document: Value = serde_json::from_slice(json).map_err(|source| ImportError::Shape { place: String::new(), source })?;
    let when = json!(When { activate: time(draft.now()), deactivate: END_OF_TIME.to_owned() });
    for mut policy in parts(&document, "policies") {
        complete(&mut policy.value, &when);
        draft.put(policy.read::<Policy>()?);
    }
    for collection in parts(&document, "policyCollections") {
        draft.put(collection.read::<PolicyCollection>()?);
    }
    take_over_roles(draft, &document, &when)?;
    for metadata in parts(&document, "accessMetadata") {
        draft.put(metadata.read::<AccessMetadata>()?);
    }
    for role in parts(&document, "userRoles") {
        draft.put(role.read::<UserRole>()?);
    }
    for user in parts(&document, "users") {
        let place = user.place.clone();
        let user = user.read::<Account>()?.into_user(draft.now());
        // Signing in takes no notice of case.
        if draft.user_by_login(&user.login).is_some_and(|other| other.id != user.id) {
            return Err(ImportError::Login { place, login: user.login });
        }
        draft.put(user);
    }
    Ok(())
}

fn take_over_roles(draft: &mut Draft, document: &Value, when: &Value) -> Result<(), ImportError> {
    let mut roles = Vec::new();
    for mut role in parts(document, "roles") {
        complete(&mut role.value, when);
        if let Some(members) = role.value.as_object_mut() {
            members.entry("permission").or_insert_with(|| json!("Read"));
            members.entry("resource").or_insert_with(|| json!({}));
            members.entry("roleHierarchyIndex").or_insert_with(|| json!(0));
        }
        roles.push(role.read::<Role>()?);
    }
    roles.retain(|role| role.id != administrator());
    roles.sort_by(|left, right| (left.role_hierarchy_index, &left.id).cmp(&(right.role_hierarchy_index, &right.id)));
    let taken: BTreeSet<ScopedId> = roles.iter().map(|role| role.id.clone()).collect();
    let mut stay: Vec<Role> = draft.roles.values().map(|role| Role::clone(role)).filter(|role| !taken.contains(&role.id)).collect();
    stay.sort_by_key(|role| role.role_hierarchy_index);
    let members: BTreeSet<ScopedId> = draft.identity_roles.values().map(|role| role.role_id.clone()).collect();
    for role in roles.iter().filter(|role| !members.contains(&role.id)) {
        let (name, description) = (role.id.code.clone(), role.description.clone());
        draft.put(IdentityRole { id: new_id("00g")?, role_id: role.id.clone(), source: "LusidUser".to_owned(), name, description });
    }
    for (index, role) in (1..).zip(stay.into_iter().chain(roles)) {
        draft.put(Role { role_hierarchy_index: index, ..role });
    }
    Ok(())
}

/// One element of one of the document's arrays.
struct Part {
    place: String,
    value: Value,
}

impl Part {
    fn read<T: DeserializeOwned>(self) -> Result<T, ImportError> {
        serde_json::from_value(self.value).map_err(|source| ImportError::Shape { place: self.place, source })
    }
}

fn parts<'a>(document: &'a Value, name: &'a str) -> impl Iterator<Item = Part> + 'a {
    let elements = document.get(name).and_then(Value::as_array).into_iter().flatten().enumerate();
    elements.map(move |(index, value)| {
        let mut value = value.clone();
        strip(&mut value);
        Part { place: format!("{name}[{index}]"), value }
    })
}

/// Null is absent; inside of selectors it has a meaning of its own.
fn strip(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, value| !value.is_null());
        members.iter_mut().filter(|(name, _)| *name == "resource" || *name == "when").for_each(|(_, value)| strip(value));
    }
}

/// A `when` that says nothing says always.
fn complete(value: &mut Value, always: &Value) {
    let (Some(members), Some(always)) = (value.as_object_mut(), always.as_object()) else { return };
    let when = members.entry("when").or_insert_with(|| json!({}));
    if let Some(when) = when.as_object_mut() {
        // A missing `activate` is always, also before this day.
        when.entry("activate").or_insert_with(|| json!("0001-01-01T00:00:00.0000000+00:00"));
        if let Some(end) = always.get("deactivate") {
            when.entry("deactivate").or_insert_with(|| end.clone());
        }
    }
}

/// A user as a snapshot knows it; names and addresses are made up of its login.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    id: String,
    #[serde(default)]
    login: String,
    #[serde(rename = "type")]
    kind: Option<UserKind>,
    status: String,
    user_expiry: Option<Timestamp>,
    #[serde(default)]
    roles: Vec<ScopedId>,
}

impl Account {
    fn into_user(self, now: Timestamp) -> User {
        let login = if self.login.is_empty() { self.id.clone() } else { self.login };
        let (first, last) = login.split(['@', ' ']).next().and_then(|name| name.split_once('.')).unwrap_or((login.as_str(), "(imported)"));
        let (first_name, last_name) = (first.to_owned(), last.to_owned());
        User {
            id: self.id,
            email_address: login.clone(),
            second_email_address: None,
            first_name,
            last_name,
            kind: self.kind.unwrap_or(UserKind::Personal),
            status: match self.status.as_str() {
                "ACTIVE" => UserStatus::Active,
                "PROVISIONED" | "STAGED" => UserStatus::Provisioned,
                "DEPROVISIONED" => UserStatus::Deprovisioned,
                _ => UserStatus::Suspended,
            },
            user_expiry: self.user_expiry,
            roles: self.roles,
            alternative_user_ids: std::collections::BTreeMap::new(),
            created: now,
            last_updated: now,
            login,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::defaults;
    use crate::store::State;

    fn draft() -> Draft {
        let mut draft = Draft::new(&State::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        defaults::lay_out(&mut draft).unwrap();
        draft
    }

    #[test]
    fn what_a_snapshot_says_is_there_afterwards() {
        let mut draft = Draft::new(&State::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        let company = include_str!("../../config/demo/company.json");
        let mut document: Value = serde_json::from_str(company).unwrap();
        document.as_object_mut().unwrap().extend([("revision".to_owned(), json!(1)), ("issuedAt".to_owned(), json!("2026-11-21T12:00:00Z"))]);
        take_over(&mut draft, document.to_string().as_bytes()).unwrap();
        assert_eq!(draft.users.len(), 5);
        assert!(draft.policies.has("default/us-portfolios"));
        let mut indexes: Vec<i64> = draft.roles.values().map(|role| role.role_hierarchy_index).collect();
        indexes.sort_unstable();
        assert_eq!(indexes, (1..=11).collect::<Vec<_>>());
        assert_eq!(draft.roles.find("LUSID_SYSTEM/lusid-administrator").unwrap().role_hierarchy_index, 1);
        assert_eq!(draft.identity_roles.len(), 11);
    }

    #[test]
    fn what_does_not_load_is_refused_whole() {
        let document = json!({"schema": "doorward.snapshot/1", "revision": 1, "issuedAt": "2026-11-21T12:00:00Z", "policies": [{"id": {"code": "abc"}}]});
        let error = take_over(&mut draft(), document.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains("policies[0]"), "{error}");
    }
}
