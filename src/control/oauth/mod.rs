//! Signing in: passwords and second factors, the keys that sign, and the tokens that users and
//! applications are given for them.

pub(in crate::control) mod applications;
mod claims;
mod client;
pub(in crate::control) mod credentials;
mod discovery;
mod error;
mod events;
mod form;
mod grants;
mod introspection;
mod key_pair;
mod password_policy;
mod passwords;
mod presented;
mod refusal;
mod revocation;
mod routes;
pub(in crate::control) mod second_factor;
pub(in crate::control) mod secrets;
pub(in crate::control) mod sessions;
pub(in crate::control) mod sign_in;
pub(in crate::control) mod signing;
mod signing_out;
#[cfg(test)]
pub(in crate::control) mod testing;
#[cfg(test)]
mod tests;
mod upkeep;
mod vault;

pub(in crate::control) use error::OAuthError;
pub(in crate::control) use password_policy::{PasswordAge, PasswordComplexity, PasswordFlaw, PasswordLockout, PasswordPolicy, SessionPolicy};
pub(in crate::control) use passwords::{NewPassword, Passwords, TemporaryPassword};
pub(in crate::control) use routes::{open_routes, routes};
pub(in crate::control) use signing::Signing;
pub(in crate::control) use upkeep::{housekeeping, keep_keys};
pub(in crate::control) use vault::Vault;

use crate::config::Control;
use std::sync::Arc;

/// What signing in works with.
#[derive(Debug)]
pub(in crate::control) struct OAuth {
    /// Seals what is secret in the store.
    pub(in crate::control) vault: Arc<Vault>,
    /// Hashes and compares passwords.
    pub(in crate::control) passwords: Passwords,
    /// Signs tokens and snapshots.
    pub(in crate::control) signing: Arc<Signing>,
}

impl OAuth {
    /// As the configuration says.
    ///
    /// # Errors
    /// When the library refuses.
    pub(in crate::control) fn new(control: &Control) -> Result<Self, OAuthError> {
        let vault = Arc::new(Vault::new(control.encryption_key.as_ref(), &control.store)?);
        let signing = Arc::new(Signing::new(Arc::clone(&vault), control.token_algorithm, control.key_rotation));
        Ok(Self { vault, passwords: Passwords::default(), signing })
    }
}
