//! Envoy's services behind a real Envoy, with the configurations that are shipped.

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

mod calls;
mod cases;
mod checks;
mod failures;
mod messages;
mod site;
mod unfinished;
