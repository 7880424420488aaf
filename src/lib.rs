//! Doorward: a reverse-proxy authorization sidecar.

pub mod authorize;
pub mod config;
pub mod http_client;
pub mod policy;
pub mod snapshot;
pub mod sources;
pub mod token;
