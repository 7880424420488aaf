//! What can go wrong in here that is not the caller's refusal.

use super::password_policy::PasswordFlaw;
use crate::control::problem::{Code, Problem};
use crate::control::wire::NoRandomness;
use thiserror::Error;

/// Why something was not done. No message has a secret in it.
#[derive(Debug, Error)]
pub(in crate::control) enum OAuthError {
    /// The library refuses to seal.
    #[error("a secret could not be sealed")]
    Sealing,
    /// The machine gives no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The library refuses to hash.
    #[error("a password could not be hashed")]
    Hashing,
    /// A key could not be made, or does not sign.
    #[error("a signing key could not be made or used")]
    Signing,
    /// There is no key to sign with.
    #[error("there is no signing key yet")]
    NoSigningKey,
    /// The vault does not open what it is given.
    #[error("the signing key `{0}` was sealed under another key than the configured one: restore `control.encryption_key`")]
    SealedKey(String),
    /// The token would be longer than any door takes.
    #[error("the user has more roles than a token can carry")]
    TooManyRoles,
    /// The password is not one that the policy admits.
    #[error("the password does not satisfy the password policy")]
    Password(Vec<PasswordFlaw>),
    /// The password was changed by somebody else at the same time.
    #[error("the password was changed at the same time")]
    PasswordChanged,
    /// The link was used, or its time has passed, or there never was one.
    #[error("the link is of no use any more")]
    UsedLink,
    /// A second factor is there already; it has to be taken away first.
    #[error("a second factor is enrolled already")]
    SecondFactorEnrolled,
    /// The user is gone.
    #[error("the user is not there any more")]
    NoUser,
}

impl From<OAuthError> for Problem {
    fn from(error: OAuthError) -> Self {
        let sentence = format!("{}.", capitalised(&error.to_string()));
        match error {
            OAuthError::Password(flaws) => {
                let problem = Self::of(Code::PasswordUnfit).detail(sentence);
                flaws.iter().fold(problem, |problem, flaw| problem.field("value", format!("{}.", capitalised(&flaw.to_string()))))
            }
            OAuthError::PasswordChanged | OAuthError::UsedLink | OAuthError::SecondFactorEnrolled | OAuthError::TooManyRoles => {
                Self::of(Code::Conflicting).detail(sentence)
            }
            OAuthError::NoUser => Self::of(Code::UserMissing),
            _ => {
                tracing::error!(%error, "signing in failed");
                Self::of(Code::Internal)
            }
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_password_is_told_by_field_and_what_is_wrong_with_us_is_not_told() {
        let problem = Problem::from(OAuthError::Password(vec![PasswordFlaw::TooShort(12), PasswordFlaw::FirstName]));
        assert_eq!(problem.status(), 400);
        assert_eq!(problem.errors()["value"], ["The password has fewer than 12 characters.", "The password has the user's first name in it."]);
        assert_eq!(Problem::from(OAuthError::SealedKey("kid".into())).status(), 500);
        assert_eq!(Problem::from(OAuthError::UsedLink).status(), 400);
    }
}
