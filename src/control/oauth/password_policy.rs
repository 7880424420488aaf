//! What a password must be like, by the kind of user, and how long a session may last.

use crate::store::{State, User, UserKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// No password is longer (reference: `SetPassword`).
pub(in crate::control) const LONGEST_PASSWORD: usize = 50;
/// A shorter name is no reason to refuse a password: too many have it in them by chance.
const SHORTEST_NAME: usize = 3;

/// `PasswordPolicyResponseConditions`; kept as the setting `password-policy/<kind>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::control) struct PasswordPolicy {
    /// What it may consist of.
    pub(in crate::control) complexity: PasswordComplexity,
    /// How old it may become.
    pub(in crate::control) age: PasswordAge,
    /// How often it may be guessed.
    pub(in crate::control) lockout: PasswordLockout,
}

/// `PasswordPolicyResponseComplexity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::control) struct PasswordComplexity {
    /// The minimum length for a password.
    pub(in crate::control) min_length: u32,
    /// Whether the user's first name is kept out of it.
    pub(in crate::control) exclude_first_name: bool,
    /// Whether the user's last name is kept out of it.
    pub(in crate::control) exclude_last_name: bool,
}

/// `PasswordPolicyResponseAge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::control) struct PasswordAge {
    /// The age in days from which on a person's password must be changed; 0 = never. Those of service users never age.
    pub(in crate::control) max_age_days: u32,
    /// How many passwords, the present one included, may not be taken again; 0 = any may.
    pub(in crate::control) history_count: u32,
}

/// `PasswordPolicyResponseLockout`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::control) struct PasswordLockout {
    /// With so many wrong attempts in a row the account is locked; 0 = never.
    pub(in crate::control) max_attempts: u32,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::control) struct SessionPolicy {
    /// Minutes after which a session that is not used ends.
    pub(in crate::control) max_session_idle_minutes: u32,
    /// Minutes after which it ends in any case; none = it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::control) max_session_lifetime_minutes: Option<u32>,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { max_session_idle_minutes: 60, max_session_lifetime_minutes: Some(720) }
    }
}

impl SessionPolicy {
    /// The name of its setting.
    pub(in crate::control) const SETTING: &str = "session-policy";

    /// The one in force.
    #[must_use]
    pub(in crate::control) fn of(state: &State) -> Self {
        setting(state, Self::SETTING).unwrap_or_default()
    }
}

/// What is wrong with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum PasswordFlaw {
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
    pub(in crate::control) const fn setting(kind: UserKind) -> &'static str {
        match kind {
            UserKind::Personal => "password-policy/Personal",
            UserKind::Service => "password-policy/Service",
        }
    }

    /// The one in force for that kind of user.
    #[must_use]
    pub(in crate::control) fn of(state: &State, kind: UserKind) -> Self {
        setting(state, Self::setting(kind)).unwrap_or_else(|| Self::initial(kind))
    }

    fn initial(kind: UserKind) -> Self {
        let max_age_days = match kind {
            UserKind::Personal => PasswordAge::default().max_age_days,
            UserKind::Service => 0,
        };
        Self { age: PasswordAge { max_age_days, ..PasswordAge::default() }, ..Self::default() }
    }

    /// What is wrong with a new password, as far as the text alone tells.
    #[must_use]
    pub(in crate::control) fn flaws(&self, user: &User, password: &str) -> Vec<PasswordFlaw> {
        let complexity = &self.complexity;
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

/// A setting, where one was written that is understood.
fn setting<T: for<'de> Deserialize<'de>>(state: &State, name: &str) -> Option<T> {
    T::deserialize(&state.settings.find(name)?.value).ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::store::Setting;
    use serde_json::json;

    #[test]
    fn without_a_setting_the_defaults_are_those_of_the_reference() {
        for (kind, age) in [(UserKind::Personal, 90), (UserKind::Service, 0)] {
            let policy = PasswordPolicy::of(&State::default(), kind);
            let expected = json!({
                "complexity": {"minLength": 12, "excludeFirstName": true, "excludeLastName": true},
                "age": {"maxAgeDays": age, "historyCount": 4},
                "lockout": {"maxAttempts": 10},
            });
            assert_eq!(serde_json::to_value(policy).unwrap(), expected);
        }
        let sessions = json!({"maxSessionIdleMinutes": 60, "maxSessionLifetimeMinutes": 720});
        assert_eq!(serde_json::to_value(SessionPolicy::of(&State::default())).unwrap(), sessions);
    }

    #[test]
    fn each_kind_of_user_has_its_own_policy() {
        let mut draft = testing::draft();
        draft.put(Setting { name: "password-policy/Service".into(), value: json!({"complexity": {"minLength": 20}}) });
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Service).complexity.min_length, 20);
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Service).lockout.max_attempts, 10);
        assert_eq!(PasswordPolicy::of(&draft, UserKind::Personal).complexity.min_length, 12);
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
        policy.complexity.exclude_first_name = false;
        policy.complexity.exclude_last_name = false;
        assert_eq!(policy.flaws(&user, "grace hopper grace"), []);
        let short = User { first_name: "A".into(), last_name: "Bo".into(), ..(*user).clone() };
        assert_eq!(PasswordPolicy::default().flaws(&short, "a bo a bo a bo"), []);
    }
}
