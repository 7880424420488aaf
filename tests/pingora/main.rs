//! The door on Pingora: whatever is demanded of the proxy on hyper, and what Pingora needs beside.

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

#[path = "../proxy/answers.rs"]
mod answers;
#[path = "../fail_closed/availability.rs"]
mod availability;
#[path = "../fail_closed/bound_tokens.rs"]
mod bound_tokens;
#[path = "../fail_closed/codings.rs"]
mod codings;
#[path = "../proxy/connections.rs"]
mod connections;
#[path = "../fail_closed/answers.rs"]
mod disasters_of_answers;
#[path = "../fail_closed/framing.rs"]
mod framing;
mod guards;
#[path = "../fail_closed/headers.rs"]
mod headers;
#[path = "../proxy/health.rs"]
mod health;
#[path = "../proxy/http2.rs"]
mod http2;
#[path = "../proxy/https.rs"]
mod https;
#[path = "../proxy/metadata.rs"]
mod metadata;
#[path = "../proxy/observed.rs"]
mod observed;
#[path = "../proxy/overload.rs"]
mod overload;
#[path = "../fail_closed/payloads.rs"]
mod payloads;
#[path = "../proxy/requests.rs"]
mod requests;
#[path = "../fail_closed/smuggling.rs"]
mod smuggling;
#[path = "../fail_closed/targets.rs"]
mod targets;
#[path = "../proxy/tls.rs"]
mod tls;
#[path = "../fail_closed/tokens.rs"]
mod tokens;
#[path = "../fail_closed/upgrades.rs"]
mod upgrades;
#[path = "../proxy/upstreams.rs"]
mod upstreams;
#[path = "../fail_closed/validators.rs"]
mod validators;

use support::client::{Answer, Client};
use support::door::Doorward;

/// The answer to these bytes on a connection of their own.
async fn ask(door: &Doorward, bytes: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::connect(door.address).await;
    client.try_send(bytes).await;
    client.answer().await
}

/// The status of a refusal that leaves nothing on the wire to be read as a second request.
async fn closing_status(door: &Doorward, bytes: impl AsRef<[u8]>) -> u16 {
    let mut client = Client::connect(door.address).await;
    client.try_send(bytes).await;
    let status = client.answer().await.status;
    assert!(client.is_closed().await, "the connection stays open");
    status
}
