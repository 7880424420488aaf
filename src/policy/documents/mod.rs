//! The documents of a snapshot: wire shapes, read strictly, with every problem at its key path.
//!
//! It says what the documents say and whether they may be loaded; what they mean is decided elsewhere.

mod access_metadata;
mod for_spec;
mod id;
mod if_spec;
mod json;
mod policy;
mod problems;
mod reading;
mod references;
mod role;
mod selector;
mod snapshot;
mod user;

pub use access_metadata::AccessMetadata;
pub(super) use access_metadata::read_metadata;
pub use for_spec::{AsAtEnd, DateQuality, DateUnit, ForSpec, PointInTime, RelativeDate, RelativeTo};
pub(super) use id::{ADMINISTRATOR_CODE, ADMINISTRATOR_SCOPE, DEFAULT_SCOPE};
pub use id::{RoleId, ScopedId};
pub use if_spec::{ClaimTest, IfSpec, TextOperator, TextTest, ViaApiOperator};
pub use policy::{Grant, PolicyCollection, PolicyDocument, When};
pub use problems::Problem;
pub use role::{Role, RoleResource, UserRole};
pub use selector::{Action, Condition, Identifier, MetadataExpression, MetadataOperator, Part, PolicyRestriction, Selector};
pub(super) use snapshot::Documents;
pub use user::{PersonalAccessToken, Revocations, User, UserKind, UserStatus};
