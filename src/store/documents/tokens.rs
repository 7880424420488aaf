//! What tokens are made of and what ends them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A refresh token: used once, then followed by the next of its family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshToken {
    /// SHA-256 of the token, as hexadecimal digits.
    pub sha256: String,
    /// The sign-in it comes from; when one of a family is used twice all of it ends.
    pub family: String,
    /// Whose it is.
    pub user_id: String,
    /// The client it was given to.
    pub client_id: String,
    /// What was asked for at the sign-in.
    pub scopes: Vec<String>,
    /// The `jti` of the access token given with it.
    pub access_token_id: String,
    /// When its family began.
    pub signed_in_at: Timestamp,
    /// From then on it is of no use.
    pub expires_at: Timestamp,
    /// When it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// Tokens that are of no use although they are well signed: one by its `jti`, or a user's of a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Revocation {
    /// One token.
    Token {
        /// Its id.
        jti: String,
        /// Its end: the entry may be forgotten then.
        until: Timestamp,
    },
    /// All tokens of a user that were issued before.
    #[serde(rename_all = "camelCase")]
    User {
        /// The user.
        user_id: String,
        /// The time.
        issued_before: Timestamp,
    },
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyPurpose {
    /// Access and id tokens.
    Tokens,
    /// The snapshot.
    Snapshot,
}

/// A private key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// Its `kid`.
    pub kid: String,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// `EdDSA` or `RS256`.
    pub algorithm: String,
    /// The private key in PKCS#8, sealed.
    pub private_key: String,
    /// The public JWK, as it is published.
    pub public_key: serde_json::Value,
    /// From then on it signs; it is published before, so that everybody knows it in time.
    pub signs_from: Timestamp,
    /// From then on it is not published any more; none = it has no successor yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_until: Option<Timestamp>,
}

impl RefreshToken {
    pub(in crate::store) fn own_key(&self) -> String {
        self.sha256.clone()
    }
}

impl Revocation {
    pub(in crate::store) fn own_key(&self) -> String {
        match self {
            Self::Token { jti, .. } => format!("jti/{jti}"),
            Self::User { user_id, .. } => format!("user/{user_id}"),
        }
    }
}

impl SigningKey {
    pub(in crate::store) fn own_key(&self) -> String {
        self.kid.clone()
    }
}
