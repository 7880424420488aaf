//! The reverse proxy over real sockets.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod connections;
mod http2;
mod observed;
mod requests;
mod tls;
mod upstreams;
