//! Doorward: a reverse-proxy authorization sidecar. One line per room, in reading order.

pub mod authorize;
pub mod policy;
pub mod api_map;
pub mod json_filter;
pub mod token;
pub mod snapshot;
pub mod cases;
pub mod http_client;
pub mod sources;
pub mod config;
