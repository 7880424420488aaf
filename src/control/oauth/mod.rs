//! Signing in: passwords, second factors, keys, tokens.
#![allow(dead_code, unused_imports)]

mod error;
mod password_policy;
mod passwords;
mod secrets;
mod second_factor;
mod vault;

#[cfg(test)]
mod testing;

pub use error::OAuthError;
pub use vault::Vault;
