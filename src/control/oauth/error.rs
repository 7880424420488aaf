//! What can go wrong in here that is not the caller's refusal.

use super::password_policy::PasswordFlaw;
use thiserror::Error;

/// Why something was not done. No message has a secret in it.
#[derive(Debug, Error)]
pub enum OAuthError {
    /// A database server is given nothing that it could read.
    #[error("the database URL has no password that a key could be made of: write `control.encryption_key`")]
    NoKey,
    /// The library refuses to seal.
    #[error("a secret could not be sealed")]
    Sealing,
    /// The machine gives no randomness.
    #[error("the machine gives no randomness")]
    Randomness,
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
