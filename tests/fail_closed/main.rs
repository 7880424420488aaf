//! A list of disasters, each ending in a refusal or a cut connection (threats §1 to §5).

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
mod availability;
mod bound_tokens;
mod codings;
mod framing;
mod headers;
mod hiding;
mod payloads;
mod smuggling;
mod targets;
mod tokens;
mod upgrades;
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
