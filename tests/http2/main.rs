//! HTTP/2 frame by frame: what a server must answer to frames that are in order and to those that are
//! not (RFC 9113, RFC 7541), what becomes of a request on its way to HTTP/1.1, and floods.

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

mod conformance;
mod floods;
mod frames_in_order;
mod frames_out_of_order;
mod headers_out_of_order;
mod leaving;
mod translation;
