//! Forward auth: the door itself, and behind the real nginx, Traefik, Caddy, HAProxy and Envoy with the
//! configurations that the project ships, in which nothing but addresses and paths is replaced.

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

mod authzen;
mod cases;
mod door;
mod front;
mod odd_calls;
mod programs;
mod proxies;
mod site;
