//! What the control plane remembers: documents, each with a key, changed in transactions that are
//! written to SQLite or PostgreSQL before they are acknowledged, and held in memory to be read.
//!
//! There is one writer at a time, over all replicas: a change is made on a draft of the newest
//! state, and either all of it is committed or nothing. It knows nothing of HTTP and decides nothing.

mod background;
mod database;
mod documents;
mod draft;
mod error;
mod history;
mod live;
mod location;
mod log;
mod state;
mod table;
mod writes;

pub use documents::{
    AccessMetadata, Application, ApplicationKind, Credential, ExternalTokenIssuer, IdentityRole, KeyPurpose, MetadataValue, NetworkZone, PersonalAccessToken,
    Policy, PolicyCollection, PolicyIds, PolicyTemplate, RefreshToken, Resource, Revocation, Role, ScopedId, Session, Setting, SetupLink, SigningKey,
    SupervisedRoles, User, UserKind, UserRole, UserStatus, When,
};
pub use draft::{Change, Draft};
pub use error::{StoreError, WriteError};
pub use live::{Author, Store};
pub use location::Location;
pub use log::{AuditRow, DecisionRow, EventRow, Span};
pub use state::{Document, State};
pub use table::Table;
