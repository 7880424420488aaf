//! The store on its real databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that meets the unexpected has failed")]

#[path = "../support/address.rs"]
mod address;
mod audit;
mod documents;
mod files;
mod killed;
mod logs;
mod measured;
mod outages;
mod place;
#[path = "../support/postgres.rs"]
mod postgres;
mod replicas;
mod wire;
mod writers;
