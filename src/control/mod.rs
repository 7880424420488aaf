//! The control plane: users, roles, policies and tokens behind APIs that LUSID's own clients can talk
//! to, judged by our own engine; and the snapshot that the data planes follow. It does nothing to a
//! data plane but publish the next snapshot.

mod access;
mod access_metadata;
mod body;
mod bootstrap;
mod caller;
mod console;
mod defaults;
mod foreign_tokens;
mod identity;
mod import;
mod insights;
mod judge;
mod listing;
mod oauth;
mod openapi;
mod parameters;
mod peer;
mod plane;
mod problem;
mod publication;
mod server;
mod wire;

pub use import::ImportError;
pub use server::{Control, ControlError};
