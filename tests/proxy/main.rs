//! The reverse proxy over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod certificates;
mod connections;
mod control_sink;
mod health;
mod http2;
mod https;
mod limits;
mod metadata;
mod observed;
mod overload;
mod requests;
mod tls;
mod upstreams;
