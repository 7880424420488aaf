//! What a password must be like, by the kind of user, and how long a session may last.

use crate::store::{State, User, UserKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// No password is longer (reference: `SetPassword`).
pub const LONGEST_PASSWORD: usize = 50;
/// A shorter name is no reason to refuse a password: too many have it in them by chance.
const SHORTEST_NAME: usize = 3;

/// `PasswordPolicyResponse`; kept as the setting `password-policy/<kind>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PasswordPolicyResponse)]
#[serde(default)]
pub struct PasswordPolicy {
    /// Its conditions.
    pub conditions: PasswordConditions,
}

/// `PasswordPolicyResponseConditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PasswordPolicyResponseConditions)]
#[serde(default)]
pub struct PasswordConditions {
    /// What it may consist of.
    pub complexity: PasswordComplexity,
    /// How old it may become.
    pub age: PasswordAge,
    /// How often it may be guessed.
    pub lockout: PasswordLockout,
}

/// `PasswordPolicyResponseComplexity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PasswordPolicyResponseComplexity)]
#[serde(default, rename_all = "camelCase")]
pub struct PasswordComplexity {
    /// The minimum length for a password.
    pub min_length: u32,
    /// Whether the user's first name is kept out of it.
    pub exclude_first_name: bool,
    /// Whether the user's last name is kept out of it.
    pub exclude_last_name: bool,
}

/// `PasswordPolicyResponseAge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PasswordPolicyResponseAge)]
#[serde(default, rename_all = "camelCase")]
pub struct PasswordAge {
    /// The age in days from which on a person's password must be changed; 0 = never. Those of service users do not age.
    pub max_age_days: u32,
    /// How many passwords, the present one included, may not be taken again.
    pub history_count: u32,
}

/// `PasswordPolicyResponseLockout`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PasswordPolicyResponseLockout)]
#[serde(default, rename_all = "camelCase")]
pub struct PasswordLockout {
    /// With so many wrong attempts in a row the account is locked.
    pub max_attempts: u32,
}

impl Default for PasswordComplexity {
    fn default() -> Self {
        Self { min_length: 12, exclude_first_name: true, exclude_last_name: true }
    }
}

impl Default for PasswordAge {
    fn default() -> Self {
        Self { max_age_days: 90, history_count: 4 }
    }
}

impl Default for PasswordLockout {
    fn default() -> Self {
        Self { max_attempts: 10 }
    }
}

/// `SessionPolicyResponse`; kept as the setting `session-policy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SessionPolicyResponse)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionPolicy {
    /// Minutes after which a session that is not used ends.
    pub max_session_idle_minutes: u32,
    /// Minutes after which it ends in any case; none = it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_session_lifetime_minutes: Option<u32>,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { max_session_idle_minutes: 60, max_session_lifetime_minutes: None }
    }
}

impl SessionPolicy {
    /// The name of its setting.
    pub const SETTING: &str = "session-policy";

    /// The one in force.
    #[must_use]
    pub fn of(state: &State) -> Self {
        setting(state, Self::SETTING)
    }
}

/// What is wrong with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFlaw {
    /// It has fewer characters.
    TooShort(u32),
    /// It has more characters.
    TooLong(usize),
    /// The user's first name is in it.
    FirstName,
    /// The user's last name is in it.
    LastName,
    /// It is one of the last ones.
    UsedBefore(u32),
}

impl fmt::Display for PasswordFlaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(least) => write!(formatter, "the password has fewer than {least} characters"),
            Self::TooLong(most) => write!(formatter, "the password has more than {most} characters"),
            Self::FirstName => formatter.write_str("the password has the user's first name in it"),
            Self::LastName => formatter.write_str("the password has the user's last name in it"),
            Self::UsedBefore(count) => write!(formatter, "the password is one of the last {count}"),
        }
    }
}

impl PasswordPolicy {
    /// The name of the setting for that kind of user.
    #[must_use]
    pub const fn setting(kind: UserKind) -> &'static str {
        match kind {
            UserKind::Personal => "password-policy/Personal",
            UserKind::Service => "password-policy/Service",
        }
    }

    /// The one in force for that kind of user.
    #[must_use]
    pub fn of(state: &State, kind: UserKind) -> Self {
        setting(state, Self::setting(kind))
    }

    /// What is wrong with a new password, as far as the text alone tells.
    #[must_use]
    pub fn flaws(&self, user: &User, password: &str) -> Vec<PasswordFlaw> {
        let complexity = &self.conditions.complexity;
        let length = password.chars().count();
        let lower = password.to_lowercase();
        let has = |name: &str| name.chars().count() >= SHORTEST_NAME && lower.contains(&name.to_lowercase());
        let flaws = [
            (length < complexity.min_length as usize, PasswordFlaw::TooShort(complexity.min_length)),
            (length > LONGEST_PASSWORD, PasswordFlaw::TooLong(LONGEST_PASSWORD)),
            (complexity.exclude_first_name && has(&user.first_name), PasswordFlaw::FirstName),
            (complexity.exclude_last_name && has(&user.last_name), PasswordFlaw::LastName),
        ];
        flaws.into_iter().filter(|(is_there, _)| *is_there).map(|(_, flaw)| flaw).collect()
    }
}

/// A setting, or its default where none was written or what was written is not understood.
fn setting<T: Default + for<'de> Deserialize<'de>>(state: &State, name: &str) -> T {
    state.settings.find(name).and_then(|setting| T::deserialize(&setting.value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::store::Setting;
    use serde_json::json;

    #[test]
    fn without_a_setting_the_defaults_are_those_of_the_reference() {
        let policy = PasswordPolicy::of(&State::default(), UserKind::Personal);
        let conditions = json!({
            "complexity": {"minLength": 12, "excludeFirstName": true, "excludeLastName": true},
            "age": {"maxAgeDays": 90, "historyCount": 4},
            "lockout": {"maxAttempts": 10},
        });
        assert_eq!(serde_json::to_value(policy).unwrap(), json!({ "conditions": conditions }));
        assert_eq!(serde_json::to_value(SessionPolicy::of(&State::default())).unwrap(), json!({"maxSessionIdleMinutes": 60}));
    }

    #[test]
    fn each_kind_of_user_has_its_own_policy() {
        let mut draft = testing::draft();
        draft.put(Setting { name: "password-policy/Service".into(), value: json!({"conditions": {"complexity": {"minLength": 20}}}) });
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Service).conditions.complexity.min_length, 20);
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Service).conditions.lockout.max_attempts, 10);
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Personal).conditions.complexity.min_length, 12);
    }

    #[test]
    fn a_password_is_long_enough_and_has_no_name_in_it() {
        let policy = PasswordPolicy::default();
        let user = testing::user("ada", UserKind::Personal);
        let flaws = |password: &str| policy.flaws(&user, password);
        assert_eq!(flaws("correct horse battery"), []);
        assert_eq!(flaws("eleven char"), [PasswordFlaw::TooShort(12)]);
        assert_eq!(flaws("twelve chars"), []);
        assert_eq!(flaws("ééééééééééé"), [PasswordFlaw::TooShort(12)], "characters count, not bytes");
        assert_eq!(flaws(&"x".repeat(51)), [PasswordFlaw::TooLong(50)]);
        assert_eq!(flaws(&"x".repeat(50)), []);
        assert_eq!(flaws("12345 GRACE 67890"), [PasswordFlaw::FirstName]);
        assert_eq!(flaws("12345hopper67890"), [PasswordFlaw::LastName]);
    }

    #[test]
    fn names_are_kept_out_only_where_the_policy_says_so_and_short_ones_never() {
        let mut policy = PasswordPolicy::default();
        let user = testing::user("ada", UserKind::Personal);
        policy.conditions.complexity.exclude_first_name = false;
        policy.conditions.complexity.exclude_last_name = false;
        assert_eq!(policy.flaws(&user, "grace hopper grace"), []);
        let short = User { first_name: "A".into(), last_name: "Bo".into(), ..(*user).clone() };
        assert_eq!(PasswordPolicy::default().flaws(&short, "a bo a bo a bo"), []);
    }
}
