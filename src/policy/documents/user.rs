//! Users, their personal access tokens, and revoked tokens.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::super::dates::Instant;
use super::id::ScopedId;
use super::reading::{Cursor, choice};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: Box<str>,
    /// Empty if it has none.
    pub login: Box<str>,
    /// None where the document does not say.
    pub kind: Option<UserKind>,
    /// Only `ACTIVE` may sign in.
    pub status: UserStatus,
    /// `userExpiry`: from this instant on the account cannot sign in.
    pub expiry: Option<Instant>,
    /// Its roles, also those that the snapshot does not have.
    pub roles: Box<[ScopedId]>,
    /// Which of the snapshot's users it is.
    pub(in super::super) place: u32,
}

choice! {
    /// Who uses an account.
    pub enum UserKind {
        /// A person.
        Personal = "Personal",
        /// A program.
        Service = "Service",
    }
}

choice! {
    /// Where an account stands in its life.
    pub enum UserStatus {
        /// Created, not yet activated.
        Staged = "STAGED",
        /// Activation is under way.
        Provisioned = "PROVISIONED",
        /// May sign in.
        Active = "ACTIVE",
        /// A new password is under way.
        Recovery = "RECOVERY",
        /// The password is too old.
        PasswordExpired = "PASSWORD_EXPIRED",
        /// Too many wrong passwords.
        LockedOut = "LOCKED_OUT",
        /// Suspended, for instance past its expiry.
        Suspended = "SUSPENDED",
        /// Deactivated.
        Deprovisioned = "DEPROVISIONED",
    }
}

/// An opaque token that acts as its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalAccessToken {
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// Whose it is.
    pub user_id: Box<str>,
    /// From this instant on it is of no use; none = it does not end.
    pub deactivation: Option<Instant>,
}

/// Tokens that are of no use although they are well signed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Revocations {
    /// By their `jti`.
    pub tokens: HashSet<Box<str>, FixedState>,
    /// Of users: every token issued before.
    pub users: HashMap<Box<str>, Instant, FixedState>,
}

impl User {
    /// Status `ACTIVE`, and not expired (semantics §8.2).
    #[must_use]
    pub fn may_sign_in(&self, now: impl Into<Instant>) -> bool {
        let now = now.into();
        self.status == UserStatus::Active && self.expiry.is_none_or(|expiry| now < expiry)
    }

    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let id = cursor.required("id").and_then(|id| id.boxed());
        if id.as_deref() == Some("") {
            cursor.problem_at("id", "must not be empty");
        }
        let login = cursor.member("login").and_then(|login| login.boxed());
        let kind = cursor.member("type").and_then(|kind| kind.choice());
        let status = cursor.required("status").and_then(|status| status.choice());
        let expiry = cursor.member("userExpiry").and_then(|expiry| expiry.instant());
        let roles = cursor.each("roles", ScopedId::read);
        let status = status.unwrap_or(UserStatus::Deprovisioned);
        Some(Self { id: id?, login: login.unwrap_or_default(), kind, status, expiry, roles, place: 0 })
    }
}

impl PersonalAccessToken {
    /// Whether it may still be used.
    #[must_use]
    pub fn is_usable(&self, now: impl Into<Instant>) -> bool {
        let now = now.into();
        self.deactivation.is_none_or(|end| now < end)
    }

    pub(super) fn read(cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.expect_object() {
            return None;
        }
        let sha256 = cursor.required("sha256").and_then(|sha256| {
            let digest = digest(sha256.text()?);
            if digest.is_none() {
                sha256.problem("must be 64 hexadecimal digits");
            }
            digest
        });
        let user_id = cursor.required("userId").and_then(|id| id.boxed());
        let deactivation = cursor.member("deactivationDate").and_then(|end| end.instant());
        Some(Self { sha256: sha256?, user_id: user_id?, deactivation })
    }
}

impl Revocations {
    /// An entry may name a token, a user, or both.
    pub(super) fn read(&mut self, cursor: Cursor<'_>) {
        if !cursor.expect_object() {
            return;
        }
        let token = cursor.member("jti").and_then(|jti| jti.boxed());
        if let Some(until) = cursor.member("until") {
            until.instant();
        }
        let user = cursor.member("userId").and_then(|id| id.boxed());
        if token.is_none() && user.is_none() {
            cursor.problem("must have `jti`, or `userId` and `issuedBefore`");
        }
        self.tokens.extend(token);
        let Some(user) = user else { return };
        if let Some(before) = cursor.required("issuedBefore").and_then(|before| before.instant()) {
            let latest = self.users.entry(user).or_insert(before);
            *latest = before.max(*latest);
        }
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(digest)
}
