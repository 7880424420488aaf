//! The control plane: users, roles, policies and tokens behind APIs that LUSID's own clients can talk
//! to, judged by our own engine; and the snapshot that the data planes follow. It does nothing to a
//! data plane but publish the next snapshot.

mod body;
mod caller;
mod defaults;
mod import;
mod judge;
mod oauth;
mod openapi;
mod parameters;
mod plane;
mod problem;
mod wire;
