//! The data plane as those see it who run it: it starts and ends in order, hands over without a call
//! lost, shows itself to Prometheus, and comes with files that deploy it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected has failed"
)]

mod certificates;
mod checking;
mod dashboards;
mod deployment;
mod handing_over;
mod hanging_files;
mod life_cycle;
mod names;
mod process;
mod prometheus;
mod secrets;
mod shadow;
mod soak;
#[path = "../support/mod.rs"]
mod support;
