//! The documents of the control plane: what each kind says, and the key it is kept under.
//!
//! Times of policies and roles are texts, for they reach from the year 0001 to 9999; all others are
//! timestamps. Members that are absent are left out of the JSON.

mod access;
mod identity;
mod tokens;

pub use access::{
    AccessMetadata, MetadataValue, Policy, PolicyCollection, PolicyIds, PolicyTemplate, Resource, Role, ScopedId, SupervisedRoles, UserRole, When,
};
pub use identity::{
    Application, ApplicationKind, Credential, ExternalTokenIssuer, IdentityRole, NetworkZone, PersonalAccessToken, Session, Setting, SetupLink, User, UserKind,
    UserStatus,
};
pub use tokens::{KeyPurpose, RefreshToken, Revocation, SigningKey};
